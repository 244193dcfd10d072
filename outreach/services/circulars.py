"""The circular that went round by mail becomes the beginning of a campaign."""

from __future__ import annotations

import email
import email.errors
import email.policy
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import timezone as zones

from outreach.domain.circular import Circular, Finding, Number, ReadNumber, read_circular
from outreach.numbers import normal_phone
from outreach.services import drafts
from outreach.services.draft_files import text_of

COUNTRY = "CA"
"""Whose numbers those without + are taken for, where nobody says so. All of North America shares its form."""
_UNKNOWN = frozenset({"Etc/Unknown", "Etc/UTC"})
_NEEDED = (("slug", "the campaign's name in its address: lower-case letters, digits, hyphens"), ("title", "what the page is called"),
           ("summary", "one or two sentences"), ("deadline", "with an offset from UTC: 2027-01-22T17:00:00-05:00"),
           ("inbox", "where a copy of each letter goes"), ("contact", "whom supporters and targets can ask"))
_MOST_LOOSE = 60
_HEADER = re.compile(r"\s{0,5}[A-Za-z][A-Za-z-]{1,60}:[ \t]")
_MIME = re.compile(r"^(?:MIME-Version|Content-Transfer-Encoding|Content-Type):", re.I | re.M)


def text_of_bytes(raw: bytes) -> str:
    """A file's text: UTF-8, or what mail programs of old wrote."""
    for encoding in ("utf-8-sig", "utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def text_of_mail(text: str) -> str:
    """What a mail's reader would see, where `text` is a mail as it travels (a saved .eml, a mail's source); else `text` itself."""
    if not _HEADER.match(text) or not _MIME.search(text[:20_000]):
        return text
    try:
        mail = email.message_from_string(text, policy=email.policy.default)
        body = mail.get_body(("plain", "html"))
        content = body.get_content() if body is not None else ""
        head = [f"{name}: {mail[name]}" for name in ("From", "Date", "Subject") if mail[name]]
    except (email.errors.MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError):  # a broken mail can do that
        return text
    return "\n".join((*head, "", content)) if isinstance(content, str) and content.strip() else text


def read(text: str, *, now: datetime, country: str = "", zone: str = "") -> Circular:
    """What a circular says. `country` (ISO code) has the numbers without +, `zone` the times without a time zone; both may be empty."""
    return read_circular(text, read=numbers_of(country or COUNTRY), now=now, zone=zone)


@lru_cache(maxsize=64)
def numbers_of(country: str) -> ReadNumber:
    """Tells telephone numbers from other digits, by the numbering plans."""
    @lru_cache(maxsize=4096)
    def read_number(text: str) -> Number | None:
        try:
            value = normal_phone(text.strip(), country)
        except ValueError:
            return None
        parsed = phonenumbers.parse(value)
        found = [z for z in zones.time_zones_for_number(parsed) if z not in _UNKNOWN]
        where = phonenumbers.region_code_for_number(parsed) or ""
        return Number(value, where if len(where) == 2 else "", found[0] if len(found) == 1 else "")

    return read_number


def as_file(circular: Circular) -> str:
    """What was read as a campaign file: above each key the line it was read in, and what to check; "FILL IN" where nothing was found."""
    content: dict[str, Any] = {}
    notes: dict[str, list[str]] = {"": [
        "A draft, read from a circular. Check each line, fill in what says FILL IN, and give it to `outreach campaign import`.",
        *_loose(f for f in circular.findings if not f.key)]}
    read_content = drafts.of_circular(circular)
    for key, what in _NEEDED:
        if not read_content.get(key):
            notes.setdefault(key, []).append(f"FILL IN: {what}")
            if key == "deadline":
                notes[""].append(f"FILL IN a line deadline = … : {what}")
            else:
                content[key] = ""
        else:
            content[key] = read_content[key]
    content |= {k: v for k, v in read_content.items() if k not in content}
    for key in ("subject", "body"):
        if not content["letter"].get(key):
            notes.setdefault(f"letter.{key}", []).append("FILL IN: nothing was found that looks like it")
    for n, target in enumerate(content["target"], 1):
        if not target.get("name"):
            notes.setdefault(f"target[{n}].name", []).append("FILL IN: who decides, with email = [\"…\"] or fax = [\"…\"]")
        if not target.get("source_url"):
            target["source_url"] = ""
            notes.setdefault(f"target[{n}].source_url", []).append("FILL IN: where these addresses are published")
    for f in circular.findings:
        if f.key:
            notes.setdefault(f.key, []).append(_said(f))
    return text_of(content, notes)


def _loose(findings: Iterable[Finding]) -> list[str]:
    found = [f"Not used: {f.kind} {f.value[:80]!r}, {_said(f)}" for f in findings]
    return found[:_MOST_LOOSE] + ([f"… and {len(found) - _MOST_LOOSE} more"] if len(found) > _MOST_LOOSE else [])


def _said(f: Finding) -> str:
    return f'line {f.line}: "{f.excerpt[:100]}"' + (f" CHECK: {f.check}" if f.check else "")
