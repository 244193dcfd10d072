"""What somebody changed in a text, word by word: bounded in time, whatever stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_PIECES = re.compile(r"\n+|[^\S\n]+|[\w'’]+|[^\w\s'’]+")
_MOST_PIECES = 600
"""Words and gaps on either side of a change that are compared one by one; longer ones are shown as taken out and put in whole."""
_LEAST_KEPT = 0.4
"""Share of the shorter side's words below which a change is a text of its own, though it has an "at" and a "the" in common."""
_MOST_WORK = 1_000_000
"""Pairs of pieces that one call compares at most: texts made to be slow (a b a b …) cost a second or two."""
_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text: "same", "out" (only in the first text) or "in" (only in the second)."""

    kind: str
    text: str


def spans(before: str, after: str) -> list[Span]:
    """`before` turned into `after`: joined, the same and out spans give `before`, the same and in spans `after`."""
    return _merged(_by_line(before, after))


def _by_line(before: str, after: str) -> Iterator[Span]:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(old), len(new)) > _MOST_LINES:
        yield from _whole(before, after)
        return
    left = _MOST_WORK
    for how, a, b, c, d in SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 400).get_opcodes():
        if how == "equal":
            yield Span("same", "".join(old[a:b]))
            continue
        pieces = _PIECES.findall("".join(old[a:b])), _PIECES.findall("".join(new[c:d]))
        work = len(pieces[0]) * len(pieces[1])
        left -= work
        if not work or left < 0 or max(map(len, pieces)) > _MOST_PIECES:
            yield from _whole("".join(old[a:b]), "".join(new[c:d]))
        else:
            yield from _by_word(*pieces)


def _by_word(old: list[str], new: list[str]) -> Iterator[Span]:
    steps = SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes()
    kept = sum(_words(old[a:b]) for how, a, b, _, _ in steps if how == "equal")
    if kept < _LEAST_KEPT * min(_words(old), _words(new)):
        yield from _whole("".join(old), "".join(new))
        return
    for how, a, b, c, d in steps:
        if how == "equal":
            yield Span("same", "".join(old[a:b]))
        else:
            yield from _whole("".join(old[a:b]), "".join(new[c:d]))


def _words(pieces: Sequence[str]) -> int:
    return sum(piece[0].isalnum() for piece in pieces)


def _whole(before: str, after: str) -> Iterator[Span]:
    if before:
        yield Span("out", before)
    if after:
        yield Span("in", after)


def _merged(found: Iterator[Span]) -> list[Span]:
    """Neighbours of one kind as one; a lone space between two changes joins them: people read words, not gaps."""
    made: list[Span] = []
    for span in found:
        if made and made[-1].kind == span.kind:
            made[-1] = Span(span.kind, made[-1].text + span.text)
        else:
            made.append(span)
    return _joined(made)


def _joined(made: Sequence[Span]) -> list[Span]:
    out: list[Span] = []
    pending = {"out": "", "in": ""}

    def flush() -> None:
        out.extend(Span(kind, text) for kind, text in pending.items() if text)
        pending.update({"out": "", "in": ""})

    for n, span in enumerate(made):
        if span.kind != "same":
            pending[span.kind] += span.text
        elif span.text.isspace() and "\n" not in span.text and any(pending.values()) and n + 1 < len(made):
            pending["out"] += span.text
            pending["in"] += span.text
        else:
            flush()
            out.append(span)
    flush()
    return out
