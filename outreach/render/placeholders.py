"""What stands in an editable letter for a detail that is not known yet: "[your name]". To add a language, add a table."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDERS: Mapping[str, Mapping[str, str]] = {
    "en": {"name": "[your name]", "email": "[your e-mail]", "street": "[your street]", "city": "[your city]",
           "postal_code": "[your postal code]", "phone": "[your telephone]", "affiliation": "[your organisation]",
           "salutation": "[salutation]", "target": "[addressee]", "role": "[their role]", "organization": "[their office]",
           "postal_address": "[their address]"},
    "fr": {"name": "[votre nom]", "email": "[votre courriel]", "street": "[votre rue]", "city": "[votre ville]",
           "postal_code": "[votre code postal]", "phone": "[votre téléphone]", "affiliation": "[votre organisme]",
           "salutation": "[formule d’appel]", "target": "[destinataire]", "role": "[sa fonction]", "organization": "[son service]",
           "postal_address": "[son adresse]"},
}
"""Language to detail to text. `target` is the addressee's name; `name` … `affiliation` are the supporter's."""

OF_TARGET: Mapping[str, str] = {"target": "name", "salutation": "salutation", "role": "role", "organization": "organization",
                                "postal_address": "postal_address"}
"""Details of the target: key in the table to the template's variable."""

_MEANING = {text: ("target", OF_TARGET[key]) if key in OF_TARGET else ("supporter", key)
            for table in PLACEHOLDERS.values() for key, text in table.items()}
_ANY = re.compile("|".join(re.escape(text) for text in sorted(_MEANING, key=len, reverse=True)))


def placeholders_in(language: str) -> Mapping[str, str]:
    """The table of a language ("fr" for "fr-CA"); English where there is none."""
    return PLACEHOLDERS.get(language.replace("_", "-").split("-", 1)[0].lower(), PLACEHOLDERS["en"])


def filled(text: str, values: Mapping[str, Mapping[str, str]], empty: str = "") -> str:
    """`text` with the placeholders of every language replaced in one pass: what is filled in is not looked at again.

    `empty` is written for a detail that is empty.
    """
    if "[" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        who, what = _MEANING[found[0]]
        return values[who][what] or empty

    return _ANY.sub(value, text)
