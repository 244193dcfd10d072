"""How long a mailbox may take to prove itself, and when it is reminded."""

from __future__ import annotations

from datetime import datetime, timedelta

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
SOONEST = timedelta(minutes=10)
"""Nobody is reminded while the first mail may still be on its way."""


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
