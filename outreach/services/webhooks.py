"""Outgoing webhooks: a campaign's programs hear of alerts and of what becomes of letters. Signed, tried again, never to inside addresses.

The form is that of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp` and `webhook-signature`
(`v1,` and the base64 of an HMAC-SHA256 over id, timestamp and body). Letter events go a hundred to a post. What is posted is
queued in the database first; a delivery that nobody takes is tried again for a day, then given up, and its webhook with it once
nothing has been taken for three days.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, update

from outreach.db import dialect_insert, new_id, reading, unit_of_work, utcnow
from outreach.errors import NotAllowed, NotFound
from outreach.logs import get
from outreach.models import Webhook, WebhookDelivery, table
from outreach.queries import alerts as queries
from outreach.sealed import open_sealed, seal
from outreach.services import audit, campaigns
from outreach.settings import get_settings
from outreach.transports.webhook_post import Answer, post

log = get()
_WEBHOOKS, _DELIVERIES = table(Webhook), table(WebhookDelivery)
KINDS = ("alert.opened", "alert.closed", "letter.queued", "letter.sent", "letter.delivered", "letter.failed", "letter.unknown",
         "letter.cancelled", "letter.expired", "letter.held")
"""What a webhook can ask for."""
BATCH = 100
"""Letter events that one post carries."""
SETTLED = timedelta(seconds=10)
"""Events younger than this are left for the next look: a transaction with a lower number may still be under way."""
LEASE = timedelta(seconds=60)
FOR = timedelta(days=1)
"""How long one delivery is tried."""
GIVEN_UP = timedelta(days=3)
"""A webhook that has taken nothing for so long is switched off."""
MOST_ROUNDS = 50
SLICE = 5.0
"""Seconds of posting after which confirmations and notices have their turn again."""
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
        if len([w for w in queries.webhooks(c, campaign_id) if w.disabled_at is None]) >= MOST_A_CAMPAIGN:
            raise NotAllowed(f"a campaign has at most {MOST_A_CAMPAIGN} webhooks; remove one first")
        c.execute(insert(_WEBHOOKS).values(id=webhook_id, campaign_id=campaign_id, url=url.strip(), secret=seal("webhook", secret),
                                           events=list(dict.fromkeys(events)), created_by=who, created_at=now,
                                           since_event=queries.newest_event(c)))
        audit.note(c, "webhook added", at=now, who=who, campaign_id=campaign_id, detail=f"{parts.hostname}: {', '.join(events)}")
    return webhook_id, "whsec_" + base64.b64encode(secret).decode()


def remove(slug: str | None, webhook_id: str, *, now: datetime, who: str) -> None:
    """Post no more there; what waits is dropped. Raises NotFound."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    with unit_of_work() as c:
        row = queries.webhook(c, webhook_id)
        if row is None or row.campaign_id != campaign_id:
            raise NotFound("there is no such webhook")
        _switch_off(c, webhook_id, "removed", now)
        audit.note(c, "webhook removed", at=now, who=who, campaign_id=campaign_id, detail=urlsplit(row.url).hostname or "")


def of_campaign(slug: str | None) -> list[WebhookRow]:
    """A campaign's webhooks, those switched off by us included. Raises NotFound."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    with reading() as c:
        return [WebhookRow(w.id, w.url, tuple(w.events), w.created_by, w.created_at, w.disabled_at, w.disabled_why)
                for w in queries.webhooks(c, campaign_id) if w.disabled_why != "removed"]


def offer(c: Connection, campaign_id: int | None, event: str, kind: str, data: dict[str, Any], *, now: datetime) -> None:
    """Queue one event for every webhook that asked for its kind, in the caller's transaction."""
    for hook in queries.listeners(c, campaign_id):
        if kind in hook.events:
            _queue(c, hook.id, event, kind, [data], now=now)


def _queue(c: Connection, webhook_id: str, event: str, kind: str, data: list[dict[str, Any]], *, now: datetime) -> None:
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False, separators=(",", ":"))
    c.execute(dialect_insert(c, _DELIVERIES).values(
        id=new_id(now.timestamp()), webhook_id=webhook_id, event=event, kind=kind, body=body, state="queued", not_before=now,
        created_at=now).on_conflict_do_nothing(index_elements=["webhook_id", "event"]))


def gather(now: datetime) -> int:
    """Queue letter events for webhooks that ask for them. Returns how many events."""
    with reading() as c:
        hooks = [w for w in queries.in_use(c) if any(k.startswith("letter.") for k in w.events)]
    return sum(_gather(hook, now) for hook in hooks)


def _gather(hook: Any, now: datetime) -> int:
    """Read first, and write only if nobody else has gathered for it meanwhile: whoever writes elsewhere does not wait for the reading."""
    wanted = {k.removeprefix("letter.") for k in hook.events if k.startswith("letter.")}
    after, batches = hook.since_event, list[tuple[int, list[dict[str, Any]]]]()
    for _ in range(MOST_ROUNDS):
        with reading() as c:
            found = queries.events_after(c, after, BATCH)
        # Up to the first that is too young, and not past it: a later number may carry an earlier time.
        rows = list(takewhile(lambda r: r.at < now - SETTLED, found))
        if rows:
            after = rows[-1].id
            if told := [_told(r) for r in rows if r.after in wanted and hook.campaign_id in (None, r.campaign_id)]:
                batches.append((after, told))
        if len(rows) < BATCH:
            break
    if after == hook.since_event:
        return 0
    with unit_of_work() as c:
        if not c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == hook.id, _WEBHOOKS.c.since_event == hook.since_event)
                         .values(since_event=after)).rowcount:
            return 0
        for last, told in batches:
            _queue(c, hook.id, f"letters.{last}", "letters", told, now=now)
    return sum(len(told) for _, told in batches)


def _told(row: Any) -> dict[str, Any]:
    """A letter's event: no supporter's data."""
    return {"event": f"letter.{row.after}", "id": row.id, "letter": row.letter_id, "campaign": row.slug, "target": row.target,
            "channel": row.channel, "before": row.before, "state": row.after, "why": row.why, "at": row.at.isoformat()}


def due(now: datetime) -> bool:
    """Whether something waits to be posted."""
    with reading() as c:
        return queries.deliveries_due(c, now)


def deliver(*, most: int = 100, now: datetime | None = None) -> int:
    """Post what is due, one after another, for about `SLICE`: the same worker sends confirmations. Returns how many posts were made."""
    made, end = 0, time.monotonic() + SLICE
    while made < most and time.monotonic() < end:
        at = now or utcnow()
        with unit_of_work() as c:
            first = queries.next_delivery(at).scalar_subquery()
            row = c.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == first)
                            .values(state="sending", lease_until=at + LEASE, tries=_DELIVERIES.c.tries + 1)
                            .returning(*_DELIVERIES.c)).first()
            hook = row and queries.webhook(c, row.webhook_id)
        if row is None:
            break
        answer = Answer(None, "switched off") if hook is None or hook.disabled_at else post(
            hook.url, row.body.encode(), headers_of(row.webhook_id, row.id, row.body, at, open_sealed("webhook", hook.secret)),
            private=get_settings().webhooks_to == "any")
        _note(row, answer, at)
        made += 1
    return made


def headers_of(webhook_id: str, delivery_id: str, body: str, at: datetime, secret: bytes) -> dict[str, str]:
    """The signed headers of a post."""
    stamp = str(int(at.timestamp()))
    signed = hmac.new(secret, f"{delivery_id}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return {"content-type": "application/json", "user-agent": "Outreach", "webhook-id": delivery_id, "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(signed).decode()}


def _note(row: Any, answer: Answer, now: datetime) -> None:
    taken = answer.status is not None and 200 <= answer.status < 300
    said = (answer.said or "")[:200]
    with unit_of_work() as c:
        if taken:
            values: dict[str, Any] = {"state": "taken", "ended_at": now}
        elif answer.status == 410 or now - row.created_at > FOR:
            values = {"state": "failed", "ended_at": now}
        else:
            values = {"state": "queued", "not_before": now + min(timedelta(hours=3), timedelta(seconds=5) * 3 ** min(row.tries, 8))}
        c.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == row.id, _DELIVERIES.c.state == "sending")
                  .values(lease_until=None, said=said, **values))
        if answer.status == 410:
            _switch_off(c, row.webhook_id, "it answered 410 Gone", now)
        elif not taken and (last := _last_taken(c, row.webhook_id)) and now - last > GIVEN_UP:
            _switch_off(c, row.webhook_id, f"it took nothing for three days: {said}", now)
    log.info("webhook", webhook=row.webhook_id, kind=row.kind, status=answer.status or 0)


def _last_taken(c: Connection, webhook_id: str) -> datetime | None:
    """When it last took something, or was made."""
    made = queries.webhook(c, webhook_id)
    return queries.last_taken(c, webhook_id) or (made.created_at if made else None)


def _switch_off(c: Connection, webhook_id: str, why: str, now: datetime) -> None:
    c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == webhook_id, _WEBHOOKS.c.disabled_at.is_(None))
              .values(disabled_at=now, disabled_why=why[:200]))
    c.execute(update(_DELIVERIES).where(_DELIVERIES.c.webhook_id == webhook_id, _DELIVERIES.c.state == "queued")
              .values(state="failed", ended_at=now, said="switched off"))
