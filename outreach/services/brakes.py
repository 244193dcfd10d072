"""A campaign pauses itself when too many of its letters fail: something is wrong with it, and going on would only do harm.

Mail providers shut out senders whose mail bounces, and each failed call rings somewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from outreach.db import reading
from outreach.errors import Conflict
from outreach.logs import get
from outreach.queries import brakes as queries
from outreach.services import campaigns
from outreach.settings import get_settings

log = get()
WINDOW = timedelta(hours=1)
AT_LEAST = 20
"""Failures within the window before the rate says anything."""


def pause_failing(now: datetime) -> int:
    """Pause live campaigns of whose hand-overs within the last hour too many failed for good. Returns how many.

    A hand-over that is put off counts once its letter's tries are spent, and then as failed: letters that all run out of tries must
    not be outweighed by their own tries before the last. The share is a setting (`pause_at_failures`, percent). After a resume only
    what failed since counts.
    """
    percent = get_settings().pause_at_failures
    if not percent:
        return 0
    with reading() as c:
        failing = [(row, queries.ended_since(c, row.id, max(now - WINDOW, row.resumed_at or now - WINDOW)))
                   for row in queries.failing(c, now - WINDOW, AT_LEAST)]
    paused = 0
    for row, started in failing:
        ended = max(started, row.failed)  # a call that failed within the hour may have begun before it
        if row.failed * 100 < percent * ended:
            continue
        why = f"{row.failed} of {ended} hand-overs within an hour failed for good, most often: {row.reason}"
        try:
            campaigns.set_state(row.slug, "pause", now=now, who="outreach", why=why)
        except Conflict:
            continue
        log.warning("campaign.paused_itself", campaign=row.id, failed=row.failed, total=ended)
        paused += 1
    return paused
