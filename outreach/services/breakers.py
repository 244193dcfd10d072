"""Circuit breakers: a provider that cannot be used is left alone for a while by all workers, longer each time it is tried in vain.

Shared through the database: a second worker, or the next job, must not find out for itself that a server is down, and the
campaign's page says truthfully that sending is held up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, update

from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.letters import Channel
from outreach.models import Breaker, table
from outreach.queries import delivery
from outreach.settings import Settings
from outreach.transports.registry import transport_name

_BREAKERS = table(Breaker)
FIRST, FIRST_AUTH = timedelta(seconds=5), timedelta(seconds=60)
LONGEST = timedelta(minutes=5)
FELT = timedelta(minutes=2)
"""Trouble shorter than this is not shown to supporters: their letters wait as they would anyway."""


def open_until(transport: str, now: datetime) -> tuple[datetime | None, bool]:
    """Until when a provider is left alone (None: it may be tried now), and whether it was in trouble at all."""
    with reading() as c:
        row = delivery.breaker(c, transport)
    return (row.until if row and row.until > now else None), row is not None


def trip(transport: str, why: str, now: datetime, *, auth: bool) -> datetime:
    """Leave a provider alone. Returns until when: 5 s at first (a minute where it refuses us or answers nothing clear), doubled
    at each try in vain up to five minutes. A second worker that finds the same changes nothing."""
    first = FIRST_AUTH if auth else FIRST
    with unit_of_work() as c:
        new = c.execute(dialect_insert(c, _BREAKERS).values(transport=transport, until=now + first, trips=1, since=now, why=why[:200])
                        .on_conflict_do_nothing(index_elements=["transport"]).returning(_BREAKERS.c.until)).scalar()
        if new is not None:
            return now + first
        row = delivery.breaker(c, transport)
        if row is None:
            return now + first
        if row.until > now:
            known: datetime = row.until
            return max(known, now + FIRST)
        until: datetime = now + min(LONGEST, first * 2 ** min(row.trips, 10))
        c.execute(update(_BREAKERS).where(_BREAKERS.c.transport == transport).values(until=until, trips=row.trips + 1, why=why[:200]))
        return until


def mend(transport: str) -> None:
    """A provider has given a clear answer: it can be used."""
    with unit_of_work() as c:
        c.execute(delete(_BREAKERS).where(_BREAKERS.c.transport == transport))


def down(c: Connection, settings: Settings, now: datetime) -> frozenset[str]:
    """Channels whose provider has been out of use for so long that people should know."""
    troubled = {row.transport for row in delivery.breakers(c) if row.since <= now - FELT}
    if not troubled:
        return frozenset()
    return frozenset(ch.value for ch in (Channel.EMAIL, Channel.FAX) if transport_name(ch, settings) in troubled)
