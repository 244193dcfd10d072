"""Whether a campaign's mailboxes have to prove themselves, how long they may take, and when they are reminded."""

from __future__ import annotations

from datetime import datetime, timedelta

from outreach.domain.campaign import CampaignSpec
from outreach.settings import get_settings

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
SOONEST = timedelta(minutes=10)
"""Nobody is reminded while the first mail may still be on its way."""


def confirms(spec: CampaignSpec) -> bool:
    """Whether letters go only once their writer has proved the mailbox: the operator asks it, or the campaign by itself."""
    return "email" in (get_settings().confirm, spec.confirm)


def confirm_until(created: datetime, deadline: datetime | None) -> datetime:
    """Until when a submission may be confirmed: seven days, never past the deadline."""
    return created + WEEK if deadline is None else min(created + WEEK, deadline)


def made_between(now: datetime, deadline: datetime | None) -> tuple[datetime, datetime]:
    """When submissions were made whose one reminder is due now and that can still be confirmed.

    It goes after a day, sooner when the deadline is near: once a third of the time that was left is over.
    """
    latest = now - DAY
    if deadline is not None:
        latest = max(latest, now - max(deadline - now, timedelta(0)) / 2)  # created + (deadline - created) / 3 <= now
    return now - WEEK, min(latest, now - SOONEST)
