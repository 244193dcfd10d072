"""How long a letter is likely to wait: its place in its lane, and the lane's pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from outreach.domain.forecast import Lane, Party, Releases
from outreach.domain.letters import Channel
from outreach.domain.pacing import EPOCH, NEVER, Rule, format_rules
from outreach.queries import delivery, lanes, letters, money, operating
from outreach.services import breakers, paces
from outreach.services.forecast import binding
from outreach.settings import Settings

UNATTENDED = timedelta(minutes=2)
"""How long a lane may have waited for a worker before that is told."""
FAR = 5000
"""Places beyond this are not counted; the answer is then "more than"."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A letter's place (1 is next), about when it may go (None: not before a limit is changed), and the pace in words."""

    place: int
    likely_at: datetime | None
    pace: str
    why: str = ""
    """"budget" where the campaign's fax budget is used up, "approval" where the operator has still to approve the address; then nobody
    knows when it may go."""
    held_up: bool = False
    """The lane could start something, and nobody has looked at it for `UNATTENDED`, or its provider cannot be used."""


def wait_of(c: Connection, letter: Any, now: datetime, settings: Settings) -> Wait | None:
    """The wait of a queued letter (columns address_id, campaign_id, submitted_at, id, not_before);
    None if its campaign does not send now."""
    pace = _pace(c, letter.address_id, now, settings)
    if pace is None:
        address = operating.address(c, letter.address_id)
        return Wait(1 + letters.ahead_of(c, letter, FAR), None, "", "approval") if address and address.state == "proposed" else None
    own, others = letters.ahead_of(c, letter, FAR), letters.of_others(c, letter, FAR)
    place = 1 + own + sum(min(n, own + 1) for n in others.values())  # campaigns take turns
    if pace.channel is Channel.FAX and money.full(c, [letter.campaign_id]):
        return Wait(place, None, pace_in_words(pace), "budget")
    likely = _release(pace, letter.campaign_id, own + 1, others, max(letter.not_before or now, _a_day_with_letters_left(c, now, settings)))
    return Wait(place, likely, pace_in_words(pace), held_up=_held_up(c, letter, pace, now, settings))


def _a_day_with_letters_left(c: Connection, now: datetime, settings: Settings) -> datetime:
    """Now, or the next day (UTC) where the whole service has handed over today what it may."""
    spent = settings.max_per_day and delivery.used_on(c, f"{now:%Y-%m-%d}") >= settings.max_per_day
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) if spent else now


def _held_up(c: Connection, letter: Any, pace: paces.Pace, now: datetime, settings: Settings) -> bool:
    lane = lanes.attendance(c, letter.address_id) if pace.may_start(now) else None
    if lane is None:
        return False
    if pace.channel.value in breakers.down(c, settings, now):
        return True
    if lane.holder is not None:
        return bool(lane.held_until < now - UNATTENDED)
    since = lane.next_wake_at or getattr(letter, "state_at", now)  # a lane without a mark is marked right after a letter is queued
    return bool(max(since, letter.not_before or since) < now - UNATTENDED)


def pace_in_words(pace: paces.Pace) -> str:
    """The rules that bind as a limit string, e.g. "10/hour"; empty when there are none."""
    rules: list[Rule] = binding([*pace.rules, *pace.budgets])
    return format_rules(rules) if rules else ""


def _pace(c: Connection, address_id: int, now: datetime, settings: Settings) -> paces.Pace | None:
    found = paces.load(c, [address_id], now, settings)
    return found[0] if found and found[0].usable else None


def _release(pace: paces.Pace, campaign_id: int, place: int, others: Mapping[int, int], now: datetime) -> datetime | None:
    """When the letter at this place of its campaign's own line starts."""
    at = max(now, pace.backed_off_until or now, (pace.line_free_at or now) if place > 1 else now)

    def party(campaign: int, waiting: int) -> Party:
        offices = [h for t, h in pace.hours.items() if campaign == pace.campaign_of[t]] or list(pace.hours.values())
        share = pace.shares.get(campaign)
        return Party(waiting, min(offices, key=lambda h: h.opening_at_or_after(at)), share.rules if share else (),
                     tuple(share.starts) if share else (), pace.turns.get(campaign, EPOCH))

    lane = Lane(at, party(campaign_id, place), tuple(party(c, n) for c, n in others.items()), pace.rules, tuple(pace.starts),
                dict(pace.budgets))
    found = Releases(lane).empty_at()
    return None if found == NEVER else found
