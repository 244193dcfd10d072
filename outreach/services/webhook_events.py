"""What becomes of letters, gathered for the webhooks that ask for it: a hundred events to a post, no supporter's data among them."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from outreach.db import reading, unit_of_work
from outreach.models import Webhook, table
from outreach.queries import webhooks as queries
from outreach.services import webhooks

_WEBHOOKS = table(Webhook)
BATCH = 100
"""Letter events that one post carries."""
WINDOW = 5000
"""Events of all campaigns among which one step looks for those that are wanted."""
SETTLED = timedelta(seconds=10)
"""Events younger than this are left for the next look: a transaction with a lower number may still be under way."""
SECONDS = 2.0
"""The time that one look takes at the most: it is the ticker's, and others wait for it."""


def gather(now: datetime) -> int:
    """Queue letter events for webhooks that ask for them, in turns, as many as fit into `SECONDS`. Returns how many events."""
    end, found = time.monotonic() + SECONDS, 0
    with reading() as c:
        waiting = deque((w, w.since_event) for w in queries.behind(c) if _states(w))
    while waiting and time.monotonic() < end:
        hook, after = waiting.popleft()
        n, reached, more = _step(hook, after, now)
        found += n
        if more:
            waiting.append((hook, reached))
    return found


def _states(hook: Any) -> set[str]:
    return {k.removeprefix("letter.") for k in hook.events if k.startswith("letter.")}


def _step(hook: Any, after: int, now: datetime) -> tuple[int, int, bool]:
    """Queue what is wanted of the events after `after`. Returns how many, how far it has come, and whether there is more.

    Read first, and write only if nobody else has gathered for it meanwhile: whoever writes elsewhere does not wait for the reading.
    """
    with reading() as c:
        last, more = queries.settled(c, after, WINDOW, now - SETTLED)
        rows = [] if last is None else queries.events(
            c, after, last, _states(hook), campaign_id=hook.campaign_id)
    if last is None:
        return 0, after, False
    with unit_of_work() as c:
        if not c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == hook.id, _WEBHOOKS.c.since_event == after)
                         .values(since_event=last)).rowcount:
            return 0, after, False
        for batch in (rows[i:i + BATCH] for i in range(0, len(rows), BATCH)):
            webhooks.queue(c, hook.id, f"letters.{batch[-1].id}", webhooks.LETTERS, [_told(r) for r in batch], now=now)
    return len(rows), last, more


def _told(row: Any) -> dict[str, Any]:
    """A letter's event: no supporter's data."""
    return {"event": f"letter.{row.after}", "id": row.id, "letter": row.letter_id, "campaign": row.slug, "target": row.target,
            "channel": row.channel, "before": row.before, "state": row.after, "why": row.why, "at": row.at.isoformat()}
