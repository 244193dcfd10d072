"""What Telnyx says about a fax, in a signed webhook or when asked, in our words."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Forged, Malformed
from outreach.transports.base import ReceiptWord, SignedRequest, event_hash, short

PROVIDER = "telnyx"
FRESH = timedelta(minutes=5)
"""Telnyx stamps each sending of an event, repeats too, and its own libraries allow five minutes. A receipt lost to a wrong
clock is fetched by the poll; a repeat within the time is recognised by the event's id."""

_R = Reason
FAILURES: dict[str, tuple[Reason, bool]] = {
    # the other end: (reason, whether another call is worth it)
    "user_busy": (_R.BUSY, True),
    "receiver_no_answer": (_R.NO_ANSWER, True),
    "receiver_no_response": (_R.NO_ANSWER, True),
    "receiver_recovery_on_timer_expire": (_R.NO_ANSWER, True),
    "receiver_call_dropped": (_R.CALL_DROPPED, True),
    "sender_call_dropped": (_R.CALL_DROPPED, True),
    "carrier_lost": (_R.CALL_DROPPED, True),
    # No fax tone after somebody or something picked up. It may be a person; calling again would ring them again.
    "fax_initial_communication_timeout": (_R.VOICE, False),
    "receiver_decline": (_R.REFUSED, False),
    "receiver_communication_error": (_R.FAX_ERROR, True),
    "sender_communication_error": (_R.FAX_ERROR, True),
    "fax_signaling_error": (_R.FAX_ERROR, True),
    "invalid_ecm_response_from_receiver": (_R.FAX_ERROR, True),
    "receiver_incompatible_destination": (_R.FAX_ERROR, False),
    # the number
    "receiver_invalid_number_format": (_R.BAD_NUMBER, False),
    "receiver_unallocated_number": (_R.BAD_NUMBER, False),
    "destination_invalid": (_R.BAD_NUMBER, False),
    # the network, which may be well again later
    "destination_unreachable": (_R.NO_ANSWER, True),
    "service_unavailable": (_R.FAX_ERROR, True),
    # how many calls at once, or how much a day
    "user_channel_limit_exceeded": (_R.RATE_LIMITED, True),
    "connection_channel_limit_exceeded": (_R.RATE_LIMITED, True),
    "outbound_profile_channel_limit_exceeded": (_R.RATE_LIMITED, True),
    "outbound_profile_daily_spend_limit_exceeded": (_R.RATE_LIMITED, True),
    # our account or its set-up, which another call does not mend
    "account_disabled": (_R.REJECTED_BY_PROVIDER, False),
    "no_outbound_profile": (_R.REJECTED_BY_PROVIDER, False),
    "destination_not_in_service_plan": (_R.REJECTED_BY_PROVIDER, False),
    "destination_not_in_countries_whitelist": (_R.REJECTED_BY_PROVIDER, False),
    "unverified_destination_not_allowed": (_R.REJECTED_BY_PROVIDER, False),
    "unverified_origination_number": (_R.REJECTED_BY_PROVIDER, False),
    "sender_canceled": (_R.REJECTED_BY_PROVIDER, False),
    # the document
    "file_format_invalid": (_R.CANNOT_RENDER, False),
    "file_size_limit_exceeded": (_R.CANNOT_RENDER, False),
    "page_count_limit_exceeded": (_R.CANNOT_RENDER, False),
    "file_download_failed": (_R.FAX_ERROR, True),
    "media_processing_exception": (_R.FAX_ERROR, True),
}
"""Telnyx's `failure_reason` values (its API reference, Fax, November 2026); others count as a fax error worth another call."""


def parse(request: SignedRequest, *, key: str, now: datetime) -> list[ReceiptWord]:
    """The word of one event. Raises Forged before it looks at anything else, Malformed for a body without sense."""
    _verify(request, key, now)
    try:
        event = json.loads(request.body)
        data = event["data"]
        payload, kind, event_id = data["payload"], str(data["event_type"]), data["id"]
        fax = {**payload, "id": payload["fax_id"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Malformed("the event is not one of Telnyx's") from None
    if not kind.startswith("fax.") or fax.get("direction") == "inbound":
        return []
    fax["status"] = kind.removeprefix("fax.")  # the payload's status may already be a later one
    word = word_of_fax(fax, now=_when(data.get("occurred_at"), now), event_id=str(event_id))
    if word is None:
        raise Malformed("the event names no fax")
    return [word]


def word_of_fax(fax: Mapping[str, Any], *, now: datetime, event_id: str = "") -> ReceiptWord | None:
    """A fax resource's fields as a word of the moment `now`; None where it names no fax. `verdict` is None while the fax is under way."""
    ref, status = str(fax.get("id") or ""), str(fax.get("status") or "")
    if not ref or not status:
        return None
    to, failed = str(fax.get("to") or ""), str(fax.get("failure_reason") or "")
    verdict: Verdict | None = None
    reason: Reason | None = None
    retryable = False
    if status == "delivered":
        verdict = Verdict.DELIVERED
    elif status in ("failed", "canceled"):
        verdict = Verdict.BOUNCED
        reason, retryable = FAILURES.get(failed or "sender_canceled" * (status == "canceled"), (Reason.FAX_ERROR, True))
    pages = fax.get("page_count")
    return ReceiptWord(
        provider=PROVIDER, event_id=event_id[:200] or event_hash(PROVIDER, ref, to, status, failed), verdict=verdict,
        recipient=to, at=now, attempt_id=attempt_of(fax.get("client_state")), provider_ref=ref[:200], reason=reason,
        retryable=retryable, pages=pages if isinstance(pages, int) and 0 < pages < 10_000 else None,
        detail=short(f"{status} {failed}".strip()),
        raw=json.dumps({k: fax[k] for k in _KEPT if k in fax}))


_KEPT = ("id", "status", "to", "failure_reason", "page_count", "client_state", "call_duration_secs")


def attempt_of(client_state: object) -> str | None:
    """Our attempt's id out of `client_state`, or None where it is not ours."""
    try:
        text = b64decode(str(client_state or ""), validate=True).decode("ascii")
    except ValueError:
        return None
    return text if len(text) == 26 and text.isalnum() else None


def _verify(request: SignedRequest, key: str, now: datetime) -> None:
    stamp = request.headers.get("telnyx-timestamp", "")
    signature = request.headers.get("telnyx-signature-ed25519", "")
    if not key or not signature or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
        raise Forged("the event's signature is missing")
    try:
        public = Ed25519PublicKey.from_public_bytes(b64decode(key, validate=True))
        public.verify(b64decode(signature, validate=True), f"{stamp}|".encode() + request.body)
    except (ValueError, InvalidSignature):
        raise Forged("the event's signature does not fit") from None
    if abs(now - datetime.fromtimestamp(int(stamp), UTC)) > FRESH:
        raise Forged("the event's signature is stale")


def _when(text: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return now
    return min(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), now)
