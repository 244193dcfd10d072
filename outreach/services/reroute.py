"""Letters that wait for an address which is gone or blocked: to the target's next address, or to an end with a reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.logs import get
from outreach.models import Lane, Letter, table
from outreach.queries import campaigns as campaign_queries
from outreach.queries import letters as queries
from outreach.services import lanes, moves

log = get()
AT_ONCE = 2000
"""Letters that one transaction brings on, where the others can follow: nothing is sent to such an address meanwhile."""
SECONDS = 2.0
"""So long a sweep goes on with it."""
_LETTERS, _LANES = table(Letter), table(Lane)


@dataclass(frozen=True, slots=True)
class Rerouted:
    """How many letters went to another address, and how many came to their end."""

    moved: int = 0
    ended: int = 0
    left: bool = False
    """Whether there may be more, which the sweep brings on."""

    def __add__(self, other: Rerouted) -> Rerouted:
        """One after the other."""
        return Rerouted(self.moved + other.moved, self.ended + other.ended, other.left)

    @property
    def letters(self) -> int:
        """Both together."""
        return self.moved + self.ended


def bring_on(now: datetime, *, foreign: bool = False) -> Rerouted:
    """Bring on what came back to the queue, or was committed, after its address had been blocked or become suspect; with `foreign`
    also what stands at an address that was taken from its target.

    `away_from_unusable` has moved what waited at that moment; a receipt or a form may come a moment later.
    """
    with reading() as c:
        places = [*campaign_queries.unusable_places(c, now), *(campaign_queries.foreign_places(c, now) if foreign else ())]
        usable = campaign_queries.first_usable(c, [p.target_id for p in places]) if places else {}
    total, end = Rerouted(), time.monotonic() + SECONDS
    for campaign_id in sorted({p.campaign_id for p in places if _goal(p, usable)}):
        total += _until(end, campaign_id, now)
    return total


def go_on(campaign_id: int, now: datetime) -> Rerouted:
    """What one campaign still has at addresses that are of no use, in batches, for some seconds."""
    return _until(time.monotonic() + SECONDS, campaign_id, now)


def _until(end: float, campaign_id: int, now: datetime) -> Rerouted:
    total = Rerouted(left=True)
    while total.left and time.monotonic() < end:
        with unit_of_work() as c:
            done = away_from_unusable(c, [campaign_id], now, most=AT_ONCE)
        log.info("letters.rerouted", campaign=campaign_id, moved=done.moved, ended=done.ended)
        total += done
    return total


def away_from_unusable(c: Connection, campaign_ids: Sequence[int], now: datetime, *, most: int | None = None) -> Rerouted:
    """Bring on what waits at an address that its target no longer has, or that is blocked or suspect; wakes the lanes it goes to.

    To the target's first usable address of the same channel, or of the other one where the campaign allows it; its tries begin
    anew there. Where there is none, a queued letter fails (no_address, address_blocked) and one that is unconfirmed or held is
    cancelled; at a suspect or proposed address it waits until somebody has looked at that. What is under way or has gone is left
    alone: should it come back to the queue, `bring_on` finds it, as it finds what is more than `most` letters.
    """
    stranded = campaign_queries.stranded(c, campaign_ids)
    usable = campaign_queries.first_usable(c, [s.target_id for s in stranded]) if stranded else {}
    to = {(s.target_id, s.address_id): goal for s in stranded if (goal := _goal(s, usable))}
    if not to:
        return Rerouted()
    _take_lanes(c, {address_id for _, address_id in to}, {p.address_id for p in to.values() if p.address_id is not None}, now)
    why = {(s.target_id, s.address_id): Reason.ADDRESS_BLOCKED if s.state == "blocked" else Reason.NO_ADDRESS for s in stranded}
    ends: list[moves.Move] = []
    carried: dict[_Place, list[Any]] = {}
    for x in queries.waiting_at(c, campaign_ids, sorted(to), most):
        goal = to[x.target_id, x.address_id]
        if goal.address_id is not None:
            carried.setdefault(goal, []).append(x)
        else:
            after = State.FAILED if x.state == State.QUEUED.value else State.CANCELLED
            ends.append(moves.Move(x.id, x.campaign_id, x.target_id, x.channel, State(x.state), after, why[x.target_id, x.address_id]))
    for goal, letters in carried.items():
        for some in (letters[i:i + moves.MOST] for i in range(0, len(letters), moves.MOST)):
            c.execute(update(_LETTERS).where(_LETTERS.c.id.in_([x.id for x in some])).values(
                address_id=goal.address_id, channel=goal.channel, tries=0, not_before=None))
        moves.count(c, ((x.campaign_id, x.target_id, channel, f"letter:{x.state}", n) for x in letters if x.channel != goal.channel
                        for channel, n in ((x.channel, -1), (goal.channel, 1))))
    done = Rerouted(sum(map(len, carried.values())), len(moves.apply(c, ends, now)))
    return replace(done, left=done.letters == most)


@dataclass(frozen=True, slots=True)
class _Place:
    address_id: int | None
    channel: str


def _goal(stranded: Any, usable: dict[tuple[int, str], int]) -> _Place | None:
    """Where what is stranded goes, perhaps nowhere any more; None where it stays until somebody has looked at its address."""
    place = _next_place(stranded, usable)
    if place.address_id == stranded.address_id or (place.address_id is None and stranded.state in ("suspect", "proposed")):
        return None
    return place


def _next_place(stranded: Any, usable: dict[tuple[int, str], int]) -> _Place:
    """Where a target's letters of one address go now."""
    same = usable.get((stranded.target_id, stranded.channel))
    if same is not None or not stranded.fall_back:
        return _Place(same, stranded.channel)
    other = next(ch for ch in campaign_queries.LETTER_CHANNELS if ch != stranded.channel)
    address_id = usable.get((stranded.target_id, other))
    return _Place(address_id, stranded.channel if address_id is None else other)


def _take_lanes(c: Connection, left: set[int], to: set[int], now: datetime) -> None:
    """Take the lanes that are left from who drains them: it may have read letters that it must not start there any more.

    Lanes before letters, by id: the order in which the ledger locks.
    """
    ids = campaign_queries.lanes_locked(c, sorted(left | to))
    c.execute(update(_LANES).where(_LANES.c.address_id.in_([i for i in ids if i in left])).values(
        holder=None, held_until=None, next_wake_at=now))
    lanes.mark(c, sorted(to), now)
