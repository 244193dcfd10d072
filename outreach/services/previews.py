"""A campaign's letters as their targets would get them, written for an invented supporter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from outreach.campaign_files import read_campaign
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.i18n import gettext_for
from outreach.render import fax as fax_pages
from outreach.render.mail import letter_mail
from outreach.render.text import Person, RenderedLetter, render_letter
from outreach.services import campaigns, compose
from outreach.settings import Settings, get_settings

SAMPLE = Person("Alex Example", "alex@supporter.example", "12 Sample Street", "Toronto", "M5V 2T6", "+1 416 555 0155", "", True)


@dataclass(frozen=True, slots=True)
class Preview:
    """One target's letter."""

    target: TargetSpec
    letter: RenderedLetter


def sample(spec: CampaignSpec) -> Person:
    """The invented supporter, with only what this campaign's form asks."""
    asked = {name: getattr(SAMPLE, name) if level != "off" else "" for name, level in spec.fields.items()}
    return Person(SAMPLE.name, SAMPLE.email, verified=SAMPLE.verified, **asked)


def previews(name: str, *, now: datetime) -> tuple[CampaignSpec, list[Preview]]:
    """The letters of a campaign: `name` is a slug, or a folder or TOML file that need not have been imported.

    Raises NotFound, CampaignFileInvalid, CannotRender.
    """
    path = Path(name)
    spec = read_campaign(path, get_settings(), now)[0] if path.exists() else campaigns.spec_of(name)
    return spec, [Preview(t, render_letter(spec, t, sample(spec))) for t in spec.targets]


def write_previews(spec: CampaignSpec, found: list[Preview], folder: Path, *, now: datetime) -> list[Path]:
    """Write each letter as text, as HTML mail and as fax pages (PDF and PNG), as its target's addresses ask. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = get_settings()
    written = []
    for preview in found:
        for suffix, content in _files(spec, preview, settings, now):
            path = folder / f"{preview.target.id}{suffix}"
            path.write_bytes(content)
            written.append(path)
    return written


def as_text(preview: Preview) -> str:
    """One letter for a terminal."""
    t = preview.target
    ways = [f"{channel} {value}" for channel, values in (("e-mail", t.email), ("fax", t.fax)) for value in values]
    return f"To: {t.name} ({', '.join(ways) or 'no address for letters'})\nSubject: {preview.letter.subject}\n\n{preview.letter.body}\n"


def _files(spec: CampaignSpec, preview: Preview, settings: Settings, now: datetime) -> Iterator[tuple[str, bytes]]:
    target, letter = preview.target, preview.letter
    language = target.language or spec.languages[0]
    operator, verify = settings.operator_name or spec.title, f"{settings.public_url}/v/preview"
    yield ".txt", as_text(preview).encode()
    if target.email:
        mail = letter_mail(letter, person=sample(spec), operator_name=operator, verify_url=verify, language=language,
                           translate=gettext_for(language))
        yield ".html", mail.html.encode()
    if target.fax:
        pdf = fax_pages.fax_pdf(fax_pages.FaxDocument(
            letter=letter, person=sample(spec), target=target, fax_number=target.fax[0], reference=spec.reference, language=language,
            stamped_at=now, sender_phone=compose.answered_phone(spec, settings) or settings.fax_from,
            operator_name=operator, verify_url=verify,
            translate=gettext_for(language)))
        yield ".pdf", pdf
        for n, png in enumerate(fax_pages.pngs_of(pdf), 1):
            yield f".{n}.png", png
