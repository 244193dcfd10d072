"""The pace of a held lane: the rules in force for its address, its log of starts, and what may start now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from outreach.domain.hours import WAKING, OfficeHours
from outreach.domain.letters import Channel
from outreach.domain.pacing import NEVER, SPREAD_UP_TO, Rule, horizon, next_start, parse_rules, spread_until, take_turns
from outreach.queries import delivery
from outreach.queries.delivery import Waiting
from outreach.settings import Settings

EXACT = 1000
"""Rules of more than this many are counted once when the lane is taken instead of read start by start (conservative:
what falls out of the window meanwhile is seen at the next look)."""
LONGEST_SLEEP = timedelta(minutes=10)
"""For how long at the most nobody looks at a lane in which something waits. A process that dies between its commit and the lane's
wake-up loses the wake-up; and what the lane sleeps for may have changed."""


@dataclass(slots=True)
class Log:
    """Rules, and the starts that they count: of an address, or of one campaign's share of it."""

    rules: tuple[Rule, ...]
    """Counted start by start."""
    starts: list[datetime]
    """Ascending; as many as the rules look at."""
    budgets: dict[Rule, int] = field(default_factory=dict)
    """What is left of rules of more than `EXACT`."""

    def allowed_at(self, now: datetime) -> datetime:
        """The first moment at which the rules let one more attempt start; `NEVER` if a total is spent."""
        spent = [r.period for r, left in self.budgets.items() if left <= 0]
        if spent:
            periods = [period for period in spent if period is not None]
            return NEVER if len(periods) < len(spent) else now + max(periods) / 100
        at = next_start(now, self.starts, self.rules)
        return max(at, spread_until(self.starts[-1], self.budgets)) if self.budgets and self.starts else at

    def may_start(self, now: datetime, most: int) -> int:
        """How many attempts, up to `most`, may start at this very moment."""
        trial = Log(self.rules, list(self.starts), dict(self.budgets))
        count = 0
        while count < most and trial.allowed_at(now) <= now:
            trial.started(now)
            count += 1
        return count

    def started(self, at: datetime) -> None:
        """Note one attempt started at `at`."""
        if self.rules or self.budgets:
            self.starts.append(at)
        for rule in self.budgets:
            self.budgets[rule] -= 1


@dataclass(slots=True)
class Pace:
    """What one held lane may do. Exact, because only its holder starts attempts at its address."""

    address_id: int
    channel: Channel
    usable: bool
    log: Log
    hours: dict[int, OfficeHours]
    """By target."""
    campaign_of: dict[int, int]
    """By target."""
    shares: dict[int, Log] = field(default_factory=dict)
    """By campaign, for those that cap their own."""
    turns: dict[int, datetime] = field(default_factory=dict)
    """When each campaign last had its turn; kept only where several share the address."""
    line_free_at: datetime | None = None
    backed_off_until: datetime | None = None
    setbacks: int = 0
    closed: bool = False
    """Something has just befallen the address (see `services/setbacks.py`): its holder starts nothing more there."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The address's rules that are counted start by start."""
        return self.log.rules

    @property
    def starts(self) -> list[datetime]:
        """The address's recent starts, ascending."""
        return self.log.starts

    @property
    def budgets(self) -> dict[Rule, int]:
        """What is left of the address's big rules."""
        return self.log.budgets

    def allowed_at(self, now: datetime) -> datetime:
        """The first moment at which rules, line and back-off let one more attempt start; `NEVER` if a total is spent."""
        return max(self.log.allowed_at(now), self.line_free_at or now, self.backed_off_until or now)

    def is_open(self, target_id: int, now: datetime) -> bool:
        """Whether what may start by the log may be started at this very moment: the office is open, and nothing has befallen the
        address."""
        return not self.closed and target_id in self.hours and self.hours[target_id].is_open(now)

    def open_targets(self, now: datetime) -> list[int]:
        """Targets whose office is open now."""
        return [t for t, h in self.hours.items() if h.is_open(now)]

    def may_start(self, now: datetime, most: int = 1) -> int:
        """How many attempts, up to `most`, may start at this very moment; one at a time on a fax line."""
        if self.closed or self.allowed_at(now) > now or not self.open_targets(now):
            return 0
        return self.log.may_start(now, 1 if self.channel is Channel.FAX else most)

    def choose(self, now: datetime, most: int, waiting: Callable[[list[int], int], list[Waiting]]) -> list[Waiting]:
        """Up to `most` letters that may start at this very moment, campaigns in turns; `waiting(targets, n)` reads the next n."""
        most = self.may_start(now, most)
        if not most:
            return []
        targets: dict[int, list[int]] = {}
        for target in self.open_targets(now):
            targets.setdefault(self.campaign_of[target], []).append(target)
        if len(targets) == 1 and not self.shares:
            return waiting(next(iter(targets.values())), most)
        own = {}
        for campaign, places in targets.items():
            share = self.shares.get(campaign)
            allowed = most if share is None else share.may_start(now, most)
            own[campaign] = waiting(places, allowed) if allowed else []
        return take_turns(own, self.turns, most)

    def next_at(self, now: datetime, targets: Collection[int]) -> datetime | None:
        """When one of the letters to these targets may start; `NEVER` if a total is spent, None without targets."""
        return min((self._next_for(target, now) for target in targets if target in self.hours), default=None)

    def _next_for(self, target: int, now: datetime) -> datetime:
        share = self.shares.get(self.campaign_of[target])
        at = max(self.allowed_at(now), share.allowed_at(now) if share else now)
        return at if at == NEVER else self.hours[target].opening_at_or_after(at)

    def started(self, at: datetime, campaign_id: int, line: timedelta | None = None) -> None:
        """Note one attempt started at `at` for a campaign; a fax takes the line for `line`."""
        self.log.started(at)
        if campaign_id in self.shares:
            self.shares[campaign_id].started(at)
        self.turns[campaign_id] = at
        if line is not None:
            self.line_free_at = at + line


def hours_of(channel: Channel, hours: str, zone: str) -> OfficeHours:
    """A target's office hours; a fax target that states none is only called in waking hours."""
    return _parsed(hours or (WAKING if channel is Channel.FAX else "always"), zone)


_parsed, _rules = lru_cache(maxsize=1000)(OfficeHours.parse), lru_cache(maxsize=1000)(parse_rules)


def ceiling(channel: Channel, settings: Settings) -> tuple[Rule, ...]:
    """The operator's limit for one address of this channel."""
    return settings.max_fax_rate if channel is Channel.FAX else settings.max_email_rate


def rules_of(rows: Sequence[Any], channel: Channel, settings: Settings) -> tuple[Rule, ...]:
    """All rules in force for an address: what the operator pinned to it, else every live campaign's (so that the strictest holds)
    and the operator's ceiling."""
    if rows[0].pinned is not None:
        return _rules(rows[0].pinned)
    return _together(frozenset(row.limits for row in rows if row.limits), ceiling(channel, settings))


@lru_cache(maxsize=1000)
def _together(limits: frozenset[str], ceiling: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(sorted({*(rule for text in limits for rule in _rules(text)), *ceiling}, key=str))


class Reading:
    """What a pace asks of the database, lane by lane: for the few that a drain holds."""

    def __init__(self, c: Connection, now: datetime) -> None:
        self._c = c
        self.now = now

    def since(self, period: timedelta | None) -> datetime | None:
        """When a period began that ends now; None for all time."""
        return None if period is None else self.now - period

    def starts(self, address_id: int, count: int, period: timedelta | None, campaign_id: int | None) -> list[datetime]:
        """The newest `count` starts in the period, ascending."""
        return delivery.starts(self._c, address_id, count, self.since(period), campaign_id=campaign_id)

    def started(self, address_id: int, rule: Rule, campaign_id: int | None) -> int:
        """How many started in the rule's period, at the most its count."""
        return delivery.started_within(self._c, address_id, rule, self.now, campaign_id=campaign_id)

    def turns(self, address_id: int) -> dict[int, datetime]:
        """When each campaign last had its turn."""
        return delivery.last_turns(self._c, address_id)

    def line_until(self, address_id: int) -> datetime | None:
        """Until when a call to this number is under way."""
        return delivery.line_busy_until(self._c, address_id, self.now)


def load(c: Connection, address_ids: Sequence[int], now: datetime, settings: Settings) -> list[Pace]:
    """The paces of these lanes. A lane without a live campaign has none."""
    return of(c, delivery.lane_targets(c, address_ids), now, settings)


def of(c: Connection, rows: Sequence[Any], now: datetime, settings: Settings) -> list[Pace]:
    """The paces of the lanes that these rows of `delivery.lane_targets` are about."""
    return made(Reading(c, now), rows, settings)


def made(reading: Reading, rows: Sequence[Any], settings: Settings) -> list[Pace]:
    """The same from what somebody has read."""
    by_address: dict[int, list[Any]] = {}
    for row in rows:
        by_address.setdefault(row.address_id, []).append(row)
    return [_pace(reading, address_id, rows, settings) for address_id, rows in sorted(by_address.items())]


def _pace(reading: Reading, address_id: int, rows: Sequence[Any], settings: Settings) -> Pace:
    channel = Channel(rows[0].channel)
    campaigns = {r.campaign_id for r in rows}
    shares: dict[int, set[Rule]] = {}
    for row in rows:  # a campaign may have two offices at one address: what it asks for either holds
        if row.share:
            shares.setdefault(row.campaign_id, set()).update(_rules(row.share))
    return Pace(
        address_id, channel, rows[0].state == "ok", _log(reading, address_id, rules_of(rows, channel, settings)),
        hours={r.target_id: hours_of(channel, r.hours, r.timezone) for r in rows},
        campaign_of={r.target_id: r.campaign_id for r in rows},
        shares={campaign: _log(reading, address_id, tuple(sorted(rules, key=str)), campaign) for campaign, rules in sorted(shares.items())},
        turns=reading.turns(address_id) if len(campaigns) > 1 else {},
        line_free_at=reading.line_until(address_id) if channel is Channel.FAX else None,
        backed_off_until=rows[0].backoff_until, setbacks=rows[0].setbacks)


def _log(reading: Reading, address_id: int, rules: tuple[Rule, ...], campaign_id: int | None = None) -> Log:
    exact = tuple(r for r in rules if r.count <= EXACT)
    big = tuple(r for r in rules if r.count > EXACT)
    count, period = horizon(exact) if exact else (1, SPREAD_UP_TO)  # of big ones the last start is enough, to spread
    starts = reading.starts(address_id, count, period, campaign_id) if rules else []
    return Log(exact, starts, {r: r.count - reading.started(address_id, r, campaign_id) for r in big})


def soon(now: datetime, at: datetime | None) -> datetime | None:
    """A wake-up time: `at`, but look at least every `LONGEST_SLEEP` while something waits; None stays None."""
    return None if at is None else min(max(at, now), now + LONGEST_SLEEP)
