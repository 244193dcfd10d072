"""What webhooks wait for, posted: signed, tried again, in turns, so that one that hangs keeps nobody else waiting.

The form is that of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp` and `webhook-signature`
(`v1,` and the base64 of an HMAC-SHA256 over id, timestamp and body). One post at a time to a webhook; after one that it does not
take it rests as a whole, longer each time. A delivery is tried for a day and then given up, a webhook once it has taken nothing
for three days.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update

from outreach.db import new_id, reading, unit_of_work, utcnow
from outreach.logs import get
from outreach.models import Webhook, WebhookDelivery, table
from outreach.queries import webhooks as queries
from outreach.sealed import open_sealed
from outreach.services.webhooks import switch_off
from outreach.settings import get_settings
from outreach.transports.webhook_post import Answer, post

log = get()
_WEBHOOKS, _DELIVERIES = table(Webhook), table(WebhookDelivery)
LEASE = timedelta(seconds=60)
FIRST, LONGEST = timedelta(seconds=5), timedelta(minutes=15)
"""How long a webhook, and what it did not take, rests after the first failure, doubled at each further one; and at the most."""
FOR = timedelta(days=1)
"""How long one delivery is tried."""
GIVEN_UP = timedelta(days=3)
"""A webhook that has taken nothing of what was posted for so long is switched off."""
SLICE = 2.0
"""Seconds after which no further post begins."""
KEPT = timedelta(days=7)
"""How long a delivery is kept after it was taken or given up."""
MOST_DELETED = 5000


def due(now: datetime) -> bool:
    """Whether something waits to be posted."""
    with reading() as c:
        return queries.is_due(c, now)


def deliver(*, most: int = 100, now: datetime | None = None) -> int:
    """Post what is due, each webhook in its turn, for about `SLICE`. Returns how many posts were made."""
    made, end = 0, time.monotonic() + SLICE
    while made < most and time.monotonic() < end:
        at = now or utcnow()
        claimed = _claim(at)
        if claimed is None:
            break
        hook, row = claimed
        answer = post(hook.url, row.body.encode(), headers_of(row.id, row.body, at, open_sealed("webhook", hook.secret)),
                      private=get_settings().webhooks_to == "any")
        _note(hook, row, answer, now or utcnow())
        made += 1
    return made


def headers_of(delivery_id: str, body: str, at: datetime, secret: bytes) -> dict[str, str]:
    """The signed headers of a post."""
    stamp = str(int(at.timestamp()))
    signed = hmac.new(secret, f"{delivery_id}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return {"content-type": "application/json", "user-agent": "Outreach", "webhook-id": delivery_id, "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(signed).decode()}


def forget(now: datetime) -> int:
    """Delete what ended a week ago. Returns how many deliveries."""
    before = now - KEPT
    with unit_of_work() as c:
        old = queries.ended(before, new_id(before.timestamp())[:10], MOST_DELETED)
        return c.execute(delete(_DELIVERIES).where(_DELIVERIES.c.id.in_(old))).rowcount


def _claim(now: datetime) -> tuple[Any, Any] | None:
    """The webhook whose turn it is, and what to post to it; nobody else posts to it meanwhile."""
    with unit_of_work() as c:
        hook = queries.next_webhook(c, now)
        row = hook and c.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == queries.next_delivery(hook.id, now).scalar_subquery())
                                 .values(state="sending", lease_until=now + LEASE, tries=_DELIVERIES.c.tries + 1)
                                 .returning(*_DELIVERIES.c)).first()
        if hook is None or row is None:
            return None
        c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == hook.id).values(not_before=now + LEASE, turn_at=now))
        return hook, row


def _note(hook: Any, row: Any, answer: Answer, now: datetime) -> None:
    said = (answer.said or "")[:200]
    gone = answer.status == 410
    if answer.status is not None and 200 <= answer.status < 300:
        values: dict[str, Any] = {"state": "taken", "ended_at": now}
        standing: dict[str, Any] = {"failures": 0, "failing_since": None, "not_before": now}
    else:
        over = gone or now - row.created_at > FOR
        values = {"state": "failed", "ended_at": now} if over else {"state": "queued", "not_before": now + _rest(row.tries)}
        standing = {"failures": hook.failures + 1, "failing_since": hook.failing_since or now, "not_before": now + _rest(hook.failures + 1)}
    with unit_of_work() as c:
        c.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == hook.id).values(**standing))
        c.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == row.id, _DELIVERIES.c.state == "sending")
                  .values(lease_until=None, said=said, **values))
        if gone:
            switch_off(c, hook.id, "it answered 410 Gone", now)
        elif standing["failing_since"] and now - standing["failing_since"] > GIVEN_UP:
            switch_off(c, hook.id, f"it took nothing for three days: {said}", now)
    log.info("webhook", webhook=hook.id, kind=row.kind, status=answer.status or 0)


def _rest(times: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    doubled: timedelta = FIRST * 2 ** min(times - 1, 10)
    return min(LONGEST, doubled)
