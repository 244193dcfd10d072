"""Circuit breakers: a provider that cannot be used is left alone for a while by all workers, longer each time it is tried in vain.

Shared through the database: a second worker, or the next job, must not find out for itself that a server is down, and the
campaign's page says truthfully that sending is held up.
"""

from __future__ import annotations

from collections.abc import Collection
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
LONGEST_ASKED = timedelta(hours=1)
"""So long it is left alone at the most when it says itself how long (Retry-After): the operator may have had a limit raised by then."""
FELT = timedelta(minutes=2)
"""Trouble shorter than this is not shown to supporters: their letters wait as they would anyway."""


def open_until(transport: str, now: datetime) -> tuple[datetime | None, bool]:
    """Until when a provider is left alone (None: it may be tried now), and whether it was in trouble at all."""
    with reading() as c:
        row = delivery.breaker(c, transport)
    return (row.until if row and row.until > now else None), row is not None


def trip(transport: str, why: str, now: datetime, *, auth: bool = False, by_receipt: bool = False,
         retry_after: timedelta | None = None) -> datetime:
    """Leave a provider alone. Returns until when: 5 s at first (a minute where it refuses us, answers nothing clear, or its receipts
    say so), doubled at each try in vain up to five minutes; longer where it asks for that. A second worker that finds the same
    changes nothing."""
    first = FIRST_AUTH if auth or by_receipt else FIRST
    asked = min(retry_after or timedelta(0), LONGEST_ASKED)
    said = {"why": why[:200], "by_receipt": by_receipt}
    with unit_of_work() as c:
        until: datetime = now + max(first, asked)
        new = c.execute(dialect_insert(c, _BREAKERS).values(transport=transport, until=until, trips=1, since=now, **said)
                        .on_conflict_do_nothing(index_elements=["transport"]).returning(_BREAKERS.c.until)).scalar()
        row = None if new is not None else delivery.breaker(c, transport)
        if row is None:
            return until
        if row.until > now:
            known: datetime = row.until
            return max(known, now + FIRST)
        until = now + max(min(LONGEST, first * 2 ** min(row.trips, 10)), asked)
        c.execute(update(_BREAKERS).where(_BREAKERS.c.transport == transport).values(until=until, trips=row.trips + 1, **said))
        return until


def mend(transport: str) -> None:
    """A provider has given a clear answer: it can be used, unless its receipts have said otherwise."""
    with unit_of_work() as c:
        c.execute(delete(_BREAKERS).where(_BREAKERS.c.transport == transport, ~_BREAKERS.c.by_receipt))


def proved(c: Connection, transports: Collection[str]) -> None:
    """Something has arrived by these providers: whatever was said of them is over."""
    if transports:
        c.execute(delete(_BREAKERS).where(_BREAKERS.c.transport.in_(sorted(transports))))


def down(c: Connection, settings: Settings, now: datetime) -> frozenset[str]:
    """Channels whose provider has been out of use for so long that people should know."""
    troubled = {row.transport for row in delivery.breakers(c) if row.since <= now - FELT}
    if not troubled:
        return frozenset()
    return frozenset(ch.value for ch in (Channel.EMAIL, Channel.FAX) if transport_name(ch, settings) in troubled)
