"""Lanes: who may drain which address now, and when somebody should look again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection, Update, bindparam, func, or_, update

from outreach.db import UTCDateTime, reading, unit_of_work
from outreach.models import Lane, table
from outreach.queries import lanes as queries
from outreach.queue import QueueName, ring

_LANES = table(Lane)


@dataclass(frozen=True, slots=True)
class Hold:
    """Lanes held by one drain: only the holder starts attempts there, which each ledger commit checks."""

    holder: str
    address_ids: tuple[int, ...]
    until: datetime


def wake(address_ids: Iterable[int], now: datetime) -> None:
    """Say that these lanes have something to do; called after the commit that gave it to them.

    A lane whose mark is set already needs nothing: whoever clears it looks afterwards, and will see what we committed.
    """
    ids = sorted(set(address_ids))
    if not ids:
        return
    with reading() as c:
        asleep = queries.asleep(c, ids, now)
    if asleep:
        with unit_of_work() as c:
            mark(c, [row.address_id for row in asleep], now)
        ring(*sorted({QueueName(row.queue) for row in asleep}))


def mark(connection: Connection, address_ids: Sequence[int], at: datetime) -> None:
    """Set the wake marks of lanes, never later than they are."""
    if address_ids:
        queries.locked(connection, address_ids)
        connection.execute(update(_LANES).where(
            _LANES.c.address_id.in_(sorted(address_ids)), or_(_LANES.c.next_wake_at.is_(None), _LANES.c.next_wake_at > at))
            .values(next_wake_at=at))


def due_queues(now: datetime) -> list[QueueName]:
    """The queues that have a due lane nobody holds."""
    with reading() as c:
        return [QueueName(q) for q in queries.due_queues(c, now)]


# The outer condition is repeated: without it two claimers that chose the same rows would both take them.
_TAKE = (update(_LANES).where(_LANES.c.address_id.in_(queries.NEXT_DUE.scalar_subquery()), queries.DUE)
         .values(holder=bindparam("me"), held_until=bindparam("until", type_=UTCDateTime()), next_wake_at=None)
         .returning(_LANES.c.address_id))


def hold(queue: QueueName, holder: str, now: datetime, *, lease: timedelta, most: int = 64) -> Hold:
    """Take up to `most` due lanes that nobody holds, the longest due first, and clear their wake marks."""
    until = now + lease
    with unit_of_work() as c:
        taken = c.execute(_TAKE, {"queue_name": queue.value, "now": now, "most": most, "me": holder, "until": until}).scalars()
        return Hold(holder, tuple(sorted(taken)), until)


def release(held: Hold, next_look: dict[int, datetime | None]) -> None:
    """Let go of held lanes and leave for each when to look again; a mark set meanwhile by a submit stays if it is earlier."""
    with unit_of_work() as c:
        queries.locked(c, held.address_ids)
        if held.address_ids:
            c.execute(_release(c.dialect.name), [{"lane": a, "me": held.holder, "at": next_look.get(a)} for a in held.address_ids])


@lru_cache(maxsize=2)
def _release(dialect: str) -> Update:
    """Of the mark that is there and `at` the earlier, or the one that there is."""
    mark, at = _LANES.c.next_wake_at, bindparam("at", type_=UTCDateTime())
    # SQLite spells it min(), and there it gives NULL for a NULL; on Postgres the other value.
    least = (func.min if dialect == "sqlite" else func.least)(mark, at, type_=UTCDateTime())
    return (update(_LANES).where(_LANES.c.address_id == bindparam("lane"), _LANES.c.holder == bindparam("me"))
            .values(holder=None, held_until=None, next_wake_at=func.coalesce(least, at, mark)))
