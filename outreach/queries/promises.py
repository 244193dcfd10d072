"""What must never be so, asked of the whole database at once. Each answer is a list of letters' ids, at most `most` of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, literal_column, or_, select, tuple_, union_all

from outreach.domain.letters import INITIAL, TRANSITIONS, WAITING, Reason, State, Verdict
from outreach.models import (
    Address,
    Attempt,
    Campaign,
    CampaignVersion,
    Counter,
    CounterDelta,
    CounterHour,
    Lane,
    Letter,
    LetterEvent,
    Notice,
    Receipt,
    Submission,
    Target,
    TargetAddress,
    table,
)
from outreach.queries.campaigns import LETTER_CHANNELS, foreign_places
from outreach.queries.pauses import NOT_SPENT, PAUSED_TARGETS

L, C, A, AT, LANE, EV = table(Letter), table(Campaign), table(Address), table(Attempt), table(Lane), table(LetterEvent)
COUNTERS, DELTAS, HOURS, T, TA, V, N, R, S = (
    table(Counter), table(CounterDelta), table(CounterHour), table(Target), table(TargetAddress), table(CampaignVersion), table(Notice),
    table(Receipt), table(Submission))
_OPEN = AT.c.verdict == Verdict.OPEN.value
# Written out, not bound: SQLite takes partial indexes only so.
_QUEUED = L.c.state == literal_column(f"'{State.QUEUED.value}'")
_SENDING = L.c.state == State.SENDING.value
_HOLDS_A_PLACE = (State.HELD.value, State.QUEUED.value, State.SENDING.value, State.UNKNOWN.value)
_HOLDS_NONE = (State.UNCONFIRMED.value, State.CANCELLED.value, State.EXPIRED.value)
_HANDED_OVER = (State.SENDING.value, State.UNKNOWN.value, State.SENT.value, State.DELIVERED.value)


def _letters(connection: Connection, most: int, *wrong: ColumnElement[bool]) -> list[str]:
    return list(connection.execute(select(L.c.id).where(*wrong).order_by(L.c.id).limit(most)).scalars())


def stuck(connection: Connection, before: datetime, most: int) -> list[str]:
    """In `sending` although the lease ended before `before`."""
    return _letters(connection, most, _SENDING, L.c.carried_by.is_(None), or_(L.c.lease_until.is_(None), L.c.lease_until < before))


def sending_without_attempt(connection: Connection, most: int) -> list[str]:
    """In `sending` without an open attempt, their own or that of the letter which carries them."""
    return _letters(connection, most, _SENDING, ~select(AT.c.id).where(
        AT.c.letter_id == func.coalesce(L.c.carried_by, L.c.id), _OPEN).exists())


def open_without_sending(connection: Connection, most: int) -> list[str]:
    """With an open attempt although not in `sending`, or in `sending` for another attempt."""
    return list(connection.execute(select(L.c.id).distinct().select_from(AT.join(L, L.c.id == AT.c.letter_id)).where(
        _OPEN, or_(~_SENDING, L.c.attempt_id.is_(None), L.c.attempt_id != AT.c.id)).order_by(L.c.id).limit(most)).scalars())


def opened_twice(connection: Connection, most: int) -> list[str]:
    """With more than one open attempt."""
    return list(connection.execute(select(AT.c.letter_id).where(_OPEN).group_by(AT.c.letter_id).having(func.count() > 1)
                                   .order_by(AT.c.letter_id).limit(most)).scalars())


def handed_over_without_attempt(connection: Connection, most: int) -> list[str]:
    """Said to have been handed over, by themselves, without an attempt."""
    return _letters(connection, most, L.c.state.in_(_HANDED_OVER), L.c.carried_by.is_(None),
                    ~select(AT.c.id).where(AT.c.letter_id == L.c.id).exists())


def asleep(connection: Connection, now: datetime, before: datetime, most: int, but_not: Collection[str]) -> list[str]:
    """Queued since before `before` in a lane that nobody holds or means to look at; channels in `but_not` are paused."""
    lanes = L.outerjoin(LANE, LANE.c.address_id == L.c.address_id)
    nobody = or_(LANE.c.address_id.is_(None), and_(LANE.c.next_wake_at.is_(None), LANE.c.holder.is_(None)))
    return list(connection.execute(select(L.c.id).select_from(_may_go(lanes)).where(
        *_going(now, but_not), L.c.state_at < before, nobody).order_by(L.c.id).limit(most)).scalars())


def overdue(connection: Connection, now: datetime, before: datetime, most: int, but_not: Collection[str]) -> list[str]:
    """Due in a lane that should have been looked at before `before`, and that nobody holds."""
    lanes = L.join(LANE, LANE.c.address_id == L.c.address_id)
    return list(connection.execute(select(L.c.id).select_from(_may_go(lanes)).where(
        *_going(now, but_not), or_(L.c.not_before.is_(None), L.c.not_before < before), L.c.state_at < before,
        LANE.c.next_wake_at < before, LANE.c.holder.is_(None)).order_by(L.c.id).limit(most)).scalars())


def _may_go(lanes: Any) -> Any:
    return lanes.join(C, C.c.id == L.c.campaign_id).join(A, A.c.id == L.c.address_id)


def _going(now: datetime, but_not: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (L.c.state == State.QUEUED.value, L.c.carried_by.is_(None), L.c.withdrawn_at.is_(None), C.c.state == "live",
            or_(C.c.deadline.is_(None), C.c.deadline > now), A.c.state == "ok", L.c.target_id.not_in(PAUSED_TARGETS),
            L.c.channel.not_in(but_not), NOT_SPENT)


def _goes_on(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return C.c.state.in_(("live", "paused")), or_(C.c.deadline.is_(None), C.c.deadline > now), L.c.withdrawn_at.is_(None)


def at_no_address(connection: Connection, now: datetime, before: datetime, most: int) -> list[str]:
    """Queued since before `before` at an address that is blocked or not their target's, or at another unusable one although their
    target has one that can be used: the sweep should have brought them on."""
    found = set(_at_unusable(connection, now, most, L.c.state_at < before, or_(A.c.state == "blocked", _elsewhere())))
    if foreign := [(p.target_id, p.address_id) for p in foreign_places(connection, now) if p.state == "ok"]:
        found |= set(connection.execute(select(L.c.id).select_from(_may_go(L)).where(
            _QUEUED, L.c.state_at < before, *_goes_on(now), tuple_(L.c.target_id, L.c.address_id).in_(foreign))
            .order_by(L.c.id).limit(most)).scalars())
    return sorted(found)[:most]


def at_doubtful_address(connection: Connection, now: datetime, most: int) -> list[str]:
    """Queued at their target's only address, which is suspect or waits for approval: until somebody has looked at it."""
    return _at_unusable(connection, now, most, A.c.state != "blocked", ~_elsewhere())


def _at_unusable(connection: Connection, now: datetime, most: int, *wrong: ColumnElement[bool]) -> list[str]:
    """Queued letters of campaigns that go on, at addresses that are not in use."""
    return list(connection.execute(select(L.c.id).select_from(_may_go(L)).where(
        _QUEUED, A.c.state != literal_column("'ok'"), *_goes_on(now), *wrong).order_by(L.c.id).limit(most)).scalars())


def _elsewhere() -> ColumnElement[bool]:
    """The letter's target has an address that can be used and that its campaign would take."""
    other, place = A.alias("other"), TA.alias("place")
    return select(place.c.target_id).where(
        place.c.target_id == L.c.target_id, other.c.id == place.c.address_id, other.c.state == "ok",
        other.c.channel.in_(LETTER_CHANNELS), or_(other.c.channel == L.c.channel, C.c.fall_back)).exists()


def left_held(connection: Connection, before: datetime, most: int) -> list[int]:
    """Address ids of lanes that are still held although the hold ended before `before`."""
    return list(connection.execute(select(LANE.c.address_id).where(LANE.c.holder.is_not(None), LANE.c.held_until < before)
                                   .order_by(LANE.c.address_id).limit(most)).scalars())


def stuck_notices(connection: Connection, before: datetime, most: int) -> list[str]:
    """Ids of notices in `sending` whose lease ended before `before`."""
    return list(connection.execute(select(N.c.id).where(N.c.state == "sending", N.c.lease_until < before)
                                   .order_by(N.c.id).limit(most)).scalars())


def unknown(connection: Connection, most: int) -> list[str]:
    """That may or may not have been sent."""
    return _letters(connection, most, L.c.state == State.UNKNOWN.value)


def orphans(connection: Connection, before: datetime) -> int:
    """How many receipts, received before `before`, speak of nothing that is known."""
    return connection.execute(select(func.count()).select_from(R).where(R.c.applied_at.is_(None), R.c.received_at < before)).scalar_one()


def without_events(connection: Connection, most: int) -> list[str]:
    """Of whose life nothing is written down."""
    return _letters(connection, most, ~select(EV.c.id).where(EV.c.letter_id == L.c.id).exists())


def off_the_table(connection: Connection, most: int) -> list[str]:
    """Whose events are no path of the table: a move it does not have, one that does not begin where the last ended, another last state."""
    moved = func.coalesce(EV.c.before, "")
    steps = select(EV.c.letter_id, moved.label("before"), EV.c.after,
                   func.coalesce(func.lag(EV.c.after).over(partition_by=EV.c.letter_id, order_by=EV.c.id), "").label("left"),
                   func.lead(EV.c.id).over(partition_by=EV.c.letter_id, order_by=EV.c.id).label("next")).subquery()
    known = [("", s.value) for s in INITIAL] + [(b.value, a.value) for b, after in TRANSITIONS.items() for a in after]
    return list(connection.execute(
        select(steps.c.letter_id).distinct().select_from(steps.join(L, L.c.id == steps.c.letter_id))
        .where(or_(steps.c.before != steps.c.left, tuple_(steps.c.before, steps.c.after).not_in(known),
                   and_(steps.c.next.is_(None), steps.c.after != L.c.state)))
        .order_by(steps.c.letter_id).limit(most)).scalars())


def misplaced(connection: Connection, most: int) -> list[str]:
    """That hold their person's place at a target in a state that holds none, or wait or are under way without holding it."""
    return _letters(connection, most, or_(and_(~L.c.counts, L.c.state.in_(_HOLDS_A_PLACE)), and_(L.c.counts, L.c.state.in_(_HOLDS_NONE))))


def twice_in_place(connection: Connection, most: int) -> list[str]:
    """Of several that hold one person's one place at a target: all but the first."""
    place = (L.c.campaign_id, L.c.wave, L.c.target_id, L.c.fingerprint, L.c.slot)
    taken = (select(*place, func.min(L.c.id).label("first")).where(L.c.counts).group_by(*place).having(func.count() > 1)).subquery()
    return list(connection.execute(
        select(L.c.id).join(taken, and_(*(column == taken.c[column.name] for column in place)))
        .where(L.c.counts, L.c.id != taken.c.first).order_by(L.c.id).limit(most)).scalars())


def miscounted(connection: Connection, most: int) -> Sequence[Any]:
    """Counts of letters and of submissions that differ from a recount: slug, target (its id in the file), channel, name, said, real.

    In one statement, so that both come from the same moment. What was refused left nothing that could be counted anew; of that a
    count below zero is wrong.
    """
    key = ("campaign_id", "target_id", "channel", "name")
    zero = literal(0)
    folded = select(*(COUNTERS.c[k] for k in key), COUNTERS.c.n.label("said"), zero.label("real"))
    fresh = select(*(DELTAS.c[k] for k in key), DELTAS.c.delta.label("said"), zero.label("real"))
    letters = (select(L.c.campaign_id, L.c.target_id, L.c.channel, (literal("letter:") + L.c.state).label("name"), zero.label("said"),
                      func.count().label("real")).group_by(L.c.campaign_id, L.c.target_id, L.c.channel, L.c.state))
    forms = (select(S.c.campaign_id, zero.label("target_id"), literal("").label("channel"), literal("submissions").label("name"),
                    zero.label("said"), func.count().label("real")).group_by(S.c.campaign_id))
    every = union_all(folded, fresh, letters, forms).subquery()
    said, real = func.sum(every.c.said), func.sum(every.c.real)
    wrong = or_(said < 0, and_(said != real, every.c.name.not_like("refused:%")))
    sums = select(*(every.c[k] for k in key), said.label("said"), real.label("real")).group_by(*(every.c[k] for k in key)).having(
        wrong).order_by(*(every.c[k] for k in key)).limit(most).subquery()
    return connection.execute(
        select(C.c.slug, func.coalesce(T.c.key, "").label("target"), sums.c.channel, sums.c.name, sums.c.said, sums.c.real)
        .select_from(sums.outerjoin(C, C.c.id == sums.c.campaign_id).outerjoin(T, T.c.id == sums.c.target_id))
        .order_by(sums.c.campaign_id, sums.c.target_id, sums.c.channel, sums.c.name)).all()


def hours_astray(connection: Connection, most: int) -> Sequence[Any]:
    """Where the sum over all hours is not what the folded counts say: slug, channel, name, said (by the hours), real (by the counts)."""
    zero, names = literal(0), or_(COUNTERS.c.name.like("letter:%"), COUNTERS.c.name == "submissions")
    columns = ("campaign_id", "channel", "name")
    counted = select(*(COUNTERS.c[k] for k in columns), zero.label("said"), COUNTERS.c.n.label("real")).where(names)
    hourly = select(*(HOURS.c[k] for k in columns), HOURS.c.n.label("said"), zero.label("real"))
    every = union_all(counted, hourly).subquery()
    key = (every.c.campaign_id, every.c.channel, every.c.name)
    said, real = func.sum(every.c.said), func.sum(every.c.real)
    sums = select(*key, said.label("said"), real.label("real")).group_by(*key).having(said != real).order_by(*key).limit(most).subquery()
    return connection.execute(
        select(C.c.slug, sums.c.channel, sums.c.name, sums.c.said, sums.c.real)
        .select_from(sums.outerjoin(C, C.c.id == sums.c.campaign_id)).order_by(sums.c.campaign_id, sums.c.channel, sums.c.name)).all()


def past_their_time(connection: Connection, before: datetime, most: int) -> list[str]:
    """That wait although since before `before` their deadline has passed, their campaign is closed, or their writer has taken them back."""
    over = or_(C.c.deadline < before, and_(C.c.state == "closed", C.c.closed_at < before),
               and_(L.c.state == State.QUEUED.value, L.c.withdrawn_at < before))
    # Written out, not bound: SQLite takes the partial index only so.
    waits = L.c.state.in_([literal_column(f"'{s.value}'") for s in sorted(WAITING)])
    return list(connection.execute(select(L.c.id).select_from(L.join(C, C.c.id == L.c.campaign_id)).where(
        waits, over, L.c.state_at < before).order_by(L.c.id).limit(most)).scalars())


def held_since(connection: Connection, before: datetime, most: int) -> list[str]:
    """That have waited for a moderator since before `before`, in campaigns that go on."""
    return list(connection.execute(select(L.c.id).select_from(L.join(C, C.c.id == L.c.campaign_id)).where(
        L.c.state == State.HELD.value, L.c.state_at < before, C.c.state.in_(("live", "paused"))).order_by(L.c.id).limit(most)).scalars())


def calls_unended(connection: Connection, before: datetime, most: int) -> list[str]:
    """Faxes taken before `before` whose end nobody has heard of, nor given up to hear of."""
    return list(connection.execute(select(AT.c.letter_id).distinct().where(
        AT.c.line_until.is_not(None), AT.c.verdict == Verdict.ACCEPTED.value, AT.c.started_at < before)
        .order_by(AT.c.letter_id).limit(most)).scalars())


def without_receipt(connection: Connection, most: int) -> list[str]:
    """Faxes of campaigns that are not over that stay `sent`, since no receipt has come and asking brought none."""
    silent = and_(L.c.state == State.SENT.value, L.c.reason == Reason.NO_RECEIPT.value)
    return list(connection.execute(select(L.c.id).select_from(L.join(C, C.c.id == L.c.campaign_id)).where(
        silent, C.c.state != "closed").order_by(L.c.id).limit(most)).scalars())


def totals(connection: Connection) -> Sequence[Any]:
    """Limits of live campaigns that name a total, where the operator has pinned none: address_id, value, limits, since (their import)."""
    return connection.execute(
        select(A.c.id.label("address_id"), A.c.value, TA.c.limits, V.c.created_at.label("since"))
        .select_from(TA.join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id).join(V, V.c.id == C.c.version_id)
                     .join(A, A.c.id == TA.c.address_id))
        .where(C.c.state == "live", TA.c.limits.like("%total%"), A.c.pinned.is_(None)).order_by(A.c.id)).all()


def beyond(connection: Connection, address_id: int, count: int, since: datetime, most: int) -> list[str]:
    """Letters with an attempt at an address, begun after `since`, that was not among its first `count` ones."""
    ranked = select(AT.c.letter_id, AT.c.started_at, func.row_number().over(order_by=(AT.c.started_at, AT.c.id)).label("place")).where(
        AT.c.address_id == address_id).subquery()
    return list(connection.execute(select(ranked.c.letter_id).distinct().where(ranked.c.place > count, ranked.c.started_at > since)
                                   .order_by(ranked.c.letter_id).limit(most)).scalars())
