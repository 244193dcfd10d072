"""A letter as fax pages: what stands on them. typst sets them (`typeset`), pdfium and Pillow make them dots (`pages`).

Pages are 1728 dots wide and 11 inches long: they come out whole on letter and on A4 paper (docs/decisions/0006).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.domain.campaign import TargetSpec
from outreach.i18n import gettext_for
from outreach.render import paper
from outreach.render.clean import clean_line, clean_text, direction_of
from outreach.render.fonts import missing_glyphs
from outreach.render.pages import DPI, HEIGHT, WIDTH, page_count, pngs_of, tiff_of
from outreach.render.text import Person, RenderedLetter, long_date
from outreach.render.typeset import typeset

__all__ = ["DPI", "HEIGHT", "WIDTH", "FaxDocument", "fax_pdf", "missing_glyphs", "page_count", "pngs_of", "tiff_of"]


@dataclass(frozen=True, slots=True)
class FaxDocument:
    """All that stands on a fax. `stamped_at` is when it is handed over (aware); it prints in the target's time zone."""

    letter: RenderedLetter
    person: Person
    target: TargetSpec
    fax_number: str
    reference: str
    """Empty when the campaign has none."""
    language: str
    """The letter's."""
    stamped_at: datetime
    sender_phone: str
    """A number that is answered. Printed on every page; whoever sends sees to it that there is one."""
    operator_name: str
    verify_url: str
    translate: Callable[[str], str] | None = None
    """For the fixed words; `gettext_for(language)` when None."""


def fax_pdf(doc: FaxDocument) -> bytes:
    """The fax as PDF; the same bytes for the same document. Raises CannotTypeset.

    Characters that the typeface lacks stand as boxes: `missing_glyphs` tells them beforehand.
    """
    return typeset(json.dumps(_content(doc), ensure_ascii=False), int(doc.stamped_at.timestamp()))


def _content(doc: FaxDocument) -> dict[str, Any]:
    _ = doc.translate or gettext_for(doc.language)
    rtl = direction_of(doc.language) == "rtl"
    p, t, at = doc.person, doc.target, paper.local(doc.stamped_at, doc.target.timezone)

    def run(text: str, most: int = 300, pieces: int = 40) -> paper.Run:
        return paper.run(text, rtl, most, pieces)

    body = clean_text(doc.letter.body)
    unproved = "" if p.verified else " " + _("The sender's e-mail address was not verified.")
    return {
        "lang": paper.typst_language(doc.language), "rtl": rtl, "tall": rtl or paper.is_tall(body),
        "stamp": paper.stamp(at), "date": run(long_date(at.date(), doc.language)),
        "name": run(p.name, 120, 24), "affiliation": run(p.affiliation), "sender": [run(x) for x in _reach(p, doc.fax_number) if x],
        "phone": paper.as_dialled(doc.sender_phone), "target": run(t.name, 80), "fax": paper.as_dialled(doc.fax_number),
        "reference": run(doc.reference, 40), "recipient": [run(x) for x in paper.office(t)],
        "subject": run(doc.letter.subject, 1000), "body": list(paper.paragraphs(body, rtl)),
        "signature": clean_line(p.name) not in " ".join(body.split("\n")[-6:]),
        "footer": [run(_("Sent through %(operator)s.") % {"operator": clean_line(doc.operator_name)[:100]} + unproved),
                   run(_("Verify or report this letter:") + " " + doc.verify_url)],
        "labels": {"page": _("Page %(page)s of %(pages)s"), "sender": _("From"), "recipient": _("To"), "phone": _("tel."),
                   "fax": _("fax"), "reference": _("Reference")},
    }


def _reach(p: Person, fax_number: str) -> tuple[str, ...]:
    """How to answer: street, town, telephone, e-mail."""
    return p.street, paper.town(p.city, p.postal_code, fax_number), p.phone, p.email
