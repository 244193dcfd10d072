"""Posting to webhooks as providers do: signed, repeated while the other side is down, given up after a while."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from outreach.settings import Settings
from outreach.transports.registry import sandbox_credentials

__all__ = ["client", "post", "sandbox_credentials", "stays_here", "twilio_signature"]

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Waits between tries; then the hook is given up."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_log = logging.getLogger(__name__)


def client() -> httpx.AsyncClient:
    """Time-outs set, no proxies, no redirects."""
    return httpx.AsyncClient(trust_env=False, timeout=10, follow_redirects=False,
                             headers={"User-Agent": "outreach-sandbox"})


def stays_here(url: str, settings: Settings) -> bool:
    """Whether a URL leads to this machine or to the service itself: the sandbox talks to nobody else."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and (
        parts.hostname in _LOOPBACK or parts.hostname == urlsplit(settings.public_url).hostname)


def twilio_signature(url: str, fields: Mapping[str, str], token: str) -> str:
    """HMAC-SHA1 over the URL and the form's fields, sorted by name (Twilio's webhook security page)."""
    signed = url + "".join(k + fields[k] for k in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


async def post(http: httpx.AsyncClient, url: str, headers: Mapping[str, str], *, form: Mapping[str, str] | None = None,
               body: bytes | None = None, about: str) -> bool:
    """Post until the answer is neither 5xx nor a broken connection. Returns whether it was a 2xx. `about` is for the log."""
    for pause in (*PAUSES_S, None):
        try:
            answer = await http.post(url, headers=dict(headers), data=form, content=body)
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                if not answer.is_success:
                    _log.warning("webhook about %s answered %d", about, answer.status_code)
                return answer.is_success
        except httpx.InvalidURL:
            break
        except httpx.HTTPError as e:
            _log.debug("webhook about %s: %s", about, type(e).__name__)
        if pause is not None:
            await asyncio.sleep(pause)
    _log.warning("webhook about %s given up", about)
    return False
