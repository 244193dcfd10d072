"""Charts drawn on the server as SVG: no script, no style of its own, four fillings that differ by shape as well as by tone.

Every chart stands beside a table of the same figures; its label says what it shows in a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from babel.numbers import format_decimal
from markupsafe import Markup, escape

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 4, 12, 24
LABELS = 5
"""At most so many words below a chart."""


@dataclass(frozen=True, slots=True)
class Band:
    """One of the quantities of a chart: its name in the stylesheet (`fill-<name>`), and in words."""

    name: str
    words: str


PATTERNS = Markup(
    '<svg class="chart-patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="p-gone" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="ground" width="6" height="6"/><rect class="mark" width="3" height="6"/></pattern>'
    '<pattern id="p-ended" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="ground" width="6" height="6"/><circle class="mark" cx="3" cy="3" r="1.6"/></pattern>'
    "</defs></svg>")
"""The fillings that are no plain tone; once a page."""


def swatch(band: Band) -> Markup:
    """A small sample of a band, for the legend."""
    return Markup('<svg class="swatch" width="20" height="14" aria-hidden="true"><rect class="fill-{}" x="1" y="1" width="18" '
                  'height="12"/></svg>').format(band.name)


def top_of(highest: int) -> int:
    """The round number at which an axis ends: an even digit, or one, and zeros; at least 2 and not below `highest`."""
    if highest <= 8:
        return max(2, highest + highest % 2)
    power = int(10 ** floor(log10(highest)))
    return next(n * power for n in (1, 2, 4, 6, 8, 10) if n * power >= highest)


def stacked(columns: Sequence[Sequence[int]], bands: Sequence[Band], labels: Sequence[str], words: str) -> Markup:
    """One column for each of `labels`, its bands on top of each other from the bottom, the first lowest. `words` is its sentence."""
    top = top_of(max((sum(c) for c in columns), default=0))
    place = _places(len(columns))
    body = []
    for (x, width), column in zip(place, columns, strict=True):
        stood = 0
        for band, n in zip(bands, column, strict=True):
            if n > 0:
                body.append(_bar(x, width, stood, stood + n, top=top, name=band.name))
            stood += max(n, 0)
    return _framed(body, top, place, labels, words)


def beside(columns: Sequence[Sequence[int]], bands: Sequence[Band], labels: Sequence[str], words: str) -> Markup:
    """The same with the bands of each column side by side."""
    top = top_of(max((max(c) for c in columns), default=0))
    place = _places(len(columns))
    body = []
    for (x, width), column in zip(place, columns, strict=True):
        each = width / max(1, len(bands))
        body += [_bar(x + i * each, each, 0, n, top=top, name=band.name)
                 for i, (band, n) in enumerate(zip(bands, column, strict=True)) if n > 0]
    return _framed(body, top, place, labels, words)


def share_bar(parts: Sequence[tuple[str, int]], words: str) -> Markup:
    """A thin bar whose parts (filling, number) are to scale; nothing where there is nothing."""
    total = sum(n for _, n in parts)
    if not total:
        return Markup("")
    out, x = [], 0.0
    for name, n in parts:
        if n:
            width = 100 * n / total
            out.append(Markup('<rect class="fill-{}" x="{:.2f}%" width="{:.2f}%" height="100%"/>').format(name, x, width))
            x += width
    return Markup('<svg class="share" role="img" aria-label="{}">{}</svg>').format(
        words, Markup("").join(out))


def _places(n: int) -> list[tuple[float, float]]:
    """Left edge and width of each column."""
    each = (WIDTH - LEFT - RIGHT) / max(1, n)
    gap = min(4.0, each * 0.25)
    return [(LEFT + i * each + gap / 2, each - gap) for i in range(n)]


def _bar(x: float, width: float, low: int, high: int, *, top: int, name: str) -> Markup:
    scale = (HEIGHT - TOP - BOTTOM) / top
    height = max((high - low) * scale, 0.75)  # what is there is seen, however little
    return Markup('<rect class="fill-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        name, x, HEIGHT - BOTTOM - low * scale - height, width, height)


def _framed(body: Sequence[Markup], top: int, place: Sequence[tuple[float, float]], labels: Sequence[str], words: str) -> Markup:
    lines = []
    for n in (0, top // 2, top):
        y = HEIGHT - BOTTOM - n * (HEIGHT - TOP - BOTTOM) / top
        lines.append(Markup('<path class="rule" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, short(n)))
    every = max(1, -(-len(labels) // LABELS))
    for i in range(len(labels) - 1, -1, -every):  # the last, which is now, always has its word
        x, width = place[i]
        last = i == len(labels) - 1
        lines.append(Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
            WIDTH - RIGHT if last else x + width / 2, HEIGHT - 6, "end" if last else "middle", labels[i]))
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, escape(words), Markup("").join([*lines, *body]))


def short(n: int) -> str:
    """A number for an axis: 950, 12k, 1.5M."""
    for size, letter in ((1_000_000, "M"), (10_000, "k")):
        if n >= size:
            return f"{format_decimal(round(n / (1_000_000 if letter == 'M' else 1000), 1), locale='en')}{letter}"
    return format_decimal(n, locale="en")
