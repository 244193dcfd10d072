"""What is foretold of one lane at a price that is known beforehand: a long line is played through in groups instead of one by one.

A group of m letters starts as one, under rules of an m-th of their counts; its members follow at the pace of the rules. That is right
to within a group, a `fine`-th of what the lane does in its longest rule's rounds (`tests/domain/test_outlook.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from outreach.domain.forecast import EXACT, Lane, Party, Releases, can_start, needed
from outreach.domain.opening import DAY, HOUR, WEEK
from outreach.domain.pacing import NEVER, SPREAD_UP_TO, Rule

_ROUNDS = 2.5
"""A lane that repeats itself is found out after two rounds."""
_OFF = 50
"""Groups may make a long rule wrong by one part in so many."""
_LONGEST = timedelta(minutes=30)
"""A group takes no longer, where an office closes in the evening."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is foretold of the own letters in a lane. `needed` and `why` are asked only where some miss the deadline."""

    empty_at: datetime
    """`NEVER` as in `Releases`."""
    misses: int
    needed: Rule | None = None
    """The limit an hour that would bring all through."""
    why: str = ""
    """Why none would: "ceiling" or "hours"."""


def foretell(lane: Lane, deadline: datetime | None, ceiling: tuple[Rule, ...] | None, fine: int = EXACT, *,
             guess: Rule | None = None) -> Outlook:
    """All of it, played through `fine` starts at a time. `ceiling` is what no campaign can raise; None: nobody asks for a limit.
    `guess` is about the limit that would do, if somebody knows."""
    line = InGroups(lane, fine)
    empty = line.empty_at()
    if deadline is None or empty < deadline:
        return Outlook(empty, 0)
    late = lane.own.waiting - line.before(deadline)
    if not late or ceiling is None:
        return Outlook(empty, late)
    limit = needed(lane, deadline, ceiling, fine, late=_late, guess=guess)
    if limit is not None:
        return Outlook(empty, late, limit)
    return Outlook(empty, late, why="ceiling" if can_start(lane, deadline) else "hours")


def _late(lane: Lane, deadline: datetime, fine: int) -> int:
    return lane.own.waiting - InGroups(lane, fine, until=deadline).before(deadline)


class InGroups:
    """`Releases` of a lane, played through in groups where there are more than `fine` starts to play."""

    def __init__(self, lane: Lane, fine: int = EXACT, *, until: datetime = NEVER) -> None:
        self._lane = lane
        self.each = _group(lane, fine)
        self._groups = Releases(lane if self.each == 1 else _grouped(lane, self.each), fine * 2 if self.each > 1 else fine,
                                until=until, like=lane)
        gaps = [r.gap for r in (*lane.rules, *lane.own.share)]
        self._gap = max(gaps, default=timedelta(0))
        self._until = until

    def at(self, place: int) -> datetime:
        """When the own letter at `place` (1 is next) starts."""
        if self.each == 1:
            return self._groups.at(place)
        group, member = divmod(place - 1, self.each)
        first = self._groups.at(group + 1)
        if not member or first == NEVER:
            return first
        at = self._lane.own.hours.opening_at_or_after(first + member * self._gap)
        return min(at, max(first, self._groups.at(group + 2))) if (group + 1) * self.each < self._lane.own.waiting else at

    def before(self, deadline: datetime) -> int:
        """How many of the own letters start before `deadline`."""
        if self.each == 1:
            return self._groups.before(deadline)
        whole = max(0, self._groups.before(deadline) - 1) * self.each  # the members of the last one may be late
        rest = range(whole + 1, min(whole + self.each, self._lane.own.waiting) + 1)
        return whole + bisect_left(rest, deadline, key=self.at)

    def empty_at(self) -> datetime:
        """When the last of the own letters starts (now, if none waits)."""
        return self.at(self._lane.own.waiting) if self._lane.own.waiting else self._lane.now


def _group(lane: Lane, fine: int) -> int:
    """How many letters make a group, so that about `fine` of them show what the lane does."""
    rules = [*lane.rules, *(r for p in (lane.own, *lane.others) for r in p.share)]
    starts = float(lane.own.waiting + sum(min(p.waiting, lane.own.waiting) for p in lane.others))
    periods = [r.period for r in rules if r.period is not None]
    if not rules or len(periods) < len(rules) or lane.budgets or any(not r.count for r in rules):
        return 1
    if not max(periods) % HOUR and max(periods) <= WEEK:  # else it has no rounds
        length = WEEK if any(p.hours.spans for p in (lane.own, *lane.others)) or max(periods) > DAY else DAY
        starts = min(starts, _ROUNDS * min(r.count * (length / r.period) for r in lane.rules if r.period)) if lane.rules else starts
    wanted = -int(-starts // fine)
    if wanted <= 1:
        return 1
    long = [r.count for r in rules if r.period and r.period > SPREAD_UP_TO]
    gap = max(r.gap for r in rules)
    most = int(_LONGEST / gap) if gap and lane.own.hours.spans else 2 * wanted
    fit = [m for m in range(1, 1 + max(1, min(most, 2 * wanted))) if all(_OFF * abs(m * _share(n, m) - n) <= n for n in long)]
    return next((m for m in fit if m >= wanted), fit[-1])


def _share(count: int, each: int) -> int:
    return max(1, round(count / each))


def _grouped(lane: Lane, each: int) -> Lane:
    def rule(r: Rule) -> Rule:
        return Rule(_share(r.count, each), r.period) if r.period is None or r.period > SPREAD_UP_TO else Rule(1, r.gap * each)

    def starts(log: tuple[datetime, ...]) -> tuple[datetime, ...]:
        return log[(len(log) - 1) % each::each] if len(log) >= each else ()

    def party(p: Party) -> Party:
        return replace(p, waiting=-(-p.waiting // each), share=tuple(map(rule, p.share)), starts=starts(p.starts))

    return replace(lane, own=party(lane.own), others=tuple(map(party, lane.others)), rules=tuple(map(rule, lane.rules)),
                   starts=starts(lane.starts))
