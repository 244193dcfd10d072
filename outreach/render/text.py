"""The letter's text: the campaign's template with the supporter's details, or the supporter's own words.

Templates are the organizer's; everything a supporter types is data. Own words are never a template: only the bracketed
placeholders that the form offered are filled in, in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from babel.dates import format_date

from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.locale import babel_locale
from outreach.render.clean import clean_line, clean_text
from outreach.render.live import Part, pieces
from outreach.render.placeholders import OF_TARGET, PLACEHOLDERS, filled, placeholders_in
from outreach.render.template import LONGEST, MARK, VARIABLES, CannotRender, Placeholder, check_template, render, tidy

__all__ = ["LONGEST", "PLACEHOLDERS", "VARIABLES", "CannotRender", "Part", "Person", "RenderedLetter", "check_template",
           "editable_text", "is_unedited", "live_parts", "long_date", "placeholders", "render_letter"]


@dataclass(frozen=True, slots=True)
class Person:
    """The supporter as a letter knows them; `verified` tells whether the mailbox was proved."""

    name: str
    email: str
    street: str = ""
    city: str = ""
    postal_code: str = ""
    phone: str = ""
    affiliation: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class RenderedLetter:
    """Plain text; paragraphs are separated by a blank line."""

    subject: str
    body: str


def render_letter(spec: CampaignSpec, target: TargetSpec, person: Person, *, subject: str | None = None,
                  body: str | None = None) -> RenderedLetter:
    """The letter of `person` to `target`, in the target's language.

    `subject` and `body`, where given, are the supporter's own: data, in which only the placeholders of `editable_text` are filled in.
    Raises CannotRender when the template is wrong, or the letter comes out empty or longer than `LONGEST` characters.
    """
    language = target.language or spec.languages[0]
    text = spec.text_in(language)
    values = {"supporter": _supporter(person), "target": _target(target), "campaign": _campaign(spec, language)}
    made = RenderedLetter(clean_line(render(text.subject, values) if subject is None else _own(clean_line(subject), values)),
                          render(text.body, values) if body is None else _own(clean_text(body), values))
    if not made.subject or not made.body:
        raise CannotRender("the letter has no " + ("text" if made.subject else "subject"))
    return made


def editable_text(spec: CampaignSpec, language: str) -> RenderedLetter:
    """What the form's subject and body hold at first: placeholders for what is not known yet, optional lines left out.

    A detail that the campaign requires counts as given, one that it does not ask for as empty. Raises CannotRender.
    """
    text = spec.text_in(language)
    asked = tuple(spec.fields.get(name, "optional") for name in VARIABLES["supporter"])
    return _editable(text.subject, text.body, language, tuple(_campaign(spec, language).values()), asked)


def is_unedited(spec: CampaignSpec, language: str, subject: str, body: str) -> bool:
    """Whether a form's text is still that of `editable_text`, white space aside. A field left blank counts as unedited."""
    first = editable_text(spec, language)
    return _same(subject, first.subject) and _same(body, first.body)


def placeholders(spec: CampaignSpec, language: str) -> dict[str, str]:
    """The placeholders of the supporter's own details in a language: text in brackets to field name."""
    known = placeholders_in(language)
    return {known[name]: name for name in VARIABLES["supporter"]}


def live_parts(source: str, spec: CampaignSpec, target: TargetSpec, *, otherwise: bool = False) -> list[Part]:
    """The template in pieces that a browser can fill in while somebody types.

    What depends on the target or the campaign is filled in here. A piece that groups cannot express is left as it renders with
    nothing typed; an `{% else %}` is such a piece unless the caller can show `unless` parts (`otherwise`).
    """
    language = target.language or spec.languages[0]
    return list(pieces(source, tuple(_target(target).values()), tuple(_campaign(spec, language).values()), otherwise))


@lru_cache(maxsize=1024)
def long_date(day: date, language: str) -> str:
    """A date as a letter in this language writes it: "22 January 2027"."""
    return format_date(day, "long", locale=babel_locale(language))


def _supporter(p: Person) -> dict[str, str]:
    return {"name": clean_line(p.name), "email": clean_line(p.email), "street": clean_line(p.street), "city": clean_line(p.city),
            "postal_code": clean_line(p.postal_code), "phone": clean_line(p.phone), "affiliation": clean_line(p.affiliation)}


def _target(t: TargetSpec) -> Mapping[str, str]:
    return _cleaned_target(t.name, t.salutation or t.name, t.role, t.organization, t.postal_address)


def _campaign(spec: CampaignSpec, language: str) -> Mapping[str, str]:
    cleaned = _cleaned(spec.title, spec.reference, spec.contact)
    values = {**cleaned, "deadline": long_date(spec.deadline.date(), language) if spec.deadline else "", "slug": spec.slug}
    return {name: values[name] for name in VARIABLES["campaign"]}  # callers zip them


@lru_cache(maxsize=1024)
def _cleaned_target(name: str, salutation: str, role: str, organization: str, postal_address: str) -> Mapping[str, str]:
    """The same for all letters to one office; nobody writes into it."""
    return {"name": clean_line(name), "salutation": clean_line(salutation), "role": clean_line(role),
            "organization": clean_line(organization), "postal_address": clean_text(postal_address)}


@lru_cache(maxsize=256)
def _cleaned(title: str, reference: str, contact: str) -> Mapping[str, str]:
    """The same for all letters of a campaign."""
    return {"title": clean_line(title), "reference": clean_line(reference), "contact": clean_line(contact)}


def _own(text: str, values: Mapping[str, Mapping[str, str]]) -> str:
    text = filled(text, values, empty=MARK)
    if len(text) > LONGEST:
        raise CannotRender(f"the letter has {len(text)} characters; at most {LONGEST} are allowed")
    return tidy(text)


@lru_cache(maxsize=256)
def _editable(subject: str, body: str, language: str, campaign: tuple[str, ...], asked: tuple[str, ...]) -> RenderedLetter:
    words = placeholders_in(language)
    supporter: dict[str, str] = {
        name: "" if how == "off" else Placeholder(words[name], given=how == "required" or name in ("name", "email"))
        for name, how in zip(VARIABLES["supporter"], asked, strict=True)}
    target: dict[str, str] = {name: Placeholder(words[key], given=name in ("name", "salutation")) for key, name in OF_TARGET.items()}
    values = {"supporter": supporter, "target": target, "campaign": dict(zip(VARIABLES["campaign"], campaign, strict=True))}
    return RenderedLetter(clean_line(render(subject, values)), render(body, values))


def _same(typed: str, first: str) -> bool:
    words = clean_text(typed).split()
    return not words or words == _words(first)


@lru_cache(maxsize=256)
def _words(text: str) -> list[str]:
    return clean_text(text).split()
