"""What keeps a campaign's letters from going out, or should be looked at: facts for the desk, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from outreach.domain.letters import Channel, State
from outreach.queries import delivery
from outreach.queries import desk as queries
from outreach.services import breakers, health
from outreach.services.campaigns import CampaignRow
from outreach.services.health import FaxHealth, MailHealth
from outreach.services.pauses import Held
from outreach.settings import Settings
from outreach.transports.registry import transport_name

UNATTENDED = timedelta(minutes=5)
"""A lane that has been due this long is drained by nobody."""
NEARLY_SPENT = 80
"""Percent of the budget from which on it is said."""
LOOKED_AT = 1000
"""Failures among which the most frequent reason is found."""
FEW_ANSWER = 50
"""Percent of ended calls below which the fax lines are worth a look, from `MIN_CALLS` calls on."""
MIN_CALLS = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """One matter: `kind` is a key of `outreach.web.desk.live_words.TROUBLES`, the rest what it is about."""

    kind: str
    grave: bool
    """Letters that could go do not."""
    n: int = 0
    name: str = ""
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known when troubles are looked for."""

    campaign: CampaignRow
    letters: Mapping[str, int]
    places: Sequence[Any]
    names: Mapping[int, str]
    """Target's id to its name."""
    held: Held
    fax: FaxHealth | None
    mail: MailHealth | None
    purse: Any | None
    """What faxes may cost and have (`queries.money.purse`)."""
    now: datetime
    settings: Settings


def found(c: Connection, g: Ground) -> list[Trouble]:
    """Everything worth knowing, what stops letters first."""
    all_of_it = [*_campaign(g), *_held_back(c, g), *_addresses(g), *_letters(c, g), *_money(g), *_reputation(g)]
    return sorted(all_of_it, key=lambda t: not t.grave)


def _campaign(g: Ground) -> Iterator[Trouble]:
    if g.campaign.suspended_at:
        yield Trouble("suspended", True, detail=g.campaign.suspended_why or "", at=g.campaign.suspended_at)
    elif g.campaign.paused_why:
        yield Trouble("paused_itself", True, detail=g.campaign.paused_why)
    elif g.campaign.state == "paused":
        yield Trouble("paused", True, g.letters.get(State.QUEUED.value, 0))
    elif g.campaign.state == "draft":
        yield Trouble("draft", False)
    elif g.campaign.state == "stopped" and g.campaign.final_at and g.campaign.final_at > g.now:
        yield Trouble("stopped", False, at=g.campaign.final_at)


def _held_back(c: Connection, g: Ground) -> Iterator[Trouble]:
    used = {p.channel for p in g.places}
    for channel in sorted(g.held.channels & used):
        yield Trouble("channel_paused", True, name=channel)
    for target in sorted(g.held.targets & set(g.names)):
        yield Trouble("target_paused", True, name=g.names[target])
    ours = {transport_name(Channel(channel), g.settings): channel for channel in used}
    for row in delivery.breakers(c):
        if row.transport in ours and row.since <= g.now - breakers.FELT:
            yield Trouble("provider", True, name=ours[row.transport], detail=row.why, at=row.since)
    if g.campaign.state == "live":
        overdue = {p.address_id for p in g.places if p.next_wake_at and p.next_wake_at < g.now - UNATTENDED
                   and (p.held_until is None or p.held_until < g.now) and (p.backoff_until is None or p.backoff_until < g.now - UNATTENDED)
                   and not g.held.holds(p.channel, p.target_id)}
        if overdue:
            yield Trouble("unattended", True, len(overdue))


def _addresses(g: Ground) -> Iterator[Trouble]:
    seen = set()
    for p in g.places:
        if p.state != "ok" and p.address_id not in seen:
            seen.add(p.address_id)
            others = any((q.target_id, q.channel, q.state) == (p.target_id, p.channel, "ok") for q in g.places)
            yield Trouble(f"address_{p.state}", not others, name=g.names.get(p.target_id, ""), detail=f"{p.channel} {p.state_reason or ''}",
                          at=p.state_at)
        elif p.setbacks and p.backoff_until and p.backoff_until > g.now:
            yield Trouble("backs_off", False, p.setbacks, g.names.get(p.target_id, ""), p.channel, p.backoff_until)


def _letters(c: Connection, g: Ground) -> Iterator[Trouble]:
    if n := g.letters.get(State.UNKNOWN.value):
        yield Trouble("unknown", True, n)
    if n := g.letters.get(State.FAILED.value):
        yield Trouble("failed", True, n, detail=queries.failing_reason(c, g.campaign.id, LOOKED_AT) or "")
    if n := g.letters.get(State.HELD.value):
        yield Trouble("held", True, n)
    if n := g.letters.get(State.UNCONFIRMED.value):
        yield Trouble("unconfirmed", False, n)


def _money(g: Ground) -> Iterator[Trouble]:
    if g.purse is not None and g.purse.cap is not None:
        percent = round(g.purse.spent * 100 / g.purse.cap) if g.purse.cap else 100
        if g.purse.full_at is not None or percent >= NEARLY_SPENT:
            yield Trouble("budget", g.purse.full_at is not None, percent, at=g.purse.full_at)


def _reputation(g: Ground) -> Iterator[Trouble]:
    if g.mail and health.passed(g.mail.bounced, health.BOUNCES):
        yield Trouble("bounces", False, g.mail.back)
    if g.mail and health.passed(g.mail.complained, health.COMPLAINTS):
        yield Trouble("complaints", False, g.mail.complaints)
    if g.fax:
        ended = g.fax.answered + sum(g.fax.why_not.values())
        if ended >= MIN_CALLS and g.fax.answered * 100 < FEW_ANSWER * ended:
            yield Trouble("few_answer", False, g.fax.answered, detail=str(ended))
