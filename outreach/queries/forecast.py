"""What a forecast asks: how many letters wait for each office, and at which of its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, func, literal_column, select, union_all

from outreach.domain.letters import State
from outreach.models import Address, Counter, CounterDelta, Letter, Target, TargetAddress, table
from outreach.queries.delivery import LANE_TARGETS

L, T, A, TA = table(Letter), table(Target), table(Address), table(TargetAddress)
COUNTERS, DELTAS = table(Counter), table(CounterDelta)
_QUEUED = f"letter:{State.QUEUED.value}"
_QUEUED_STATE: ColumnElement[str] = literal_column(f"'{State.QUEUED.value}'")
"""Written out, not bound: SQLite takes a partial index only so."""

_PLACES = (
    select(T.c.campaign_id, T.c.id.label("target_id"), T.c.key, T.c.name, T.c.timezone, TA.c.address_id, A.c.channel, A.c.value)
    .select_from(TA.join(T, T.c.id == TA.c.target_id).join(A, A.c.id == TA.c.address_id))
    .where(A.c.channel.in_(("email", "fax"))).order_by(T.c.position, T.c.id, A.c.channel, TA.c.rank))


def places(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """Where letters to any target that a campaign ever had can wait, in order of preference: campaign_id, target_id, key, name,
    timezone, address_id, channel, value."""
    return connection.execute(_PLACES.where(T.c.campaign_id == campaign_id)).all()


def places_of(connection: Connection, target_ids: Sequence[int]) -> Sequence[Any]:
    """The same of these targets."""
    return connection.execute(_PLACES.where(T.c.id.in_(target_ids))).all()


def lane_targets(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """`delivery.lane_targets` of all addresses at which a campaign's letters can wait: other live campaigns' targets are among them."""
    own = select(TA.c.address_id).join(T, T.c.id == TA.c.target_id).where(T.c.campaign_id == campaign_id)
    return connection.execute(LANE_TARGETS.where(A.c.id.in_(own))).all()


def queued(connection: Connection, campaign_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """Target and channel to how many letters are queued, as the counters have it: it costs the same however many wait."""
    both = _counted(campaign_ids)
    rows = connection.execute(select(both.c.target_id, both.c.channel, func.sum(both.c.n)).group_by(both.c.target_id, both.c.channel))
    return {(target, channel): int(n) for target, channel, n in rows if n > 0}


def queued_in_all(connection: Connection, campaign_ids: Sequence[int]) -> dict[str, int]:
    """The same of all targets together: channel to how many."""
    both = _counted(campaign_ids)
    rows = connection.execute(select(both.c.channel, func.sum(both.c.n)).group_by(both.c.channel))
    return {channel: int(n) for channel, n in rows}


def _counted(campaign_ids: Sequence[int]) -> Subquery:
    return union_all(*(select(t.c.target_id, t.c.channel, n.label("n")).where(t.c.campaign_id.in_(campaign_ids), t.c.name == _QUEUED)
                       for t, n in ((COUNTERS, COUNTERS.c.n), (DELTAS, DELTAS.c.delta)))).subquery()


def carried(connection: Connection, campaign_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """Target and address to how many queued letters wait there only to go with another's hand-over."""
    rows = connection.execute(
        select(L.c.target_id, L.c.address_id, func.count()).where(
            # Not the bare columns: indexes of all letters of a campaign, or of all that wait, are no way to the few that are carried.
            L.c.carried_by.is_not(None), func.coalesce(L.c.state, "") == State.QUEUED.value,
            func.coalesce(L.c.campaign_id, 0).in_(campaign_ids))
        .group_by(L.c.target_id, L.c.address_id))
    return {(target, address): n for target, address, n in rows}


def queued_at(connection: Connection, places: Sequence[tuple[int, int]], most: int) -> dict[tuple[int, int], int]:
    """How many letters are queued at each of these targets and addresses, counted at most up to `most`; carried ones too."""
    return _queued_there(connection, most, TA.c.target_id.in_(sorted({target for target, _ in places})),
                         TA.c.address_id.in_(sorted({address for _, address in places}))) if places else {}


def queued_elsewhere(connection: Connection, campaign_ids: Sequence[int], most: int) -> dict[tuple[int, int], int]:
    """The same of all addresses that come after a target's first one."""
    own = select(T.c.id).where(T.c.campaign_id.in_(campaign_ids))
    return _queued_there(connection, most, TA.c.target_id.in_(own), TA.c.rank > 0)


def _queued_there(connection: Connection, most: int, *where: ColumnElement[bool]) -> dict[tuple[int, int], int]:
    x = L.alias("there")
    chosen = select(x.c.id).where(x.c.address_id == TA.c.address_id, x.c.target_id == TA.c.target_id, x.c.state == _QUEUED_STATE)
    n = select(func.count()).select_from(chosen.limit(most).correlate(TA).subquery()).scalar_subquery()
    rows = connection.execute(select(TA.c.target_id, TA.c.address_id, n).where(*where))
    return {(target, address): int(count) for target, address, count in rows}
