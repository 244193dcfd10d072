"""Counts: folded ones and the deltas not folded yet together, or the letters counted anew."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, union_all

from outreach.models import Counter, CounterDelta, Letter, ServiceDay, Target, table

COUNTERS, DELTAS, L, T, DAYS = table(Counter), table(CounterDelta), table(Letter), table(Target), table(ServiceDay)
Key = tuple[int, str, str]
"""Target or 0, channel or "", name."""


def counts(connection: Connection, campaign_id: int) -> dict[Key, int]:
    """All counts of a campaign: (target or 0, channel or "", name) to number, zeros left out."""
    columns = ("target_id", "channel", "name")
    folded = select(*(COUNTERS.c[n] for n in columns), COUNTERS.c.n).where(COUNTERS.c.campaign_id == campaign_id)
    fresh = select(*(DELTAS.c[n] for n in columns), DELTAS.c.delta.label("n")).where(DELTAS.c.campaign_id == campaign_id)
    both = union_all(folded, fresh).subquery()
    rows = connection.execute(select(both.c.target_id, both.c.channel, both.c.name, func.sum(both.c.n))
                              .group_by(both.c.target_id, both.c.channel, both.c.name))
    return {(t, ch, name): int(n) for t, ch, name, n in rows if n}


def recount(connection: Connection, campaign_id: int) -> dict[Key, int]:
    """The letters' counts from the letters themselves: what `counts` must equal."""
    rows = connection.execute(select(L.c.target_id, L.c.channel, L.c.state, func.count()).where(L.c.campaign_id == campaign_id)
                              .group_by(L.c.target_id, L.c.channel, L.c.state))
    return {(t, ch, f"letter:{state}"): n for t, ch, state, n in rows}


def target_names(connection: Connection, campaign_id: int) -> dict[int, tuple[str, str]]:
    """Key and name of a campaign's targets by the row's id, in the file's order."""
    return {row.id: (row.key, row.name) for row in connection.execute(
        select(T.c.id, T.c.key, T.c.name).where(T.c.campaign_id == campaign_id).order_by(T.c.position))}


def oldest_deltas(most: int) -> Any:
    """A sub-select: the ids of up to `most` deltas, locked, those that somebody else folds left out."""
    return select(DELTAS.c.id).order_by(DELTAS.c.id).limit(most).with_for_update(skip_locked=True)


def used_locked(connection: Connection, day: str) -> int:
    """How many hand-overs the service has started on a day (YYYY-MM-DD) that has a row; nobody else adds until we end."""
    return int(connection.execute(select(DAYS.c.used).where(DAYS.c.day == day).with_for_update()).scalar_one())
