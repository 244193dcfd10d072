"""A pasted text as lines that can be read: without quotation marks of mail, HTML tags, invisible characters and emphasis."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from outreach.domain.circular.found import EXCERPT, LONGEST

_LONGEST_LINE, _MOST_LINES, _LONGEST_LINK = 8_000, 20_000, 500
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})((?:\s[^<>]{0,2000})?)/?>|<!--[^>]{0,2000}>")
_HTML = re.compile(r"<(?:/?(?:p|div|br|td|tr|li|ul|html|body|span|strong|table)\b[^<>]{0,300}|a\s[^<>]{0,1000}href[^<>]{0,1000})>", re.I)
_BREAKS = frozenset("p div br tr li ul ol h1 h2 h3 h4 h5 h6 table blockquote hr pre dt dd section article".split())
_APART = frozenset("p h1 h2 h3 h4 h5 h6 table ul ol blockquote hr pre".split())
_UNSEEN = frozenset({"style", "script", "title"})
_HREF = re.compile(r"""href\s{0,3}=\s{0,3}["']?(mailto:|tel:)?([^"'\s<>?]{1,500})""", re.I)
_INVISIBLE = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF))
"""Soft hyphen, zero-width characters, and those that only steer the direction of writing."""
_SPACES = re.compile(r"[\t\u00a0\u2000-\u200a\u202f\u205f\u3000 ]+")
_QUOTED = re.compile(r"^(?:\s{0,3}>)+ ?")
_BULLET = re.compile(r"^\s{0,12}(?:[-*•·‣▪–]|\(?\d{1,2}[.)])\s+(?=\S)")
_STRONG = re.compile(r"(?<![\w*])\*{1,2}(?=\S)([^*]{1,200})(?<=\S)\*{1,2}(?![\w*])")
_UNDER = re.compile(r"(?<![\w_])_(?=[^\s_])([^_]{1,200})(?<=[^\s_])_(?![\w_])")
_HEADING = re.compile(r"^#{1,4}\s+")
_HEADER = re.compile(r"^(from|to|cc|bcc|date|sent|subject|reply-to|von|de)\s?:", re.I)
_FORWARDED = re.compile(r"^[-_\s]{0,40}(?:begin forwarded message|forwarded message|original message|forwarded by)\b", re.I)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where it begins in the pasted text (line from 1), its words, and an excerpt that stands so in the pasted text."""

    number: int
    text: str
    raw: str
    item: bool = False
    """Whether it had a bullet."""
    header: bool = False
    """Whether it is a mail's header (From, To, Subject …), pasted or forwarded."""


def lines_of(text: str) -> list[Line]:
    """The lines of a pasted text, empty ones included. Takes time in proportion to its length, and reads at most `LONGEST`."""
    text = text[:LONGEST]
    found = _of_html(text) if len(_HTML.findall(text[:50_000])) > 1 else _of_plain(text)
    return _headers(list(islice(found, _MOST_LINES)))


def excerpt(raw: str, around: int = 0) -> str:
    """At most `EXCERPT` characters of `raw`, those around a place in it."""
    raw = raw.strip()
    if len(raw) <= EXCERPT:
        return raw
    start = max(0, min(around - EXCERPT // 2, len(raw) - EXCERPT))
    if start and (space := raw.find(" ", start, start + 24)) > 0:
        start = space
    return raw[start:start + EXCERPT].strip()


def blocks(lines: list[Line]) -> Iterator[tuple[int, int]]:
    """Runs of lines that are not empty: first, and one past the last."""
    start = None
    for n, line in enumerate(lines):
        if line.text and start is None:
            start = n
        elif not line.text and start is not None:
            yield start, n
            start = None
    if start is not None:
        yield start, len(lines)


def _clean(text: str) -> str:
    text = _SPACES.sub(" ", text[:_LONGEST_LINE].translate(_INVISIBLE))
    return "".join(c for c in text if c >= " " and c not in "\x7f\x85\u2028\u2029" and not "\ud800" <= c <= "\udfff").strip()


def _line(number: int, shown: str, raw: str) -> Line:
    shown = _QUOTED.sub("", shown)
    bullet = _BULLET.match(shown)
    words = _clean(shown[bullet.end():] if bullet else _HEADING.sub("", shown))
    return Line(number, _UNDER.sub(r"\1", _STRONG.sub(r"\1", words)), raw.strip()[:_LONGEST_LINE], bool(bullet))


def _of_plain(text: str) -> Iterator[Line]:
    for number, raw in enumerate(text.split("\n", _MOST_LINES)[:_MOST_LINES], 1):
        yield _line(number, raw, raw)


def _of_html(text: str) -> Iterator[Line]:
    """Block elements begin lines; the addresses of links stand behind their words."""
    at, number, counted, hidden, link = 0, 1, 0, "", ""
    parts: list[str] = []
    start = 0
    for tag in (*_TAG.finditer(text), None):
        piece = text[at:tag.start() if tag else len(text)]
        if not hidden and piece.strip():
            if not parts:
                start = at + len(piece) - len(piece.lstrip())
            parts.append(html.unescape(piece).replace("\n", " "))
        name = (tag[2] or "").lower() if tag else "p"
        closing = bool(tag and tag[1])
        if name in _UNSEEN:
            hidden = "" if closing else name
        if tag and name == "a":
            found = None if closing else _HREF.search(tag[3])
            if closing and link and link not in "".join(p[-_LONGEST_LINK:] for p in parts[-2:]):
                parts.append(f" {link} ")
            link = found[2] if found else ""
        if name in ("td", "th") and closing and parts:
            parts.append(" | ")
        if name in _BREAKS:
            if parts:
                number += text.count("\n", counted, start)
                counted = start
                shown = ("• " if name == "li" and closing else "") + "".join(parts).rstrip("| ")
                yield _line(number, shown, text[start:tag.start() if tag else len(text)])
                parts = []
            if name in _APART:
                yield Line(number, "", "")
        at = tag.end() if tag else at


def _headers(lines: list[Line]) -> list[Line]:
    """Mark runs of two or more header lines, a subject at the very top, and the line that announces a forwarded mail."""
    out, n = [], 0
    top = next((n for n, x in enumerate(lines) if x.text), 0)
    while n < len(lines):
        run = n
        while run < len(lines) and _HEADER.match(lines[run].text):
            run += 1
        if run - n > 1 or (n == top and run > n and lines[n].text.lower().startswith("subject")):
            out += [Line(x.number, x.text, x.raw, x.item, True) for x in lines[n:run]]
        elif _FORWARDED.match(lines[n].text):
            run = n + 1
            out.append(Line(lines[n].number, "", lines[n].raw, False, True))
        else:
            run = n + 1
            out.append(lines[n])
        n = run
    return out
