"""A campaign's report as pages to print: figures and charts, set by typst. It holds nobody's data."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import typst

from outreach.render.clean import clean_line, clean_text
from outreach.render.files import template_dir
from outreach.render.fonts import font_files, printable
from outreach.render.typeset import CannotTypeset

_lock = threading.Lock()
MOST_DAYS = 42
"""Bars of the chart: more days than these are put together."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day, or several (`day` says which): how many letters were written, went out, and were received."""

    day: str
    written: int
    gone: int
    received: int


@dataclass(frozen=True, slots=True)
class Office:
    """Letters to one target by one channel: all, gone out, received, waiting; and what the others are, in words."""

    name: str
    channel: str
    numbers: tuple[int, int, int, int]
    others: str = ""


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """All that stands in a report, ready to be read; every time and day in it, and `made_at`, of the one time zone `zone` names."""

    title: str
    operator: str
    lead: Sequence[str]
    figures: Sequence[tuple[str, int]]
    states: Sequence[tuple[str, int]]
    targets: Sequence[Office]
    days: Sequence[Day]
    failures: Sequence[tuple[str, int]]
    forecast: Sequence[str]
    subject: str
    body: str
    """The letter, from an invented supporter to `addressee`."""
    addressee: str
    made_at: datetime
    zone: str


def report_pdf(doc: ReportDocument) -> bytes:
    """The report as PDF; the same bytes for the same document. Raises CannotTypeset."""
    content = json.dumps(_content(doc), ensure_ascii=False)
    with _lock:  # one document at a time, as in `typeset`; but only the web and the command line make reports, and they do not fork
        try:
            made: bytes = _compiler().compile(format="pdf", sys_inputs={"report": content}, timestamp=int(doc.made_at.timestamp()))
        except typst.TypstError as e:
            raise CannotTypeset(f"the report could not be typeset: {e.message[:200]}") from e
    return made


def gathered(days: Sequence[Day], most: int = MOST_DAYS) -> list[Day]:
    """The same in at most `most` parts: as many days together as it takes."""
    together = -(-len(days) // most)
    if together <= 1:
        return list(days)
    parts = [days[i:i + together] for i in range(0, len(days), together)]
    return [Day(f"{p[0].day} – {p[-1].day}" if len(p) > 1 else p[0].day, sum(d.written for d in p), sum(d.gone for d in p),
                sum(d.received for d in p)) for p in parts]


def _content(doc: ReportDocument) -> dict[str, Any]:
    days = gathered(doc.days)
    most = max((max(d.written, d.gone) for d in days), default=0)
    return {
        "title": _said(doc.title), "operator": _said(doc.operator),
        "kicker": _said(f"Report · {doc.operator}" if doc.operator else "Report"),
        "lead": [_said(x) for x in doc.lead], "figures": [[_said(word), _number(n)] for word, n in doc.figures],
        "states": [{"word": word, "n": n, "shown": _number(n)} for word, n in doc.states],
        "targets": [{"name": _said(t.name), "channel": t.channel, "numbers": [_number(n) for n in t.numbers], "others": _said(t.others)}
                    for t in doc.targets],
        "days-title": "Over time" if len(days) == len(doc.days) else f"Over time, {-(-len(doc.days) // MOST_DAYS)} days together",
        "days-most": f"the tallest bar is {_number(most)}",
        "days": [{"day": d.day, "written": d.written, "gone": d.gone, "received": d.received} for d in days],
        "failures": [[_said(word), _number(n)] for word, n in doc.failures], "forecast": [_said(x) for x in doc.forecast],
        "subject": _said(doc.subject), "letter-note": _said(f"As an invented supporter would send it to {doc.addressee}."),
        "body": [[printable(line) for line in p.split("\n")] for p in clean_text(doc.body).strip().split("\n\n")],
        "notes": f"All days and times are {_said(doc.zone)}. “Gone out” means that a mail server or fax provider took the letter; "
                 "“received” that a receipt says it arrived, which most mail servers never say; “waiting” that it is in line to go. "
                 "Counts stay when people have their data erased.",
        "footer": _said(f"{doc.title[:80]} · as of {doc.made_at:%Y-%m-%d %H:%M} {doc.zone}"),
    }


def _said(text: str) -> str:
    return printable(clean_line(text))


def _number(n: int) -> str:
    return f"{n:,}"


@lru_cache(maxsize=1)
def _compiler() -> Any:
    folder = template_dir() / "report"
    return typst.Compiler(str(folder / "report.typ"), root=str(folder), font_paths=_fonts(), ignore_system_fonts=True)


@lru_cache(maxsize=1)
def _fonts() -> Any:
    folders = sorted({str(path.parent) for path in font_files()})
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
