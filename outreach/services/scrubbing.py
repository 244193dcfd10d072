"""Personal data goes when it has served: a while after a campaign has closed, and where nobody ever confirmed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update

from outreach.db import unit_of_work
from outreach.logs import get
from outreach.models import Campaign, table
from outreach.queries import scrubbing
from outreach.services import confirm_rules, privacy

log = get()
_CAMPAIGNS = table(Campaign)
AFTER_CLOSING = timedelta(days=30)
AFTER_EXPIRY = timedelta(days=7)
"""Counted from the end of the time to confirm. `/privacy` states both terms in words."""


def scrub_due(now: datetime, most: int = 200) -> int:
    """Scrub at most `most` submissions whose time has come, and destroy the keys of campaigns of which nothing is left.

    Returns how many submissions were scrubbed; call it again while that is `most`.
    """
    with unit_of_work() as c:
        due = scrubbing.of_closed(c, now - AFTER_CLOSING, most)
        if len(due) < most:
            never = scrubbing.never_confirmed(c, now - confirm_rules.WEEK - AFTER_EXPIRY, most)
            due = [*due, *(i for i in never if i not in set(due))][:most]
        if due:
            privacy.scrub(c, due, now)
        bare = scrubbing.campaigns_without_data(c, now - AFTER_CLOSING)
        if bare:
            c.execute(update(_CAMPAIGNS).where(_CAMPAIGNS.c.id.in_(bare)).values(fingerprint_key=None, revision=_CAMPAIGNS.c.revision + 1))
    if due or bare:
        log.info("scrubbed", total=len(due), count=bare)
    return len(due)
