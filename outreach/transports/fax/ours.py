"""Our attempt's id in the addresses that a fax provider was given, where it lists them: ours alone have this form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

_MEDIA = re.compile(r"/media/([0-9a-z]{26})\.")
_ID = re.compile(r"[0-9a-z]{26}")
_HOOK = re.compile(r"/hooks/[a-z]+")
_KEYS = ("status_callback", "webhook_url", "media_url", "original_media_url")


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
