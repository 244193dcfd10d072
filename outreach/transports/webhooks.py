"""Receipts by webhook: each provider's parser with the keys that its settings hold. Without a key everything is forged."""

from __future__ import annotations

from datetime import datetime

from outreach.errors import NotFound
from outreach.settings import Settings
from outreach.transports.base import ReceiptWord, SignedRequest
from outreach.transports.sandbox import sandbox_credentials

PROVIDERS = {"sendgrid": "sendgrid", "twilio": "twilio", "signalwire": "twilio", "telnyx": "telnyx"}
"""Names in /hooks/{provider}; SignalWire speaks Twilio's shape."""


def parse_webhook(provider: str, request: SignedRequest, settings: Settings, now: datetime) -> list[ReceiptWord]:
    """What a provider says, in our words. Raises NotFound (no such provider), Forged, Malformed; the parsers check
    signature and freshness before they read anything."""
    match PROVIDERS.get(provider):
        case "sendgrid":
            from outreach.transports.email import sendgrid_words

            return sendgrid_words.parse(request, key=settings.sendgrid_webhook_key.strip(), now=now)
        case "twilio":
            from outreach.transports.fax import twilio_words

            return twilio_words.parse(request, tokens=_twilio_tokens(settings), public_url=settings.public_url, now=now)
        case "telnyx":
            from outreach.transports.fax import telnyx_words

            return telnyx_words.parse(request, key=settings.telnyx_public_key.strip(), now=now)
        case _:
            raise NotFound("no such provider")


def _twilio_tokens(settings: Settings) -> list[str]:
    tokens = [settings.twilio_auth_token.get_secret_value()]
    if settings.fax_transport == "sandbox":
        tokens.append(sandbox_credentials(settings)[1])
    return [t for t in tokens if t]
