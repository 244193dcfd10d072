"""What a bundle looks like when it is handed over: rendered from who is still in it at that moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from outreach.db import reading
from outreach.domain.letters import Channel
from outreach.i18n import gettext_for
from outreach.queries import delivery
from outreach.queries.delivery import Waiting
from outreach.render import paper
from outreach.render.bundle import BundleDocument, Writer, bundle_pdf, cover, grouped, title
from outreach.render.mail import notice_mail
from outreach.render.text import CannotRender, Person, RenderedLetter, render_letter
from outreach.services import campaigns, compose
from outreach.settings import Settings
from outreach.transports.base import Attachment, Mailbox, OutgoingMail

text_of = compose.text_of


def document(letter: Waiting, at: datetime, settings: Settings) -> BundleDocument | None:
    """All that a letter takes along with itself, stamped at `at`; None when it goes alone."""
    with reading() as c:
        together = delivery.carried(c, letter.id)
    return _document(together, letter, at, settings) if any(w.id != letter.id for w in together) else None


def pdf(together: Sequence[Waiting], carrier: Waiting, at: datetime, settings: Settings) -> bytes:
    """These letters as one PDF."""
    return bundle_pdf(_document(together, carrier, at, settings))


def as_mail(alone: OutgoingMail, doc: BundleDocument, settings: Settings, *, reply_to: str) -> OutgoingMail:
    """The mail of a bundle, in the place of its carrier's own mail: same ids and addresses; a short text, the PDF attached.

    It comes from the operator, since no one of its writers speaks for the others; `reply_to` is the campaign's inbox, or empty.
    """
    named = f"{title(doc)} ({doc.reference})" if doc.reference else title(doc)
    text = notice_mail("bundle", doc.language, translate=gettext_for(doc.language), operator_name=doc.operator_name,
                       operator_address=settings.operator_address, title=named, cover="\n\n".join(cover(doc)), link=doc.verify_url)
    return replace(alone, sender=Mailbox(settings.mail_from, doc.operator_name), subject=text.subject, text=text.text, html=text.html,
                   reply_to=Mailbox(reply_to) if reply_to else None,
                   attachments=(Attachment("letters.pdf", "application/pdf", bundle_pdf(doc)),))


def _document(together: Sequence[Waiting], carrier: Waiting, at: datetime, settings: Settings) -> BundleDocument:
    spec = campaigns.spec_of_version(carrier.version_id)
    target = spec.target(carrier.target_key)
    fax = carrier.address if carrier.channel is Channel.FAX else ""
    return BundleDocument(
        words=grouped(list(_printed(together, fax))), campaign=spec.title, reference=spec.reference, target=target, fax_number=fax,
        language=target.language or carrier.language, stamped_at=at, deadline=campaigns.by_id(carrier.campaign_id).deadline,
        sender_phone=compose.answered_phone(spec, settings) or settings.fax_from, operator_name=settings.operator_name or spec.title,
        verify_url=compose.verify_url(settings, carrier.id))


def _printed(together: Sequence[Waiting], fax: str) -> Iterator[tuple[object, RenderedLetter, Writer, bool]]:
    for w in together:
        writer = Writer(w.name, paper.town(w.city, w.postal_code, fax), w.affiliation, w.confirmed)
        common = _common_text(w.version_id, w.target_key, w.language) if w.body is None else None
        if common is None:
            text = text_of(w)
            yield (text.subject, text.body), text, writer, True
        else:
            yield common, common, replace(writer, subject=text_of(w).subject if w.subject is not None else ""), False


@lru_cache(maxsize=256)
def _common_text(version_id: int, target_key: str, language: str) -> RenderedLetter | None:
    """The campaign's own text with all its writers in one person's place; None where it cannot be put like that."""
    spec = campaigns.spec_of_version(version_id)
    target = spec.target(target_key)
    _ = gettext_for(target.language or language)
    try:
        return render_letter(spec, target, Person(_("the people named below"), "", verified=True))
    except CannotRender:
        return None
