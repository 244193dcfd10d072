"""What an operator asks about the service as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, literal_column, or_, select, union_all

from outreach.domain.letters import State
from outreach.models import (
    Address,
    Campaign,
    Counter,
    CounterDelta,
    Lane,
    Letter,
    Report,
    Target,
    TargetAddress,
    table,
)

A, C, L, LANE, R, T, TA = (table(Address), table(Campaign), table(Letter), table(Lane), table(Report), table(Target),
                           table(TargetAddress))
COUNTERS, DELTAS = table(Counter), table(CounterDelta)
_QUEUED = L.c.state == literal_column(f"'{State.QUEUED.value}'")


def address(connection: Connection, address_id: int) -> Row[Any] | None:
    """The whole row of an address."""
    return connection.execute(select(A).where(A.c.id == address_id)).first()


def proposed(connection: Connection) -> Sequence[Row[Any]]:
    """Addresses that nobody has approved, whole rows, the oldest first."""
    return connection.execute(select(A).where(A.c.state == "proposed").order_by(A.c.state_at, A.c.id)).all()


def uses(connection: Connection, address_ids: Sequence[int]) -> Sequence[Any]:
    """Who has these addresses: address_id, key of the target, slug, title, version_id; targets that are dropped left out."""
    return connection.execute(
        select(TA.c.address_id, T.c.key, C.c.slug, C.c.title, C.c.version_id)
        .select_from(TA.join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
        .where(TA.c.address_id.in_(address_ids), T.c.active).order_by(C.c.slug, T.c.position)).all()


def waiting_at(connection: Connection, address_ids: Sequence[int]) -> dict[int, int]:
    """How many letters are queued at each of these addresses; those with none left out."""
    rows = connection.execute(select(L.c.address_id, func.count()).where(L.c.address_id.in_(address_ids), _QUEUED).group_by(L.c.address_id))
    return {address_id: n for address_id, n in rows}


def not_in_order(connection: Connection) -> Sequence[Row[Any]]:
    """Addresses that are suspect or blocked, or have a limit pinned, whole rows: the suspect first, then the newest."""
    return connection.execute(
        select(A).where(or_(A.c.state.in_(("suspect", "blocked")), A.c.pinned.is_not(None)))
        .order_by(A.c.state != "suspect", A.c.state_at.desc(), A.c.id)).all()


def reports(connection: Connection, *, closed: bool, most: int) -> Sequence[Any]:
    """Reports about campaigns, the newest first: id, reason, at, closed_at, closed_by, note, slug, title, state, suspended_at."""
    chosen = R.c.closed_at.is_not(None) if closed else R.c.closed_at.is_(None)
    return connection.execute(
        select(R.c.id, R.c.reason, R.c.at, R.c.closed_at, R.c.closed_by, R.c.note, C.c.slug, C.c.title, C.c.state, C.c.suspended_at)
        .select_from(R.join(C, C.c.id == R.c.campaign_id)).where(chosen).order_by(R.c.at.desc()).limit(most)).all()


def queued_by_channel(connection: Connection) -> dict[str, int]:
    """How many letters of live campaigns are queued, by channel, as the counters have it."""
    name = f"letter:{State.QUEUED.value}"
    both = union_all(*(select(t.c.campaign_id, t.c.channel, n.label("n")).where(t.c.name == name)
                       for t, n in ((COUNTERS, COUNTERS.c.n), (DELTAS, DELTAS.c.delta)))).subquery()
    rows = connection.execute(select(both.c.channel, func.sum(both.c.n)).join(C, C.c.id == both.c.campaign_id)
                              .where(C.c.state == "live").group_by(both.c.channel))
    return {channel: int(n) for channel, n in rows if n > 0}


def longest_due(connection: Connection, now: datetime) -> datetime | None:
    """Since when the lane has been due that has waited longest for somebody to look at it; None when none is due."""
    return connection.execute(select(func.min(LANE.c.next_wake_at)).where(and_(
        LANE.c.next_wake_at <= now, LANE.c.holder.is_(None), or_(LANE.c.backoff_until.is_(None), LANE.c.backoff_until <= now)))).scalar()


def unknown_since(connection: Connection) -> tuple[int, datetime | None]:
    """How many letters are of unknown outcome, over all campaigns, and since when the oldest of them."""
    n, since = connection.execute(select(func.count(), func.min(L.c.state_at)).where(
        L.c.state == literal_column(f"'{State.UNKNOWN.value}'"))).one()
    return n, since
