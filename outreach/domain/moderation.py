"""Which letters a moderator reads first, and why: rules over a supporter's own words. Marks of near-identical texts.

Every rule looks only at what the campaign's own text does not have: an address that the template names is nobody's trick. All of it
takes time in proportion to the text, whatever is typed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache


class Policy(StrEnum):
    """Which letters wait for a moderator, from the least to the most."""

    NONE = "none"
    EDITED = "edited"
    ALL = "all"


POLICIES = tuple(p.value for p in Policy)


class Why(StrEnum):
    """What made a letter wait. Shown to moderators and counted."""

    EVERY = "every"
    """The campaign has all of its letters read."""
    CHANGED = "changed"
    BANNED = "banned"
    CONTACT = "contact"
    """A link, an e-mail address or a telephone number of the writer's own."""
    ALIKE = "alike"
    """Somebody else's own words are almost the same."""
    BURST = "burst"


BURST = 10
"""Forms from one network within an hour, from which on a held letter says so: half of what a network may send by default."""
NEAR = 8
"""Bits of two marks that may differ in near-identical texts. One word changed in sixty flips about five, two words seven or eight;
unrelated texts differ in about 32, and in no more than eight by chance less than once in a hundred million times."""
SHINGLE = 2
"""Words that are looked at together: the same words in another order are another text."""
LEAST_OWN = 8
"""Shingles of one's own below which a text has no mark: many people add "thank you" and mean nothing by it."""
_LONGEST_EXCERPT = 80


def stricter(one: str, other: str) -> Policy:
    """The one of two policies that holds more."""
    return max(Policy(one), Policy(other), key=list(Policy).index)


def holds(policy: str, *, edited: bool) -> bool:
    """Whether a letter waits for a moderator under this policy."""
    return policy == Policy.ALL or (policy == Policy.EDITED and edited)


def reasons(policy: str, *, edited: bool, text: str = "", template: str = "", details: str = "", banned: Iterable[str] = (),
            alike: bool = False, forms_of_network: int = 0) -> list[Why]:
    """Why a letter waits, in the order of `Why`; empty when it does not wait. `text` and `template` matter only where it was edited;
    `details` are what its writer wrote of themselves and the letter repeats."""
    if not holds(policy, edited=edited):
        return []
    checks = {Why.EVERY: not edited, Why.CHANGED: edited, Why.BANNED: bool(banned_in(f"{text}\n{details}", banned)),
              Why.CONTACT: edited and bool(contacts_in(text, template)), Why.ALIKE: alike, Why.BURST: forms_of_network >= BURST}
    return [why for why, so in checks.items() if so]


# --- words

_HIDDEN = re.compile("[\u00ad\u034f\u0640\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f]")
"""Soft hyphens, joiners, variation selectors and the Arabic tatweel: seen by nobody, so they make no other word."""
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0487"
                    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc]")
"""Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic. In Indic scripts such marks are vowels: they stay."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
                       "\U00020000-\U0003ffff]")
"""Scripts that write no space between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
_LOOKALIKES = str.maketrans("аеіјкморстухѕԁԛԝαεικνορτυχ", "aeijkmopctyxsdqwaeiknoptux")
"""Cyrillic and Greek letters that pass for Latin ones, applied only to words that mix scripts."""
_LATIN, _OTHER = re.compile("[a-z]"), re.compile("[\u0370-\u03ff\u0400-\u052f]")


def folded(text: str) -> str:
    """`text` as it is compared: full-width and styled letters plain, case folded, accents and what nobody sees taken off."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _HIDDEN.sub("", text)).casefold())
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", plain)))


def words_of(text: str) -> list[str]:
    """The words of a text, folded: runs of letters, digits and their marks, in any script; an apostrophe ends none."""
    return [_one_script(w) for w in "".join(map(_kept, folded(text).replace("’", "'").replace("'", ""))).split()]


@lru_cache(maxsize=4096)
def _kept(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LNM" else " "


def _one_script(word: str) -> str:
    if word.isascii() or not (_LATIN.search(word) and _OTHER.search(word)):
        return word
    return word.translate(_LOOKALIKES)


def banned_in(text: str, banned: Iterable[str]) -> tuple[str, ...]:
    """Those of the banned words and phrases that stand in the text as whole words, as the list writes them.

    In scripts without spaces between words a banned word is found wherever its characters stand.
    """
    lists = {word: words_of(word) for word in banned}
    if not any(lists.values()):
        return ()
    words = words_of(text)
    runs = {n: {tuple(words[i:i + n]) for i in range(len(words) - n + 1)} for n in {len(x) for x in lists.values() if x}}
    unspaced = "".join(words)
    return tuple(word for word, parts in lists.items() if parts and (
        tuple(parts) in runs[len(parts)] or (_UNSPACED.search("".join(parts)) is not None and "".join(parts) in unspaced)))


# --- links, addresses, numbers

_CONTACT = re.compile(
    r"(?:https?://|www\.)[^\s<>\"]{1,200}"
    r"|[^\s<>\"@:,;()]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
    r"|\b[\w-]{2,63}\.(?:com|net|org|info|biz|gov|edu|app|dev|io|me|tv|cc|ru|cn|ca|uk|de|fr|us|xyz|top|shop|site|online|link|click|example)"
    r"\b(?:/[^\s<>\"]{0,200})?", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w/.-])\+?\(?\d(?:[ .()/\u00a0\u2010-\u2013-]{0,2}\d){6,16}(?![\w/-])")
_DAY = re.compile(r"(?<!\d)(?:\d{4}([-./])\d\d?\1\d\d?|\d\d?([-./])\d\d?\2\d{4})(?!\d)")
_AT_IN_WORDS = re.compile(r"\b[\w.-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w.-]{1,64}", re.IGNORECASE)


def contacts_in(text: str, template: str = "") -> tuple[str, ...]:
    """Links, e-mail addresses and telephone numbers (seven digits or more) in a text that its template does not have; shortened."""
    found = _contacts(unicodedata.normalize("NFKC", text))
    if not found:
        return ()
    known = {_bare(x) for x in _contacts(unicodedata.normalize("NFKC", template))}
    return tuple(dict.fromkeys(x[:_LONGEST_EXCERPT] for x in found if _bare(x) not in known))


def _contacts(text: str) -> list[str]:
    found = [m[0].rstrip(".,;:!?)'") for pattern in (_CONTACT, _AT_IN_WORDS) for m in pattern.finditer(text)]
    return found + [m[0] for m in _NUMBER.finditer(_DAY.sub("a day", text))]


def _bare(contact: str) -> str:
    """Whatever is typed between the digits, a number is the same."""
    digits = "".join(filter(str.isdigit, contact))
    return digits if len(digits) >= 7 and not any(map(str.isalpha, contact)) else contact.casefold().removeprefix("http://").removeprefix(
        "https://").removeprefix("www.").rstrip("/")


# --- near-identical texts

def mark_of(text: str, template: str) -> int | None:
    """A similarity hash of what is the writer's own in a text, 64 bits, signed; None when that is too little to compare.

    A simhash over the shingles that the template does not have: near-identical own words give marks that differ in few bits.
    """
    own = _shingles(text) - _shingles(template)
    if len(own) < LEAST_OWN:
        return None
    sums = [0] * 64
    for shingle in own:
        bits = int.from_bytes(hashlib.blake2b(shingle.encode(), digest_size=8).digest(), "big")
        for i in range(64):
            sums[i] += 1 if bits >> i & 1 else -1
    mark = sum(1 << i for i, n in enumerate(sums) if n > 0)
    return mark - (1 << 64) if mark >> 63 else mark


def _shingles(text: str) -> set[str]:
    words = words_of(text)
    return {" ".join(words[i:i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))} - {""}


def distance(one: int, other: int) -> int:
    """In how many of their 64 bits two marks differ."""
    return ((one ^ other) & (1 << 64) - 1).bit_count()


def is_near(mark: int, others: Sequence[int]) -> bool:
    """Whether one of the others is nearly the same."""
    return any(distance(mark, other) <= NEAR for other in others)
