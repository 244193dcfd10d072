"""Campaigns that their organizers have forgotten: closed a month after the deadline, so that what is kept of people goes in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update

from outreach.db import reading, unit_of_work
from outreach.logs import get
from outreach.models import Campaign, table
from outreach.queries import upkeep
from outreach.services import audit

log = get()
_CAMPAIGNS = table(Campaign)
AFTER_DEADLINE = timedelta(days=30)
"""`/privacy` states it in words. A deadline that is moved until then keeps the campaign open."""


def close_ended(now: datetime) -> int:
    """Close campaigns whose deadline passed so long ago and of which nothing is on its way any more. Returns how many."""
    with reading() as c:
        ended = upkeep.long_over(c, now - AFTER_DEADLINE)
    return sum(_close(campaign_id, before, now) for campaign_id, before in ended)


def _close(campaign_id: int, before: str, now: datetime) -> bool:
    with unit_of_work() as c:
        closed = c.execute(update(Campaign).where(
            _CAMPAIGNS.c.id == campaign_id, _CAMPAIGNS.c.state == before, _CAMPAIGNS.c.deadline <= now - AFTER_DEADLINE).values(
            state="closed", closed_at=now, revision=_CAMPAIGNS.c.revision + 1)).rowcount
        if not closed:  # its deadline was moved at the last moment, or another sweep was quicker
            return False
        audit.note(c, "campaign: close", at=now, who="outreach", campaign_id=campaign_id,
                   detail=f"{before} → closed: its deadline passed {AFTER_DEADLINE.days} days ago")
    log.info("campaign.closed", campaign=campaign_id, before=before)
    return True
