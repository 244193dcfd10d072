"""Outgoing webhooks: a campaign's programs hear of alerts and of what becomes of letters (docs/api.md).

Here they are made and removed, and events are queued for them, in the database first. `webhook_events` gathers what happened to
letters, `webhook_posts` makes the posts.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, update

from outreach.db import dialect_insert, new_id, reading, unit_of_work
from outreach.errors import NotAllowed, NotFound
from outreach.models import Webhook, WebhookDelivery, table
from outreach.queries import webhooks as queries
from outreach.sealed import seal
from outreach.services import audit, campaigns
from outreach.settings import get_settings

_WEBHOOKS, _DELIVERIES = table(Webhook), table(WebhookDelivery)
KINDS = ("alert.opened", "alert.closed", "letter.queued", "letter.sent", "letter.delivered", "letter.failed", "letter.unknown",
         "letter.cancelled", "letter.expired", "letter.held")
"""What a webhook can ask for."""
LETTERS = "letters"
"""The kind of a post that carries letters' events."""
MOST_A_CAMPAIGN = 10


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook as pages show it; its secret is shown once, when it is made."""

    id: str
    url: str
    events: tuple[str, ...]
    created_by: str
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None
    """Since when it has taken nothing of what was posted."""
    not_before: datetime
    """When it is tried again, if it fails."""


def add(slug: str | None, url: str, events: Sequence[str], *, now: datetime, who: str) -> tuple[str, str]:
    """Post events of a campaign (None: of the whole service) to `url`. Returns its id and the secret that signs, shown only now.

    Raises NotFound, NotAllowed (not an https address, an unknown kind, too many).
    """
    campaign_id = None if slug is None else campaigns.get(slug).id
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as e:
        raise NotAllowed("this is not a web address") from e
    plain = get_settings().webhooks_to == "any"
    if parts.scheme not in (("https", "http") if plain else ("https",)) or not parts.hostname or parts.username or len(url) > 500:
        raise NotAllowed("a webhook's address begins with https:// and holds no password")
    if unknown := [e for e in events if e not in KINDS]:
        raise NotAllowed(f"there is no event {unknown[0][:40]!r}; there are {', '.join(KINDS)}")
    if not events:
        raise NotAllowed("choose at least one event")
    webhook_id, secret = new_id(now.timestamp()), secrets.token_bytes(24)
    with unit_of_work() as c:
        if len([w for w in queries.of_campaign(c, campaign_id) if w.disabled_at is None]) >= MOST_A_CAMPAIGN:
            whose = "the service" if slug is None else "a campaign"
            raise NotAllowed(f"{whose} has at most {MOST_A_CAMPAIGN} webhooks; remove one first")
        c.execute(insert(_WEBHOOKS).values(
            id=webhook_id, campaign_id=campaign_id, url=url.strip(), secret=seal("webhook", secret), events=list(dict.fromkeys(events)),
            created_by=who, created_at=now, since_event=queries.newest_event(c), not_before=now, turn_at=now))
        audit.note(c, "webhook added", at=now, who=who, campaign_id=campaign_id, detail=f"{parts.hostname}: {', '.join(events)}")
    return webhook_id, "whsec_" + base64.b64encode(secret).decode()


def remove(slug: str | None, webhook_id: str, *, now: datetime, who: str) -> None:
    """Post no more there; what waits is dropped. Raises NotFound."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    with unit_of_work() as c:
        row = queries.one(c, webhook_id)
        if row is None or row.campaign_id != campaign_id:
            raise NotFound("there is no such webhook")
        switch_off(c, webhook_id, "removed", now)
        audit.note(c, "webhook removed", at=now, who=who, campaign_id=campaign_id, detail=urlsplit(row.url).hostname or "")


def of_campaign(slug: str | None) -> list[WebhookRow]:
    """A campaign's webhooks, those switched off by us included. Raises NotFound."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    with reading() as c:
        return [WebhookRow(w.id, w.url, tuple(w.events), w.created_by, w.created_at, w.disabled_at, w.disabled_why,
                           w.failing_since, w.not_before)
                for w in queries.of_campaign(c, campaign_id) if w.disabled_why != "removed"]


def offer(c: Connection, campaign_id: int | None, event: str, kind: str, data: dict[str, Any], *, now: datetime,
          operators: bool = True) -> None:
    """Queue one event for every webhook that asked for its kind, in the caller's transaction; `operators` False leaves the
    operator's out."""
    for hook in queries.listeners(c, campaign_id, operators=operators):
        if kind in hook.events:
            queue(c, hook.id, event, kind, [data], now=now)


def queue(c: Connection, webhook_id: str, event: str, kind: str, data: list[dict[str, Any]], *, now: datetime) -> None:
    """Queue one post, in the caller's transaction; the same `event` again is none."""
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False, separators=(",", ":"))
    c.execute(dialect_insert(c, _DELIVERIES).values(
        id=new_id(now.timestamp()), webhook_id=webhook_id, event=event, kind=kind, rank=int(kind == LETTERS), body=body,
        state="queued", not_before=now, created_at=now).on_conflict_do_nothing(index_elements=["webhook_id", "event"]))


def switch_off(c: Connection, webhook_id: str, why: str, now: datetime) -> None:
    """Post nothing there any more; what waits is dropped."""
    c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == webhook_id, _WEBHOOKS.c.disabled_at.is_(None))
              .values(disabled_at=now, disabled_why=why[:200]))
    c.execute(update(_DELIVERIES).where(_DELIVERIES.c.webhook_id == webhook_id, _DELIVERIES.c.state.in_(("queued", "sending")))
              .values(state="failed", lease_until=None, ended_at=now, said="switched off"))
