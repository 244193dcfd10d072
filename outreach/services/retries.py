"""Failed letters that an organizer sends again, once what made them fail is mended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Reason, State, Verdict
from outreach.errors import Conflict
from outreach.models import Attempt, table
from outreach.queries import inquiries as queries
from outreach.services import audit, campaigns, lanes, line, moves, reroute

_ATTEMPTS = table(Attempt)


@dataclass(frozen=True, slots=True)
class Retried:
    """How many failed letters are queued again, how many were left (taken back, erased, or another has their place), and whether
    there are more that one call had no time for."""

    queued: int = 0
    left: int = 0
    more: bool = False


def retry(slug: str, reason: Reason | None = None, *, letter_id: str = "", who: str = audit.COMMAND_LINE,
          now: datetime | None = None) -> Retried:
    """Queue a campaign's failed letters again, of one reason or the one letter if that is named, with all their tries before them.

    What is held against their attempts counts no more; that one arrived still would. Raises NotFound, and Conflict for a
    campaign that has ended or whose deadline has passed. Takes `line.SECONDS` at the most; another call goes on.
    """
    now = now or utcnow()
    campaign = campaigns.get(slug)
    if campaign.state not in ("live", "paused"):
        raise Conflict(f"{slug} is {campaign.state}: nothing is sent for it")
    if campaign.deadline is not None and campaign.deadline <= now:
        raise Conflict(f"the deadline of {slug} has passed")
    queued = left = 0
    last, more, end = "", False, time.monotonic() + line.SECONDS
    while not more:
        with reading() as c:
            ids = queries.failed(c, campaign.id, reason, last, moves.MOST, letter_id=letter_id)
        if not ids:
            break
        last = ids[-1]
        with unit_of_work() as c:
            attempts = queries.attempts_locked(c, ids)
            rows = queries.failed_locked(c, ids)
            done = _queued(c, rows, now)
            c.execute(update(_ATTEMPTS).where(
                _ATTEMPTS.c.id.in_(attempts), _ATTEMPTS.c.letter_id.in_(done), _ATTEMPTS.c.waived_at.is_(None),
                _ATTEMPTS.c.verdict.in_([Verdict.REFUSED.value, Verdict.BOUNCED.value])).values(waived_at=now))
        queued, left = queued + len(done), left + len(ids) - len(done)
        lanes.wake({r.address_id for r in rows if r.id in done}, now)  # at once: what is queued goes while the rest follows
        more = len(ids) == moves.MOST and time.monotonic() >= end
    with unit_of_work() as c:
        reroute.away_from_unusable(c, [campaign.id], now)
        if queued or left:
            audit.note(c, "failed letters tried again", at=now, who=who, campaign_id=campaign.id,
                       detail=f"{queued} letters, {reason.value if reason else 'whatever the reason'}{'; more are left' if more else ''}")
    return Retried(queued, left, more)


def _queued(c: Connection, rows: Sequence[Any], now: datetime) -> set[str]:
    """Queue what holds its person's place; what does not takes it first, where it is free."""
    done = moves.apply(c, [_move(r) for r in rows if r.counts], now)
    for r in rows:
        if not r.counts:
            try:
                with c.begin_nested():
                    done |= moves.apply(c, [_move(r, counts=True)], now)
            except IntegrityError:
                continue
    return done


def _move(row: Any, **values: Any) -> moves.Move:
    return moves.Move(row.id, row.campaign_id, row.target_id, row.channel, State.FAILED, State.QUEUED, Reason.ORGANIZER, None,
                      {"tries": -row.tries, "not_before": None, "lease_until": None, **values})
