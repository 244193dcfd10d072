"""What of a fax is ours: the number that it comes from, and our attempt's id in the addresses that its provider was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from outreach.numbers import normal_phone
from outreach.settings import SettingsInvalid

_MEDIA = re.compile(r"/media/([0-9a-z]{26})\.")
_ID = re.compile(r"[0-9a-z]{26}")
_HOOK = re.compile(r"/hooks/[a-z]+")
_KEYS = ("status_callback", "webhook_url", "media_url", "original_media_url")


def check_sender(number: str) -> None:
    """Raises SettingsInvalid for what no provider takes as the number that a fax comes from: it would refuse each one for good."""
    try:
        good = normal_phone(number, "") == number
    except ValueError:
        good = False
    if not good:
        raise SettingsInvalid("OUTREACH_FAX_FROM must be a fax number of yours at the provider, written like +14165550100; until then "
                              "faxes wait")


def attempt_listed(fax: Mapping[str, Any]) -> str | None:
    """The attempt that a listed fax's callback or media address names; None where the provider lists other addresses or none."""
    for key in _KEYS:
        try:
            parts = urlsplit(str(fax.get(key) or ""))
        except ValueError:
            continue
        named = parse_qs(parts.query).get("a", [""])[0] if _HOOK.search(parts.path) else ""
        if _ID.fullmatch(named):
            return named
        if found := _MEDIA.search(parts.path):
            return found[1]
    return None


def same_number(said: object, number: str) -> bool:
    """Whether a provider means this +E.164 number, however it writes it."""
    return "".join(c for c in str(said or "") if c.isdigit()) == number.removeprefix("+")
