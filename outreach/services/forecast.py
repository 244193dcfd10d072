"""For each lane of a campaign: how many wait, when it will be empty, what misses the deadline, and what limit would do.

Counts come from the counters and the pace from the address's log, so that it costs the same with a thousand letters as with a
million; how exact the times are stands in `domain/forecast.py` and `domain/outlook.py`. All that is read is read in a number of
statements that does not grow with the lanes, and a lane in which nothing has changed is foretold once a minute for everybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from outreach.db import reading, utcnow
from outreach.domain.forecast import EXACT, Lane, Party
from outreach.domain.letters import Channel
from outreach.domain.outlook import Outlook, foretell
from outreach.domain.pacing import EPOCH, NEVER, Rule, format_rules, parse_rules
from outreach.queries import delivery, money
from outreach.queries import forecast as queries
from outreach.services import campaigns, capacity, pace_logs, paces, pauses
from outreach.settings import Settings, get_settings
from outreach.shared import Lately

ELSEWHERE = 10_000
"""Letters that wait at another address than their target's first one are counted up to here."""
PLAYED, LEAST_PLAYED = 20_000, 100
"""Starts that one look plays through at the most, divided among its lanes, and of each at least."""
KEPT, KEPT_LANES = timedelta(minutes=1), 4096
"""How long a lane's outlook stands while nothing in the lane changes: it is that of the lane's next start until that has come."""
CALL = Rule(1, capacity.CALL)
"""A fax line takes no more calls than this, whatever limit is set."""
WHY = {"paused": "sending is paused", "address": "the address is not in use", "budget": "the campaign’s fax budget is used up",
       "hours": "the office is not open before then", "ceiling": "the operator’s ceiling is below what it takes",
       "pin": "the operator has pinned this address’s limit", "total": "the operator’s total for a day is below what it takes",
       "lines": "the fax provider’s lines are too few for all that waits"}
STANDS = frozenset({"paused", "address", "budget"})
"""Of these: why nothing goes at all."""
OUTLOOKS: Lately[Outlook] = Lately(KEPT_LANES)


@dataclass(frozen=True, slots=True)
class LaneForecast:
    """One address of one target, as the campaign's letters find it. Times in UTC."""

    target: str
    name: str
    channel: Channel
    address: str
    timezone: str
    target_id: int
    address_id: int
    waiting: int
    """Hand-overs that wait: a bundle is one."""
    pace: str
    """The limits in force, as a limit string."""
    empty_at: datetime | None
    """When the last of them starts; None if that is not before a limit, or the campaign's state, is changed."""
    misses: int
    deadline: datetime | None
    needed: str | None
    """The limit that would bring all of them through; None when none is needed, or none can."""
    why: str = ""
    """Why none can, or why nothing goes at all: a key of `WHY`."""

    def as_json(self) -> dict[str, Any]:
        """In the shape of `outreach stats --json`."""
        return {"target": self.target, "name": self.name, "channel": self.channel.value, "address": self.address, "waiting": self.waiting,
                "pace": self.pace, "empty_at": self.empty_at and self.empty_at.isoformat(), "misses": self.misses,
                "deadline": self.deadline and self.deadline.isoformat(), "needed": self.needed, "why": self.why}

    def sentence(self, now: datetime) -> str:
        """"340 letters will miss Friday 17:00 at 10 an hour; 17 an hour would do." In English, in the target's time zone."""
        wait = f"{self.waiting} {'letter waits' if self.waiting == 1 else 'letters wait'}"
        if self.why in STANDS:
            return f"{wait}; {WHY[self.why]}"
        pace = f" at {in_words(self.pace)}" if self.pace != "none" else ""
        if self.misses and self.deadline:
            by = f"{self.misses} {'letter' if self.misses == 1 else 'letters'} will miss {self._when(self.deadline, now)}{pace}; "
            return by + (f"{in_words(self.needed)} would do" if self.needed else f"no limit would do: {WHY[self.why]}")
        if self.empty_at is None:
            return f"{wait}; a limit in all is spent, so not all of them go"
        return f"{wait}; the last goes about {self._when(self.empty_at, now)}{pace}"

    def _when(self, at: datetime, now: datetime) -> str:
        local = at.astimezone(ZoneInfo(self.timezone))
        near = timedelta(0) <= at - now < timedelta(days=6)
        return f"{local:%A %H:%M}" if near else f"{local:%a} {local.day} {local:%b %Y %H:%M}"


def of_campaign(slug: str, *, now: datetime | None = None) -> list[LaneForecast]:
    """The forecast of each lane in which letters of the campaign wait, in the file's order. Raises NotFound."""
    with reading() as c:
        return lanes_of(c, campaigns.get(slug), now or utcnow(), get_settings())


def lanes_of(c: Connection, campaign: campaigns.CampaignRow, now: datetime, settings: Settings) -> list[LaneForecast]:
    """The same within a transaction."""
    waiting = _waiting(c, [campaign.id], queries.target_ids(c, campaign.id))
    if not waiting:
        return []
    found = {(p.target_id, p.address_id): p for p in queries.places(c, sorted({t for t, _ in waiting}))}
    mine = [found[place] for place in found if place in waiting]
    rows = delivery.lane_targets(c, sorted({p.address_id for p in mine}))
    others = _waiting(c, sorted({r.campaign_id for r in rows}), sorted({r.target_id for r in rows}))
    pinned = {r.address_id for r in rows if r.pinned is not None}
    held, broke = pauses.held(c, settings), bool(money.full(c, [campaign.id]))
    loaded = pace_logs.load(c, sorted({p.address_id for p in mine}), now, settings)
    service = capacity.of_service(c, now, settings)
    fine = min(EXACT, max(LEAST_PLAYED, PLAYED // max(1, len(mine))))
    made = [_of_lane(_base(campaign, p, waiting[p.target_id, p.address_id]), loaded.get(p.address_id), others, fine,
                     now=now if campaign.state == "live" and not held.holds(p.channel, p.target_id) else None,
                     broke=broke and p.channel == Channel.FAX,
                     ceiling=None if p.address_id in pinned else paces.ceiling(Channel(p.channel), settings)) for p in mine]
    return [_within(lane, service[lane.channel], now) for lane in made]


def _waiting(c: Connection, campaign_ids: list[int], target_ids: list[int]) -> dict[tuple[int, int], int]:
    """Target and address to how many hand-overs wait there; places where none does are left out."""
    counts, carried = queries.queued(c, campaign_ids), queries.carried(c, campaign_ids)
    by_office: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for p in queries.places(c, [t for t in target_ids if any((t, ch.value) in counts for ch in Channel)]):
        by_office[p.target_id, p.channel].append(p.address_id)
    elsewhere = queries.queued_at(c, [(target, address) for (target, channel), (_, *further) in by_office.items()
                                      for address in further if counts.get((target, channel))], ELSEWHERE)
    waiting: dict[tuple[int, int], int] = {}
    for (target, channel), (first, *further) in by_office.items():
        there = {(target, address): elsewhere.get((target, address), 0) for address in further}
        waiting |= there
        waiting[target, first] = counts.get((target, channel), 0) - sum(there.values())
    return {place: n - carried.get(place, 0) for place, n in waiting.items() if n > carried.get(place, 0)}


def _base(campaign: campaigns.CampaignRow, place: Any, waiting: int) -> LaneForecast:
    """A forecast that says only what waits."""
    return LaneForecast(place.key, place.name, Channel(place.channel), place.value, place.timezone, place.target_id, place.address_id,
                        waiting, "none", None, waiting if campaign.deadline else 0, campaign.deadline, None)


def _of_lane(made: LaneForecast, pace: paces.Pace | None, others: dict[tuple[int, int], int], fine: int, *,
             now: datetime | None, broke: bool, ceiling: tuple[Rule, ...] | None) -> LaneForecast:
    """The whole of it. `now` is None while nothing of it is sent, `broke` where there is no money for it, `ceiling` None where the
    operator has pinned the limit."""
    if now is None or pace is None:
        return replace(made, why="paused")
    if not pace.usable:
        return replace(made, why="address")
    if broke:
        return replace(made, why="budget")
    asked = (*ceiling, CALL) if ceiling is not None and made.channel is Channel.FAX else ceiling
    seen = _outlook(_lane(pace, made, others, now), made.deadline, asked, fine)
    return replace(made, pace=format_rules(binding([*pace.rules, *pace.budgets])), misses=seen.misses,
                   empty_at=None if seen.empty_at == NEVER else seen.empty_at, needed=str(seen.needed) if seen.needed else None,
                   why="pin" if seen.misses and ceiling is None else seen.why)


def _outlook(lane: Lane, deadline: datetime | None, ceiling: tuple[Rule, ...] | None, fine: int) -> Outlook:
    """What is foretold of a lane, by whoever asked last if nothing has changed there."""
    soon = deadline is not None and deadline - lane.now < 60 * KEPT
    key = (lane.own, lane.others, lane.rules, lane.starts, tuple(lane.budgets.items()), deadline, ceiling, fine)
    return OUTLOOKS.get(key, lane.now, timedelta(0) if soon else KEPT, lambda: foretell(lane, deadline, ceiling, fine))


def _within(made: LaneForecast, limits: Sequence[capacity.Capacity], now: datetime) -> LaneForecast:
    """The same with what the whole service can do."""
    if made.why in STANDS:
        return made
    for limit in limits:
        if made.empty_at is not None:
            made = replace(made, empty_at=max(made.empty_at, limit.done_at(now)))
        if made.deadline and (lacking := limit.lacking(made.waiting, made.deadline)) > made.misses:
            made = replace(made, misses=lacking, needed=None, why=limit.why)
    return made


def _lane(pace: paces.Pace, of: LaneForecast, others: dict[tuple[int, int], int], now: datetime) -> Lane:
    """The lane as this target's letters find it. What goes to another target over the same address takes turns like another campaign."""
    start = max(now, pace.line_free_at or now, pace.backed_off_until or now)

    def party(target: int, n: int) -> Party:
        campaign = pace.campaign_of[target]
        share = pace.shares.get(campaign)
        return Party(n, pace.hours[target], (*share.rules, *share.budgets) if share else (), tuple(share.starts) if share else (),
                     pace.turns.get(campaign, EPOCH))

    theirs = tuple(party(t, n) for (t, address), n in others.items()
                   if address == pace.address_id and t != of.target_id and t in pace.hours)
    rules = (*pace.rules, CALL) if pace.channel is Channel.FAX else pace.rules
    return Lane(start, party(of.target_id, of.waiting), theirs, rules, tuple(pace.starts), dict(pace.budgets))


def binding(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that say something which no other of them says already, shortest period first: of 2/hour, 20/hour and 99/second
    only the first."""
    found: list[Rule] = []
    for rule in sorted(set(rules), key=lambda r: (_period(r), -r.count), reverse=True):  # of two that say the same the longer one stays
        if not any(_implies(other, rule) for other in found):
            found = [other for other in found if not _implies(rule, other)] + [rule]
    return sorted(found, key=_period)


def _period(rule: Rule) -> timedelta:
    return rule.period or timedelta.max


def _implies(holds: Rule, other: Rule) -> bool:
    """Whether what keeps the first rule keeps the other."""
    if holds.count <= other.count and _period(holds) >= _period(other):
        return True
    if holds.period is None or other.period is None:
        return False
    return holds.count * -(-other.period // holds.period) <= other.count


def in_words(limits: str) -> str:
    """What binds of a limit string, as people say it in English: "10 an hour, 60 a day"; "any pace" for none."""
    if limits == "none":
        return "any pace"
    said = []
    for clause in format_rules(binding(parse_rules(limits))).split(", "):
        count, _, period = clause.partition("/")
        article = "in" if period[0].isdigit() else "in all" if period == "total" else "an" if period == "hour" else "a"
        said.append(f"{count} {article}" if period == "total" else f"{count} {article} {period}")
    return ", ".join(said)
