"""What the live desk asks about one campaign: as cheap with a million letters as with a thousand, and all of one moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    case,
    cast,
    extract,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from outreach.domain.letters import Reason
from outreach.models import (
    Address,
    Alert,
    Attempt,
    AuditEntry,
    Campaign,
    Counter,
    CounterDelta,
    CounterHour,
    Lane,
    Letter,
    LetterEvent,
    Member,
    Receipt,
    Target,
    TargetAddress,
    table,
)

C, L, T, A, TA, LN = table(Campaign), table(Letter), table(Target), table(Address), table(TargetAddress), table(Lane)
AT, EV, R, AUDIT, ALERTS, M = table(Attempt), table(LetterEvent), table(Receipt), table(AuditEntry), table(Alert), table(Member)
COUNTERS, DELTAS, HOURS = table(Counter), table(CounterDelta), table(CounterHour)
# Written out, not bound: SQLite takes a partial index only so.
_FAILING = AT.c.verdict.in_((literal_column("'refused'"), literal_column("'bounced'")))
_COMPLAINT = and_(R.c.verdict.is_(None), R.c.reason == literal_column(f"'{Reason.SPAM.value}'"))


def one_moment(connection: Connection) -> None:
    """All that this transaction reads is of one moment. To be said first; SQLite's readers have it anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def newest(connection: Connection, campaign_id: int) -> tuple[int, int]:
    """The numbers of the newest entry that the audit log has about a campaign, as every lever leaves one, and of the newest event of
    any letter of the service; 0 without any."""
    act = select(func.max(AUDIT.c.id)).where(AUDIT.c.campaign_id == campaign_id).scalar_subquery()
    found = connection.execute(select(act, select(func.max(EV.c.id)).scalar_subquery())).one()
    return found[0] or 0, found[1] or 0


def seen_by(connection: Connection, organizer_id: int | None) -> Sequence[Any]:
    """Whole rows of the campaigns in which somebody has a role (None: all there are), the newest first."""
    chosen = select(C).order_by(C.c.created_at.desc(), C.c.id.desc())
    if organizer_id is not None:
        chosen = chosen.join(M, M.c.campaign_id == C.c.id).where(M.c.organizer_id == organizer_id)
    return connection.execute(chosen).all()


def totals(connection: Connection, campaign_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """Of each of these campaigns the letters by state, and submissions: (campaign, counter's name) to number, zeros left out."""
    parts = [select(t.c.campaign_id, t.c.name, n.label("n")).where(
        t.c.campaign_id.in_(campaign_ids), or_(t.c.name.startswith("letter:"), t.c.name == "submissions"))
        for t, n in ((COUNTERS, COUNTERS.c.n), (DELTAS, DELTAS.c.delta))]
    both = union_all(*parts).subquery()
    rows = connection.execute(select(both.c.campaign_id, both.c.name, func.sum(both.c.n)).group_by(both.c.campaign_id, both.c.name))
    return {(campaign, name): int(n) for campaign, name, n in rows if n}


def open_alerts(connection: Connection, campaign_ids: Collection[int]) -> dict[int, int]:
    """How many matters are open, by campaign."""
    rows = connection.execute(select(ALERTS.c.campaign_id, func.count()).where(
        ALERTS.c.campaign_id.in_(campaign_ids), ALERTS.c.closed_at.is_(None)).group_by(ALERTS.c.campaign_id))
    return {campaign: n for campaign, n in rows}


def changes(connection: Connection, campaign_id: int, first: int, *, this_hour: int, hours_each: int,
            shift: int) -> list[tuple[int, str, str, int]]:
    """How much each counter grew in each span of hours: (number, channel, name, n), spans before number `first` left out.

    A span's number is `(hour + shift) // hours_each`; what is not folded yet and names no hour is of `this_hour`.
    """
    since = first * hours_each - shift
    hour = func.coalesce(DELTAS.c.hour, this_hour)
    both = union_all(
        select(HOURS.c.hour, HOURS.c.channel, HOURS.c.name, HOURS.c.n).where(HOURS.c.campaign_id == campaign_id, HOURS.c.hour >= since),
        select(hour.label("hour"), DELTAS.c.channel, DELTAS.c.name, DELTAS.c.delta.label("n")).where(
            DELTAS.c.campaign_id == campaign_id, hour >= since, DELTAS.c.name.startswith("letter:"))).subquery()
    number = ((both.c.hour + shift) // hours_each).label("number")
    rows = connection.execute(select(number, both.c.channel, both.c.name, func.sum(both.c.n)).group_by(number, both.c.channel, both.c.name))
    return [(int(span), channel, name, int(n)) for span, channel, name, n in rows]


def first_hour(connection: Connection, campaign_id: int) -> int | None:
    """The oldest hour in which something was counted; None before the first."""
    return connection.execute(select(func.min(HOURS.c.hour)).where(HOURS.c.campaign_id == campaign_id)).scalar()


def places(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """Every address for letters of the targets that the campaign still has, with its lane: target_id, address_id, channel, value, rank,
    state, state_reason, state_at, and next_wake_at, backoff_until, setbacks, held_until (None where there is no lane)."""
    return connection.execute(
        select(T.c.id.label("target_id"), TA.c.address_id, A.c.channel, A.c.value, TA.c.rank, A.c.state, A.c.state_reason, A.c.state_at,
               LN.c.next_wake_at, LN.c.backoff_until, LN.c.setbacks, LN.c.held_until)
        .select_from(T.join(TA, TA.c.target_id == T.c.id).join(A, A.c.id == TA.c.address_id).outerjoin(LN, LN.c.address_id == A.c.id))
        .where(T.c.campaign_id == campaign_id, T.c.active, A.c.channel.in_(("email", "fax")))
        .order_by(T.c.position, T.c.id, A.c.channel, TA.c.rank)).all()


def fax_calls(connection: Connection, campaign_id: int, since: datetime) -> Sequence[Any]:
    """A campaign's fax calls since then by verdict and reason: verdict, reason, calls, pages, and seconds from hand-over to result of
    those that arrived. There are never more of them than the provider's lines have time for, however many letters wait."""
    numbers = (select(TA.c.address_id).distinct().join(T, T.c.id == TA.c.target_id).join(A, A.c.id == TA.c.address_id)
               .where(T.c.campaign_id == campaign_id, A.c.channel == "fax").subquery())
    took = case((AT.c.arrived_at > AT.c.started_at, _seconds(connection, AT.c.started_at, AT.c.arrived_at)))
    calls = select(AT.c.verdict, AT.c.reason, func.count().label("calls"), func.sum(AT.c.pages).label("pages"),
                   func.sum(took).label("seconds")).where(AT.c.started_at > since, AT.c.campaign_id == campaign_id)
    if connection.dialect.name == "postgresql":  # number by number, or it would go through the attempts of all time
        one: Any = calls.where(AT.c.address_id == numbers.c.address_id).group_by(AT.c.verdict, AT.c.reason).lateral()
        found: Any = numbers.join(one, true())
    else:
        one = found = calls.where(AT.c.address_id.in_(select(numbers))).group_by(AT.c.verdict, AT.c.reason).subquery()
    return connection.execute(
        select(one.c.verdict, one.c.reason, func.sum(one.c.calls).label("calls"), func.coalesce(func.sum(one.c.pages), 0).label("pages"),
               func.coalesce(func.sum(one.c.seconds), 0).label("seconds")).select_from(found).group_by(one.c.verdict, one.c.reason)).all()


def _seconds(connection: Connection, since: ColumnElement[Any], until: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many seconds lie between two moments."""
    if connection.dialect.name == "postgresql":
        return extract("epoch", until - since)
    return (func.julianday(cast(until, String)) - func.julianday(cast(since, String))) * 86_400


def refusals(connection: Connection, campaign_id: int, channel: str, since: datetime, most: int) -> dict[str, int]:
    """Why hand-overs on a channel failed for good since then: reason to number, counted at most up to `most` in all."""
    newest = (select(AT.c.reason).join(A, A.c.id == AT.c.address_id).where(
        AT.c.campaign_id == campaign_id, _FAILING, AT.c.retryable.is_(False), AT.c.ended_at > since, A.c.channel == channel)
        .order_by(AT.c.ended_at.desc()).limit(most).subquery())
    rows = connection.execute(select(newest.c.reason, func.count()).group_by(newest.c.reason))
    return {reason or "": n for reason, n in rows}


def failing_reason(connection: Connection, campaign_id: int, most: int) -> str | None:
    """What most of the newest failed hand-overs of a campaign failed for."""
    newest = (select(AT.c.reason).where(AT.c.campaign_id == campaign_id, _FAILING, AT.c.retryable.is_(False))
              .order_by(AT.c.ended_at.desc()).limit(most).subquery())
    row = connection.execute(select(newest.c.reason, func.count()).group_by(newest.c.reason).order_by(func.count().desc()).limit(1)).first()
    return row[0] if row else None


def complaints(connection: Connection, campaign_id: int, since: datetime) -> int:
    """How many words came since then that somebody calls a letter of the campaign spam."""
    return connection.execute(select(func.count()).select_from(R.join(L, L.c.id == R.c.letter_id)).where(
        _COMPLAINT, R.c.received_at > since, L.c.campaign_id == campaign_id)).scalar_one()


def moves(connection: Connection, campaign_id: int, tail: int, letters: int) -> Sequence[Any]:
    """What happened lately to letters: of the service's newest `tail` events those of the campaign, and all events of its newest
    `letters` letters. Newest first: id, at, before, after, why, target_id, channel."""
    newest = select(EV.c.id).order_by(EV.c.id.desc()).limit(tail).subquery()
    own = select(L.c.id).where(L.c.campaign_id == campaign_id).order_by(L.c.id.desc()).limit(letters).subquery()
    columns = (EV.c.id, EV.c.at, EV.c.before, EV.c.after, EV.c.why, L.c.target_id, L.c.channel)
    both = union_all(
        select(*columns).select_from(newest.join(EV, EV.c.id == newest.c.id).join(L, L.c.id == EV.c.letter_id))
        .where(L.c.campaign_id == campaign_id),
        select(*columns).select_from(own.join(L, L.c.id == own.c.id).join(EV, EV.c.letter_id == L.c.id)).where(
            EV.c.id.not_in(select(newest.c.id)))).subquery()
    return connection.execute(select(both).order_by(both.c.at.desc(), both.c.id.desc()).limit(tail)).all()


def acts(connection: Connection, campaign_id: int, most: int) -> Sequence[Any]:
    """What organizers, the operator and the service itself lately did, newest first: id, at, who, what, detail."""
    return connection.execute(select(AUDIT.c.id, AUDIT.c.at, AUDIT.c.who, AUDIT.c.what, AUDIT.c.detail)
                              .where(AUDIT.c.campaign_id == campaign_id).order_by(AUDIT.c.id.desc()).limit(most)).all()
