"""What is foretold of lanes, kept by each process with the moment of which it is (docs/decisions/0026).

To foretell a lane its log is read and its line played through. With hundreds of lanes that is most of what a look at the desk costs,
and nearly always for nothing: letters that go as foretold change nothing of when the last one goes, or how many come too late.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from outreach.domain.forecast import EXACT, Lane, Party
from outreach.domain.letters import Channel
from outreach.domain.outlook import Outlook, foretell
from outreach.domain.pacing import EPOCH, Rule
from outreach.services import capacity, pace_logs
from outreach.services.paces import Pace
from outreach.settings import Settings

KEPT, MOST = timedelta(minutes=1), 8192
"""How old an outlook may become before it is made anew in its turn; and how many of them a process keeps."""
NEAR = timedelta(hours=1)
"""So short before the deadline none is kept that need not be."""
IN_TURN = 720
"""Lanes in which little has changed are foretold anew, the oldest outlooks first, until so many starts are to be played through at one
look: all of them where few letters wait, of long ones about six. Nobody waits for the others."""
MUCH = 10
"""One letter in so many: where more have come or gone, what was foretold is not shown any more."""
PLAYED, LEAST_PLAYED = 12_000, 100
"""Starts that are played through at the most if all of a campaign's lanes are foretold, divided among them, and of each at least."""
CALL = Rule(1, capacity.CALL)
"""A fax line takes no more calls than this, whatever limit is set."""
Place = tuple[int, int]
"""Target and address."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the outlook of one target's letters at one address stands on, but for the log of starts."""

    target_id: int
    address_id: int
    waiting: int
    others: tuple[tuple[int, int], ...]
    """Other targets behind the address, and how many letters wait for each: they take turns like another campaign's."""
    rows: tuple[Any, ...]
    """All about the address that `delivery.lane_targets` finds."""
    deadline: datetime | None
    ceiling: tuple[Rule, ...] | None
    """What no campaign can raise; None where nobody asks for another limit."""

    @property
    def place(self) -> Place:
        """Whose it is."""
        return self.target_id, self.address_id

    @property
    def terms(self) -> tuple[Any, ...]:
        """What only a lever, or something that befalls the lane, changes."""
        return self.rows, self.deadline, self.ceiling

    @property
    def before_them(self) -> int:
        """How many letters of others wait there."""
        return sum(n for _, n in self.others)


@dataclass(frozen=True, slots=True)
class Kept:
    """An outlook as it was foretold at `at`, when so many waited."""

    at: datetime
    ground: Ground
    outlook: Outlook

    def holds(self, now_on: Ground) -> bool:
        """Whether it is still worth showing: no lever was used, and no more than a few letters have come or gone."""
        was = self.ground
        return was.terms == now_on.terms and _few(was.waiting, now_on.waiting) and _few(was.before_them, now_on.before_them)

    def is_fresh(self, now_on: Ground, now: datetime) -> bool:
        """Whether it need not be made anew, if it holds."""
        was = self.ground
        if was.deadline is not None and was.deadline - now < NEAR:
            return self.at == now
        return timedelta(0) <= now - self.at < KEPT and (was.waiting, was.others) == (now_on.waiting, now_on.others)


def of(c: Connection, grounds: Sequence[Ground], now: datetime, settings: Settings, *, lanes: int, anew: bool = False) -> dict[Place, Kept]:
    """The outlooks of these lanes, of `lanes` that their campaign has. All of them are made now if that is asked for (`anew`);
    else those that do not hold any more, and in their turn some of the others that are not fresh (`IN_TURN`)."""
    found = _kept(c.engine, grounds)
    fine = min(EXACT, max(LEAST_PLAYED, PLAYED // max(1, lanes)))
    lacking = grounds if anew else _lacking(found, grounds, now, fine)
    if lacking:
        rows = {row.address_id: g.rows for g in lacking for row in g.rows[:1]}
        loaded = pace_logs.of(c, [row for _, some in sorted(rows.items()) for row in some], now, settings)
        made = {g.place: Kept(now, g, _foretold(g, loaded[g.address_id], now, fine, found.get(g.place))) for g in lacking}
        _keep(c.engine, made)
        found |= made
    return found


def forget() -> None:
    """Everything is made anew."""
    with _LOCK:
        _ALL.clear()


def _lacking(found: Mapping[Place, Kept], grounds: Sequence[Ground], now: datetime, fine: int) -> list[Ground]:
    lacking, waits, left = [], [], IN_TURN
    for ground in grounds:
        kept = found.get(ground.place)
        if kept is None or not kept.holds(ground):
            lacking.append(ground)
        elif not kept.is_fresh(ground, now):
            waits.append((kept.at, ground.place, ground))
    for _, _, ground in sorted(waits, key=lambda x: x[:2]):
        if left <= 0:
            break
        lacking.append(ground)
        left -= min(ground.waiting, fine)
    return lacking


def _few(then: int, now: int) -> bool:
    return now == then or abs(now - then) * MUCH < then


def _foretold(ground: Ground, pace: Pace, now: datetime, fine: int, kept: Kept | None) -> Outlook:
    """What was found last time is the best guess at what would do now."""
    return foretell(_lane(pace, ground, now), ground.deadline, ground.ceiling, fine, guess=kept.outlook.needed if kept else None)


def _lane(pace: Pace, of: Ground, now: datetime) -> Lane:
    """The lane as this target's letters find it."""
    start = max(now, pace.line_free_at or now, pace.backed_off_until or now)

    def party(target: int, n: int) -> Party:
        campaign = pace.campaign_of[target]
        share = pace.shares.get(campaign)
        return Party(n, pace.hours[target], (*share.rules, *share.budgets) if share else (), tuple(share.starts) if share else (),
                     pace.turns.get(campaign, EPOCH))

    theirs = tuple(party(target, n) for target, n in of.others if target in pace.hours)
    rules = (*pace.rules, CALL) if pace.channel is Channel.FAX else pace.rules
    return Lane(start, party(of.target_id, of.waiting), theirs, rules, tuple(pace.starts), dict(pace.budgets))


_ALL: dict[tuple[Engine, Place], Kept] = {}
_LOCK = threading.Lock()


def _kept(database: Engine, grounds: Sequence[Ground]) -> dict[Place, Kept]:
    return {g.place: kept for g in grounds if (kept := _ALL.get((database, g.place))) is not None}


def _keep(database: Engine, made: Mapping[Place, Kept]) -> None:
    """Two who come at once may both have made it."""
    with _LOCK:
        for place, kept in made.items():
            _ALL.pop((database, place), None)
            _ALL[database, place] = kept  # the newest last
        while len(_ALL) > MOST:
            del _ALL[next(iter(_ALL))]
