"""What a drain asks the database: what waits, what rules hold, what has started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal_column, or_, select, union_all

from outreach.db import UTCDateTime
from outreach.domain.letters import Channel, State
from outreach.domain.pacing import Rule
from outreach.models import (
    Address,
    Attempt,
    Breaker,
    Campaign,
    Copy,
    Lane,
    Letter,
    ServiceDay,
    Submission,
    Target,
    TargetAddress,
    table,
)
from outreach.prepared import FEW, Prepared
from outreach.queries.pauses import NOT_PAUSED

L, S, C, T, A = table(Letter), table(Submission), table(Campaign), table(Target), table(Address)
TA, AT, CP, B, LN = table(TargetAddress), table(Attempt), table(Copy), table(Breaker), table(Lane)


EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any attempt."""
TURNS = 500
"""A campaign that is not among so many newest attempts at an address has waited longest for its turn."""
AGAIN = 64
"""Letters of one target that were put off and are due again, of which those submitted first go first: more than a drain reads at
a time, few enough to be sorted at each look."""


class Waiting(NamedTuple):
    """A queued letter with all that its rendering needs. Only a hint: the ledger's commit decides whether it may go."""

    id: str
    campaign_id: int
    submission_id: str
    target_id: int
    address_id: int
    address: str
    channel: Channel
    tries: int
    submitted_at: datetime
    version_id: int
    target_key: str
    name: str
    email: str
    street: str
    city: str
    postal_code: str
    phone: str
    affiliation: str
    subject: str | None
    body: str | None
    language: str
    confirmed: bool
    copied: bool
    """Whether the campaign's inbox has had, or may have had, its copy."""
    carries: bool
    """Whether its hand-over takes a bundle along (docs/decisions/0016)."""


_LETTER_COLUMNS = (
    L.c.id, L.c.campaign_id, L.c.submission_id, L.c.target_id, L.c.address_id, A.c.value.label("address"), L.c.channel, L.c.tries,
    L.c.submitted_at, S.c.version_id, T.c.key.label("target_key"), S.c.name, S.c.email, S.c.street, S.c.city, S.c.postal_code,
    S.c.phone, S.c.affiliation, S.c.subject, S.c.body, S.c.language, S.c.confirmed_at.is_not(None).label("confirmed"),
    select(CP.c.letter_id).where(CP.c.letter_id == L.c.id).exists().label("copied"), L.c.carries)
_LETTER_FROM = (L.join(S, S.c.id == L.c.submission_id).join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id)
                .join(C, C.c.id == L.c.campaign_id))


def _row(row: Any) -> Waiting:
    head, channel, rest = row[:6], row[6], row[7:]
    return Waiting(*head, Channel(channel), *rest)  # type: ignore[call-arg]  # columns and fields are in the same order


_NOW = bindparam("now", type_=UTCDateTime())


def _not_called_off() -> Any:
    c, a = C.alias("going_campaign"), A.alias("going_address")  # names of their own, whatever the query around joins
    # A value each, not EXISTS: that is a join to Postgres, which may then come to a letter through all that its campaign has waiting.
    return and_(L.c.withdrawn_at.is_(None),
                select(and_(c.c.state == "live", or_(c.c.deadline.is_(None), c.c.deadline > _NOW)))
                .where(c.c.id == L.c.campaign_id).scalar_subquery(),
                select(a.c.state == "ok").where(a.c.id == L.c.address_id).scalar_subquery(), NOT_PAUSED)


_NOT_CALLED_OFF = _not_called_off()
MAY_GO = and_(func.coalesce(L.c.state, "") == State.QUEUED.value, L.c.carried_by.is_(None),
              or_(L.c.not_before.is_(None), L.c.not_before <= _NOW), _NOT_CALLED_OFF)
"""The condition under which a queued letter may be handed over, whoever asks: campaign live, in time, not taken back, not paused.
Takes the parameters `now` and `transport` (see `NOT_PAUSED`). Statements on the hot path are built once; building one costs more
than running it. What looks at a letter's own row stands in `_line`, too; all else is the same for a target's whole line there.

It is asked of letters that are named by their ids, and no index of what is queued serves it: Postgres would walk through all of
it as long as its statistics say that nothing is queued."""
_STILL = select(L.c.id).where(L.c.id == bindparam("letter"), _NOT_CALLED_OFF)

_NAMED = (select(*_LETTER_COLUMNS).select_from(_LETTER_FROM).where(L.c.id.in_(bindparam("ids", expanding=True)), MAY_GO)
          .order_by(L.c.submitted_at, L.c.id))


def _line(address: ColumnElement[int], target: ColumnElement[int]) -> tuple[Select[Any], Select[Any]]:
    """A target's line at an address, as `ix_letters_waiting` has it (docs/decisions/0025), submitted_at and id: what was never put
    off, in order of submission; and what was and is due again, the longest due first. What holds up all of it is not asked here."""
    x = L.alias("in_line")
    own = select(x.c.submitted_at, x.c.id).where(
        x.c.address_id == address, x.c.target_id == target, _queued(x), x.c.carried_by.is_(None), x.c.withdrawn_at.is_(None))
    # In the first one not_before is always NULL; it is named there since Postgres does not see else that the index has this order.
    return (own.where(x.c.not_before.is_(None)).order_by(x.c.not_before, x.c.submitted_at, x.c.id),
            own.where(x.c.not_before <= _NOW).order_by(x.c.not_before))


def _queued(x: Any) -> ColumnElement[bool]:
    return x.c.state == literal_column(f"'{State.QUEUED.value}'")  # type: ignore[no-any-return]  # written out, see docs/decisions/0012


@lru_cache(maxsize=FEW)
def _heads(targets: int) -> Prepared:
    """The first letters of so many targets' lines at one address, in order of submission."""
    address, most = bindparam("address_id", type_=A.c.id.type), bindparam("most", type_=A.c.id.type)
    lines = [_line(address, bindparam(f"target{i}", type_=T.c.id.type)) for i in range(targets)]
    parts = [part.subquery() for fresh, again in lines for part in (fresh.limit(most), again.limit(AGAIN))]
    heads = union_all(*map(select, parts)).subquery()
    return Prepared(select(heads).order_by(heads.c.submitted_at, heads.c.id).limit(most))


def _waiting_targets() -> Select[Any]:
    """Whatever holds up a target's letters holds up all of them, so that one of each sort is asked whether it may go."""
    firsts = [line.with_only_columns(line.selected_columns.id).limit(1).correlate(TA).scalar_subquery()
              for line in _line(TA.c.address_id, TA.c.target_id)]
    found = union_all(*(select(x.label("id")).where(TA.c.address_id == bindparam("address_id")) for x in firsts)).subquery()
    # A value for each, not a join: with statistics from when nothing waited a join begins with all that waits anywhere.
    going = select(L.c.target_id).where(L.c.id == found.c.id, MAY_GO).correlate(found).scalar_subquery()
    asked = select(going.label("target_id")).select_from(found).subquery()
    return select(asked.c.target_id).distinct().where(asked.c.target_id.is_not(None))


def _next_waiting() -> Select[Any]:
    x = L.alias("put_off")
    first = select(func.min(x.c.not_before)).where(
        x.c.address_id == TA.c.address_id, x.c.target_id == TA.c.target_id, _queued(x), x.c.not_before > _NOW)
    each = (select(first.correlate(TA).scalar_subquery().label("at"))
            .select_from(TA.join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
            .where(TA.c.address_id == bindparam("address_id"), C.c.state == "live").subquery())
    return select(func.min(each.c.at))


_WAITING_TARGETS, _NEXT_WAITING = Prepared(_waiting_targets()), _next_waiting()
LANE_TARGETS = (
    select(A.c.id.label("address_id"), A.c.channel, A.c.state, A.c.pinned, T.c.id.label("target_id"), T.c.campaign_id, T.c.timezone,
           T.c.hours, TA.c.limits, TA.c.share, T.c.active, LN.c.backoff_until, LN.c.setbacks)
    .select_from(A.join(LN, LN.c.address_id == A.c.id).join(TA, TA.c.address_id == A.c.id)
                 .join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
    .where(C.c.state == "live").order_by(A.c.id, T.c.id))
"""Of all lanes: `lane_targets`."""
_LANE_TARGETS = LANE_TARGETS.where(A.c.id.in_(bindparam("address_ids", expanding=True)))
_SINCE = and_(AT.c.address_id == bindparam("address_id"), AT.c.started_at > bindparam("since", type_=UTCDateTime()))
_BY_CAMPAIGN = and_(_SINCE, AT.c.campaign_id == bindparam("campaign_id"))
_STARTS, _STARTS_OF = (select(AT.c.started_at).where(which).order_by(AT.c.started_at.desc()).limit(bindparam("most"))
                       for which in (_SINCE, _BY_CAMPAIGN))
_STARTED, _STARTED_OF = (select(func.count()).select_from(select(AT.c.id).where(which).limit(bindparam("most")).subquery())
                         for which in (_SINCE, _BY_CAMPAIGN))


def waiting(connection: Connection, address_id: int, now: datetime, targets: Sequence[int], most: int, *,
            transport: str = "") -> list[Waiting]:
    """The next letters of a lane to `targets` (those whose office is open) that `transport` may take, in order of submission.

    Costs the same however many wait, may not go, or were put off; of those put off that are due again, the `AGAIN` longest due of
    each target are looked at.
    """
    if len(targets) > 1:  # or a target that is paused would stand in front of the others
        targets = sorted(waiting_targets(connection, address_id, now, transport=transport).intersection(targets))
    heads: list[tuple[Any, str]] = []
    for some in (targets[i:i + FEW] for i in range(0, len(targets), FEW)):
        heads += _heads(len(some)).run(connection, {"address_id": address_id, "now": now, "most": most,
                                                    **{f"target{i}": target for i, target in enumerate(some)}}).fetchall()
    if not heads:
        return []
    ids = [letter_id for _, letter_id in sorted(heads)[:most]]
    return [_row(r) for r in connection.execute(_NAMED, {"ids": ids, "now": now, "transport": transport})]


def letter(connection: Connection, letter_id: str) -> Waiting | None:
    """One letter in the same form, whatever its state."""
    row = connection.execute(select(*_LETTER_COLUMNS).select_from(_LETTER_FROM).where(L.c.id == letter_id)).first()
    return _row(row) if row else None


def carried(connection: Connection, letter_id: str) -> list[Waiting]:
    """A carrier and the letters that go with it (those in its own state that have not been erased), in order of submission."""
    carrier = L.alias("carrier")
    state = select(carrier.c.state).where(carrier.c.id == letter_id).scalar_subquery()
    rows = connection.execute(select(*_LETTER_COLUMNS).select_from(_LETTER_FROM).where(
        or_(L.c.id == letter_id, L.c.carried_by == letter_id), L.c.state == state, S.c.erased_at.is_(None))
        .order_by(L.c.submitted_at, L.c.id))
    return [_row(r) for r in rows]


def by_ids(connection: Connection, letter_ids: Sequence[str]) -> list[Waiting]:
    """These letters in the same form, in order of submission, whatever their states."""
    found: list[Waiting] = []
    for at in range(0, len(letter_ids), 500):  # SQLite takes a limited number of parameters
        rows = connection.execute(select(*_LETTER_COLUMNS).select_from(_LETTER_FROM).where(L.c.id.in_(letter_ids[at:at + 500])))
        found += [_row(r) for r in rows]
    return sorted(found, key=lambda w: (w.submitted_at, w.id))


def called_off(connection: Connection, letter_id: str, now: datetime, transport: str) -> bool:
    """Whether a letter that is claimed must not be handed over after all: stopped, paused, taken back, late, or its address blocked."""
    return connection.execute(_STILL, {"letter": letter_id, "now": now, "transport": transport}).first() is None


def waiting_targets(connection: Connection, address_id: int, now: datetime, *, transport: str = "") -> set[int]:
    """The targets that have a letter in this lane which could go now by `transport`."""
    found = _WAITING_TARGETS.run(connection, {"address_id": address_id, "now": now, "transport": transport}).fetchall()
    return {target for target, in found}


def used_on(connection: Connection, day: str) -> int:
    """How many hand-overs the service has started on a UTC day (YYYY-MM-DD), where that is counted."""
    return connection.execute(select(ServiceDay.used).where(ServiceDay.day == day)).scalar() or 0


def next_waiting_at(connection: Connection, address_id: int, now: datetime) -> datetime | None:
    """When the first letter of a lane that is not yet due will be; None when none waits for a time."""
    return connection.execute(_NEXT_WAITING, {"address_id": address_id, "now": now}).scalar()


def lane_targets(connection: Connection, address_ids: Sequence[int]) -> list[Any]:
    """Targets of live campaigns behind these addresses: address_id, channel, state, pinned, target_id, campaign_id, timezone, hours,
    limits, share, active; of the lane backoff_until, setbacks."""
    return list(connection.execute(_LANE_TARGETS, {"address_ids": address_ids}))


def starts(connection: Connection, address_id: int, count: int, since: datetime | None, *,
           campaign_id: int | None = None) -> list[datetime]:
    """The newest `count` starts at an address after `since` (None: ever), ascending; those of one campaign only, if named."""
    found = connection.execute(_STARTS if campaign_id is None else _STARTS_OF, {
        "address_id": address_id, "since": since or EVER, "most": count, **({} if campaign_id is None else {"campaign_id": campaign_id})})
    return list(reversed(found.scalars().all()))


def last_turns(connection: Connection, address_id: int) -> dict[int, datetime]:
    """When each campaign last started an attempt at an address, among its newest `TURNS` attempts."""
    newest = (select(AT.c.campaign_id, AT.c.started_at).where(AT.c.address_id == address_id)
              .order_by(AT.c.started_at.desc()).limit(TURNS).subquery())
    rows = connection.execute(select(newest.c.campaign_id, func.max(newest.c.started_at)).group_by(newest.c.campaign_id))
    return {campaign: at for campaign, at in rows}


def started_within(connection: Connection, address_id: int, rule: Rule, now: datetime, *, campaign_id: int | None = None) -> int:
    """How many attempts (of one campaign, if named) started in the rule's period up to now, at most the rule's own count."""
    return connection.execute(_STARTED if campaign_id is None else _STARTED_OF, {
        "address_id": address_id, "since": EVER if rule.period is None else now - rule.period, "most": rule.count,
        **({} if campaign_id is None else {"campaign_id": campaign_id})}).scalar_one()


def line_busy_until(connection: Connection, address_id: int, now: datetime) -> datetime | None:
    """Until when a call to this fax number may still be under way; None when the line is free."""
    return connection.execute(select(func.max(AT.c.line_until)).where(
        AT.c.address_id == address_id, AT.c.line_until > now)).scalar()


def lines_taken(connection: Connection, transport: str, now: datetime) -> int:
    """How many calls of a fax provider may still be under way."""
    return connection.execute(select(func.count()).select_from(AT).where(AT.c.line_until > now, AT.c.transport == transport)).scalar_one()


def lock_lines(connection: Connection, transport: str) -> None:
    """Nobody else counts this provider's lines until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"lines {transport}", 0))))


def breaker(connection: Connection, transport: str) -> Any | None:
    """What is known of a provider that cannot be used: until, trips, since, why; None for one that can."""
    return connection.execute(select(B.c.until, B.c.trips, B.c.since, B.c.why).where(B.c.transport == transport)).first()


def breakers(connection: Connection) -> list[Any]:
    """All providers that cannot be used: transport, until, trips, since, why."""
    return list(connection.execute(select(B).order_by(B.c.transport)))
