"""What a mail server's refusal means: reply code and enhanced status code (RFC 3463 and its registry) to a reason."""

from __future__ import annotations

import re
from typing import Literal

from outreach.domain.letters import Reason

Stage = Literal["mail", "rcpt", "data"]
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SPAM = re.compile(r"\b(spam|unsolicited|bulk mail|blocklist(?:ed)?|blacklist(?:ed)?|reputation|junk)", re.IGNORECASE)
_FULL = re.compile(r"mailbox (?:is )?full|over ?quota|quota exceeded|insufficient storage", re.IGNORECASE)
_RATE = re.compile(r"too (?:many|much|fast)|rate limit|rate that", re.IGNORECASE)
_NOBODY = frozenset({"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "4.1", "4.4"})
_OUR_SIDE = frozenset({"1.7", "1.8", "3.4", "5.1", "5.2", "5.3", "5.5", "6.7", "7.9", "7.10", "7.11", "7.20", "7.21", "7.22",
                       "7.23", "7.24", "7.25", "7.26"})
"""Refusals of the sender, of the message or of the dialogue, not of the mailbox: sender's address and domain, message size,
protocol, and failed SPF, DKIM, DMARC or reverse DNS."""


def enhanced_code(text: str) -> str | None:
    """The first enhanced status code in a reply's text, such as "5.1.1"."""
    found = _ENHANCED.search(text)
    return found[1] if found else None


def meaning(code: int, text: str, stage: Stage = "data") -> tuple[Reason, bool]:
    """The named reason for a reply of 400 to 599, and whether it is permanent.

    A full mailbox counts as worth a retry even when it is said with a 5yz code. A bare code is read by what RFC 5321,
    4.2.3 says it means at that stage. `code` may also be only the class, 400 or 500.
    """
    status = enhanced_code(text)
    detail = status.partition(".")[2] if status else ""
    if detail == "3.1":  # the whole mail system's disk is full
        return Reason.DEFERRED, False
    if detail == "2.2" or _FULL.search(text) or (not status and code == 552 and stage == "rcpt"):
        return Reason.MAILBOX_FULL, False
    if code < 500:
        fast = detail == "7.28" or _RATE.search(text)
        return (Reason.RATE_LIMITED if fast else Reason.DEFERRED), False
    if stage == "mail" or detail in _OUR_SIDE:
        return Reason.REJECTED_BY_PROVIDER, True
    if detail in _NOBODY or (not status and stage == "rcpt" and code in (550, 551, 553)):
        return Reason.NO_MAILBOX, True
    if _SPAM.search(text):
        return Reason.SPAM, True
    return Reason.REFUSED, True
