"""What the mails to organizers say: an invitation to the desk, a link for a new password. The desk is English, and so are they."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from babel.dates import format_datetime
from sqlalchemy import update

from outreach.db import reading, unit_of_work
from outreach.models import Notice, table
from outreach.queries import people
from outreach.services import links, sessions
from outreach.settings import Settings

_NOTICES = table(Notice)


def values_of(row: Any, settings: Settings, now: datetime) -> dict[str, str] | None:
    """The values of a notice row of kind `invite` or `reset`; None when its link is used, its member gone, or a newer one was made.

    `ref` is the link's id (of a new password it is made here), or "ORGANIZER:…" for an invitation of somebody who has an account
    and needs no link.
    """
    if row.kind == "reset":
        return _reset(row, settings, now)
    whose, known, _ = row.ref.partition(":")
    with reading() as c:
        link = None if known else people.link(c, sessions.hash_of(links.token_of(row.ref)), now)
        organizer_id = int(whose) if known else link and link.organizer_id
        part = people.invitation(c, organizer_id, row.campaign_id) if organizer_id and row.campaign_id is not None else None
    if (link is None and not known) or (row.campaign_id is not None and part is None):
        return None
    if link is None:
        url, until = f"{settings.public_url}/o/c/{part.slug}/" if part else f"{settings.public_url}/o/", ""
    else:
        url, until = links.url_of(row.ref, row.kind), f"{format_datetime(link.expires_at, 'd MMMM y, HH:mm', locale='en')} UTC"
    return {"link": url, "expires": until, "campaign_title": part.title if part else "", "role": part.role if part else ""}


def _reset(row: Any, settings: Settings, now: datetime) -> dict[str, str] | None:
    """A link for a new password, made now; None where nobody has this address, which is forgotten then, or a later mail is to come."""
    with unit_of_work() as c:
        organizer = people.organizer_by_email(c, row.recipient)
        if organizer is None or organizer.disabled_at is not None:
            c.execute(update(_NOTICES).where(_NOTICES.c.id == row.id).values(recipient=""))
            return None
        if people.asked_again(c, row.recipient, row.id):
            return None
        links.make(c, organizer.id, "reset", now=now, ref=row.ref)
    until = f"{format_datetime(now + links.RESET_LIFE, 'd MMMM y, HH:mm', locale='en')} UTC"
    return {"link": links.url_of(row.ref, "reset"), "expires": until}
