"""What the notices say. A mail to an unconfirmed mailbox repeats nothing that the form's sender typed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from babel.dates import format_datetime
from sqlalchemy import Connection, update

from outreach import tokens
from outreach.db import reading
from outreach.domain.copies import stricter
from outreach.i18n import gettext_for
from outreach.models import Copy, table
from outreach.queries import attempts, copies, delivery, moderation, notices, submissions
from outreach.queries import campaigns as campaign_queries
from outreach.render.mail import MailText, notice_mail
from outreach.services import blocks, campaigns, confirm_rules, digests, organizer_mails
from outreach.services.media import pdf_of
from outreach.settings import Settings
from outreach.transports.base import Attachment, Mailbox, OutgoingMail

_COPIES = table(Copy)
_AUTO = (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"))


def compose(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    """The mail of a notice row, or None when what it was about is gone or settled."""
    makers = {"confirm": _confirm, "remind": _confirm, "duplicate": _confirm, "fax_copy": _fax_copy, "report": _report,
              "digest": _digest, "ask": _ask, "invite": _to_organizer, "reset": _to_organizer, "rejected": _rejected, "link": _link,
              "alert": _alert, "alert_over": _alert}
    return makers[row.kind](row, settings, now)


def _mail(row: Any, settings: Settings, now: datetime, language: str, attachments: tuple[Attachment, ...] = (),
          **values: Any) -> OutgoingMail:
    text = notice_mail(row.kind, language, operator_name=settings.operator_name, operator_address=settings.operator_address,
                       translate=gettext_for(language), **values)
    return _outgoing(row, settings, now, text, language=language, attachments=attachments)


def _outgoing(row: Any, settings: Settings, now: datetime, text: MailText, *, language: str,
              attachments: tuple[Attachment, ...]) -> OutgoingMail:
    return OutgoingMail(
        attempt_id=row.id, message_id=f"n-{row.id}@{settings.mail_domain}", envelope_from=settings.mail_from,
        sender=Mailbox(settings.mail_from, settings.operator_name), to=Mailbox(row.recipient), subject=text.subject, text=text.text,
        html=text.html, date=now, headers=_AUTO, attachments=attachments, language=language)


def _confirm(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    """The code and the link, or that there was a letter before; None where nothing can be confirmed any more."""
    with reading() as c:
        s = submissions.by_id(c, row.submission_id)
        if s is None or s.erased_at is not None:
            return None
        campaign = campaign_queries.standing(c, s.campaign_id)
        until = confirm_rules.until(c, s, campaign.deadline, now)
    if row.kind != "duplicate" and (s.state != "unconfirmed" or campaign.state not in ("live", "paused") or now >= until):
        return None
    spec = campaigns.spec_of_version(s.version_id)
    token = tokens.mail_token(s.id)
    link = f"{settings.public_url}/m/{token}"
    return _mail(row, settings, now, s.language, campaign_title=spec.title, code=tokens.code(s.id), link=link, never_link=f"{link}/never",
                 expires=format_datetime(until, "long", locale=s.language.replace("-", "_")))


def _ask(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    """The question whether a letter shall still go; None once it is answered, or when the campaign has ended."""
    with reading() as c:
        s = submissions.by_id(c, row.submission_id)
        if s is None or s.state != "accepted" or s.asked_at is None:
            return None
        campaign = campaign_queries.standing(c, s.campaign_id)
        if campaign.state not in ("live", "paused"):
            return None
        until = confirm_rules.until(c, s, campaign.deadline, now)
    link = f"{settings.public_url}/m/{tokens.mail_token(s.id)}"
    return _mail(row, settings, now, s.language, campaign_title=campaigns.spec_of_version(s.version_id).title, link=link,
                 never_link=f"{link}/never", expires=format_datetime(until, "long", locale=s.language.replace("-", "_")))


def _link(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    """The private link, which somebody asked for on the page that shows its letters."""
    with reading() as c:
        s = submissions.by_id(c, row.submission_id)
    if s is None or s.erased_at is not None or s.state == "unconfirmed":
        return None
    link = f"{settings.public_url}/m/{tokens.mail_token(s.id)}"
    return _mail(row, settings, now, s.language, campaign_title=campaigns.spec_of_version(s.version_id).title, link=link,
                 never_link=f"{link}/never")


def _rejected(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    """That a moderator let a letter not go, and why; None when that was taken back."""
    with reading() as c:
        s, note = submissions.by_id(c, row.submission_id), moderation.note_of(c, row.submission_id)
    if s is None or s.erased_at is not None or note is None:
        return None
    link = f"{settings.public_url}/m/{tokens.mail_token(s.id)}"
    return _mail(row, settings, now, s.language, campaign_title=campaigns.spec_of_version(s.version_id).title, link=link,
                 never_link=f"{link}/never", note=gettext_for(s.language)(note))


def _fax_copy(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    with reading() as c:
        letter = delivery.letter(c, row.ref)
        started_at = attempts.last_start(c, row.ref)
        gone = copies.taken_back(c, row.ref)
    if letter is None or started_at is None or gone or not blocks.may_copy_to(row.recipient):
        return None
    spec, now_spec = campaigns.spec_of_version(letter.version_id), campaigns.spec_of_version(campaigns.by_id(letter.campaign_id).version_id)
    if stricter(spec.copies, now_spec.copies) == "counts":
        return None
    pdf = pdf_of(letter.id, started_at)
    return _mail(row, settings, now, spec.languages[0], (Attachment(f"fax-{letter.id}.pdf", "application/pdf", pdf),),
                 campaign_title=spec.title, target=spec.target(letter.target_key).name, fax_number=letter.address,
                 state=gettext_for(spec.languages[0])("handed to the fax provider"))


def _digest(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    made = digests.compose(row.ref, row.campaign_id, settings, now) if blocks.may_copy_to(row.recipient) else None
    return None if made is None else _outgoing(row, settings, now, made.text, language=made.language, attachments=made.attachments)


def _alert(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    from outreach.services import alerts  # which queues these

    alert = alerts.one(row.ref.partition(":")[0])
    if alert is None:
        return None
    over = f"{alert.closed_at:%Y-%m-%d %H:%M} UTC" if alert.closed_at else ""
    return _mail(row, settings, now, "en", name=alert.name, detail=alert.detail, link=f"{settings.public_url}{alert.path}",
                 opened=f"{alert.opened_at:%Y-%m-%d %H:%M} UTC", over=over)


def _report(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    with reading() as c:
        report = notices.report(c, row.ref)
    if report is None:
        return None
    campaign = campaigns.by_id(report.campaign_id)
    return _mail(row, settings, now, "en", campaign_title=campaign.title, slug=campaign.slug, reason=report.reason,
                 link=f"{settings.public_url}/c/{campaign.slug}")


def _to_organizer(row: Any, settings: Settings, now: datetime) -> OutgoingMail | None:
    values = organizer_mails.values_of(row, settings, now)
    return None if values is None else _mail(row, settings, now, "en", (), **values)


def note_copies(c: Connection, rows: Sequence[Any], state: str, now: datetime) -> None:
    """Record what became of the inbox's copies in these mails (kind, ref, recipient). Those still to go stay as they are, or are
    as they were if they had been given up."""
    for row in rows:
        mine = _COPIES.c.digest_id == row.ref if row.kind == "digest" else (
            (_COPIES.c.letter_id == row.ref) & (_COPIES.c.inbox == row.recipient) & (_COPIES.c.how == "mail"))
        if state in ("sent", "failed", "unknown"):
            c.execute(update(_COPIES).where(mine).values(state=state, at=now))
        else:
            c.execute(update(_COPIES).where(mine, _COPIES.c.state == "unknown").values(state="offered", at=now))


def leave_to_digest(c: Connection, row: Any) -> None:
    """The copy of a fax goes with the next digest and not as the mail of its own that it waited for."""
    c.execute(update(_COPIES).where(_COPIES.c.letter_id == row.ref, _COPIES.c.inbox == row.recipient, _COPIES.c.how == "mail",
                                    _COPIES.c.state == "offered").values(how="digest", campaign_id=row.campaign_id))
