"""What a circular's reader finds, and what it needs to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LONGEST = 400_000
"""Characters of a circular that are read; the rest is left alone, and said so."""
EXCERPT = 160


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number that some numbering plan has: +E.164, the country's ISO code, and the time zone of its area ("" unknown)."""

    value: str
    country: str
    zone: str


ReadNumber = Callable[[str], Number | None]
"""Reads what looks like a number; None when no numbering plan has it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: what it is, where it stands, and what somebody should check before it is used."""

    kind: str
    """email, fax, phone, date, subject, letter, script, endorsers, link, reference, title or text"""
    value: str
    line: int
    """In the pasted text, from 1."""
    excerpt: str
    """The words themselves: part of the pasted text, at most `EXCERPT` characters."""
    check: str = ""
    key: str = ""
    """The key of the campaign file that it fills, like "target[1].fax"; empty when it is used nowhere."""


@dataclass(frozen=True, slots=True)
class Circular:
    """A circular as the content of a campaign file, as far as it says so; keys that it says nothing of are missing.

    `content` holds texts, numbers, lists and tables under the names of the campaign file; the deadline is ISO text with an offset.
    """

    content: dict[str, Any]
    findings: tuple[Finding, ...] = field(default=())
