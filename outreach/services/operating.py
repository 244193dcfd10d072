"""The service as its operator sees it: what holds, what is in trouble, what waits for a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import update

from outreach import queue
from outreach.db import reading, unit_of_work
from outreach.domain.letters import Channel
from outreach.domain.pacing import format_rules
from outreach.errors import Conflict, NotAllowed
from outreach.models import Report, table
from outreach.queries import delivery
from outreach.queries import operating as queries
from outreach.services import audit, campaigns, pauses, proposals
from outreach.services.campaigns import CampaignRow
from outreach.services.proposals import Proposal
from outreach.settings import get_settings
from outreach.transports.registry import transport_name

_REPORTS = table(Report)
CLOSED_SHOWN = 20
REPORTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The operator's settings that no campaign can get past; changed by whoever starts the service."""

    email: str
    fax: str
    per_day: int
    used_today: int
    copies_per_hour: int
    countries: tuple[str, ...]
    kinds: tuple[str, ...]
    pause_at_failures: int
    moderate: str


@dataclass(frozen=True, slots=True)
class Sending:
    """One thing that can be paused for everybody, and how it stands."""

    name: str
    """As `outreach pause` calls it: everything, a channel, or a provider."""
    words: str
    holds: int
    """Letters of live campaigns that wait, and would wait longer."""
    paused: pauses.Row | None
    breaker: Any | None
    """until, trips, since, why: the provider is in trouble and left alone."""


@dataclass(frozen=True, slots=True)
class Health:
    """What can be said quickly; the whole examination is `services.checkup`."""

    redis: bool
    due_since: datetime | None
    """Since when the lane has been due that has waited longest for a worker."""
    unknown: int
    unknown_since: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the operator's page shows."""

    proposals: list[Proposal]
    addresses: Any
    reports: Any
    closed_reports: Any
    campaigns: list[CampaignRow]
    ceilings: Ceilings
    sending: list[Sending]
    health: Health


def overview(now: datetime) -> Overview:
    """The service at this moment."""
    with reading() as c:
        addresses = queries.not_in_order(c)
        reports = queries.reports(c, closed=False, most=REPORTS_SHOWN)
        closed = queries.reports(c, closed=True, most=CLOSED_SHOWN)
        waiting, breakers = queries.queued_by_channel(c), {b.transport: b for b in delivery.breakers(c)}
        due, (unknown, since), used = queries.longest_due(c, now), queries.unknown_since(c), delivery.used_on(c, f"{now:%Y-%m-%d}")
    return Overview(proposals.waiting(), addresses, reports, closed, campaigns.list_all(), _ceilings(used),
                    _sending(waiting, breakers), Health(_redis_answers(), due, unknown, since))


def close_report(report_id: str, note: str, *, now: datetime, who: str) -> None:
    """Write down that a report has been looked into, and what came of it. Raises NotAllowed without a note, Conflict (closed before)."""
    if not note.strip():
        raise NotAllowed("say in a few words what you found and did")
    with unit_of_work() as c:
        campaign = c.execute(update(Report).where(_REPORTS.c.id == report_id, _REPORTS.c.closed_at.is_(None)).values(
            closed_at=now, closed_by=who[:320], note=note.strip()[:500]).returning(_REPORTS.c.campaign_id)).scalar()
        if campaign is None:
            raise Conflict("this report is not open any more")
        audit.note(c, "report closed", at=now, who=who, campaign_id=campaign, detail=note.strip())


def _ceilings(used: int) -> Ceilings:
    s = get_settings()
    return Ceilings(format_rules(s.max_email_rate), format_rules(s.max_fax_rate), s.max_per_day, used, s.copies_per_hour,
                    tuple(sorted(s.allowed_countries)), tuple(sorted(s.allowed_kinds)), s.pause_at_failures, s.moderate)


def _sending(waiting: dict[str, int], breakers: dict[str, Any]) -> list[Sending]:
    paused = {row.what: row for row in pauses.listed() if row.kind != "target"}
    found = [Sending("everything", "Everything, our own mails too", sum(waiting.values()), paused.get("everything"), None)]
    for channel, word in ((Channel.EMAIL, "E-mail"), (Channel.FAX, "Fax")):
        name = transport_name(channel, get_settings())
        holds = waiting.get(channel.value, 0)
        found.append(Sending(channel.value, f"{word}, whichever provider", holds, paused.get(channel.value), None))
        found.append(Sending(name, f"{name} ({word.lower()})", holds, paused.get(name), breakers.get(name)))
    known = {s.name for s in found}
    found += [Sending(name, name, 0, row, breakers.get(name)) for name, row in paused.items() if name not in known]
    return [s for s in found if s.name == "everything" or s.name in pauses.NAMES]


def _redis_answers() -> bool:
    try:
        return bool(queue.redis().ping())
    except (RedisError, OSError):
        return False
