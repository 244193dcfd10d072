"""The editor's fields: which key of the campaign file each one is, in which part it stands, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

from outreach.campaign_file import keys
from outreach.campaign_file.targets import KINDS, LANGUAGE
from outreach.domain.campaign import FIELD_DEFAULTS
from outreach.domain.copies import MODES
from outreach.domain.moderation import Policy
from outreach.services.draft_files import Content

Path = tuple[str | int, ...]
LEVELS = ("required", "optional", "off")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the editor. `where` and `key` name the row of `campaign_file.keys` that it is."""

    where: str
    key: str
    label: str
    widget: str = "text"
    """text, area, lines, number, flag, choice, zone, moment or colour"""
    path: Path = ()
    options: tuple[str, ...] = ()
    hint: str = ""
    optional: bool = True
    rows: int = 3

    @property
    def name(self) -> str:
        """The form's name of it, as mistakes call it: places in lists count from 1."""
        return name_of(self.path)

    @property
    def id(self) -> str:
        """Its anchor in the page."""
        return "f-" + re.sub(r"[^A-Za-z0-9]+", "-", self.name).strip("-")

    @property
    def note(self) -> Markup:
        """What it is for, in the documentation's words unless the editor has better ones."""
        if self.hint:
            return escape(self.hint)
        text = next((k.note for k in keys.KEYS[self.where] if k.name == self.key), "")
        return Markup("").join(Markup("<code>{}</code>").format(x) if n % 2 else escape(x) for n, x in enumerate(text.split("`")))


def name_of(path: Path) -> str:
    """`target[2].fax`."""
    return "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def _top(key: str, label: str, widget: str = "text", **more: Any) -> Field:
    return Field(keys.TOP, key, label, widget, (key,), **more)


TITLE = _top("title", "Title", optional=False, hint="What the page is called: \"Keep the night bus\".")
SLUG = _top("slug", "Name in the address", optional=False)
SUMMARY = _top("summary", "In one or two sentences", "area", hint="For lists, and for links that people share; 600 letters at most.")
DEADLINE = _top("deadline", "Deadline", "moment",
                hint="Letters that wait when it passes are not sent. Without one the campaign runs until you close it.")
INBOX = _top("inbox", "Your inbox for copies", hint="Where you see a copy of each letter, or a digest.")
CONTACT = _top("contact", "Whom people can ask", hint="Name, e-mail address, telephone: for supporters and for the offices written to.")
STORY = _top("story", "The story", "area", rows=14,
             hint="Why, in Markdown: an empty line between paragraphs, ## for a heading, [words](https://…) for a link.")
SUBJECT = Field(keys.LETTER, "subject", "Subject", "text", ("letter", "subject"), optional=False)
BODY = Field(keys.LETTER, "body", "The letter", "area", ("letter", "body"), optional=False, rows=16)
EDITABLE = Field(keys.LETTER, "editable", "Supporters may put it in their own words", "flag", ("letter", "editable"),
                 hint="Letters in people's own words count for more.")
SCRIPT = Field(keys.CALL, "script", "What to say on the telephone", "area", ("call", "script"), rows=8)

PARTS: dict[str, tuple[Field, ...]] = {
    "what": (TITLE, SLUG, SUMMARY, DEADLINE, _top("reference", "File or case number"), _top("goal", "Letters hoped for", "number"),
             _top("country", "Country"), _top("languages", "Languages", "lines", rows=2,
                                              hint="One tag a line, like en or fr; the first is the letter's.")),
    "letter": (SUBJECT, BODY, EDITABLE, SCRIPT),
    "page": (STORY, _top("endorsers", "Who supports it", "lines", rows=6, hint="One a line."), CONTACT, _top("accent", "Colour", "colour")),
    "form": (*(Field(keys.FIELDS, k, k.replace("_", " ").capitalize(), "choice", ("fields", k), options=LEVELS,
                     hint=f"Unless you choose: {usual}.") for k, usual in FIELD_DEFAULTS.items()),
             _top("confirm", "Prove the mailbox", "choice", options=("email", "none"))),
    "copies": (INBOX, _top("copies", "How copies come", "choice", options=MODES),
               _top("copies_per_hour", "Most mails an hour", "number")),
    "rules": (_top("fall_back", "Use the other channel when one has failed", "flag"),
              _top("on_unknown", "When nobody can tell whether a letter arrived", "choice", options=("hold", "resend")),
              _top("attach_pdf", "Attach the letter as a PDF", "flag"),
             _top("moderation", "Letters that a moderator reads first", "choice", options=tuple(p.value for p in Policy)),
             _top("banned_words", "Words that moderators are shown", "lines")),
}
"""The fields of each part but targets', whose number differs."""

_TARGET: tuple[Field, ...] = (
    Field(keys.TARGET, "name", "Who decides", optional=False),
    Field(keys.TARGET, "email", "E-mail addresses", "lines", hint="One a line, the best first.", rows=2),
    Field(keys.TARGET, "fax", "Fax numbers", "lines", hint="One a line, the best first; with + and the country's code.", rows=2),
    Field(keys.TARGET, "source_url", "Where these are published"),
    Field(keys.TARGET, "phone", "Telephone numbers", "lines", hint="One a line. Supporters see them and call themselves.", rows=2),
    Field(keys.TARGET, "salutation", "How the letter addresses them"), Field(keys.TARGET, "role", "Office held"),
    Field(keys.TARGET, "organization", "Ministry, company or body"),
    Field(keys.TARGET, "kind", "Kind", "choice", options=KINDS), Field(keys.TARGET, "language", "Language of their letters"),
    Field(keys.TARGET, "timezone", "Time zone", "zone"), Field(keys.TARGET, "hours", "Office hours"),
    Field(keys.TARGET, "postal_address", "Postal address", "area"), Field(keys.TARGET, "id", "Id"))


def target_fields(n: int) -> list[Field]:
    """The fields of the target at place `n`, from 0."""
    found = [replace(f, path=("target", n, f.key)) for f in _TARGET]
    for where, name, what in ((keys.LIMITS, "limits", "Most letters by {}"), (keys.SHARE, "share", "Of these, this campaign's by {}")):
        found += [Field(where, k, what.format({"email": "e-mail"}.get(k, k)), path=("target", n, name, k)) for k in keys.names(where)]
    return found


TARGET_FIRST = 4
"""So many of a target's fields stand open; the rest is folded."""


def essentials() -> list[Field]:
    """The ten fields that are enough to publish."""
    who, email, fax, source = target_fields(0)[:TARGET_FIRST]
    return [TITLE, SUMMARY, DEADLINE, CONTACT, INBOX, replace(who, label="Who decides", hint="The person or office written to; more can be "
            "added under \"Who decides\"."), email, replace(fax, label="Fax numbers"), source, SUBJECT, BODY]


def translated(content: Content) -> list[Field]:
    """Subject and letter in each further language."""
    listed = content.get("languages")
    tags = [t for t in listed[1:] if isinstance(t, str) and LANGUAGE.match(t)] if isinstance(listed, list) else []
    tags += [k for k, v in content.items() if isinstance(v, dict) and k not in keys.names(keys.TOP) and LANGUAGE.match(k) and k not in tags]
    return [replace(f, label=f"{f.label} ({tag})", path=(tag, *f.path)) for tag in tags for f in (SUBJECT, BODY)]


def part_of(key: str) -> tuple[str, str]:
    """Where a mistake is mended: the part (or "target/2") and the field's anchor."""
    if m := re.match(r"target\[(\d+)\]", key):
        return f"target/{m[1]}", _anchor(key)
    if key.startswith("target"):
        return "who", "who"
    for part, fields in PARTS.items():
        if any(key == f.name or key.startswith((f"{f.name}.", f"{f.name}[")) for f in fields):
            return part, _anchor(key)
    return ("letter", _anchor(key)) if ".letter" in key or key in ("letter", "call") else ("file", "f-file")


def _anchor(key: str) -> str:
    known = re.sub(r"(?<=\w)\[\d+\]$", "", key) if not re.fullmatch(r"target\[\d+\]", key) else f"{key}.name"
    return "f-" + re.sub(r"[^A-Za-z0-9]+", "-", known).strip("-")


def every_field(content: Content) -> Iterator[Field]:
    """All fields that a draft of one target has, each once."""
    for fields in PARTS.values():
        yield from fields
    yield from target_fields(0)
    yield from translated(content)
