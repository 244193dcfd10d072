"""For each lane of a campaign: how many wait, when it will be empty, what misses the deadline, and what limit would do.

Counts come from the counters and the pace from the address's log, so that it costs the same with a thousand letters as with a
million; how exact the times are stands in `domain/forecast.py` and `domain/outlook.py`, and how old they may be in `outlooks.py`.
All that is read is read in a number of statements that does not grow with the lanes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from outreach.db import reading, utcnow
from outreach.domain.letters import Channel
from outreach.domain.pacing import NEVER, Rule, format_rules, parse_rules
from outreach.queries import forecast as queries
from outreach.queries import money
from outreach.services import campaigns, capacity, outlooks, paces, pauses
from outreach.services.outlooks import Ground, Kept
from outreach.settings import Settings, get_settings

ELSEWHERE = 10_000
"""Letters that wait at another address than their target's first one are counted up to here."""
WHY = {"paused": "sending is paused", "address": "the address is not in use", "budget": "the campaign’s fax budget is used up",
       "hours": "the office is not open before then", "ceiling": "the operator’s ceiling is below what it takes",
       "pin": "the operator has pinned this address’s limit", "total": "the operator’s total for a day is below what it takes",
       "lines": "the fax provider’s lines are too few for all that waits"}
STANDS = frozenset({"paused", "address", "budget"})
"""Of these: why nothing goes at all."""


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
    as_of: datetime | None = None
    """When `empty_at`, `misses` and `needed` were foretold; None where nothing is."""

    def as_json(self) -> dict[str, Any]:
        """In the shape of `outreach stats --json`."""
        return {"target": self.target, "name": self.name, "channel": self.channel.value, "address": self.address, "waiting": self.waiting,
                "pace": self.pace, "empty_at": self.empty_at and self.empty_at.isoformat(), "misses": self.misses,
                "deadline": self.deadline and self.deadline.isoformat(), "needed": self.needed, "why": self.why,
                "as_of": self.as_of and self.as_of.isoformat()}

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


def of_campaign(slug: str, *, now: datetime | None = None, anew: bool = False) -> list[LaneForecast]:
    """The forecast of each lane in which letters of the campaign wait, in the file's order; see `lanes_of`. Raises NotFound."""
    with reading() as c:
        return lanes_of(c, campaigns.get(slug), now or utcnow(), get_settings(), anew=anew)


def lanes_of(c: Connection, campaign: campaigns.CampaignRow, now: datetime, settings: Settings, *, target_id: int | None = None,
             anew: bool = False) -> list[LaneForecast]:
    """The same within a transaction; of one target, if it is named. What is foretold is up to a minute old or so (`outlooks.py`),
    unless all of it is to be made `anew`: for what acts on it."""
    places = queries.places(c, campaign.id)
    waiting = _waiting(c, [campaign.id], places)
    mine = [p for p in places if (p.target_id, p.address_id) in waiting and target_id in (None, p.target_id)]
    if not mine:
        return []
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for row in queries.lane_targets(c, campaign.id):
        rows[row.address_id].append(row)
    others = _others(c, campaign.id, rows, waiting)
    held, broke = pauses.held(c, settings), bool(money.full(c, [campaign.id]))
    service = capacity.of_service(c, now, settings)
    still, grounds = {}, {}
    for p in mine:
        place, there = (p.target_id, p.address_id), rows[p.address_id]
        if campaign.state != "live" or held.holds(p.channel, p.target_id) or not there:
            still[place] = "paused"
        elif there[0].state != "ok":
            still[place] = "address"
        elif broke and p.channel == Channel.FAX:
            still[place] = "budget"
        else:
            grounds[place] = _ground(p, there, others[p.address_id], campaign.deadline, settings)
    foretold = outlooks.of(c, list(grounds.values()), now, settings, lanes=len(waiting), anew=anew)
    found = []
    for p in mine:
        place, channel = (p.target_id, p.address_id), Channel(p.channel)
        if kept := foretold.get(place):
            rules = paces.rules_of(kept.ground.rows, channel, settings)
            told = _told(kept, waiting[place], rules, service[channel], now)
        else:
            told = _Told(misses=waiting[place] if campaign.deadline else 0, why=still[place])
        found.append(LaneForecast(p.key, p.name, channel, p.value, p.timezone, p.target_id, p.address_id, waiting[place], told.pace,
                                  told.empty_at, told.misses, campaign.deadline, told.needed, told.why, told.as_of))
    return found


def _waiting(c: Connection, campaign_ids: list[int], places: Sequence[Any]) -> dict[tuple[int, int], int]:
    """Target and address to how many hand-overs wait there; places where none does are left out."""
    counts, carried = queries.queued(c, campaign_ids), queries.carried(c, campaign_ids)
    by_office: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for p in places:
        by_office[p.target_id, p.channel].append(p.address_id)
    several = any(len(there) > 1 and counts.get(office) for office, there in by_office.items())
    elsewhere = queries.queued_elsewhere(c, campaign_ids, ELSEWHERE) if several else {}
    waiting: dict[tuple[int, int], int] = {}
    for (target, channel), (first, *further) in by_office.items():
        there = {(target, address): elsewhere.get((target, address), 0) for address in further}
        waiting |= there
        waiting[target, first] = counts.get((target, channel), 0) - sum(there.values())
    return {place: n - carried.get(place, 0) for place, n in waiting.items() if n > carried.get(place, 0)}


def _others(c: Connection, campaign_id: int, rows: Mapping[int, Sequence[Any]],
            waiting: Mapping[tuple[int, int], int]) -> dict[int, dict[int, int]]:
    """By address: whoever has letters waiting there, and how many. Other campaigns are asked about only where there are any."""
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    sharing = sorted({row.campaign_id for some in rows.values() for row in some} - {campaign_id})
    theirs = _waiting(c, sharing, queries.places_of(c, sorted({
        row.target_id for some in rows.values() for row in some if row.campaign_id != campaign_id}))) if sharing else {}
    for (target, address), n in sorted([*waiting.items(), *theirs.items()]):
        found[address][target] = n
    return found


def _ground(place: Any, rows: Sequence[Any], there: Mapping[int, int], deadline: datetime | None, settings: Settings) -> Ground:
    ceiling = None if rows[0].pinned is not None else paces.ceiling(Channel(place.channel), settings)
    asked = (*ceiling, outlooks.CALL) if ceiling is not None and place.channel == Channel.FAX else ceiling
    others = tuple((target, n) for target, n in there.items() if target != place.target_id)
    return Ground(place.target_id, place.address_id, there[place.target_id], others, tuple(rows), deadline, asked)


@dataclass(slots=True)
class _Told:
    """What a `LaneForecast` says that is foretold."""

    pace: str = "none"
    empty_at: datetime | None = None
    misses: int = 0
    needed: str | None = None
    why: str = ""
    as_of: datetime | None = None


def _told(kept: Kept, waiting: int, rules: tuple[Rule, ...], limits: Sequence[capacity.Capacity], now: datetime) -> _Told:
    """An outlook, and what the whole service can do. A few letters may have come or gone since it was made; more than all that wait
    are never late."""
    seen, ground = kept.outlook, kept.ground
    told = _Told(_said(rules), None if seen.empty_at == NEVER else seen.empty_at,
                 waiting if seen.misses == ground.waiting else min(seen.misses, waiting), str(seen.needed) if seen.needed else None,
                 "pin" if seen.misses and ground.ceiling is None else seen.why, kept.at)
    for limit in limits:
        if told.empty_at is not None:
            told.empty_at = max(told.empty_at, limit.done_at(now))
        if ground.deadline and (lacking := limit.lacking(waiting, ground.deadline)) > told.misses:
            told.misses, told.needed, told.why = lacking, None, limit.why
    return told


@lru_cache(maxsize=1000)
def _said(rules: tuple[Rule, ...]) -> str:
    return format_rules(binding(rules))


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


@lru_cache(maxsize=1000)
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
