"""The digest that a campaign's inbox gets in the place of single copies: figures, a table of the letters, the same as CSV.

Its HTML part is a page of its own, with a table; both parts say the same and ask nothing of anybody.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from outreach.render.clean import clean_line, direction_of
from outreach.render.files import template_dir
from outreach.render.mail import MailText
from outreach.render.spreadsheet import inert

SHOWN = 200
"""Letters that the mail itself shows; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Line:
    """One letter: when it went out (for people, and as ISO 8601), whose, to whom, how, in what state; all ready to be read."""

    time: str
    at: str
    name: str
    target: str
    channel: str
    state: str
    letter: str
    file: str = ""
    """Of a fax whose pages are attached."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a digest tells. `lines` is empty where the campaign gets figures only."""

    campaign: str
    since: str
    until: str
    zone: str
    total: int
    counts: Sequence[tuple[str, str, str, int]]
    """Target, channel, state and how many."""
    lines: Sequence[Line] = ()
    taken_back: int = 0
    """Letters not listed, since their writers have taken them back."""
    pages: int = 0
    """Faxes whose pages are attached."""
    unattached: int = 0
    """Faxes whose pages could not be."""


def digest_mail(digest: Digest, language: str, *, operator_name: str, operator_address: str,
                translate: Callable[[str], str] = str) -> MailText:
    """The digest in `language`."""
    values: dict[str, Any] = {
        "d": digest, "shown": digest.lines[:SHOWN], "more": max(0, len(digest.lines) - SHOWN), "_": translate, "language": language,
        "direction": direction_of(language), "operator_name": clean_line(operator_name), "operator_address": operator_address.strip()}
    text = _environment(False).get_template("digest.txt.jinja")
    context = text.new_context(values)
    subject = clean_line("".join(text.blocks["subject"](context)))
    html = _environment(True).get_template("digest.html.jinja").render(**values, subject=subject)
    return MailText(subject, "".join(text.blocks["text"](context)).strip() + "\n", html)


def as_csv(lines: Sequence[Line]) -> bytes:
    """The table for a spreadsheet, UTF-8 with a BOM; what a spreadsheet would take for a formula is put after an apostrophe."""
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(("time", "name", "target", "channel", "state", "letter", "file"))
    for x in lines:
        rows.writerow([inert(v) for v in (x.at, x.name, x.target, x.channel, x.state, x.letter, x.file)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


@lru_cache(maxsize=2)
def _environment(escaped: bool) -> Environment:
    """One for text, which needs no escapes, and one for HTML."""
    return Environment(loader=FileSystemLoader(template_dir() / "email"), undefined=StrictUndefined, autoescape=escaped,  # noqa: S701
                       keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True)
