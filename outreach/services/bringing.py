"""Letters that waited when a new version came into force, brought in line with it as the organizer chose: in batches, so that neither
a drain nor the stop waits for long, and to the end, whoever dies meanwhile.

What is to be done stands in the version's row from its commit on; the sweep goes on with what one call had no time for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, update

from outreach.db import reading, unit_of_work
from outreach.logs import get
from outreach.models import CampaignVersion, table
from outreach.queries import campaigns as queries
from outreach.services import audit, changes
from outreach.services.changes import Tally, Waiting

log = get()
_VERSIONS = table(CampaignVersion)
SECONDS = 15.0
"""So long whoever made the change waits for it; then the sweep goes on."""
_MOST = 500
"""Letters that one transaction moves."""


def begin(c: Connection, version_id: int, waiting: Waiting, targets: Sequence[int] | None) -> None:
    """Note in the version's own transaction what is to be done with the letters that wait (to these targets; None: to all)."""
    c.execute(update(_VERSIONS).where(_VERSIONS.c.id == version_id).values(
        older=waiting.value, older_targets=None if targets is None else list(targets)))


def go_on(version_id: int, now: datetime, seconds: float | None = None) -> tuple[Tally, bool]:
    """Do it, for as long as that. Returns what was done, and whether something is left."""
    total, end = Tally(), time.monotonic() + (SECONDS if seconds is None else seconds)
    while True:
        with unit_of_work() as c:
            todo = queries.unfinished_locked(c, version_id)
            if todo is None:
                return total, False
            waiting = Waiting(todo.older)
            rows = queries.older_waiting_locked(c, todo.campaign_id, todo.older_targets, todo.created_at, after=todo.older_after,
                                                most=_MOST)
            done = changes.bring(c, rows, waiting, now)
            total += done
            left = len(rows) == _MOST
            c.execute(update(_VERSIONS).where(_VERSIONS.c.id == version_id).values(
                {"older_after": rows[-1].id} if left else {"older": None, "older_targets": None}))
            if total and (not left or time.monotonic() >= end):
                audit.note(c, "waiting letters brought in line", at=now, who=todo.who or audit.COMMAND_LINE, campaign_id=todo.campaign_id,
                           detail=f"version {todo.number}: {'; '.join(total.words(waiting))}{'; more are left' if left else ''}")
        if not left or time.monotonic() >= end:
            log.info("letters.brought", version=version_id, cancelled=total.cancelled, asked=total.asked, left=left)
            return total, left


def go_on_all(now: datetime, seconds: float = 1.0) -> int:
    """Go on with what is left of every version, for about so long in all. Returns how many letters were moved."""
    with reading() as c:
        versions = queries.unfinished(c)
    moved, end = 0, time.monotonic() + seconds
    for version_id in versions:
        done, _left = go_on(version_id, now, end - time.monotonic())
        moved += done.cancelled + done.asked
        if time.monotonic() >= end:
            break
    return moved
