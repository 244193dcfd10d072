"""The interface's language as a function: what pages and mails are translated with."""

from __future__ import annotations

from collections.abc import Callable

from outreach.locale import translations


def gettext_for(language: str) -> Callable[[str], str]:
    """Translates a message into `language`; the message itself where there is no translation."""
    return translations(language).gettext


def N_(message: str) -> str:
    """Marks a message for extraction that is translated later, when its reader's language is known."""
    return message
