"""What letters and bundles on paper have in common: runs of text in their own direction, numbers and times as people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypedDict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from outreach.domain.campaign import TargetSpec
from outreach.render.clean import clean_line
from outreach.render.fonts import printable

_LONG_WORD = re.compile(r"\S{41,}")
_MAY_BREAK = re.compile(r"(?<=[/.,;:?&=_\-])(?=\w)")
_NUMBER = re.compile(r"(?<![\w\-.+])[+(]?[0-9][0-9 ().\-]{4,}[0-9](?![\w\-])")


class Run(TypedDict):
    """A line of text as the templates take it, and whether it reads from right to left."""

    text: str
    rtl: bool


def run(text: str, otherwise: bool, most: int = 300, pieces: int = 40) -> Run:
    """One line, cut at `most` characters, that reads as its first strong character does, else as `otherwise` says."""
    line = clean_line(text)[:most]
    leftwards = _reads_leftwards(line, otherwise)
    return {"text": _shown(line, leftwards, pieces), "rtl": leftwards}


def pieced(pieces: Iterable[str], rtl: bool, most: int = 250, long: int = 18) -> Run:
    """Pieces with commas between, in a list that reads as `rtl` says; each piece in its own direction (isolates of UAX #9)."""
    shown = ("\u2068" + _shown(clean_line(piece)[:most], rtl, long) + "\u2069" for piece in pieces if piece)
    return {"text": ", ".join(shown), "rtl": rtl}


def paragraphs(body: str, rtl: bool) -> Iterator[dict[str, Any]]:
    """Each paragraph with its own direction: somebody may quote Arabic in a French letter."""
    for paragraph in body.split("\n\n"):
        leftwards = _reads_leftwards(paragraph, rtl)
        yield {"rtl": leftwards, "lines": [_shown(line, leftwards) for line in paragraph.split("\n")]}


def is_tall(text: str) -> bool:
    """Whether it has scripts whose marks need more room between lines: Arabic and its neighbours, Devanagari."""
    return any("\u0590" <= ch <= "\u08ff" or "\u0900" <= ch <= "\u097f" for ch in text)


def office(t: TargetSpec) -> list[str]:
    """To whom, line by line; what an address repeats of the office's name is left out."""
    kept: dict[str, str] = {}
    for line in map(clean_line, (t.name, t.role, t.organization, *t.postal_address.split("\n"))):
        kept.setdefault(line.casefold(), line)
    return [line for line in kept.values() if line]


def town(city: str, postal_code: str, fax_number: str) -> str:
    """The line with the town. North America writes it before its code, as codes with letters ask."""
    town_first = fax_number.startswith("+1") or any(ch.isalpha() for ch in postal_code)
    return " ".join(filter(None, (city, postal_code) if town_first else (postal_code, city)))


def as_dialled(number: str) -> str:
    """A number as people write it ("+1 416 555 0133"); as it is when it cannot be read."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return printable(clean_line(number)[:40])
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def local(at: datetime, timezone: str) -> datetime:
    """`at` in a target's time zone; as it is when there is no such zone."""
    try:
        return at.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError):
        return at


def stamp(at: datetime) -> str:
    """Date, time and zone, so that nobody has to guess: "2026-11-22 14:05 EST (UTC-05:00)", or only the offset where the zone has no
    letters of its own."""
    offset = at.strftime("%z")
    name, plain = at.tzname() or "", f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{at:%Y-%m-%d %H:%M} " + ("UTC" if name == "UTC" else f"{name} ({plain})" if name.isalpha() else plain)


def typst_language(language: str) -> str:
    """The language's two or three letters; "en" for what typst would not take."""
    base = language.replace("_", "-").split("-", 1)[0].lower()
    return base if base.isascii() and base.isalpha() and len(base) in (2, 3) else "en"


def _shown(text: str, leftwards: bool, pieces: int = 40) -> str:
    """Text as typst gets it: boxes for what cannot be drawn, places to break where a word is too long for a line."""
    text = printable(text)
    if leftwards:  # without an isolate (UAX #9), the groups of a telephone number would stand in reverse order
        text = _NUMBER.sub("\u2066\\g<0>\u2069", text)
    return _LONG_WORD.sub(lambda word: _breakable(word[0], pieces), text)


def _breakable(word: str, most: int) -> str:
    """A word too long for a line (a URL, a row of letters), with places where it may break (U+200B)."""
    return "\u200b".join(piece[i:i + most] for piece in _MAY_BREAK.split(word) for i in range(0, len(piece), most))


def _reads_leftwards(text: str, otherwise: bool) -> bool:
    """Whether a text runs from right to left: as its first strong character does (UAX #9, P2), else as the letter does."""
    strong = (unicodedata.bidirectional(ch) for ch in text)
    first = next((b for b in strong if b in ("L", "R", "AL")), None)
    return otherwise if first is None else first != "L"
