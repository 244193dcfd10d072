"""The only door through which a letter changes its state: asks the table, writes the event, appends the counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, case, update
from sqlalchemy.exc import IntegrityError

from outreach.domain.letters import EVIDENCE, UNCOUNTED, Reason, State, allowed
from outreach.domain.series import hour_of
from outreach.errors import BadTransition
from outreach.models import CounterDelta, Letter, LetterEvent, table
from outreach.prepared import Each, Rows
from outreach.queries.attempts import ARRIVED

_LETTERS = table(Letter)
_NEW_EVENTS = Rows(table(LetterEvent), "letter_id", "at", "before", "after", "why", "attempt_id")
_NEW_DELTAS = Rows(table(CounterDelta), "campaign_id", "target_id", "channel", "name", "delta", "hour")


_COUNTED = {s: f"letter:{s.value}" for s in State}
MOST = 200
"""Letters that one UPDATE moves: databases limit the number of parameters."""


@dataclass(frozen=True, slots=True)
class Move:
    """One letter's change of state; `before` is what it must be in for the move to happen.

    `values` sets more columns (a `channel` among them changes what is counted); `tries` is added, not set. `arrived`: when it was
    delivered, as its attempts say already; it was sent by then.
    """

    letter_id: str
    campaign_id: int
    target_id: int
    channel: str
    before: State
    after: State
    why: Reason
    attempt_id: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    arrived: datetime | None = None


def of(letters: Iterable[Any], after: State, why: Reason) -> list[Move]:
    """The moves of letters (id, campaign_id, target_id, channel, state) from the states they were read in."""
    return [Move(x.id, x.campaign_id, x.target_id, x.channel, State(x.state), after, why) for x in letters]


def apply(connection: Connection, moves: Sequence[Move], at: datetime, *, fenced: bool = False) -> set[str]:
    """Make those moves whose letter is still in its `before` state; returns their letters' ids.

    `fenced`: only letters whose current attempt is still the move's own move. A letter that counts again (see
    `Letter.counts`) takes its person's place: raises IntegrityError if that is taken. Raises BadTransition for a move that
    the table does not have, before anything is written.
    """
    done = change(connection, moves, at, fenced=fenced)
    record(connection, [m for m in moves if m.letter_id in done], at)
    return done


def change(connection: Connection, moves: Sequence[Move], at: datetime, *, fenced: bool = False) -> set[str]:
    """`apply` without its events and counts, for who records several sorts of moves at once."""
    for m in moves:
        if not allowed(m.before, m.after):
            raise BadTransition(f"letter {m.letter_id}: {m.before} → {m.after} ({m.why})")
    done: set[str] = set()
    for group in _alike(moves):
        done |= _update(connection, group, at, fenced)
    return done


def record(connection: Connection, moves: Sequence[Move], at: datetime) -> None:
    """Events and counts of moves that have been made."""
    _NEW_EVENTS.add(connection, [(m.letter_id, at, m.before.value, m.after.value, m.why.value, m.attempt_id) for m in moves])
    count(connection, ((m.campaign_id, m.target_id, channel, _COUNTED[s], d) for m in moves
                       for s, channel, d in ((m.before, m.channel, -1), (m.after, m.values.get("channel", m.channel), 1))), at)


def born(connection: Connection, letters: Sequence[Mapping[str, Any]]) -> None:
    """Events and counts of letters just inserted."""
    _NEW_EVENTS.add(connection, [(x["id"], x["created_at"], None, x["state"], Reason.SUBMITTED.value, None) for x in letters])
    if letters:
        count(connection, ((x["campaign_id"], x["target_id"], x["channel"], f"letter:{x['state']}", 1) for x in letters),
              letters[0]["created_at"])


def count(connection: Connection, deltas: Iterable[tuple[int, int, str, str, int]], at: datetime | None = None) -> None:
    """Append changes of counts, summed up first: (campaign, target or 0, channel or "", name, delta); `at` None: of the hour in
    which they are folded."""
    hour = None if at is None else hour_of(at)
    sums: defaultdict[tuple[int, int, str, str], int] = defaultdict(int)
    for campaign, target, channel, name, delta in deltas:
        sums[campaign, target, channel, name] += delta
    _NEW_DELTAS.add(connection, [(*what, n, hour) for what, n in sums.items() if n])


def _by_letter(move: Move) -> str:
    return move.letter_id


def _alike(moves: Sequence[Move]) -> list[list[Move]]:
    groups: defaultdict[tuple[Any, ...], list[Move]] = defaultdict(list)
    for m in moves:
        groups[m.before, m.after, m.why, m.arrived is not None, tuple(sorted(m.values.items()))].append(m)
    return list(groups.values())


@lru_cache(maxsize=128)
def _statement(before: State, columns: tuple[str, ...], fenced: bool, arrived: bool) -> Each:
    """The conditional UPDATE that sets these columns; kept, since building it costs more than running it."""
    def build(n: int) -> Update:
        conditions = [_LETTERS.c.id.in_([bindparam(f"id{i}") for i in range(n)]), _LETTERS.c.state == before.value]
        if fenced:
            conditions.append(_LETTERS.c.attempt_id.in_([bindparam(f"attempt{i}") for i in range(n)]))
        values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=_LETTERS.c[name].type) for name in columns if name != "tries"}
        if "tries" in columns:
            values["tries"] = _LETTERS.c.tries + bindparam("new_tries", type_=_LETTERS.c.tries.type)
        if arrived:
            at = bindparam("arrived0", type_=_LETTERS.c.delivered_at.type) if n == 1 else ARRIVED
            values |= {"delivered_at": at, "sent_at": case((_LETTERS.c.sent_at <= at, _LETTERS.c.sent_at), else_=at)}
        return update(_LETTERS).where(*conditions).values(**values)

    return Each(build)


def _update(connection: Connection, group: Sequence[Move], at: datetime, fenced: bool) -> set[str]:
    one = group[0]
    values: dict[str, Any] = {"state": one.after.value, "reason": one.why.value, "state_at": at, **one.values}
    if one.after in UNCOUNTED:
        values["counts"] = False
    elif one.before in UNCOUNTED and one.after not in EVIDENCE:
        values["counts"] = True
    statement = _statement(one.before, tuple(values), fenced, one.arrived is not None)
    shared = {f"new_{k}": v for k, v in values.items()}
    rows = [{"id": m.letter_id, "attempt": m.attempt_id, "arrived": m.arrived} for m in sorted(group, key=_by_letter)]
    done: set[str] = set()
    for i in range(0, len(rows), MOST):
        done |= statement.run(connection, rows[i:i + MOST], shared)
    if one.before in UNCOUNTED and one.after in EVIDENCE:
        _take_place_if_free(connection, done)
    return done


def _take_place_if_free(connection: Connection, ids: Iterable[str]) -> None:
    """Evidence that a cancelled letter had gone: it holds its person's place unless another letter took that since."""
    for letter_id in ids:
        try:
            with connection.begin_nested():
                connection.execute(update(_LETTERS).where(_LETTERS.c.id == letter_id).values(counts=True))
        except IntegrityError:
            continue
