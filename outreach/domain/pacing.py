"""How fast letters may go to one address: an exact rolling log of attempts for each rule, spread evenly, campaigns in turns.

A limiter that grants tokens (GCRA, leaky bucket) reaches only half of what several rules and office hours allow, and books at
claim time what may be handed over later; the log of real starts does neither (docs/decisions/0017).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heapreplace
from typing import TypeVar
from zlib import crc32

from outreach.domain.hours import OfficeHours

T = TypeVar("T")

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_CLAUSE = re.compile(r"^(\d+)\s*/\s*(?:(\d+)\s*)?(second|minute|hour|day|week|total)s?$")
EPOCH = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
SPREAD_UP_TO = timedelta(hours=1)
"""Rules of longer periods allow bursts: "200/day" means a total, not one every seven minutes all night."""
JITTER = 0.15
TICK = timedelta(microseconds=1)
"""What sets starts of one instant apart, so that the log knows their order."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """Fewer than `count` attempts may have started in (now - period, now] when the next one starts.

    `period` is None for a life-time total.
    """

    count: int
    period: timedelta | None

    def earliest(self, starts: Sequence[datetime]) -> datetime:
        """When this rule lets the next attempt start; `starts` ascending, UTC, at least the last `count` of them."""
        if len(starts) < self.count:
            return EPOCH
        if self.period is None or self.count == 0:
            return NEVER
        return starts[-self.count] + self.period

    @property
    def gap(self) -> timedelta:
        """How far apart starts are spread under this rule, before jitter; nothing for a period of more than an hour."""
        if self.period is None or self.period > SPREAD_UP_TO or self.count == 0:
            return timedelta(0)
        return self.period / self.count

    def __str__(self) -> str:
        if self.period is None:
            return f"{self.count}/total"
        seconds = int(self.period.total_seconds())
        unit, size = max(((u, s) for u, s in _UNITS.items() if seconds % s == 0), key=lambda x: x[1])
        n = seconds // size
        return f"{self.count}/{unit}" if n == 1 else f"{self.count}/{n} {unit}s"


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read a limit string whole: "3/second, 25/8 hours, 200/day, 1000/total"; "none" is no rule.

    Raises ValueError naming the clause that was not understood; never takes half of a string.
    """
    if text.strip() == "none":
        return ()
    rules = []
    for clause in text.split(","):
        found = _CLAUSE.match(clause.strip())
        if not found:
            raise ValueError(f"{clause.strip()!r} is not a limit; write it like '20/hour, 200/day'")
        count, many, unit = int(found[1]), int(found[2] or 1), found[3]
        if unit == "total" and found[2]:
            raise ValueError(f"{clause.strip()!r}: a total has no period")
        if many == 0:
            raise ValueError(f"{clause.strip()!r}: a period cannot be zero long")
        if many * _UNITS.get(unit, 0) > 366 * 86400:
            raise ValueError(f"{clause.strip()!r}: a period is at most a year")
        rules.append(Rule(count, None if unit == "total" else timedelta(seconds=many * _UNITS[unit])))
    return tuple(sorted(set(rules), key=str))


def format_rules(rules: Iterable[Rule]) -> str:
    """The inverse of `parse_rules`."""
    return ", ".join(str(r) for r in rules) or "none"


def horizon(rules: Iterable[Rule]) -> tuple[int, timedelta | None]:
    """How much of an address's log the rules look at: (newest starts, period); period None asks for all time."""
    rules = tuple(rules)
    count = max((r.count for r in rules), default=0)
    if any(r.period is None for r in rules):
        return count, None
    return count, max((r.period for r in rules if r.period is not None), default=timedelta(0))


def spread_until(last: datetime, rules: Iterable[Rule]) -> datetime:
    """Until when the next start waits after the one at `last`, so that a machine is not hit by ten at once.

    The gap is a little less than period / count, by up to `JITTER`: the log then makes up for it, so that the full rate is
    reached. The jitter follows from `last` alone: a restart, or another process, comes to the same moment.
    """
    gap = max((rule.gap for rule in rules), default=timedelta(0))
    if not gap:
        return last
    return last + gap * (1 - JITTER * (crc32(last.isoformat().encode()) / 2**32))


def next_start(now: datetime, starts: Sequence[datetime], rules: Sequence[Rule],
               hours: OfficeHours | None = None) -> datetime:
    """The first moment, not before `now`, at which every rule, their spreading and the office hours allow one more attempt.

    Returns `NEVER` when a life-time total is spent. `starts` ascending, UTC.
    """
    if starts:
        now = max(now, spread_until(starts[-1], rules))  # and clocks step back; the log does not
    at = max([now, *(rule.earliest(starts) for rule in rules)])
    return at if at == NEVER or hours is None else hours.opening_at_or_after(at)


def take_turns(waiting: Mapping[int, Sequence[T]], last: Mapping[int, datetime], most: int) -> list[T]:
    """Up to `most` of what waits, campaign by campaign in turns, each campaign's own in its order.

    `last` says when each campaign had its last turn (those without one go first); who has waited longest for a turn is next,
    so that of two campaigns that both have something waiting neither gets two turns while the other gets none.
    """
    turns = [(last.get(campaign, EPOCH), campaign, 0) for campaign, own in waiting.items() if own]
    heapify(turns)
    chosen: list[T] = []
    latest = max(last.values(), default=EPOCH)
    while turns and len(chosen) < most:
        _, campaign, place = turns[0]
        chosen.append(waiting[campaign][place])
        latest += TICK
        if place + 1 < len(waiting[campaign]):
            heapreplace(turns, (latest, campaign, place + 1))
        else:
            heappop(turns)
    return chosen
