"""Letters over time: what changed in each hour, and from that what stood at the end of each hour or day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from outreach.domain.letters import State

HOUR = 3600
BY_HOUR = ("letter:", "submissions")
"""Beginnings of the names of counters that are kept hour by hour too."""

_S = State
ARRIVED, GONE = frozenset({_S.DELIVERED}), frozenset({_S.SENT})
WAITS = frozenset({_S.UNCONFIRMED, _S.HELD, _S.QUEUED, _S.SENDING, _S.UNKNOWN})
ENDED = frozenset({_S.FAILED, _S.CANCELLED, _S.EXPIRED})
GROUPS = {"arrived": ARRIVED, "gone": GONE, "waits": WAITS, "ended": ENDED}
"""How ten states become four bands of a chart: every state is in exactly one."""
_GROUP = {f"letter:{state.value}": name for name, states in GROUPS.items() for state in states}


def hour_of(at: datetime) -> int:
    """The hour that a moment lies in: whole hours since 1970 began."""
    return int(at.timestamp()) // HOUR


@dataclass(frozen=True, slots=True)
class Point:
    """One hour or day: when it begins (UTC), what stood at its end, and what came and went in it."""

    begins: datetime
    arrived: int
    gone: int
    waits: int
    ended: int
    written: int
    """Letters that were made in it."""
    left: int
    """By how much those that went out (gone and arrived) have grown in it; a late bounce takes one away."""

    @property
    def total(self) -> int:
        """All letters there were at its end."""
        return self.arrived + self.gone + self.waits + self.ended


@dataclass(frozen=True, slots=True)
class Series:
    """A campaign's letters by hour or by day, the oldest first; the last point stands for now."""

    points: list[Point] = field(default_factory=list)
    hours_each: int = 1
    zone: str = "UTC"


def series(changes: Iterable[tuple[int, str, int]], now_there: Mapping[str, int], *, first: int, last: int, hours_each: int = 1,
           shift: int = 0, zone: str = "UTC") -> Series:
    """The series from `first` to `last`, numbers of hours or days.

    `changes` are (number, counter's name, how much it grew), those before `first` left out; `now_there` is what every state holds
    now. A number is `(hour + shift) // hours_each`. What stood before `first` follows from the two, so nothing older is read.
    """
    grown: dict[int, dict[str, int]] = {}
    for number, name, n in changes:
        group = _GROUP.get(name)
        if group is not None:
            at = grown.setdefault(min(max(number, first), last), dict.fromkeys(GROUPS, 0))
            at[group] += n
    there = {name: sum(now_there.get(s.value, 0) for s in states) for name, states in GROUPS.items()}
    points: list[Point] = []
    for number in range(last, first - 1, -1):
        change = grown.get(number, {})
        begins = datetime.fromtimestamp((number * hours_each - shift) * HOUR, UTC)
        points.append(Point(begins, there["arrived"], there["gone"], there["waits"], there["ended"], sum(change.values()),
                            change.get("arrived", 0) + change.get("gone", 0)))
        there = {name: n - change.get(name, 0) for name, n in there.items()}
    return Series(points[::-1], hours_each, zone)


def shift_of(offset: timedelta | None) -> int:
    """By how many hours a clock is ahead of UTC, for `series`; half hours are rounded down."""
    return int((offset or timedelta()).total_seconds()) // HOUR
