"""Every message of the interface is in every catalogue, with the same places to fill in."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from outreach.locale import HERE, languages, translations
from outreach.locale.__main__ import messages

FILLED_IN = re.compile(r"%(?:\(\w+\))?s|<[^>]+>")


@pytest.mark.parametrize("language", languages()[1:])
def test_a_catalogue_is_complete(language: str) -> None:
    with (HERE / language / "LC_MESSAGES" / "messages.po").open("rb") as po:
        catalogue = read_po(po, locale=language)
    known = {m.id: m.string for m in catalogue if m.id and not m.fuzzy}
    used = {m.id for m in messages() if m.id}
    missing = sorted(str(i) for i in used if not known.get(i) or (isinstance(known[i], tuple | list) and not all(known[i])))
    assert missing == [], "run `python -m outreach.locale`, then translate"
    assert sorted(str(i) for i in known if i not in used) == [], "run `python -m outreach.locale` to drop what is gone"


@pytest.mark.parametrize("language", languages()[1:])
def test_translations_fill_in_the_same_places(language: str) -> None:
    with (HERE / language / "LC_MESSAGES" / "messages.po").open("rb") as po:
        for message in read_po(po, locale=language):
            if not message.id:
                continue
            for original, translated in zip(*((x,) if isinstance(x, str) else x for x in (message.id, message.string)), strict=True):
                assert sorted(FILLED_IN.findall(original)) == sorted(FILLED_IN.findall(translated)), original


def test_a_regional_wish_gets_the_language_and_an_unknown_one_the_source() -> None:
    assert translations("fr-CA").gettext("Close") == "Fermer"
    assert translations("xx").gettext("Close") == "Close"
    assert translations("../../etc").gettext("Close") == "Close"
