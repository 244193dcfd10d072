"""The ledger: no letter is handed over before its attempt is committed, and each outcome is recorded with the next attempts.

One commit claims (queued → sending), writes the attempts, and carries the outcomes of the window before. The claim is a
conditional UPDATE on all that could forbid it, so that a paused campaign, a withdrawn letter, a passed deadline or a
drain that has lost its lane stops here, whatever the reader believed (docs/decisions/0002).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Connection, String, Update, and_, bindparam, case, column, func, or_, update, values
from sqlalchemy.exc import DBAPIError

from outreach.db import UTCDateTime, dialect_insert, new_id, unit_of_work
from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.domain.pacing import TICK
from outreach.domain.retry import SCHEDULES
from outreach.models import Attempt, Lane, Letter, ServiceDay, table
from outreach.prepared import Each, Rows
from outreach.queries import delivery, figures, upkeep
from outreach.queries import lanes as lane_queries
from outreach.queries.delivery import Waiting
from outreach.services import budgets, bundles, copies, hangups, moves, settle
from outreach.services.copies import NO_COPY, Offer
from outreach.transports.base import Accepted, NotStarted, Outcome, Refused, Unknown

_LETTERS, _ATTEMPTS, _LANES, _DAYS = table(Letter), table(Attempt), table(Lane), table(ServiceDay)
MOST = 500
"""Lapsed attempts that one commit closes."""


NEXT_IN_LINE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that is in the ledger and may be handed over until `good_until` (monotonic seconds)."""

    attempt_id: str
    letter: Waiting
    started_at: datetime
    good_until: float

    def still_good(self, needs: float) -> bool:
        """Whether the lease outlives `needs` more seconds: a worker that was stopped and woke up late must not hand over.

        The monotonic clock goes on while a process is stopped.
        """
        return time.monotonic() + needs < self.good_until


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt and what came of it; `at` is when, `copy` what the campaign's inbox gets of it."""

    started: Started
    outcome: Outcome
    at: datetime
    copy: Offer = NO_COPY


Estimates = Mapping[str, tuple[int, int]]
"""By letter: pages, and what its fax can cost in millionths of the currency."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How this drain writes its attempts."""

    holder: str
    transport: str
    lease: timedelta
    """Outlives the longest hand-over of a window."""
    line: timedelta | None
    """Fax: how long a line is taken if no receipt comes."""
    max_per_day: int
    lines: int
    """Fax: calls that the provider may have under way at once."""
    jitter: Callable[[], float]
    estimate: Callable[[Sequence[Waiting], datetime], Estimates] | None = None
    """Fax: what these letters can cost (see `budgets.estimates`)."""


class Unanswered(Exception):
    """A commit that failed, or whose answer was lost: it may be in the ledger all the same. Nothing of `attempts` was handed over."""

    def __init__(self, attempts: Sequence[Started] = ()) -> None:
        super().__init__(f"the ledger did not answer for {len(attempts)} attempts")
        self.attempts = attempts


def commit(terms: Terms, done: Sequence[Done], starts: Sequence[Waiting], now: datetime) -> list[Started]:
    """Record `done` and open attempts for those of `starts` that may still go, in one transaction. Returns the attempts.

    Where costs are estimated, only those start whose money is there. Locks in one order: lanes by id, budgets, letters by id,
    then inserts. Raises Unanswered when the database refuses, or is gone.
    """
    estimated = terms.estimate(starts, now) if terms.estimate and starts else None
    clock = time.monotonic()
    names = {s.id: new_id() for s in sorted(starts, key=lambda s: s.id)}
    try:
        opened = _write(terms, done, starts, now, names=names, estimated=estimated)
    except DBAPIError as e:
        raise Unanswered([Started(names[s.id], s, now, clock) for s in starts]) from e
    return [Started(attempt, letter, at, clock + terms.lease.total_seconds()) for attempt, letter, at in opened]


def _write(terms: Terms, done: Sequence[Done], starts: Sequence[Waiting], now: datetime, *, names: Mapping[str, str],
           estimated: Estimates | None) -> list[tuple[str, Waiting, datetime]]:
    """`commit`'s transaction. `names` has for each letter the id that its attempt will have. Returns what was opened."""
    with unit_of_work() as c:
        held = _held_lanes(c, terms, starts, now)
        ended = _record(c, terms, done)
        opened = _open(c, terms, [s for s in starts if s.address_id in held], now, names=names, estimated=estimated)
        begun = [moves.Move(s.id, s.campaign_id, s.target_id, s.channel.value, State.QUEUED, State.SENDING, Reason.HANDED_OVER, attempt)
                 for attempt, s, _ in opened]
        moves.record(c, [*ended, *begun], now)
        if carrying := {s.id for s in (*starts, *(d.started.letter for d in done)) if s.carries}:
            bundles.follow(c, [m for m in (*ended, *begun) if m.letter_id in carrying], now)
    return opened


def _held_lanes(c: Connection, terms: Terms, starts: Sequence[Waiting], now: datetime) -> set[int]:
    """Lock the lanes and see that they are still ours. Renews them when half of their lease is gone."""
    ids = sorted({s.address_id for s in starts})
    if not ids:
        return set()
    rows = lane_queries.held(c, ids, terms.holder, now + terms.lease / 2)
    if stale := [address_id for address_id, ends in rows if ends]:
        c.execute(update(_LANES).where(_LANES.c.address_id.in_(stale)).values(held_until=now + terms.lease))
    return {address_id for address_id, _ in rows}


def _claim(letters: int) -> Update:
    """The conditional claim of so many letters; each gets its own attempt's id."""
    names: list[Any] = [bindparam(f"id{i}") for i in range(letters)]
    attempts = case(*((_LETTERS.c.id == name, bindparam(f"attempt{i}", type_=String)) for i, name in enumerate(names)))
    return (update(_LETTERS).where(_LETTERS.c.id.in_(names), delivery.MAY_GO)
            .values(state=State.SENDING.value, reason=Reason.HANDED_OVER.value, state_at=bindparam("at", type_=UTCDateTime()),
                    lease_until=bindparam("lease", type_=UTCDateTime()), tries=_LETTERS.c.tries + 1, attempt_id=attempts))


_CLAIM = Each(_claim)
_NEW_ATTEMPTS = Rows(_ATTEMPTS, "id", "letter_id", "campaign_id", "address_id", "transport", "holder", "verdict", "started_at",
                     "line_until")


def _open(c: Connection, terms: Terms, starts: Sequence[Waiting], now: datetime, *, names: Mapping[str, str],
          estimated: Estimates | None) -> list[tuple[str, Waiting, datetime]]:
    starts = starts[:_line_allowance(c, terms, len(starts), now)]
    paid, short = budgets.reserve(c, starts, estimated) if estimated and starts else (starts, {})
    starts = paid[:_day_allowance(c, terms, len(paid), now)]
    if not starts:
        if estimated:
            budgets.give_back(c, paid, estimated)
            budgets.mark_full(c, short, now)
        return []
    attempt_ids = {s.id: names[s.id] for s in sorted(starts, key=lambda s: s.id)}
    claimed = _CLAIM.run(c, [{"id": letter, "attempt": attempt} for letter, attempt in attempt_ids.items()],
                         {"now": now, "at": now, "lease": now + terms.lease, "transport": terms.transport})
    mine = [s for s in starts if s.id in claimed]
    if terms.max_per_day and len(mine) < len(starts):  # what was called off meanwhile gives its place of the day back
        c.execute(update(_DAYS).where(_DAYS.c.day == f"{now:%Y-%m-%d}").values(used=_DAYS.c.used - (len(starts) - len(mine))))
    at = {s.id: now + i * TICK for i, s in enumerate(mine)}  # the log knows in which order campaigns had their turns
    _NEW_ATTEMPTS.add(c, [
        (attempt_ids[s.id], s.id, s.campaign_id, s.address_id, terms.transport, terms.holder, Verdict.OPEN.value, at[s.id],
         now + terms.line if terms.line and s.channel is Channel.FAX else None) for s in mine])
    opened = [(attempt_ids[s.id], s, at[s.id]) for s in mine]
    if estimated:
        budgets.give_back(c, [s for s in paid if s.id not in claimed], estimated)
        budgets.charge(c, opened, terms.transport, estimated)
        budgets.mark_full(c, short, now)
    return opened


def _line_allowance(c: Connection, terms: Terms, wanted: int, now: datetime) -> int:
    """How many of `wanted` calls the provider's lines can take; other drains of it wait until this commit has taken them."""
    if terms.line is None or not wanted:
        return wanted
    delivery.lock_lines(c, terms.transport)
    return max(0, min(wanted, terms.lines - delivery.lines_taken(c, terms.transport, now)))


def _day_allowance(c: Connection, terms: Terms, wanted: int, now: datetime) -> int:
    """How many of `wanted` hand-overs the service's daily total still allows; takes them at once."""
    if not terms.max_per_day or not wanted:
        return wanted
    day = f"{now:%Y-%m-%d}"
    c.execute(dialect_insert(c, _DAYS).values(day=day, used=0).on_conflict_do_nothing())
    granted = max(0, min(wanted, terms.max_per_day - figures.used_locked(c, day)))
    c.execute(update(_DAYS).where(_DAYS.c.day == day).values(used=_DAYS.c.used + granted))
    return granted


_SAID: dict[str, Any] = {"id": String(), "ref": String(), "at": UTCDateTime(), "said": String(), "verdict": String(),
                         "again": Boolean(), "why": String(), "frees_line": Boolean()}


def _outcomes(attempts: int) -> Update:
    """What became of so many attempts; a table of values where there are several."""
    rows: list[dict[str, Any]] = [{k: bindparam(f"{k}{i}", type_=kind) for k, kind in _SAID.items()} for i in range(attempts)]
    said: Any = rows[0]
    if attempts > 1:
        said = values(*(column(k, kind) for k, kind in _SAID.items()), name="said").data([tuple(row.values()) for row in rows]).c
    # A receipt that came before our own commit has said more already; then its word stays.
    # A worker that was stopped may bring the proof for what was taken for void meanwhile.
    untold = or_(_ATTEMPTS.c.verdict == Verdict.OPEN.value, _ATTEMPTS.c.verdict == Verdict.UNKNOWN.value,
                 and_(_ATTEMPTS.c.verdict == Verdict.VOID.value, said["verdict"] == Verdict.ACCEPTED.value))
    return update(_ATTEMPTS).where(_ATTEMPTS.c.id == said["id"]).values(
        provider_ref=func.coalesce(_ATTEMPTS.c.provider_ref, said["ref"]), ended_at=said["at"], detail=said["said"],
        verdict=case((untold, said["verdict"]), else_=_ATTEMPTS.c.verdict),
        retryable=case((untold, said["again"]), else_=_ATTEMPTS.c.retryable),
        reason=case((untold, said["why"]), else_=_ATTEMPTS.c.reason),
        line_until=case((and_(said["frees_line"], untold), None), else_=_ATTEMPTS.c.line_until))


_OUTCOMES = Each(_outcomes)


def _record(c: Connection, terms: Terms, done: Sequence[Done]) -> list[moves.Move]:
    """Write outcomes to attempts and move the letters that are still where this attempt left them; settle the others.

    Returns the moves made, whose events are still to be recorded.
    """
    if not done:
        return []
    done = [_blamed(c, terms, d) for d in sorted(done, key=lambda d: d.started.attempt_id)]  # everybody locks in one order
    at = max(d.at for d in done)
    _OUTCOMES.run(c, [_said(d) for d in done], {})
    planned = [m for d in done if (m := _move(terms, d, at)).after is not State.FAILED]
    moved = moves.change(c, planned, at, fenced=True)
    for d in done:
        if d.started.letter.id not in moved:  # a receipt or a sweep was quicker; or it failed, and another address may take over
            settle.settle(c, d.started.letter.id, at, Reason.RECEIPT)
    _note_copies(c, done)
    return [m for m in planned if m.letter_id in moved]


def _blamed(c: Connection, terms: Terms, d: Done) -> Done:
    """A letter at which the server hangs up each time while it takes others is refused by it: that costs it its tries."""
    o = d.outcome
    if isinstance(o, NotStarted) and o.down and not (o.auth or o.limited) and hangups.to_blame(c, d.started.letter.id, terms.transport):
        return replace(d, outcome=Refused(Reason.NO_CONNECTION, permanent=False, detail=o.why))
    return d


def _said(d: Done) -> dict[str, Any]:
    o = d.outcome
    reason, said, again = None, "", False
    if isinstance(o, Refused):
        reason, said, again = o.reason.value, o.detail, not o.permanent
    elif isinstance(o, Unknown | NotStarted):
        said = o.why
        reason = _of_the_provider(o) if isinstance(o, NotStarted) else None
    return {"id": d.started.attempt_id, "ref": o.provider_ref[:200] if isinstance(o, Accepted) else None, "at": d.at, "said": said[:300],
            "verdict": _VERDICTS[type(o)].value, "again": again, "why": reason, "frees_line": isinstance(o, Refused | NotStarted)}


def _of_the_provider(o: NotStarted) -> str | None:
    if o.limited:
        return Reason.RATE_LIMITED.value
    return Reason.NO_CONNECTION.value if o.down and not o.auth else None


_VERDICTS = {Accepted: Verdict.ACCEPTED, Refused: Verdict.REFUSED, Unknown: Verdict.UNKNOWN, NotStarted: Verdict.VOID}


def _move(terms: Terms, d: Done, at: datetime) -> moves.Move:
    letter, o = d.started.letter, d.outcome
    after, why, values = State.QUEUED, Reason.NOT_STARTED, dict[str, Any]()
    if isinstance(o, Accepted):
        after, why, values = State.SENT, Reason.ACCEPTED, {"sent_at": at}
    elif isinstance(o, Unknown):
        after, why = State.UNKNOWN, Reason.OUTCOME_UNKNOWN
    elif isinstance(o, NotStarted):
        values = {"tries": -1}  # the slot is spent, the try is not
        if o.limited:
            why = Reason.RATE_LIMITED
        elif o.down:  # perhaps it is this letter at which the server hangs up: let the others go first
            values["not_before"] = at + NEXT_IN_LINE
    else:
        delay = None if o.permanent else SCHEDULES[letter.channel].delay(letter.tries + 1, terms.jitter())
        if delay is None:
            after, why = State.FAILED, o.reason if o.permanent else Reason.TOO_MANY_TRIES
        else:
            why, values = o.reason, {"not_before": at + max(delay, o.retry_after or delay)}
    return moves.Move(letter.id, letter.campaign_id, letter.target_id, letter.channel.value, State.SENDING, after, why,
                      d.started.attempt_id, {**values, "lease_until": None})


def _note_copies(c: Connection, done: Sequence[Done]) -> None:
    """A copy that went or may have gone with its letter gets its row; that of a fax is a mail of its own."""
    rows = (copies.row(d.copy, d.started.letter, d.started.attempt_id, d.outcome, d.at) for d in done)
    copies.note(c, [r for r in rows if r])
    for d in done:
        if d.started.letter.channel is Channel.FAX and isinstance(d.outcome, Accepted):
            copies.offer_fax(c, d.started.letter.id, d.started.letter.campaign_id, d.started.attempt_id, d.at)


def close_lapsed(now: datetime, dead: Sequence[str]) -> int:
    """Turn lapsed attempts into `unknown`: they may have been sent. Returns how many."""
    with unit_of_work() as c:
        rows = upkeep.lapsed(c, now, dead, MOST)
        if not rows:
            return 0
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_([r.attempt_id for r in rows]), _ATTEMPTS.c.verdict == Verdict.OPEN.value)
                  .values(verdict=Verdict.UNKNOWN.value, reason=Reason.LEASE_EXPIRED.value, ended_at=now))
        lapsed = [moves.Move(r.id, r.campaign_id, r.target_id, r.channel, State.SENDING, State.UNKNOWN, Reason.LEASE_EXPIRED,
                             r.attempt_id, {"lease_until": None}) for r in rows]
        moved = moves.apply(c, lapsed, now, fenced=True)
        bundles.follow(c, [m for m in lapsed if m.letter_id in moved], now)
        copies.note_lapsed(c, [r for r in rows if r.id in moved and r.channel == Channel.EMAIL.value], now)
        return len(rows)
