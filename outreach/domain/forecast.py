"""When a lane will be empty, how many of its letters miss a deadline, and what limit would bring them all through.

The first `EXACT` starts are played through with the very rules that the drain asks (`pacing.next_start`), campaigns in turns. Once
two rounds of the hours and rules have come out alike, or that many starts are reached, the rest follows by arithmetic: a lane that
repeats itself is repeated; one that does not goes on at the pace it had per hour of open office, and waits for its big rules. The
first is right to within one spreading gap, the second to within what goes in the longest rule's period (`tests/domain/test_forecast.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from zlib import crc32

from outreach.domain.hours import OfficeHours
from outreach.domain.opening import DAY, FAR, HOUR, WEEK, after_open_time, open_between, round_of, shifted, span
from outreach.domain.pacing import EPOCH, JITTER, NEVER, Rule, next_start

EXACT = 2000


@dataclass(frozen=True, slots=True)
class Party:
    """What one campaign has waiting in a lane, and what it may do there."""

    waiting: int
    hours: OfficeHours
    share: tuple[Rule, ...] = ()
    """Its own limit on what it takes of the lane."""
    starts: tuple[datetime, ...] = ()
    """What that limit has seen start, ascending."""
    last_turn: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class Lane:
    """One address as a campaign finds it at `now`: the rules in force, what they have seen start, and who waits."""

    now: datetime
    own: Party
    others: tuple[Party, ...] = ()
    rules: tuple[Rule, ...] = ()
    starts: tuple[datetime, ...] = ()
    """Ascending."""
    budgets: Mapping[Rule, int] = field(default_factory=dict)
    """What is left of rules too big to be counted start by start."""


class Releases:
    """When each of the own letters in a lane starts."""

    def __init__(self, lane: Lane, exact: int = EXACT, *, until: datetime = NEVER, like: Lane | None = None) -> None:
        """Starts from `until` on are not asked for. `like` is the lane whose rounds this one has, if not its own."""
        self._lane = lane
        self._slots: list[datetime] = []
        """All starts played through, whoever's."""
        self._own: list[datetime] = []
        self._ended = False
        """A life-time total is spent: nothing starts any more."""
        self._past = False
        """The play has come to `until`."""
        self._round: timedelta | None = None
        """The lane repeats itself after so long."""
        self._left: list[tuple[int, int]] = []
        """After the last start played through: what waits of each other campaign, and 1 if its turn is after the own one."""
        self._paces: dict[bool, tuple[datetime, int, timedelta]] = {}
        self._play(exact, until, like or lane)

    def at(self, place: int) -> datetime:
        """When the own letter at `place` (1 is next) starts; `NEVER` if a total is spent before, or beyond a century."""
        if place <= len(self._own):
            return self._own[place - 1]
        if self._ended or self._past:
            return NEVER
        more = place - len(self._own)
        at = self._slot(len(self._slots) + more + sum(min(left, more - behind) for left, behind in self._left))
        return max(at, self._later(self._own, place)) if self._lane.own.share else at

    def before(self, deadline: datetime) -> int:
        """How many of the own letters start before `deadline`."""
        if self._past or (self._own and deadline <= self._own[-1]):
            return bisect_left(self._own, deadline)
        return bisect_left(range(1, self._lane.own.waiting + 1), deadline, key=self.at)

    def empty_at(self) -> datetime:
        """When the last of the own letters starts (now, if none waits); `NEVER` as in `at`."""
        return self.at(self._lane.own.waiting) if self._lane.own.waiting else self._lane.now

    def _play(self, exact: int, until: datetime, like: Lane) -> None:
        lane, free_at = self._lane, _Log(self._lane)
        parties = [_Player(p) for p in (*lane.others, lane.own)]  # of equal claims the own one comes last: it is the others' promise
        own = parties[-1]
        rounds = _Rounds(like, own.hours, _widest_gap(lane))
        if not (lane.rules or lane.budgets or any(p.party.share for p in parties)):
            exact = 1  # all at once
        slots, starts, budgets, alone = self._slots, free_at.starts, bool(lane.budgets), len(parties) == 1
        while own.left and len(slots) < exact and not self._past:
            free = free_at.next()
            if budgets:
                free = max(free, self._big_rules(len(slots) + 1))
            at, chosen = (own.ready(free), own) if alone else _turn(parties, free)
            if at == NEVER:
                self._ended = True
                break
            chosen.start(at)
            starts.append(at)
            slots.append(at)
            self._past = at >= until
            if chosen is own:
                self._own.append(at)
            if rounds.length is not None and rounds.alike(at, slots, chosen.left == 0):
                self._round = rounds.length
                break
        self._left = [(p.left, int(p.last > own.last)) for p in parties[:-1]]

    def _slot(self, k: int) -> datetime:
        """The lane's start number `k`, which has not been played through."""
        at = max(self._pace(k), self._big_rules(k))
        return at if at == NEVER else self._lane.own.hours.opening_at_or_after(at)

    def _pace(self, k: int) -> datetime:
        """The same, big rules left aside unless it has been played through."""
        return self._slots[k - 1] if k <= len(self._slots) else self._later(self._slots, k)

    def _later(self, played: Sequence[datetime], k: int) -> datetime:
        """Start number `k` after those `played`, by repeating their last round, or at their pace in open hours."""
        hours, last = self._lane.own.hours, played[-1] if played else self._lane.now
        beyond = k - len(played)
        if self._round is not None:
            in_round = len(played) - bisect_left(played, shifted(last, -self._round, hours) + timedelta(microseconds=1))
            rounds, place = divmod(beyond - 1, max(in_round, 1))
            if (rounds + 1) * self._round > FAR:
                return NEVER
            return shifted(played[len(played) - in_round + place], (rounds + 1) * self._round, hours)
        first, steps, open_ = self._pace_of(played)
        if steps <= 0 or last == first:
            return hours.opening_at_or_after(last)
        return after_open_time(last, open_ * (beyond / steps), hours)

    def _pace_of(self, played: Sequence[datetime]) -> tuple[datetime, int, timedelta]:
        """Of the later half of what was played: its first start, how many come after it, and for how long the office was open."""
        key = played is self._own
        if key not in self._paces:
            first = played[len(played) // 2] if played else self._lane.now
            last = played[-1] if played else first
            self._paces[key] = first, len(played) - 1 - len(played) // 2, open_between(first, last, self._lane.own.hours)
        return self._paces[key]

    def _big_rules(self, k: int) -> datetime:
        """The moment before which the rules that are not in the log do not let start number `k` through."""
        at = self._lane.now
        for rule, left in self._lane.budgets.items():
            if k <= left:
                continue
            if rule.period is None:
                return NEVER
            rounds, place = divmod(k - 1, rule.count)
            if rounds * rule.period > FAR:
                return NEVER
            if place >= left:  # when those that have started leave the window is not known: all at its end
                at = max(at, self._lane.now + (rounds + 1) * rule.period)
            if rounds:
                at = max(at, self._pace(place + 1) + rounds * rule.period)
        return at


class _Log:
    """A lane's log while it is played through: `pacing.next_start`, which is asked a thousand times over the same rules."""

    def __init__(self, lane: Lane) -> None:
        self.starts = list(lane.starts)
        self._now = lane.now
        self._rules = [(r.count, r.period) for r in lane.rules]
        widest = _widest_gap(lane)
        one_by_one = any(r.count == 1 and (r.period is None or r.period >= widest) for r in lane.rules)  # waits longer than any jitter
        self._gap = 0.0 if one_by_one else widest / timedelta(microseconds=1)

    def next(self) -> datetime:
        """When rules and their spreading let the next one start; `NEVER` when a life-time total is spent."""
        at, starts = self._now, self.starts
        n = len(starts)
        if n:
            last = starts[-1]
            if self._gap:
                last += timedelta(microseconds=self._gap * (1 - JITTER * (crc32(last.isoformat().encode()) / 2**32)))
            at = max(at, last)
        for count, period in self._rules:
            if n >= count:
                if period is None or not count:
                    return NEVER
                freed = starts[n - count] + period
                at = max(at, freed)
        return at


def _widest_gap(lane: Lane) -> timedelta:
    return max((r.gap for r in lane.rules), default=timedelta(0))


def _turn(parties: Sequence[_Player], free: datetime) -> tuple[datetime, _Player]:
    """Whose turn it is once the lane is free, and when; `NEVER` when the own one (the last) has no turn any more."""
    own = parties[-1].ready(free)
    if own == NEVER:
        return NEVER, parties[-1]
    ready = [(p.ready(free), p.last, p) for p in parties if p.left]
    at, _, chosen = min(ready, key=lambda r: r[:2])
    return at, chosen


@dataclass(slots=True)
class _Player:
    """A party while a lane is played through."""

    party: Party
    left: int = field(init=False)
    last: datetime = field(init=False)
    starts: list[datetime] = field(init=False)
    _opens: datetime = field(init=False, default=EPOCH)
    _closes: datetime = field(init=False, default=EPOCH)

    def __post_init__(self) -> None:
        self.left, self.last, self.starts = self.party.waiting, self.party.last_turn, list(self.party.starts)

    @property
    def hours(self) -> OfficeHours:
        return self.party.hours

    def ready(self, at: datetime) -> datetime:
        """When this party's next letter may start, once the lane is free at `at`; `NEVER` when nothing of it starts any more."""
        if self.party.share:
            at = next_start(at, self.starts, self.party.share)
        if self._opens <= at < self._closes or at == NEVER or not self.hours.spans:
            return at
        self._opens, self._closes = span(at, self.hours)
        return max(at, self._opens)

    def start(self, at: datetime) -> None:
        self.left -= 1
        self.last = at
        if self.party.share:
            self.starts.append(at)


@dataclass(slots=True)
class _Rounds:
    """Sees when a lane has begun to repeat itself: two rounds in a row with the same starts, give or take their jitter."""

    lane: Lane
    hours: OfficeHours
    gap: timedelta
    """How far apart starts are spread at the most."""
    length: timedelta | None = field(init=False)
    _slack: timedelta = field(init=False)
    _look_at: datetime | None = field(init=False, default=None)
    _since: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        rules = (*self.lane.rules, *(r for p in (self.lane.own, *self.lane.others) for r in p.share))
        longest = max((r.period for r in rules if r.period is not None), default=timedelta(0))
        parties = (self.lane.own, *self.lane.others)
        at_least = max((round_of(p.hours) for p in parties), default=timedelta(0))
        self.length = next((n for n in (HOUR, DAY, WEEK) if n >= longest and n >= at_least and not longest % HOUR), None)
        if self.lane.budgets or any(r.period is None for r in rules) or not rules:
            self.length = None
        self._slack = max((r.gap for r in rules), default=self.gap) + timedelta(seconds=1)
        self._slack = max(self._slack, self.gap + timedelta(seconds=1))

    def alike(self, at: datetime, slots: Sequence[datetime], somebody_ended: bool) -> bool:
        """Whether the last two rounds before `at`, the newest of `slots`, were alike and all took part in both."""
        if self.length is None:
            return False
        if self._since is None or somebody_ended:
            self._since = at
            self._look_at = at + 2 * self.length
        if self._look_at is None or at < self._look_at:
            return False
        self._look_at = at + self.length / 4
        middle, first = (bisect_left(slots, shifted(at, -n * self.length, self.hours) + timedelta(microseconds=1)) for n in (1, 2))
        newer = islice(slots, middle, None)
        return len(slots) - middle == middle - first and all(
            abs(shifted(a, self.length, self.hours) - b) <= self._slack for a, b in zip(islice(slots, first, middle), newer, strict=True))


def misses(lane: Lane, deadline: datetime, exact: int = EXACT) -> int:
    """How many of the own letters start too late."""
    return lane.own.waiting - Releases(lane, exact, until=deadline).before(deadline)


def needed(lane: Lane, deadline: datetime, ceiling: tuple[Rule, ...], exact: int = EXACT, *,
           late: Callable[[Lane, datetime, int], int] = misses, guess: Rule | None = None) -> Rule | None:
    """The lowest limit an hour, in the place of all campaigns' limits, at which no own letter misses the deadline.

    `ceiling` is what no campaign can raise, and stays. None when it, or the office hours, forbid what would be needed. `late` says
    how many miss it; the nearer the `guess` comes, the sooner it is found.
    """
    open_lane = replace(lane, own=replace(lane.own, share=(), starts=()), budgets={r: n for r, n in lane.budgets.items() if r in ceiling})
    rules = tuple(r for r in ceiling if r not in open_lane.budgets)

    @cache
    def enough(count: int) -> bool:
        return not late(replace(open_lane, rules=(*rules, Rule(count, HOUR)) if count else rules), deadline, exact)

    if not can_start(open_lane, deadline, rules) or not enough(0):
        return None
    low = high = guess.count if guess else _about(open_lane, deadline)
    step = 1
    while not enough(high):
        low, high, step = high + 1, high + step, step * 2
    step = 1
    while low == high and low > 1 and enough(max(1, low - step)):  # the guess was enough: how much less is?
        high = low = max(1, low - step)
        step *= 2
    if low == high:
        low = max(1, high - step)
    return Rule(bisect_left(range(low, high), True, key=enough) + low, HOUR)


def can_start(lane: Lane, deadline: datetime, rules: Sequence[Rule] = ()) -> bool:
    """Whether not even the plainest reckoning says that some of the own letters miss the deadline."""
    if lane.own.waiting and lane.own.hours.opening_at_or_after(lane.now) >= deadline:
        return False
    return all(r.period is None or lane.own.waiting <= r.count * -((lane.now - deadline) // r.period) for r in rules)


def _about(lane: Lane, deadline: datetime) -> int:
    """About the limit an hour that brings all through."""
    slots = lane.own.waiting + sum(min(p.waiting, lane.own.waiting) for p in lane.others)
    hours = open_between(lane.now, deadline, lane.own.hours) / HOUR
    return max(1, round(slots / hours)) if hours > 1 else max(1, slots)
