"""From a pasted circular to the content of a campaign file, each piece with where it was read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from outreach.domain.circular import dates, letter, owners, rest
from outreach.domain.circular.found import LONGEST, Circular, Finding, ReadNumber
from outreach.domain.circular.lines import Line, excerpt, lines_of

MOST_TARGETS = 200
_KINDS = ("email", "fax", "phone")
_NOT_USED = {"sender": "of whoever sent the mail; not a target", "ours": "of those who wrote the circular, as it seems; not a target",
             "letter": "stands inside the letter; not taken for a target", "avoid": "the text says not to use it; not taken for a target"}


def read_circular(text: str, *, read: ReadNumber, now: datetime, zone: str = "") -> Circular:
    """What a circular says, as the content of a campaign file.

    `read` tells telephone numbers from others; `now` (aware) is when it is read, for dates without a year; `zone` is the time zone of
    its times, where neither they nor an area code say so. Takes time in proportion to the text; never raises.
    """
    return _Reader(text, read, now, zone).made()


def slug_of(title: str) -> str:
    """A name for the campaign's address, from its title; "campaign" when nothing of it can stand there."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return slug or "campaign"


class _Reader:
    def __init__(self, text: str, read: ReadNumber, now: datetime, zone: str) -> None:
        self.cut = len(text) > LONGEST
        self.lines = lines_of(text)
        self.read, self.now, self.zone = read, now, zone
        self.content: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self.taken: set[int] = set()
        """Lines that a letter or a script takes."""

    def note(self, kind: str, value: str, at: int, check: str = "", key: str = "", *, around: int = 0) -> None:
        line = self.lines[at] if at < len(self.lines) else Line(1, "", "")
        self.findings.append(Finding(kind, value[:400], line.number, excerpt(line.raw, around), check, key))

    def made(self) -> Circular:
        letters = letter.letters_in(self.lines)
        self.taken = {at for x in letters for at in range(x.first, x.last)}
        script = letter.script_in(self.lines, self.taken)
        if script:
            self.taken |= set(range(script.first, script.last))
        found, others = owners.find(self.lines, self.read, self.taken)
        self.places(found, others)
        used = {f.at for o in found for f in o.found} | {f.at for f in others}
        self.deadline()
        self.words(letters, script, [o.name for o in found])
        self.about(used)
        if self.cut:
            self.note("text", f"{LONGEST:,} characters", len(self.lines) - 1, "the text is longer than that; the rest was not read")
        self.findings.sort(key=lambda f: f.line)
        return Circular(self.content, tuple(self.findings))

    def places(self, found: list[owners.Owner], others: list[owners.Found]) -> None:
        numbers = [f.place.number for o in found for f in o.found if f.place.number]
        countries = Counter(n.country for n in numbers if n.country)
        if countries:
            self.content["country"] = countries.most_common(1)[0][0]
        zones = Counter(n.zone for n in numbers if n.zone)
        self.zone = self.zone or (zones.most_common(1)[0][0] if zones else "")
        found = [o for o in found if o.found][:MOST_TARGETS]
        if found:
            self.content["target"] = [self.target(n, o) for n, o in enumerate(found)]
        for f in others:
            key = self.ours(f)
            why = _NOT_USED.get(f.role, "is it your own, where copies are wanted?")
            self.note(f.place.kind, f.place.value, f.at, _join(why, f.place.check), key, around=f.place.start)

    def target(self, n: int, o: owners.Owner) -> dict[str, Any]:
        made: dict[str, Any] = {"name": o.name[:200]}
        for name, value in (("role", o.role), ("organization", o.organization), ("postal_address", "\n".join(o.postal[:8]))):
            if value:
                made[name] = value
        zones = Counter(f.place.number.zone for f in o.found if f.place.number and f.place.number.zone)
        if zone := (zones.most_common(1)[0][0] if zones else self.zone):
            made["timezone"] = zone
        for kind in _KINDS:
            if values := o.values(kind)[:10]:
                made[kind] = values
        for place in (f for f in o.found if f.place.value in made.get(f.place.kind, [])):
            whose = "nobody is named beside it: whose is it?" if o.guessed else ""
            self.note(place.place.kind, place.place.value, place.at, _join(place.place.check, whose), f"target[{n + 1}].{place.place.kind}",
                      around=place.place.start)
        made["source_url"] = ""
        return made

    def ours(self, f: owners.Found) -> str:
        """The key that an address of the campaign's own people fills."""
        if f.role == "inbox" and "inbox" not in self.content:
            self.content["inbox"] = f.place.value
            return "inbox"
        if f.role == "ours" and f.place.kind != "fax":
            contact = self.content.get("contact", "")
            if f.place.value not in contact and len(contact) < 200:
                self.content["contact"] = f"{contact}, {f.place.value}" if contact else f.place.value
            return "contact"
        return ""

    def deadline(self) -> None:
        found = list(dates.days_in(self.lines, self.now, self.zone, self.taken))
        last = dates.deadline_of(found, self.now)
        for day in found[:100]:
            said = day.moment.isoformat() if day.moment else day.words
            chosen = last if last and (day.at, day.start) == (last.at, last.start) else None
            if chosen and day.moment:
                self.content["deadline"] = said
            self.note("date", said, day.at, chosen.check if chosen else day.check, "deadline" if chosen else "", around=day.start)

    def words(self, letters: list[letter.Text], script: letter.Text | None, names: list[str]) -> None:
        fields: set[str] = set()
        needed: list[str] = []
        if letters:
            first = letters[0]
            self.content["letter"] = {"subject": "", "body": first.body, "editable": True}
            fields |= first.fields
            if needed := letter.in_sentences(first.body):
                first.checks.append(f"the form requires {', '.join(n.replace('_', ' ') for n in needed)}: the letter says it in a sentence")
            self.note("letter", first.body, first.first, "; ".join(first.checks), "letter.body")
            self.salutation(first, names)
            for other in letters[1:10]:
                self.note("letter", other.body, other.first, "another letter; the one above, or below, was taken")
        for n, (at, subject) in enumerate(letter.subjects_in(self.lines)[:20]):
            table = self.content.setdefault("letter", {"subject": "", "body": "", "editable": True})
            first_one = n == 0 and not table["subject"]
            if first_one:
                made = letter.Text("", at, at + 1)
                table["subject"] = letter.filled(made, subject)[:250]
            check, key = ("", "letter.subject") if first_one else ("another subject; the first was taken", "")
            self.note("subject", subject, at, check, key)
        if script:
            self.content["call"] = {"script": script.body[:10_000]}
            self.note("script", script.body, script.first, "; ".join(script.checks), "call.script")
            fields |= script.fields
        asked = {name: "optional" for name in ("street", "phone") if name in fields} | dict.fromkeys(needed, "required")
        if asked:
            self.content["fields"] = asked

    def salutation(self, text: letter.Text, names: list[str]) -> None:
        targets = self.content.get("target", [])
        if not text.salutation or not targets:
            return
        last = text.salutation.split()[-1].lower()
        fitting = [n for n, name in enumerate(names[:len(targets)]) if last in name.lower()]
        for n in fitting or ([0] if len(targets) == 1 else []):
            targets[n]["salutation"] = text.salutation[:200]
        if len(targets) > 1 and not fitting:
            self.note("letter", f"Dear {text.salutation}", text.first, f"who is {text.salutation!r}? Each target's own name stands there")

    def about(self, used: set[int]) -> None:
        if title := rest.title_in(self.lines, self.taken):
            self.content["title"] = title[1][:200]
            self.content["slug"] = slug_of(title[1])
            self.note("title", title[1], title[0], "", "title")
        if reference := rest.reference_in(self.lines):
            self.content["reference"] = reference[1]
            self.note("reference", reference[1], reference[0], "is it the file's number?", "reference")
        endorsers = rest.endorsers_in(self.lines)
        if endorsers:
            self.content["endorsers"] = [name for _, name in endorsers]
        for at, name in endorsers:
            self.note("endorsers", name, at, "have they agreed to be named here?", "endorsers")
        links = rest.links_in(self.lines)
        for at, link in links:
            self.note("link", link, at, "", self.source(link))
        used |= {at for at, _ in endorsers} | ({title[0]} if title else set())
        story = list(self.story(used))
        if story:
            summary = self.content["summary"] = _summary(story[0], 300 if len(story) > 1 else 0)
            if story[0].replace("\n", " ").startswith(summary):  # the page shows both: what the summary says is said once
                story[0] = story[0][len(summary):].strip()
            if told := "\n\n".join(s for s in story if s)[:60_000]:
                self.content["story"] = told

    def source(self, link: str) -> str:
        """A page on a target's own domain may be where its addresses are published."""
        host = re.sub(r"^https?://(?:www\.)?", "", link).partition("/")[0].lower()
        for n, target in enumerate(self.content.get("target", ())):
            domains = [a.rpartition("@")[2] for a in target.get("email", ())]
            if not target["source_url"] and any(host == d or host.endswith(f".{d}") or d.endswith(f".{host}") for d in domains):
                target["source_url"] = link
                return f"target[{n + 1}].source_url"
        return ""

    def story(self, used: set[int]) -> Iterator[str]:
        for at, text in rest.story_in(self.lines, self.taken | used)[:60]:
            self.note("text", text, at, "", "story")
            yield text


def _join(*parts: str) -> str:
    return "; ".join(p for p in parts if p)


def _summary(text: str, most: int) -> str:
    """The first sentences of a paragraph, at most so many characters, but at least one sentence."""
    out = ""
    for sentence in re.split(r"(?<=[.!?])\s(?=[A-Z])", text.replace("\n", " ")):
        if out and len(out) + len(sentence) > most:
            break
        out = f"{out} {sentence}".strip()
    return out[:600]
