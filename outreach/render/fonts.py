"""The typeface of our fax pages, and which characters it has.

Noto Sans with Noto Sans Arabic covers Latin (with Vietnamese), Greek, Cyrillic, Devanagari, Arabic, Persian and Urdu. It does not
have Hebrew, Georgian, Armenian, Thai, CJK or emoji: those are shown as boxes, and said beforehand.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import fontpkg
from fontTools.ttLib import TTFont

FAMILIES = ("Noto Sans", "Noto Sans Arabic")
BOX = "\u25a1"
"""Stands where a character is that the typeface lacks. It is drawn as the typeface's own empty box."""
_UNSEEN = frozenset("\n\t\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f")
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_PICTURE = re.compile(f"{BOX}(?:[\ufe0e\ufe0f]|\u200d{BOX}?)+")
"""A picture of several characters, once each is a box: joined by zero-width joiners, shaped by variation selectors."""


def font_files() -> list[Path]:
    """The typeface's files, of one style each."""
    return sorted({f.path for family in FAMILIES for f in fontpkg.family(family).files})


def missing_glyphs(text: str) -> list[str]:
    """Characters of `text` that a fax page cannot show, each once, in order."""
    covered = _covered()
    found = unicodedata.normalize("NFC", text)
    return [ch for ch in dict.fromkeys(found) if ord(ch) not in covered and ch not in _UNSEEN]


def printable(text: str) -> str:
    """`text` with one box for each picture or character that the typeface lacks."""
    if text.isascii():
        return text
    missing = dict.fromkeys(map(ord, missing_glyphs(text)), BOX)
    if not missing:
        return text
    return _PICTURE.sub(BOX, _TONE.sub("", unicodedata.normalize("NFC", text)).translate(missing))


@lru_cache(maxsize=1)
def _covered() -> frozenset[int]:
    found: set[int] = set()
    for path in font_files():
        with TTFont(path, lazy=True) as font:
            found.update(font.getBestCmap())
    return frozenset(found)
