"""What is asked about lanes: which sleep, which are due, which are still held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from outreach.db import UTCDateTime
from outreach.models import Lane, table
from outreach.prepared import Prepared

LANE = table(Lane)
_NOW = bindparam("now", type_=UTCDateTime())

DUE = and_(LANE.c.next_wake_at <= _NOW, or_(LANE.c.holder.is_(None), LANE.c.held_until < _NOW),
           or_(LANE.c.backoff_until.is_(None), LANE.c.backoff_until <= _NOW))
"""The condition under which a drain may take a lane. Takes the parameter `now`."""

# Built once: the first stands on the way of every form, the others on that of every drain.
_ASLEEP = select(LANE.c.address_id, LANE.c.queue).where(
    LANE.c.address_id.in_(bindparam("ids", expanding=True)), or_(LANE.c.next_wake_at.is_(None), LANE.c.next_wake_at > _NOW))
_DUE_COUNT = select(func.count()).select_from(
    select(LANE.c.address_id).where(LANE.c.queue == bindparam("queue_name"), DUE).limit(bindparam("most")).subquery())
_DUE_QUEUES = select(LANE.c.queue).where(DUE).distinct()
NEXT_DUE = (select(LANE.c.address_id).where(LANE.c.queue == bindparam("queue_name"), DUE)
            .order_by(LANE.c.next_wake_at, LANE.c.address_id).limit(bindparam("most")).with_for_update(skip_locked=True))
"""A sub-select: address ids of up to `most` due lanes of `queue_name` at `now`, the longest due first, locked."""


def asleep(connection: Connection, address_ids: Sequence[int], now: datetime) -> Sequence[Any]:
    """Those of these lanes that nobody means to look at by `now`: address_id, queue."""
    return connection.execute(_ASLEEP, {"ids": address_ids, "now": now}).all()


def due_queues(connection: Connection, now: datetime) -> list[str]:
    """Names of the queues that have a due lane nobody holds."""
    return list(connection.execute(_DUE_QUEUES, {"now": now}).scalars())


def due(connection: Connection, queue: str, now: datetime, most: int) -> int:
    """How many lanes of a queue are due and held by nobody, counted at most up to `most`."""
    return connection.execute(_DUE_COUNT, {"queue_name": queue, "now": now, "most": most}).scalar_one()


def attendance(connection: Connection, address_id: int) -> Any | None:
    """Who sees to a lane, and when: next_wake_at, holder, held_until."""
    return connection.execute(select(LANE.c.next_wake_at, LANE.c.holder, LANE.c.held_until).where(LANE.c.address_id == address_id)).first()


def held(connection: Connection, address_ids: Sequence[int], holder: str, half: datetime) -> Sequence[Any]:
    """Those of these lanes that `holder` holds, locked in the order of their ids: address_id, whether that ends before `half`."""
    rows: Sequence[Any] = _held(len(address_ids)).run(
        connection, {"me": holder, "half": half} | {f"lane{i}": x for i, x in enumerate(address_ids)}).fetchall()
    return rows


def held_by_any(connection: Connection) -> list[int]:
    """Address ids of all lanes that somebody holds."""
    return list(connection.execute(select(LANE.c.address_id).where(LANE.c.holder.is_not(None))).scalars())


def locked(connection: Connection, address_ids: Sequence[int]) -> None:
    """Lock lanes in the order of their ids, as everybody does; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql" and len(address_ids) > 1:
        connection.execute(select(LANE.c.address_id).where(LANE.c.address_id.in_(sorted(address_ids)))
                           .order_by(LANE.c.address_id).with_for_update()).all()


def setbacks_locked(connection: Connection, address_id: int) -> Any | None:
    """A lane's backoff_until and setbacks; nobody else changes them until this transaction ends."""
    return connection.execute(select(LANE.c.backoff_until, LANE.c.setbacks).where(LANE.c.address_id == address_id)
                              .with_for_update()).first()


@lru_cache(maxsize=64)
def _held(lanes: int) -> Prepared:
    return Prepared(select(LANE.c.address_id, (LANE.c.held_until < bindparam("half", type_=UTCDateTime())).label("stale"))
                    .where(LANE.c.address_id.in_([bindparam(f"lane{i}", type_=LANE.c.address_id.type) for i in range(lanes)]),
                           LANE.c.holder == bindparam("me"))
                    .order_by(LANE.c.address_id).with_for_update())
