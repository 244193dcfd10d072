"""What the sweep and the doctor look for: whatever was left half-way, and promises that are not kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select, union_all

from outreach.domain.letters import State, Verdict
from outreach.models import (
    Address,
    Attempt,
    Campaign,
    Counter,
    CounterDelta,
    Lane,
    Letter,
    LetterEvent,
    Notice,
    Submission,
    Target,
    TargetAddress,
    table,
)
from outreach.queries.notices import REMINDER, asked_after
from outreach.queries.ordering import afterwards
from outreach.queries.pauses import PAUSED_TARGETS, SPENT

L, C, LANE, AT = table(Letter), table(Campaign), table(Lane), table(Attempt)
N, S, EV, A = table(Notice), table(Submission), table(LetterEvent), table(Address)
COUNTERS, DELTAS, T, TA = table(Counter), table(CounterDelta), table(Target), table(TargetAddress)
_MOVED = (L.c.id, L.c.campaign_id, L.c.target_id, L.c.channel, L.c.state)
"""What a move of a letter needs."""

_UNCONFIRMED = S.c.state == literal_column("'unconfirmed'")
"""Written out, not bound: SQLite takes a partial index only so."""
_NOT_GONE = (State.UNCONFIRMED.value, State.HELD.value, State.QUEUED.value)


def _with_waiting() -> Any:
    names = [f"letter:{state}" for state in _NOT_GONE]
    counted = union_all(select(COUNTERS.c.campaign_id, COUNTERS.c.n).where(COUNTERS.c.name.in_(names)),
                        select(DELTAS.c.campaign_id, DELTAS.c.delta.label("n")).where(DELTAS.c.name.in_(names))).subquery()
    return select(counted.c.campaign_id).group_by(counted.c.campaign_id).having(func.sum(counted.c.n) > 0)


_PENDING = L.c.state.in_([literal_column(f"'{state}'") for state in _NOT_GONE])
_WITH_WAITING = _with_waiting()
"""A sub-select: the campaigns in which letters wait by the counters, so that the millions of an ended one are not looked at again
every ten seconds. (Counters that are wrong are the doctor's matter.)"""


def holders(connection: Connection) -> set[str]:
    """Names of all that hold a lane, an open attempt or a notice."""
    found = set(connection.execute(select(LANE.c.holder).where(LANE.c.holder.is_not(None)).distinct()).scalars())
    found |= set(connection.execute(select(AT.c.holder).where(AT.c.verdict == Verdict.OPEN.value).distinct()).scalars())
    found |= set(connection.execute(select(N.c.holder).where(N.c.state == "sending").distinct()).scalars())
    return {name for name in found if name}


def lapsed(connection: Connection, now: datetime, dead: Sequence[str], most: int) -> Sequence[Any]:
    """Open attempts whose lease is over or whose holder is dead: attempt_id, address_id and what a move needs but the state."""
    return connection.execute(
        select(AT.c.id.label("attempt_id"), L.c.id, L.c.campaign_id, L.c.target_id, L.c.channel, L.c.address_id)
        .select_from(AT.join(L, L.c.id == AT.c.letter_id))
        .where(AT.c.verdict == Verdict.OPEN.value, or_(L.c.lease_until < now, L.c.lease_until.is_(None), AT.c.holder.in_(dead)))
        .order_by(L.c.id).limit(most)).all()


def withdrawn(connection: Connection, most: int) -> Sequence[Any]:
    """Letters that are queued although they were withdrawn, with what a move needs."""
    return _waiting(connection, most, L.c.state == State.QUEUED.value, L.c.withdrawn_at.is_not(None))


def of_closed(connection: Connection, most: int) -> Sequence[Any]:
    """Letters that wait in a campaign closed without an outcome, with what a move needs; withdrawn ones are left out."""
    return _waiting(connection, most, C.c.state == "closed", C.c.outcome.is_(None), _PENDING, L.c.withdrawn_at.is_(None),
                    campaigns=True)


def of_ended(connection: Connection, most: int) -> Sequence[Any]:
    """The same of campaigns whose stop has become final."""
    return _waiting(connection, most, C.c.state == "closed", C.c.outcome.is_not(None), _PENDING,
                    L.c.withdrawn_at.is_(None), campaigns=True)


def stops_due(connection: Connection, now: datetime) -> list[int]:
    """Ids of stopped campaigns whose stop can no longer be undone."""
    return list(connection.execute(select(C.c.id).where(C.c.state == "stopped", C.c.final_at <= now).order_by(C.c.id)).scalars())


def long_over(connection: Connection, before: datetime) -> list[tuple[int, str]]:
    """Live and paused campaigns whose deadline passed before `before` and of which no letter waits or is under way: id, state."""
    waits = select(L.c.id).where(L.c.campaign_id == C.c.id, _PENDING).exists()
    # Written out, not bound: SQLite takes the partial indexes only so.
    under_way = select(AT.c.id).where(AT.c.campaign_id == C.c.id, AT.c.verdict == literal_column(f"'{Verdict.OPEN.value}'")).exists()
    rows = connection.execute(select(C.c.id, C.c.state).where(
        C.c.state.in_(("live", "paused")), C.c.deadline <= before, ~waits, ~under_way).order_by(C.c.id))
    return [(row.id, row.state) for row in rows]


def late(connection: Connection, now: datetime, most: int) -> Sequence[Any]:
    """Letters that wait although the deadline has passed, with what a move needs."""
    return _waiting(connection, most, C.c.deadline <= now, _PENDING, campaigns=True)


def _waiting(connection: Connection, most: int, *wanted: ColumnElement[bool], campaigns: bool = False) -> Sequence[Any]:
    chosen = select(*_MOVED).select_from(L.join(C, C.c.id == L.c.campaign_id) if campaigns else L)
    if campaigns:  # in no order: sorting would read them all for each batch; whoever moves them sorts what it gets
        return connection.execute(chosen.where(C.c.id.in_(_WITH_WAITING), *wanted).limit(most)).all()
    return connection.execute(chosen.where(*wanted).order_by(L.c.id).limit(most)).all()


def fetched_unknowns(connection: Connection, most: int) -> list[str]:
    """Ids of attempts whose outcome is not known though the provider came for their pages."""
    return list(connection.execute(
        select(AT.c.id).join(L, L.c.id == AT.c.letter_id)
        # Written out, not bound: SQLite takes the partial indexes only so.
        .where(L.c.state == literal_column("'unknown'"), AT.c.verdict == literal_column("'unknown'"), AT.c.media_fetched_at.is_not(None))
        .order_by(AT.c.started_at).limit(most)).scalars())


def never_confirmed(connection: Connection, before: datetime, mailed_before: datetime, now: datetime, most: int) -> list[str]:
    """Ids of submissions that are still unconfirmed though they were made before `before` and mailed before `mailed_before`, or their
    campaign's deadline has passed."""
    old = and_(S.c.created_at < before, ~asked_after(S.c.id, "confirm", mailed_before))
    return list(connection.execute(
        select(S.c.id).join(C, C.c.id == S.c.campaign_id)
        .where(_UNCONFIRMED, or_(old, C.c.deadline <= now)).order_by(afterwards(S.c.id)).limit(most)).scalars())


def unconfirmed_letters(connection: Connection, submission_ids: Sequence[str]) -> Sequence[Any]:
    """The unconfirmed letters of these submissions, with what a move needs."""
    return connection.execute(select(*_MOVED).where(
        L.c.submission_id.in_(submission_ids), L.c.state == State.UNCONFIRMED.value).order_by(L.c.id)).all()


def taking_letters(connection: Connection, now: datetime) -> Sequence[Any]:
    """Campaigns whose submissions can still be confirmed: id and deadline, the nearest deadline first."""
    return connection.execute(select(C.c.id, C.c.deadline).where(
        C.c.state.in_(("live", "paused")), or_(C.c.deadline.is_(None), C.c.deadline > now))
        .order_by(C.c.deadline.is_(None), C.c.deadline)).all()


def not_reminded(connection: Connection, campaign_id: int, made: tuple[datetime, datetime], most: int) -> Sequence[Any]:
    """A campaign's unconfirmed submissions made between two moments, mailed before the second and not reminded yet, oldest first: id
    and email."""
    told = select(N.c.id).where(N.c.kind == REMINDER, N.c.ref == S.c.id).exists()
    return connection.execute(
        # Not the bare column: the index of all that a campaign was ever sent is no way to the few that are unconfirmed.
        select(S.c.id, S.c.email).where(func.coalesce(S.c.campaign_id, 0) == campaign_id, _UNCONFIRMED, ~told,
                                        S.c.created_at.between(*made), ~asked_after(S.c.id, "confirm", made[1]))
        .order_by(S.c.created_at).limit(most)).all()


def to_ask(connection: Connection, most: int) -> Sequence[Any]:
    """Submissions of campaigns that go on whose writers are to be asked again and have no mail about it yet: id, campaign_id, email,
    asked_at."""
    told = select(N.c.id).where(N.c.submission_id == S.c.id, N.c.kind == "ask", N.c.created_at >= S.c.asked_at).exists()
    return connection.execute(
        select(S.c.id, S.c.campaign_id, S.c.email, S.c.asked_at).join(C, C.c.id == S.c.campaign_id)
        .where(S.c.asked_at.is_not(None), S.c.erased_at.is_(None), S.c.withdrawn_at.is_(None), C.c.state.in_(("live", "paused")), ~told)
        .order_by(afterwards(S.c.id)).limit(most)).all()


def unanswered(connection: Connection, before: datetime, mailed_before: datetime, now: datetime, most: int) -> list[str]:
    """Ids of submissions whose writers were asked again before `before` and mailed before `mailed_before`, or whose campaign's deadline
    has passed since."""
    old = and_(S.c.asked_at < before, ~asked_after(S.c.id, "ask", mailed_before))
    return list(connection.execute(
        select(S.c.id).join(C, C.c.id == S.c.campaign_id)
        .where(S.c.asked_at.is_not(None), or_(old, C.c.deadline <= now)).order_by(afterwards(S.c.id)).limit(most)).scalars())


def forgotten_lanes(connection: Connection, most: int, but_not: Collection[str] = ()) -> list[int]:
    """Address ids of lanes in which something waits while nobody holds them or means to look; lanes of channels on which all is
    paused (`but_not`) left out."""
    # In the index's order, or Postgres, where it expects many, would look through others' letters for the first.
    stands = (select(L.c.id).where(L.c.address_id == TA.c.address_id, L.c.target_id == TA.c.target_id,
                                   L.c.state == literal_column(f"'{State.QUEUED.value}'"))
              .order_by(L.c.not_before, L.c.submitted_at, L.c.id).limit(1).scalar_subquery())
    return list(connection.execute(
        select(LANE.c.address_id).distinct()
        .select_from(LANE.join(TA, TA.c.address_id == LANE.c.address_id).join(T, T.c.id == TA.c.target_id)
                     .join(C, C.c.id == T.c.campaign_id).join(A, A.c.id == LANE.c.address_id))
        .where(LANE.c.next_wake_at.is_(None), LANE.c.holder.is_(None), LANE.c.queue.not_in(but_not), C.c.state == "live", A.c.state == "ok",
               T.c.id.not_in(PAUSED_TARGETS), or_(A.c.channel != "fax", C.c.id.not_in(SPENT)), stands.is_not(None))
        .order_by(LANE.c.address_id).limit(most)).scalars())
