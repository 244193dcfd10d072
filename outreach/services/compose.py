"""From a claimed letter to what a transport takes: text rendered, headers set, links signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import phonenumbers

from outreach import tokens
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.letters import Channel
from outreach.i18n import gettext_for
from outreach.queries.delivery import Waiting
from outreach.render import fax as fax_pages
from outreach.render.mail import letter_mail
from outreach.render.text import CannotRender, Person, RenderedLetter, render_letter
from outreach.services import campaigns, copies
from outreach.services.copies import Offer
from outreach.services.inboxes import Allowance
from outreach.services.ledger import Started
from outreach.services.media import media_url, pdf_of
from outreach.settings import Settings
from outreach.transports.base import Attachment, Mailbox, OutgoingFax, OutgoingMail
from outreach.transports.email.bounces import ATTEMPT_FIELD, envelope_id
from outreach.transports.email.verp import verp_address
from outreach.transports.registry import transport_name


@dataclass(frozen=True, slots=True)
class Prepared:
    """A waiting letter with its text rendered."""

    letter: Waiting
    spec: CampaignSpec
    target: TargetSpec
    text: RenderedLetter


def person_of(letter: Waiting) -> Person:
    """The supporter as the templates know them."""
    return Person(letter.name, letter.email, letter.street, letter.city, letter.postal_code, letter.phone, letter.affiliation,
                  letter.confirmed)


def text_of(letter: Waiting, spec: CampaignSpec | None = None) -> RenderedLetter:
    """The letter's text as it was submitted. Raises CannotRender."""
    spec = spec or campaigns.spec_of_version(letter.version_id)
    return render_letter(spec, spec.target(letter.target_key), person_of(letter), subject=letter.subject, body=letter.body)


def verify_url(settings: Settings, letter_id: str) -> str:
    """Where the letter's recipient can see that it is real, and report it."""
    return f"{settings.public_url}/v/{letter_id}-{tokens.mac('verify', letter_id, length=tokens.VERIFY)}"


def prepare(letter: Waiting) -> Prepared:
    """Render a letter's text, before anything is claimed. Raises CannotRender."""
    spec = campaigns.spec_of_version(letter.version_id)
    try:
        target = spec.target(letter.target_key)
    except KeyError as e:
        raise CannotRender(f"the campaign's version has no target {letter.target_key!r}") from e
    return Prepared(letter, spec, target, text_of(letter, spec))


def mail(ready: Prepared, started: Started, settings: Settings, allowance: Allowance) -> tuple[OutgoingMail, Offer]:
    """The e-mail of an attempt, and how the campaign's inbox gets its copy."""
    letter, spec, target = ready.letter, ready.spec, ready.target
    operator = settings.operator_name or spec.title
    language = target.language or letter.language
    text = letter_mail(ready.text, person=person_of(letter), operator_name=operator, verify_url=verify_url(settings, letter.id),
                       language=language, translate=gettext_for(language))
    attached = (Attachment("letter.pdf", "application/pdf", fax_pages.fax_pdf(document(letter, started.started_at, settings))),
                ) if spec.attach_pdf else ()
    offered = copies.offer(letter, spec, allowance, started.started_at)
    envelope_from, headers = _return_path(started.attempt_id, settings)
    made = OutgoingMail(
        attempt_id=started.attempt_id, message_id=f"{letter.id}@{settings.mail_domain}", attachments=attached,
        envelope_from=envelope_from, headers=headers,
        sender=Mailbox(settings.mail_from, f"{letter.name} via {operator}"), to=Mailbox(letter.address, target.name),
        subject=text.subject, text=text.text, html=text.html, date=started.started_at,
        reply_to=Mailbox(letter.email, letter.name) if letter.confirmed else None, cc=offered.inbox if offered.cc else None,
        language=language)
    if letter.carries:
        from outreach.services import bundle_papers  # which needs this module's words

        if bundle := bundle_papers.document(letter, started.started_at, settings):
            return bundle_papers.as_mail(made, bundle, settings, reply_to=spec.inbox), offered
    return made, offered


def _return_path(attempt_id: str, settings: Settings) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Where a mail's bounce goes, and the headers by which it can be told whose it is where that address does not say so."""
    own = verp_address(settings.mail_from, attempt_id, settings.key()) if settings.verp else settings.mail_from
    if own != settings.mail_from or settings.email_transport == "sendgrid":  # which tells us by its own means
        return own, ()
    return own, ((ATTEMPT_FIELD, envelope_id(attempt_id, settings.key())),)


def answered_phone(spec: CampaignSpec, settings: Settings) -> str:
    """The telephone at which somebody answers for a fax: the operator's, else the first in the campaign's contact, else ""."""
    return settings.operator_phone or phone_in(spec.contact, spec.country)


@lru_cache(maxsize=256)
def phone_in(text: str, country: str) -> str:
    """The first telephone number in a text as +E.164, one without + read as of `country` (ISO code or ""); "" without any."""
    for found in phonenumbers.PhoneNumberMatcher(text, country or None):
        return phonenumbers.format_number(found.number, phonenumbers.PhoneNumberFormat.E164)
    return ""


def document(letter: Waiting, at: datetime, settings: Settings) -> fax_pages.FaxDocument:
    """The fax of a letter as stamped at `at`."""
    spec = campaigns.spec_of_version(letter.version_id)
    target = spec.target(letter.target_key)
    return fax_pages.FaxDocument(
        letter=text_of(letter, spec), person=person_of(letter), target=target, reference=spec.reference,
        fax_number=letter.address if letter.channel == Channel.FAX else "", language=target.language or letter.language,
        stamped_at=at, sender_phone=answered_phone(spec, settings) or settings.fax_from,
        operator_name=settings.operator_name or spec.title, verify_url=verify_url(settings, letter.id))


def fax(ready: Prepared, started: Started, settings: Settings) -> OutgoingFax:
    """The fax of an attempt; its pages are rendered when the provider takes or fetches them."""
    hook = transport_name(Channel.FAX, settings)
    return OutgoingFax(
        attempt_id=started.attempt_id, to=ready.letter.address, sender=settings.fax_from or settings.operator_phone,
        media_url=media_url(started.attempt_id, started.started_at), ttl_minutes=settings.fax_ttl_minutes,
        callback_url=f"{settings.public_url}/hooks/{hook}?a={started.attempt_id}",
        pdf=lambda: pdf_of(ready.letter.id, started.started_at))
