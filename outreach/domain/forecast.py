"""When a lane will be empty, how many of its letters miss a deadline, and what limit would bring them all through.

The first `EXACT` starts are played through with the very rules that the drain asks (`pacing.next_start`), campaigns in turns. Once
two rounds of the hours and rules have come out alike, or that many starts are reached, the rest follows by arithmetic: a lane that
repeats itself is repeated; one that does not goes on at the pace it had per hour of open office, and waits for its big rules. The
first is right to within one spreading gap, the second to within what goes in the longest rule's period (`tests/domain/test_forecast.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from outreach.domain.hours import OfficeHours
from outreach.domain.pacing import EPOCH, NEVER, Rule, next_start

EXACT = 2000
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
FAR = timedelta(days=36_500)
"""Farther ahead than this nothing is foretold."""


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

    def __init__(self, lane: Lane, exact: int = EXACT) -> None:
        self._lane = lane
        self._slots: list[datetime] = []
        """All starts played through, whoever's."""
        self._own: list[datetime] = []
        self._ended = False
        """A life-time total is spent: nothing starts any more."""
        self._round: timedelta | None = None
        """The lane repeats itself after so long."""
        self._left: list[tuple[int, int]] = []
        """After the last start played through: what waits of each other campaign, and 1 if its turn is after the own one."""
        self._play(exact)

    def at(self, place: int) -> datetime:
        """When the own letter at `place` (1 is next) starts; `NEVER` if a total is spent before, or beyond a century."""
        if place <= len(self._own):
            return self._own[place - 1]
        if self._ended:
            return NEVER
        more = place - len(self._own)
        at = self._slot(len(self._slots) + more + sum(min(left, more - behind) for left, behind in self._left))
        return max(at, self._later(self._own, place)) if self._lane.own.share else at

    def before(self, deadline: datetime) -> int:
        """How many of the own letters start before `deadline`."""
        return bisect_left(range(1, self._lane.own.waiting + 1), deadline, key=self.at)

    def empty_at(self) -> datetime:
        """When the last of the own letters starts (now, if none waits); `NEVER` as in `at`."""
        return self.at(self._lane.own.waiting) if self._lane.own.waiting else self._lane.now

    def _play(self, exact: int) -> None:
        lane = self._lane
        parties = [_Player(p) for p in (*lane.others, lane.own)]  # of equal claims the own one comes last: it is the others' promise
        own, log = parties[-1], list(lane.starts)
        rounds = _Rounds(lane, own.hours)
        if not (lane.rules or lane.budgets or any(p.party.share for p in parties)):
            exact = 1  # all at once
        while own.left and len(self._slots) < exact:
            free = max(next_start(lane.now, log, lane.rules), self._big_rules(len(self._slots) + 1))
            if free == NEVER:
                self._ended = True
                break
            ready = [(p.ready(free), p.last, p) for p in parties if p.left]
            if ready[-1][0] == NEVER:
                self._ended = True
                break
            at, _, chosen = min(ready, key=lambda r: r[:2])
            chosen.start(at)
            log.append(at)
            self._slots.append(at)
            if chosen is own:
                self._own.append(at)
            if rounds.alike(at, self._slots, chosen.left == 0):
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
            in_round = len(played) - bisect_left(played, _shifted(last, -self._round, hours) + timedelta(microseconds=1))
            rounds, place = divmod(beyond - 1, max(in_round, 1))
            if (rounds + 1) * self._round > FAR:
                return NEVER
            return _shifted(played[len(played) - in_round + place], (rounds + 1) * self._round, hours)
        first = played[len(played) // 2] if played else last
        steps = len(played) - 1 - len(played) // 2
        if steps <= 0 or last == first:
            return hours.opening_at_or_after(last)
        return _after_open_time(last, _open_between(first, last, hours) * (beyond / steps), hours)

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
        """When this party's next letter may start, once the lane is free at `at`."""
        if self.party.share:
            at = next_start(at, self.starts, self.party.share)
        if at == NEVER or not self.hours.spans or self._opens <= at < self._closes:
            return at
        self._opens, self._closes = _span(at, self.hours)
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
    length: timedelta | None = field(init=False)
    _slack: timedelta = field(init=False)
    _look_at: datetime | None = field(init=False, default=None)
    _since: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        rules = (*self.lane.rules, *(r for p in (self.lane.own, *self.lane.others) for r in p.share))
        longest = max((r.period for r in rules if r.period is not None), default=timedelta(0))
        parties = (self.lane.own, *self.lane.others)
        at_least = max((_round_of(p.hours) for p in parties), default=timedelta(0))
        self.length = next((n for n in (HOUR, DAY, WEEK) if n >= longest and n >= at_least and not longest % HOUR), None)
        if self.lane.budgets or any(r.period is None for r in rules) or not rules:
            self.length = None
        self._slack = max((r.gap for r in rules), default=timedelta(0)) + timedelta(seconds=1)

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
        middle, first = (bisect_left(slots, _shifted(at, -n * self.length, self.hours) + timedelta(microseconds=1)) for n in (1, 2))
        newer = islice(slots, middle, None)
        return len(slots) - middle == middle - first and all(
            abs(_shifted(a, self.length, self.hours) - b) <= self._slack for a, b in zip(islice(slots, first, middle), newer, strict=True))


def misses(lane: Lane, deadline: datetime, exact: int = EXACT) -> int:
    """How many of the own letters start too late."""
    return lane.own.waiting - Releases(lane, exact).before(deadline)


def needed(lane: Lane, deadline: datetime, ceiling: tuple[Rule, ...], exact: int = EXACT) -> Rule | None:
    """The lowest limit an hour, in the place of all campaigns' limits, at which no own letter misses the deadline.

    `ceiling` is what no campaign can raise, and stays. None when it, or the office hours, forbid what would be needed.
    """
    open_lane = replace(lane, own=replace(lane.own, share=(), starts=()), budgets={r: n for r, n in lane.budgets.items() if r in ceiling})

    def enough(count: int) -> bool:
        rules = tuple(r for r in ceiling if r not in open_lane.budgets)
        return not misses(replace(open_lane, rules=(*rules, Rule(count, HOUR)) if count else rules), deadline, exact)

    if not enough(0):
        return None
    most = 1
    while not enough(most):
        most *= 2
    return Rule(bisect_left(range(most // 2, most), True, key=enough) + most // 2, HOUR)


def _round_of(hours: OfficeHours) -> timedelta:
    """After how long office hours repeat themselves."""
    if not hours.spans:
        return timedelta(0)
    by_day = {d: [s[1:] for s in hours.spans if s[0] == d] for d in range(7)}
    return DAY if all(by_day[d] == by_day[0] for d in by_day) else WEEK


def _shifted(at: datetime, by: timedelta, hours: OfficeHours) -> datetime:
    """`at` moved by whole days on the clock of the office's wall, by anything else in plain time."""
    if not hours.spans or by % DAY:
        return at + by
    zone = ZoneInfo(hours.zone)
    return (at.astimezone(zone).replace(tzinfo=None) + by).replace(tzinfo=zone).astimezone(UTC)


def _span(at: datetime, hours: OfficeHours) -> tuple[datetime, datetime]:
    """The opening span, UTC, that holds `at` or comes next after it."""
    opens = hours.opening_at_or_after(at)
    zone = ZoneInfo(hours.zone)
    local = opens.astimezone(zone)
    closes = opens
    for weekday, start, end in hours.spans:
        if weekday == local.weekday() and datetime.combine(local.date(), start, zone) <= local:
            day = local.date() + DAY if end == time.max else local.date()
            until = datetime.combine(day, time.min if end == time.max else end, zone).astimezone(UTC)
            closes = max(closes, until)
    return opens, closes


def _open_between(first: datetime, last: datetime, hours: OfficeHours) -> timedelta:
    """How long the office is open between two moments."""
    if not hours.spans:
        return last - first
    total, at = timedelta(0), first
    while True:
        opens, closes = _span(at, hours)
        if opens >= last:
            return total
        total += min(closes, last) - opens
        at = max(closes, opens + timedelta(seconds=1))


def _after_open_time(at: datetime, wait: timedelta, hours: OfficeHours) -> datetime:
    """The moment at which the office has been open for `wait` since `at`."""
    if not hours.spans:
        return NEVER if wait > FAR else at + wait
    week = _open_between(at, at + WEEK, hours)
    weeks = wait // week
    if weeks * WEEK > FAR:
        return NEVER
    at, wait = _shifted(at, weeks * WEEK, hours), wait - weeks * week
    while True:
        opens, closes = _span(at, hours)
        if opens + wait < closes:
            return opens + wait
        wait -= closes - opens
        at = max(closes, opens + timedelta(seconds=1))
