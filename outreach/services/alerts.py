"""Alerts: each matter that an organizer should look at is told once, and once more when it is over.

A look compares what is the matter now with the alerts that are open. One that has gone stays open until it has been calm for
`CALM`, so that a provider that comes and goes is one alert, not twenty. Where the mail that it began has not gone by then, as
when it is the mail's provider that failed, that mail says both and there is no second one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, insert, update

from outreach.db import new_id, reading, unit_of_work
from outreach.domain.letters import Channel
from outreach.logs import get
from outreach.models import Alert, table
from outreach.queries import alerts as queries
from outreach.queries import money
from outreach.services import budgets, campaigns, forecast, notices, webhooks
from outreach.settings import get_settings
from outreach.transports.registry import transport_name

log = get()
_ALERTS = table(Alert)
CALM = timedelta(minutes=5)
FAILING = timedelta(minutes=2)
"""A provider is reported when it has been out of use for so long; most troubles are over sooner."""
UNKNOWN = timedelta(minutes=15)
"""Most outcomes that are not known at once are found out within that."""
NEARLY_SPENT = 80
"""Percent of a budget."""
FORETOLD_FOR = 1.0
"""Seconds that a look at deadlines takes at the most, one campaign at least: whoever looks has more to do."""
_FORETOLD_AT: dict[int, float] = {}
MOST_SHOWN = 100

NAMES = MappingProxyType({
    "campaign_paused": "The campaign paused itself", "provider_failing": "A provider cannot be used",
    "deadline": "Letters will miss the deadline", "budget": "The fax budget is nearly used up",
    "unknown": "Letters whose outcome is not known", "address_suspect": "An address seems wrong",
    "address_proposed": "An address waits for approval", "report": "A campaign was reported"})
"""What each kind of alert is called."""
_ROOMS = {"campaign_paused": "levers", "deadline": "levers", "budget": "money", "unknown": "letters?state=unknown",
          "address_suspect": "levers"}
_PARTS = {"provider_failing": "#sending", "address_proposed": "#proposed", "report": "#reports"}
"""Of the operator's page."""
_SEEN_ONLY = frozenset({"provider_failing"})
"""What campaigns see on their pages and their programs hear, but nobody there is mailed: it is the operator's to mend."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that is the matter now."""

    kind: str
    ref: str
    """What it is about, within its kind."""
    campaign_id: int | None
    """None: the operator's."""
    detail: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as pages and mails show it."""

    id: str
    kind: str
    name: str
    detail: str
    opened_at: datetime
    closed_at: datetime | None
    path: str
    """Where something can be done about it."""


def look(now: datetime, *, forecasts: bool = True) -> int:
    """Open alerts for what is newly the matter, close those that are over. Returns how many were opened or closed.

    `forecasts` looks at deadlines too, which costs more than the rest together: as long as `FORETOLD_FOR`, beginning with the
    campaigns that were looked at longest ago. The alerts of those for which there was no time stay as they are.
    """
    with reading() as c:
        seen = {(m.kind, m.ref): m for m in _matters(c, now)}
    left_alone = set[str]()
    if forecasts:
        late, left_alone = _deadlines(now)
        seen |= {(m.kind, m.ref): m for m in late}
    changed = 0
    with unit_of_work() as c:
        known = {(a.kind, a.ref): a for a in queries.open_ones(c)}
        for key in sorted(seen.keys() - known.keys()):
            _open(c, seen[key], now)
            changed += 1
        for key, alert in sorted(known.items()):
            if key in seen:
                if alert.calm_since is not None or alert.detail != seen[key].detail[:500]:
                    c.execute(update(_ALERTS).where(_ALERTS.c.id == alert.id).values(calm_since=None, detail=seen[key].detail[:500]))
            elif alert.kind == "deadline" and (not forecasts or alert.ref in left_alone):
                continue
            elif alert.calm_since is None:
                c.execute(update(_ALERTS).where(_ALERTS.c.id == alert.id).values(calm_since=now))
            elif now - alert.calm_since >= CALM:
                c.execute(update(_ALERTS).where(_ALERTS.c.id == alert.id).values(closed_at=now))
                _tell(c, "alert_over", alert, now)
                _post(c, alert, f"{alert.id}.over", "alert.closed", now, closed_at=now)
                changed += 1
    if changed:
        notices.ring_soon()
        log.info("alerts", changed=changed)
    return changed


def _open(c: Connection, matter: Matter, now: datetime) -> None:
    alert_id = new_id(now.timestamp())
    c.execute(insert(_ALERTS).values(id=alert_id, kind=matter.kind, ref=matter.ref[:120], campaign_id=matter.campaign_id,
                                     detail=matter.detail[:500], opened_at=now))
    row = queries.by_id(c, alert_id)
    _tell(c, "alert", row, now)
    _post(c, row, f"{alert_id}.open", "alert.opened", now)


def _tell(c: Connection, kind: str, alert: Any, now: datetime) -> None:
    if _is_seen_only(alert):
        return
    hear_of_both = queries.not_mailed_yet(c, alert.id) if kind == "alert_over" else set()
    for person in queries.people(c, alert.campaign_id):
        if person.email not in hear_of_both:
            notices.add(c, kind, f"{alert.id}:{person.id}", recipient=person.email, campaign_id=alert.campaign_id, now=now)


def _post(c: Connection, alert: Any, event: str, kind: str, now: datetime, *, closed_at: datetime | None = None) -> None:
    webhooks.offer(c, alert.campaign_id, event, kind, _body(c, alert, closed_at), now=now, operators=not _is_seen_only(alert))


def _is_seen_only(alert: Any) -> bool:
    """Whether it is a campaign's view of something that the operator has an alert of their own about."""
    return alert.campaign_id is not None and alert.kind in _SEEN_ONLY


def _body(c: Connection, alert: Any, closed_at: datetime | None = None) -> dict[str, Any]:
    """An alert as webhooks hear of it."""
    return {"alert": alert.id, "kind": alert.kind, "name": NAMES.get(alert.kind, alert.kind), "detail": alert.detail,
            "campaign": None if alert.campaign_id is None else queries.slug_of(c, alert.campaign_id),
            "opened_at": alert.opened_at.isoformat(), "closed_at": closed_at and closed_at.isoformat()}


def _matters(c: Connection, now: datetime) -> Iterator[Matter]:
    currency = get_settings().currency
    for r in queries.paused_themselves(c):
        yield Matter("campaign_paused", str(r.id), r.id, f"{r.title}: {r.paused_why}")
    yield from _failing(c, now)
    for r in money.nearly_spent(c, NEARLY_SPENT):
        yield Matter("budget", str(r.campaign_id), r.campaign_id,
                     f"{r.title}: {budgets.said(r.spent, currency)} of {budgets.said(r.cap, currency)} are spent"
                     + ("; the next fax does not fit, so faxes wait" if r.full_at else ""))
    for r in queries.unknown(c, now - UNKNOWN):
        yield Matter("unknown", str(r.id), r.id, f"{r.title}: of {r.n} {'letter' if r.n == 1 else 'letters'} nobody knows whether "
                     f"{'it' if r.n == 1 else 'they'} arrived; somebody has to decide")
    for r in queries.suspect(c):
        yield Matter("address_suspect", f"{r.campaign_id}:{r.address_id}", r.campaign_id,
                     f"{r.title}: {r.value} ({r.name}) seems wrong: {r.state_reason or 'it failed repeatedly'}; nothing is sent there")
    for r in queries.proposed(c):
        yield Matter("address_proposed", str(r.id), None, f"{r.value} ({r.name}, {r.title}) was entered at the desk; nothing is sent "
                     "there until you approve it")
    for r in queries.open_reports(c):
        yield Matter("report", r.id, None, f"{r.title} was reported; see what was written")


def _failing(c: Connection, now: datetime) -> Iterator[Matter]:
    """Providers out of use: the operator's matter, and that of each campaign whose letters wait for one."""
    channels = [(channel, transport_name(channel, get_settings())) for channel in Channel]
    for r in queries.failing_providers(c, now - FAILING):
        said = f"{r.transport} has not been usable since {r.since:%Y-%m-%d %H:%M} UTC: {r.why}"
        yield Matter("provider_failing", r.transport, None, said)
        for channel in (channel for channel, name in channels if name == r.transport):
            what = "e-mails" if channel is Channel.EMAIL else "faxes"
            for w in queries.waiting_for(c, channel.value):
                yield Matter("provider_failing", f"{r.transport}:{w.id}", w.id, f"{w.title}: its {what} wait. {said}. It is tried again "
                             "by itself, and the operator of this service knows")


def _deadlines(now: datetime) -> tuple[list[Matter], set[str]]:
    """Campaigns that will miss their deadline, and the refs of those for which there was no time."""
    found: list[Matter] = []
    end = time.monotonic() + FORETOLD_FOR
    with reading() as c:
        live = sorted(queries.with_deadline(c, now), key=lambda row: _FORETOLD_AT.get(row.id, 0.0))
    for n, row in enumerate(live):
        if n and time.monotonic() >= end:
            return found, {str(x.id) for x in live[n:]}
        with reading() as c:
            late = [f for f in forecast.lanes_of(c, campaigns.get(row.slug), now, get_settings()) if f.misses and f.why != "paused"]
        _FORETOLD_AT[row.id] = time.monotonic()
        if late:
            more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
            worst = max(late, key=lambda f: f.misses)
            found.append(Matter("deadline", str(row.id), row.id, f"{row.title}, {worst.name}: {worst.sentence(now)}{more}"))
    return found, set()


def of_campaign(slug: str | None) -> list[AlertRow]:
    """A campaign's alerts (None: the operator's), open ones first. Raises NotFound."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    with reading() as c:
        return [_row(a, slug) for a in queries.of_campaign(c, campaign_id, MOST_SHOWN)]


def one(alert_id: str) -> AlertRow | None:
    """One alert, for its mail."""
    with reading() as c:
        alert = queries.by_id(c, alert_id)
        if alert is None:
            return None
        return _row(alert, None if alert.campaign_id is None else queries.slug_of(c, alert.campaign_id))


def _row(alert: Any, slug: str | None) -> AlertRow:
    path = f"/o/c/{slug}/{_ROOMS.get(alert.kind, '')}" if slug else f"/o/operator{_PARTS.get(alert.kind, '')}"
    return AlertRow(alert.id, alert.kind, NAMES.get(alert.kind, alert.kind), alert.detail, alert.opened_at, alert.closed_at, path)
