"""A campaign's report to print: what was written, what became of it, what is still to come. Figures only, nobody's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from outreach.db import reading
from outreach.domain.letters import State
from outreach.queries import exports as queries
from outreach.queries import reports
from outreach.render.report import Day, Office, ReportDocument, report_pdf
from outreach.render.text import render_letter
from outreach.services import audit, campaigns, forecast, stats
from outreach.services.campaigns import CampaignRow
from outreach.services.exports import file_name, noted
from outreach.services.previews import sample
from outreach.settings import get_settings

LONGEST = 3660
"""Days that the table over time may have: dates that are no dates of letters must not make it endless."""
_STATES = {State.UNCONFIRMED: "not confirmed yet", State.HELD: "held for a moderator", State.QUEUED: "waiting", State.SENDING: "being sent",
           State.UNKNOWN: "outcome not known", State.SENT: "sent, no word yet", State.DELIVERED: "received", State.FAILED: "failed",
           State.CANCELLED: "cancelled", State.EXPIRED: "expired"}
_GONE = (State.SENT.value, State.DELIVERED.value)
_COLUMNS = (*_GONE, State.QUEUED.value)
"""States that have a column of their own in the table of offices; the others are named in its last one."""
_OUTCOMES = {"won": "It reached its aim.", "changed": "Things have changed since it began.", "lost": "It was decided against.",
             "other": "It has ended."}


@dataclass(frozen=True, slots=True)
class Report:
    """A report's file name and its PDF."""

    name: str
    content: bytes


def report(slug: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> Report:
    """Make a campaign's report; it is in the audit log before it leaves. Raises NotFound."""
    made = report_pdf(document(slug, now=now))
    noted(campaigns.get(slug), "report as pdf", now, who)
    return Report(file_name(slug, "report", now, "pdf"), made)


def document(slug: str, *, now: datetime) -> ReportDocument:
    """What stands in it; its counts are those of `outreach stats`, its times those of the first target's zone.

    Raises NotFound, CannotRender.
    """
    campaign = campaigns.get(slug)
    spec = campaigns.spec_of_version(campaign.version_id)
    zone = ZoneInfo(spec.zone)
    letter = render_letter(spec, spec.targets[0], sample(spec))
    figures = stats.stats(slug, ahead=False, now=now)
    letters: Mapping[str, int] = figures["letters"]
    with reading() as c:
        written, gone, received = (_by_day(reports.per_quarter(c, campaign.id, name), zone)
                                   for name in ("created_at", "sent_at", "delivered_at"))
        failures = queries.failures(c, campaign.id)
    return ReportDocument(
        title=spec.title, operator=get_settings().operator_name, lead=_lead(campaign, zone, now),
        figures=(("submissions", figures["submissions"]), ("letters", sum(letters.values())),
                 ("gone out", sum(letters.get(s, 0) for s in _GONE)), ("received", letters.get(State.DELIVERED.value, 0))),
        states=[(word, letters[s.value]) for s, word in _STATES.items() if letters.get(s.value)],
        targets=[_office(t) for t in figures["targets"]], days=_days(written, gone, received),
        failures=sorted(((reason.replace("_", " "), n) for reason, n in failures.items()), key=lambda x: -x[1]),
        forecast=[f"{lane.name}, {_way(lane.channel.value)}: {replace(lane, timezone=zone.key).sentence(now)}."
                  for lane in forecast.of_campaign(slug, now=now)],
        subject=letter.subject, body=letter.body, addressee=spec.targets[0].name, made_at=now.astimezone(zone), zone=_zone_name(zone))


def _lead(campaign: CampaignRow, zone: ZoneInfo, now: datetime) -> list[str]:
    said = []
    if campaign.published_at is not None:
        since = _day(campaign.published_at, zone)
        said.append(f"Online since {since}." if campaign.closed_at is None else
                    f"Online from {since} to {_day(campaign.closed_at, zone)}.")
    else:
        said.append("Not published yet.")
    if campaign.deadline is not None:
        passed = ", which has passed" if campaign.deadline <= now else ""
        said.append(f"Deadline: {_day(campaign.deadline, zone)}, {campaign.deadline.astimezone(zone):%H:%M} {_zone_name(zone)}{passed}.")
    if campaign.outcome:
        said.append(f"{_OUTCOMES[campaign.outcome]} {campaign.outcome_message or ''}".strip())
    elif campaign.state == "paused":
        said.append("Paused at the time of this report.")
    return said


def _office(row: Mapping[str, Any]) -> Office:
    letters: Mapping[str, int] = row["letters"]
    return Office(row["name"], _way(row["channel"]), (
        sum(letters.values()), sum(letters.get(s, 0) for s in _GONE), letters.get(State.DELIVERED.value, 0),
        letters.get(State.QUEUED.value, 0)),
        ", ".join(f"{letters[s.value]:,} {word}" for s, word in _STATES.items() if s.value not in _COLUMNS and letters.get(s.value)))


def _way(channel: str) -> str:
    return "fax" if channel == "fax" else "e-mail"


def _zone_name(zone: ZoneInfo) -> str:
    """"UTC", "Toronto time"."""
    return "UTC" if zone.key == "UTC" else f"{zone.key.rpartition('/')[2].replace('_', ' ')} time"


def _day(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def _by_day(quarters: Mapping[datetime, int], zone: ZoneInfo) -> Mapping[str, int]:
    """The same by the days of a zone, as YYYY-MM-DD."""
    days: Counter[str] = Counter()
    for start, n in quarters.items():
        days[f"{start.astimezone(zone):%Y-%m-%d}"] += n
    return days


def _days(written: Mapping[str, int], gone: Mapping[str, int], received: Mapping[str, int]) -> list[Day]:
    """Each day from the first to the last on which something happened."""
    known = sorted({*written, *gone, *received})
    if not known:
        return []
    first, last = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
    every = [(first + timedelta(days=n)).isoformat() for n in range(min((last - first).days + 1, LONGEST))]
    return [Day(d, written.get(d, 0), gone.get(d, 0), received.get(d, 0)) for d in every]
