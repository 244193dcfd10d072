"""Where banned words stand in a text that a moderator reads: the same rules as finding them, with places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from outreach.domain.differences import Span
from outreach.domain.moderation import folded, words_of

_APOSTROPHES = "'’"
Part = tuple[str, bool]
"""A piece of a text, and whether it is banned."""


def marked(text: str, banned: Iterable[str]) -> list[Part]:
    """The text in pieces, the banned words and phrases apart."""
    return _cut(text, 0, _places(text, banned))


def marked_spans(spans: Sequence[Span], banned: Iterable[str]) -> list[tuple[Span, list[Part]]]:
    """Each span with its pieces; a phrase may run over several. What was taken out is nobody's word any more."""
    places = _places("".join(s.text for s in spans if s.kind != "out"), banned)
    made: list[tuple[Span, list[Part]]] = []
    at = 0
    for span in spans:
        if span.kind == "out":
            made.append((span, [(span.text, False)]))
        else:
            made.append((span, _cut(span.text, at, places)))
            at += len(span.text)
    return made


def _cut(text: str, at: int, places: Sequence[tuple[int, int]]) -> list[Part]:
    """A text that begins at `at`, cut where places begin and end."""
    made: list[Part] = []
    done = at
    for first, last in places:
        start, end = max(first, done), min(last, at + len(text))
        if start >= end:
            continue
        if start > done:
            made.append((text[done - at:start - at], False))
        made.append((text[start - at:end - at], True))
        done = end
    if done < at + len(text) or not text:
        made.append((text[done - at:], False))
    return made


def _places(text: str, banned: Iterable[str]) -> list[tuple[int, int]]:
    """Start and end of each banned word or phrase, ascending; those that overlap are one."""
    found: set[tuple[int, int]] = set()
    words = list(_words(text))
    spelled = [word for word, _, _ in words]
    for phrase in banned:
        parts = words_of(phrase)
        if not parts:
            continue
        runs = [i for i, word in enumerate(spelled) if word == parts[0] and spelled[i:i + len(parts)] == parts]
        found |= {(words[i][1], words[i + len(parts) - 1][2]) for i in runs}
        if not runs:  # without spaces between words it stands within a longer run
            found |= _within(text, phrase) if "".join(parts) in "".join(spelled) and not phrase.isascii() else set()
    made: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if made and start < made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return made


def _within(text: str, phrase: str) -> set[tuple[int, int]]:
    places: set[tuple[int, int]] = set()
    at = text.find(phrase)
    while at >= 0:
        places.add((at, at + len(phrase)))
        at = text.find(phrase, at + len(phrase))
    return places


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of a text as they are compared, each with its start and end."""
    start: int | None = None
    for at, character in enumerate(f"{text}\n"):
        if _in_word(character):
            start = at if start is None else start
        elif start is not None:
            run = text[start:at]
            first = start + len(run) - len(run.lstrip(_APOSTROPHES))
            for word in words_of(run):
                yield word, first, start + len(run.rstrip(_APOSTROPHES))
            start = None


@lru_cache(maxsize=4096)
def _in_word(character: str) -> bool:
    """Letters, digits, their marks, and what is seen by nobody."""
    return character in _APOSTROPHES or not folded(character) or bool(words_of(character))
