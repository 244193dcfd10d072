"""Whether a campaign's mailboxes have to prove themselves, how long they may take, and when they are reminded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from outreach.domain.campaign import CampaignSpec
from outreach.queries import notices
from outreach.settings import get_settings

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
SOONEST = timedelta(minutes=10)
"""Nobody is reminded while the first mail may still be on its way."""
FROM_MAIL = timedelta(days=3)
"""A mail that was put off (`services/mailboxes.py`) leaves at least so long to answer it."""


def confirms(spec: CampaignSpec) -> bool:
    """Whether letters go only once their writer has proved the mailbox: the operator asks it, or the campaign by itself."""
    return "email" in (get_settings().confirm, spec.confirm)


def confirm_until(created: datetime, deadline: datetime | None, mailed: datetime | None = None) -> datetime:
    """Until when a submission may be confirmed: seven days, and three from when it was `mailed`; never past the deadline."""
    until = created + WEEK if mailed is None else max(created + WEEK, mailed + FROM_MAIL)
    return until if deadline is None else min(until, deadline)


def until(c: Connection, s: Any, deadline: datetime | None, now: datetime) -> datetime:
    """The same for a submission as it is now, also where its writer was asked again: a mail that is still to go goes now at the
    earliest."""
    kind, ref, since = ("ask", asked_ref(s.id, s.asked_at), s.asked_at) if s.asked_at else ("confirm", s.id, s.created_at)
    mail = notices.mailed(c, kind, ref)
    if mail is None:
        return confirm_until(since, deadline)
    return confirm_until(since, deadline, now if mail.state in ("queued", "sending") else mail.sent_at)


def asked_ref(submission_id: str, asked_at: datetime) -> str:
    """What the mail is about that asks a writer again: the submission, and which time it is."""
    return f"{submission_id} {asked_at:%y%m%d%H%M%S}"


def made_between(now: datetime, deadline: datetime | None) -> tuple[datetime, datetime]:
    """When submissions were made, and mailed, whose one reminder is due now and that can still be confirmed.

    It goes after a day, sooner when the deadline is near: once a third of the time that was left is over.
    """
    latest = now - DAY
    if deadline is not None:
        latest = max(latest, now - max(deadline - now, timedelta(0)) / 2)  # created + (deadline - created) / 3 <= now
    return now - WEEK, min(latest, now - SOONEST)
