"""Names as a reader sees them: a form in which two that look alike are equal. For comparing only; nothing is stored or shown in it.

A supporter must not sign as the one they write to, who would read "From: Transit Commissioner". Refused is therefore a name that, to
the eye, is made of nothing but a target's name, salutation, role and organization, in any order. A name that only shares words with
them is somebody's own: "Jo Minister" and "Ana Council" pass. The surname alone is refused where it is a title of that campaign
("Minister"), as is the whole name of a person who happens to be called as the target is: both can be written another way (with a
first name, a middle initial), and a letter that seems to come from its own recipient cannot be told from a forged one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_UNSEEN = {0x034F: None, 0x115F: None, 0x1160: None, 0x17B4: None, 0x17B5: None, 0x3164: None, 0xFFA0: None,
           **dict.fromkeys((*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))}
"""What shows nothing and is no format character: fillers, variation selectors (Unicode's Default_Ignorable_Code_Point)."""
_STOPS = str.maketrans({"。": ".", "․": ".", "﹒": ".", "﹫": "@"})
"""Dots that a browser takes for the dot of a domain (UTS 46), and what NFKC leaves of them."""
_ALIKE = str.maketrans("авекмнорстухіјѕԁԛԝһӏүαβεζηικμνορτυχı", "abekmhopctyxijsdqwhlyabezhikmnoptyxi")
"""Cyrillic and Greek letters that look like a Latin one, in small or in capital letters (more than pass for one in running text, as
moderation has it); after case folding."""


def plain(text: str) -> str:
    """The text without what is not seen, in NFKC: fullwidth letters, dots and @ are plain ones."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text).translate(_UNSEEN).translate(_STOPS)
    return "".join([ch for ch in text if unicodedata.category(ch) != "Cf"])


@lru_cache(maxsize=8192)
def skeleton(text: str) -> str:
    """Letters, their marks and digits, in one case, with look-alikes of other scripts as Latin. Idempotent."""
    text = unicodedata.normalize("NFKC", plain(text).casefold()).translate(_UNSEEN).translate(_ALIKE)
    kept = "".join([ch for ch in text if ch.isalnum() or unicodedata.category(ch).startswith("M")])
    return unicodedata.normalize("NFKC", kept)  # a mark may have come to stand beside another letter


def is_made_of(name: str, parts: Sequence[str]) -> bool:
    """Whether a name, to the eye, is one or several of these parts, each used at most once."""
    return _covered(skeleton(name), tuple(filter(None, map(skeleton, parts)))) if skeleton(name) else False


def _covered(rest: str, parts: tuple[str, ...]) -> bool:
    return not rest or any(rest.startswith(part) and _covered(rest[len(part):], parts[:n] + parts[n + 1:])
                           for n, part in enumerate(parts))
