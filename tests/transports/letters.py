"""Sample mails and faxes, all invented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from outreach.transports.base import Mailbox, OutgoingFax, OutgoingMail

ATTEMPT = "01k7zt5c9m3hq8w2x4e6r8t0ya"
NOW = datetime(2026, 11, 20, 14, 5, 9, tzinfo=UTC)


def mail(**changes: Any) -> OutgoingMail:
    values: dict[str, Any] = {
        "attempt_id": ATTEMPT,
        "message_id": "01k7zt5c9letter@nightbus.example",
        "envelope_from": "letters+b-x@nightbus.example",
        "sender": Mailbox("letters@nightbus.example", "Jane Doe via Night Bus"),
        "to": Mailbox("commissioner@transit.example", "Commissioner"),
        "subject": "Keep the night bus",
        "text": "Dear Commissioner,\n\nplease keep it.\n",
        "html": "<p>Dear Commissioner,</p><p>please keep it.</p>",
        "date": NOW,
        "reply_to": Mailbox("jane@people.example", "Jane Doe"),
        "cc": "copies@nightbus.example",
    }
    return OutgoingMail(**{**values, **changes})


def fax(**changes: Any) -> OutgoingFax:
    values: dict[str, Any] = {
        "attempt_id": ATTEMPT, "to": "+14165550133", "sender": "+14165550100", "media_url": "http://127.0.0.1:9/media/x",
        "callback_url": f"http://127.0.0.1:9/hooks/twilio?a={ATTEMPT}", "ttl_minutes": 30, "pdf": lambda: b"%PDF-1.7 invented"}
    return OutgoingFax(**{**values, **changes})
