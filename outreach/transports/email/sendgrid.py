"""E-mail through SendGrid's v3 Mail Send over a kept httpx connection; the decision "sendgrid-over-httpx" in docs says why."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import httpx

from outreach.domain.letters import Channel, Reason
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import Accepted, Mailbox, Outcome, OutgoingMail, Refused, Unknown, short
from outreach.transports.email.message import ascii_address, build, can_be_written
from outreach.transports.http import failure, kept_client, refusal

_OFF = {"enable": False}
# No links rewritten, no pixel, no footer: who opens what is nobody's business (and SendGrid's account default may be on).
_TRACKING = {"click_tracking": {"enable": False, "enable_text": False}, "open_tracking": _OFF,
             "subscription_tracking": _OFF, "ganalytics": _OFF}


class SendGridTransport:
    """Hands mails to SendGrid, or to a server of its shape at `url`. Time-outs: 15 s to connect, `timeout` s for the rest."""

    name: ClassVar[str] = "sendgrid"
    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(self, api_key: str, url: str, timeout: float) -> None:
        self._key, self._url, self._timeout = api_key, url.rstrip("/"), timeout

    @classmethod
    def from_settings(cls, settings: Settings) -> SendGridTransport:
        """Raises SettingsInvalid when the API key is missing."""
        key = settings.sendgrid_api_key.get_secret_value()
        if not key.isascii() or not key.strip():
            raise SettingsInvalid("OUTREACH_SENDGRID_API_KEY is needed for the transport sendgrid")
        return cls(key.strip(), settings.sendgrid_url, settings.http_timeout)

    @contextmanager
    def connect(self) -> Iterator[SendGridSession]:
        """Connects with the first mail; a failure to do so is that mail's NotStarted."""
        with kept_client(self._url, self._timeout, {"Authorization": f"Bearer {self._key}"}) as client:
            yield SendGridSession(client)


class SendGridSession:
    """One kept connection. Not thread-safe."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def hand_over(self, mail: OutgoingMail) -> Outcome:
        """One mail with its copy. SendGrid does not say at once whether it took the copy; an event may."""
        try:
            build(mail)  # the same rules as for SMTP hold for what may stand in a header
            content = json.dumps(_payload(mail)).encode()
        except ValueError as e:
            return Refused(Reason.CANNOT_RENDER, permanent=True, detail=short(e))
        try:
            answer = self._client.post("/v3/mail/send", content=content, headers={"Content-Type": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            return failure(e)
        return _outcome(answer, mail.message_id)


def _outcome(answer: httpx.Response, message_id: str) -> Outcome:
    if answer.status_code == 202:
        return Accepted(short(answer.headers.get("X-Message-Id") or message_id))
    if answer.is_success:
        return Unknown(f"{answer.status_code} is not an answer of this API")
    return refusal(answer.status_code, _errors(answer), answer.headers.get("Retry-After"))


def _errors(answer: httpx.Response) -> str:
    try:
        return "; ".join(str(e["message"]) for e in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _payload(mail: OutgoingMail) -> dict[str, Any]:
    """Mail Send's JSON. `custom_args` come back with every event; they hold our id and no personal data."""
    to = _box(mail.to)
    person: dict[str, Any] = {"to": [to], "custom_args": {"attempt": mail.attempt_id}}
    if mail.cc and (copy := ascii_address(mail.cc)).lower() != to["email"].lower():  # it refuses an address named twice
        person["cc"] = [{"email": copy}]
    bodies = (("text/plain", mail.text), ("text/html", mail.html))
    payload: dict[str, Any] = {
        "personalizations": [person],
        "from": _box(mail.sender),
        "subject": mail.subject,
        "content": [{"type": kind, "value": text} for kind, text in bodies if text],
        "headers": {"Message-ID": f"<{mail.message_id}>", "Content-Language": mail.language, **dict(mail.headers)},
        "tracking_settings": _TRACKING,
    }
    if mail.reply_to and can_be_written(mail.reply_to.address):
        payload["reply_to"] = _box(mail.reply_to)
    if mail.attachments:
        payload["attachments"] = [{"content": b64encode(a.content).decode(), "type": a.content_type, "filename": a.filename,
                                   "disposition": "attachment"} for a in mail.attachments]
    return payload


def _box(box: Mailbox) -> dict[str, str]:
    email = ascii_address(box.address)
    return {"email": email, "name": box.name} if box.name else {"email": email}
