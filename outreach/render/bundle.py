"""Many letters as one: a cover, each text once with the names of all who sent it, and every edited one in full (docs/decisions/0016)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from outreach.domain.campaign import TargetSpec
from outreach.locale import translations
from outreach.render import paper
from outreach.render.clean import clean_line, clean_text, direction_of
from outreach.render.text import RenderedLetter, long_date
from outreach.render.typeset import typeset


@dataclass(frozen=True, slots=True)
class Writer:
    """One who wrote. `subject` is their own where the text is not, else empty."""

    name: str
    place: str
    affiliation: str
    verified: bool
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A text and who sent it. `own`: written or changed by the writer, and therefore printed as that person's letter."""

    letter: RenderedLetter
    writers: tuple[Writer, ...]
    own: bool


@dataclass(frozen=True, slots=True)
class BundleDocument:
    """All that stands on a bundle. `stamped_at` is when it is handed over (aware); it prints in the target's time zone."""

    words: tuple[Words, ...]
    """In order of submission, by the first of each text's writers."""
    campaign: str
    reference: str
    target: TargetSpec
    fax_number: str
    """Empty when it goes by e-mail."""
    language: str
    stamped_at: datetime
    deadline: datetime | None
    sender_phone: str
    operator_name: str
    verify_url: str

    @property
    def count(self) -> int:
        """How many people's letters it holds."""
        return sum(len(w.writers) for w in self.words)


def bundle_pdf(doc: BundleDocument) -> bytes:
    """The bundle as PDF; the same bytes for the same document. Raises CannotTypeset."""
    return typeset(json.dumps(_content(doc), ensure_ascii=False), int(doc.stamped_at.timestamp()), "bundle")


def title(doc: BundleDocument) -> str:
    """"340 letters: Keep the night bus", in the document's language."""
    t = translations(doc.language)
    return t.ngettext("%(n)s letter: %(campaign)s", "%(n)s letters: %(campaign)s", doc.count) % {
        "n": doc.count, "campaign": clean_line(doc.campaign)[:200]}


def cover(doc: BundleDocument) -> Iterator[str]:
    """What the cover says, paragraph by paragraph: how many, through whom, why together, and what follows."""
    t = translations(doc.language)
    _ = t.gettext
    who = t.ngettext("%(n)s person has written to you through %(operator)s about “%(campaign)s”.",
                     "%(n)s people have written to you through %(operator)s about “%(campaign)s”.", doc.count) % {
        "n": doc.count, "operator": clean_line(doc.operator_name)[:100], "campaign": clean_line(doc.campaign)[:200]}
    if doc.reference:
        who += " " + _("Reference: %(reference)s.") % {"reference": clean_line(doc.reference)[:40]}
    yield who
    if doc.deadline is not None:
        local = paper.local(doc.deadline, doc.target.timezone)
        until = f"{long_date(local.date(), doc.language)}, {local:%H:%M}"
        yield (_("Sent one after another they would have kept your line busy past the deadline of %(when)s, so they come together.")
               if doc.fax_number else
               _("Sent one after another they would have filled your inbox past the deadline of %(when)s, so they come together.")
               ) % {"when": until}
    own = sum(len(w.writers) for w in doc.words if w.own)
    if 0 < own < doc.count:
        yield _("%(n)s sent the text printed first, with their names below it; %(own)s used words of their own, printed after it.") % {
            "n": doc.count - own, "own": own}
    if not all(x.verified for w in doc.words for x in w.writers):
        yield _("* The sender's e-mail address was not verified.")


def _content(doc: BundleDocument) -> dict[str, Any]:
    t = translations(doc.language)
    _ = t.gettext
    rtl = direction_of(doc.language) == "rtl"
    at = paper.local(doc.stamped_at, doc.target.timezone)
    numbers = count(1)

    def run(text: str, most: int = 300, pieces: int = 40) -> paper.Run:
        return paper.run(text, rtl, most, pieces)

    def writer(w: Writer) -> dict[str, Any]:
        name = paper.pieced((w.name + ("" if w.verified else " *"), w.place, w.affiliation), rtl)
        return {"number": str(next(numbers)), "name": name, "subject": paper.pieced((w.subject,), rtl)}

    def text(w: Words) -> dict[str, Any]:
        return {"subject": run(w.letter.subject, 1000), "body": list(paper.paragraphs(clean_text(w.letter.body), rtl))}

    shared = [w for w in doc.words if not w.own or len(w.writers) > 1]
    texts = [{**text(w), "title": run(_sent_by(len(w.writers), doc.language)), "writers": [writer(x) for x in w.writers]} for w in shared]
    own = [{**writer(w.writers[0]), **text(w)} for w in doc.words if w not in shared]
    return {
        "lang": paper.typst_language(doc.language), "rtl": rtl, "tall": rtl or any(paper.is_tall(w.letter.body) for w in doc.words),
        "stamp": paper.stamp(at), "date": run(long_date(at.date(), doc.language)), "name": run(doc.operator_name, 120, 24),
        "phone": paper.as_dialled(doc.sender_phone), "target": run(doc.target.name, 80), "fax": paper.as_dialled(doc.fax_number),
        "reference": run(doc.reference, 40), "recipient": [run(x) for x in paper.office(doc.target)],
        "title": run(title(doc)), "cover": [run(x, 1000) for x in cover(doc)], "texts": texts, "own": own,
        "own-title": run(_("In their own words")),
        "footer": [run(_("Sent through %(operator)s.") % {"operator": clean_line(doc.operator_name)[:100]}),
                   run(_("Verify or report this letter:") + " " + doc.verify_url)],
        "labels": {"page": _("Page %(page)s of %(pages)s"), "sender": _("From"), "recipient": _("To"), "phone": _("tel."),
                   "fax": _("fax"), "reference": _("Reference")},
    }


def _sent_by(n: int, language: str) -> str:
    return translations(language).ngettext("Sent by %(n)s person", "Sent by %(n)s people", n) % {"n": n}


def grouped(letters: Sequence[tuple[object, RenderedLetter, Writer, bool]]) -> tuple[Words, ...]:
    """Letters as (key, text, writer, own) in order; those with one key stand once, under their first's place."""
    found: dict[object, tuple[RenderedLetter, list[Writer], bool]] = {}
    for key, letter, writer, own in letters:
        found.setdefault(key, (letter, [], own))[1].append(writer)
    return tuple(Words(letter, tuple(writers), own) for letter, writers, own in found.values())
