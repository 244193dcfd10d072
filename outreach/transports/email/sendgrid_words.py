"""SendGrid's signed event webhook, in our words (docs: Event Webhook Reference and its security features)."""

from __future__ import annotations

import binascii
import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sendgrid.helpers.eventwebhook import EventWebhook

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Forged, Malformed
from outreach.transports.base import ReceiptWord, SignedRequest, event_hash, short
from outreach.transports.email.status import enhanced_code, meaning

PROVIDER = "sendgrid"
FRESH = timedelta(days=3)
"""SendGrid tries for a day, and a queue of ours may add to it; what is older is refused."""
SKEW = timedelta(minutes=10)
_TRACKING = frozenset("open click unsubscribe group_unsubscribe group_resubscribe".split())
_SG_SUFFIX = re.compile(r"\.(?:filter|recv).*$")


def parse(request: SignedRequest, *, key: str, now: datetime) -> list[ReceiptWord]:
    """The words of one batch of events. Raises Forged before it looks at anything else, Malformed for a body without sense.

    One event that cannot be read does not lose the others of its batch.
    """
    _verify(request, key, now)
    try:
        events = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Malformed("the events are not JSON") from None
    if not isinstance(events, list) or not all(isinstance(e, dict) for e in events):
        raise Malformed("the events are not a list of objects")
    return [word for event in events if (word := _word(event, now)) is not None]


def _verify(request: SignedRequest, key: str, now: datetime) -> None:
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    stamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not key or not signature or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
        raise Forged("the events' signature is missing")
    try:
        # The package wants the raw body as text and joins timestamp and body itself; other bytes cannot have been signed.
        good = _verifier(key).verify_signature(request.body.decode(), signature, stamp)
    except (ValueError, TypeError, binascii.Error):
        good = False
    if not good:
        raise Forged("the events' signature does not fit")
    at = datetime.fromtimestamp(int(stamp), UTC)
    if not now - FRESH <= at <= now + SKEW:
        raise Forged("the events' signature is stale")


@lru_cache(maxsize=4)
def _verifier(key: str) -> EventWebhook:
    """Raises ValueError for a key that is none."""
    return EventWebhook(key)


def _word(event: dict[str, Any], now: datetime) -> ReceiptWord | None:
    kind, recipient = event.get("event"), event.get("email")
    if not isinstance(kind, str) or not isinstance(recipient, str) or kind in _TRACKING:
        return None
    said = short(" ".join(str(event[k]) for k in ("status", "reason", "response") if event.get(k)))
    verdict, reason, retryable = _meaning(kind, event, said)
    attempt, smtp_id = _text(event, "attempt"), _text(event, "smtp-id")
    ref = _text(event, "sg_message_id")
    at = _when(event.get("timestamp"), now)
    own = _text(event, "sg_event_id") or event_hash(PROVIDER, ref, recipient, kind, f"{said} {event.get('timestamp')}")
    return ReceiptWord(
        provider=PROVIDER, event_id=own[:200], verdict=verdict, recipient=recipient, at=at, attempt_id=attempt,
        provider_ref=_SG_SUFFIX.sub("", ref)[:200] if ref else None, message_id=smtp_id.strip("<> ")[:200] if smtp_id else None,
        reason=reason, retryable=retryable, detail=short(f"{kind} {said}"), raw=json.dumps(event, ensure_ascii=False)[:10_000])


def _meaning(kind: str, event: dict[str, Any], said: str) -> tuple[Verdict | None, Reason | None, bool]:
    if kind == "delivered":
        return Verdict.DELIVERED, None, False
    if kind == "dropped":  # SendGrid had taken it and then did not even try: its own list of bad addresses
        bad = re.search(r"bounced address|invalid", said, re.IGNORECASE)
        return Verdict.BOUNCED, Reason.NO_MAILBOX if bad else Reason.REJECTED_BY_PROVIDER, False
    if kind == "bounce":
        code = enhanced_code(said)
        reason, permanent = meaning(400 if code and code[0] == "4" else 500, said)
        known = reason not in (Reason.REFUSED, Reason.DEFERRED)
        # "blocked" was turned away for now (policy, reputation); the mailbox may well be there.
        return Verdict.BOUNCED, reason if known else _by_class(event), not permanent or event.get("type") == "blocked"
    if kind == "spamreport":
        return None, Reason.SPAM, False
    return None, Reason.DEFERRED if kind == "deferred" else None, False


_CLASSES = {"Invalid Address": Reason.NO_MAILBOX, "Content": Reason.SPAM, "Reputation": Reason.SPAM,
            "Frequency or Volume Too High": Reason.RATE_LIMITED}


def _by_class(event: dict[str, Any]) -> Reason:
    return _CLASSES.get(str(event.get("bounce_classification")), Reason.BOUNCED)


def _text(event: dict[str, Any], name: str) -> str | None:
    value = event.get(name)
    return value if isinstance(value, str) and value else None


def _when(stamp: object, now: datetime) -> datetime:
    try:
        return min(datetime.fromtimestamp(float(str(stamp)), UTC), now)
    except (ValueError, OverflowError, OSError):
        return now
