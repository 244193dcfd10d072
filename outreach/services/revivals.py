"""Letters that a deadline has ended, queued again once it is moved ahead: in batches, so that neither a form nor the stop waits for
long, and to the end, whoever dies meanwhile.

That it is to be done stands in the version's row from its commit on; the sweep goes on with what one call had no time for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.logs import get
from outreach.models import CampaignVersion, Review, table
from outreach.queries import campaigns as queries
from outreach.queries import letters as letter_queries
from outreach.services import changes, clearing, lanes, moves, reroute
from outreach.services.changes import Waiting
from outreach.services.reroute import Rerouted

log = get()
_VERSIONS, _REVIEWS = table(CampaignVersion), table(Review)
SECONDS = 10.0
"""So long whoever moved the deadline waits for it; then the sweep goes on."""
MOST = 500
"""Letters that one transaction brings back."""


@dataclass(slots=True)
class Revived:
    """How many letters came back, what was done with them where their writers are asked again, where they went that could not stay,
    and whether there are more."""

    back: int = 0
    asked: int = 0
    rerouted: Rerouted = field(default_factory=Rerouted)
    left: bool = False


def begin(c: Connection, campaign_id: int, version_id: int, waiting: Waiting) -> None:
    """Note in the version's own transaction what becomes of letters that its campaign's deadlines have ended; what an earlier version
    had left undone of this is over."""
    c.execute(update(_VERSIONS).where(_VERSIONS.c.campaign_id == campaign_id, _VERSIONS.c.reviving.is_not(None)).values(reviving=None))
    if waiting is not Waiting.CANCEL:
        c.execute(update(_VERSIONS).where(_VERSIONS.c.id == version_id).values(reviving=waiting.value, reviving_after=""))


def go_on(version_id: int, now: datetime, seconds: float | None = None) -> Revived:
    """Bring back what this version is to bring back, for about so long."""
    total, end = Revived(), time.monotonic() + (SECONDS if seconds is None else seconds)
    while True:
        with unit_of_work() as c:
            done = _batch(c, version_id, now)
        if done is None:
            break
        lanes.wake(done.wakes, now)
        total.back, total.asked, total.left = total.back + done.back, total.asked + done.asked, done.left
        if not done.left or time.monotonic() >= end:
            break
    if total.back:
        total.rerouted = reroute.bring_on(now, foreign=True)
        log.info("letters.revived", version=version_id, count=total.back, left=total.left)
    return total


def go_on_all(now: datetime) -> int:
    """Go on with what is left of every version. Returns how many letters came back."""
    with reading() as c:
        versions = queries.reviving(c)
    return sum(go_on(version_id, now, clearing.SECONDS).back for version_id in versions)


@dataclass(frozen=True, slots=True)
class _Batch:
    back: int
    asked: int
    wakes: set[int]
    left: bool


def _batch(c: Connection, version_id: int, now: datetime) -> _Batch | None:
    """One transaction's worth; None if nothing is to be done, or not now."""
    todo = queries.reviving_locked(c, version_id)
    if todo is None or todo.state == "stopped":  # while that can be undone nothing moves
        return None
    rows: Sequence[Any] = ()
    if todo.state in ("live", "paused") and (todo.deadline is None or todo.deadline > now):
        rows = letter_queries.next_ended_by_deadline(c, todo.campaign_id, todo.reviving_after, MOST)
    back = _queue(c, rows, now)
    asked = 0
    if todo.reviving == Waiting.ASK.value and back:  # before anybody can send them as they were written
        asked = changes.bring(c, queries.waiting_of(c, todo.campaign_id, sorted(back)), Waiting.ASK, now).asked
    left = len(rows) == MOST
    c.execute(update(_VERSIONS).where(_VERSIONS.c.id == version_id).values(
        {"reviving_after": rows[-1].id} if left else {"reviving": None}))
    return _Batch(len(back), asked, {r.address_id for r in rows if r.id in back}, left)


def _queue(c: Connection, rows: Sequence[Any], now: datetime) -> set[str]:
    """Queue them, or hold what no moderator had read by then. All at once; one by one if the place of one is taken at this moment."""
    first = {(r.wave, r.target_id, r.fingerprint, r.slot): r for r in reversed(rows)}
    wanted = sorted(first.values(), key=lambda r: str(r.id))
    try:
        with c.begin_nested():
            done = moves.apply(c, [_move(r) for r in wanted], now)
    except IntegrityError:
        done = set().union(*(_one(c, r, now) for r in wanted))
    if unread := sorted({r.submission_id for r in wanted if r.unread and r.id in done}):
        c.execute(update(_REVIEWS).where(_REVIEWS.c.submission_id.in_(unread)).values(state="waiting"))
    return done


def _one(c: Connection, row: Any, now: datetime) -> set[str]:
    try:
        with c.begin_nested():
            return moves.apply(c, [_move(row)], now)
    except IntegrityError:
        return set()


def _move(row: Any) -> moves.Move:
    return moves.Move(row.id, row.campaign_id, row.target_id, row.channel, State.EXPIRED, State.HELD if row.unread else State.QUEUED,
                      Reason.ORGANIZER)
