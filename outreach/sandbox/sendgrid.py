"""A server of SendGrid's v3 shape: takes mails, keeps them, posts signed batches of events to the service's webhook."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from outreach.sandbox import box, hooks
from outreach.sandbox.magic import mail_magic
from outreach.settings import Settings

GATHER_S, LARGEST_BATCH = 0.2, 500
SLOW_S = 3.0
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_OWN_HEADERS = frozenset("x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding to from subject "
                         "reply-to cc bcc".split())
_BOUNCES = {"bounce": ("5.1.1", "550 5.1.1 no such mailbox here"), "refuse": ("5.1.1", "550 5.1.1 no such mailbox here"),
            "full": ("5.2.2", "552 5.2.2 mailbox full")}


def sendgrid_key(settings: Settings) -> str:
    """The API key that the sandbox takes: the one that is set, else one made from the service's key."""
    return settings.sendgrid_api_key.get_secret_value() or (
        "SG." + hmac.new(settings.key(), b"sandbox sendgrid", hashlib.sha256).hexdigest()[:40])


def _private_key(settings: Settings) -> ec.EllipticCurvePrivateKey:
    path = box.root(settings) / "sendgrid_key.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_once(path, pem)
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - we wrote it
    return key


def _write_once(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    try:
        os.link(fresh, path)  # the first process wins
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def sendgrid_public_key(settings: Settings) -> str:
    """The events' verification key, as SendGrid shows it: base64 of the DER public key. Made on first use."""
    return base64.b64encode(_private_key(settings).public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


class SendGrid:
    """POST /v3/mail/send, and the event webhook."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, *, slow_delay: float = SLOW_S) -> None:
        self.settings, self.http, self.slow_delay = settings, http, slow_delay
        self._signing = _private_key(settings)
        self._key = sendgrid_key(settings)
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._spawn(self._batches())

    async def close(self) -> None:
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self._key.encode()):
            return _refusal(401, None, "The provided authorization grant is invalid, expired, or revoked")
        try:
            payload = json.loads(await request.body())
            if mistake := find_mistake(payload):
                return _refusal(400, *mistake)
            mails = [(personal, as_mail(payload, personal)) for personal in payload["personalizations"]]
        except (ValueError, TypeError, KeyError, AttributeError):
            return _refusal(400, None, "Bad Request")
        return await self._take(payload, mails)

    async def _take(self, payload: dict[str, Any], mails: list[tuple[dict[str, Any], EmailMessage]]) -> Response:
        message_id = secrets.token_urlsafe(16)
        words = set()
        for personal, mail in mails:
            self._keep(mail, payload, personal, message_id)
            for address in recipients(personal):
                words.add(mail_magic(address))
                self._happen(address, mail["Message-ID"], message_id, custom_args(payload, personal))
        if "slow" in words:
            await asyncio.sleep(self.slow_delay)
        if "drop" in words:
            return _refusal(500, None, "the mail was kept, but this answer does not say so")
        return Response(status_code=202, headers={"X-Message-Id": message_id})

    def _keep(self, mail: EmailMessage, payload: dict[str, Any], personal: dict[str, Any], message_id: str) -> None:
        mail_id, folder = box.new_id(), box.mail_dir(self.settings)
        args = custom_args(payload, personal)
        box.write(folder / f"{mail_id}.eml", mail.as_bytes(policy=SMTP))
        box.write_sidecar(folder / f"{mail_id}.json", {
            "id": mail_id, "at": box.now().isoformat(), "through": "sendgrid", "mail_from": payload["from"]["email"],
            "rcpt_to": [{"address": a, "notify": None, "orcpt": ""} for a in recipients(personal)],
            "message_id": message_id, "custom_args": args, "tracking_settings": payload.get("tracking_settings"),
            "attempt_id": str(args.get("attempt_id") or args.get("attempt") or "")})

    def _happen(self, address: str, smtp_id: str, message_id: str, args: dict[str, Any]) -> None:
        """Queue the events of one recipient, by its magic word."""
        word = mail_magic(address)
        if word == "quiet":
            return
        base = {**args, "email": address, "smtp-id": smtp_id, "sg_message_id": f"{message_id}.sandbox-0000.0"}
        events: list[dict[str, Any]] = [{"event": "processed"}]
        if word in _BOUNCES:
            status, reason = _BOUNCES[word]
            events.append({"event": "bounce", "type": "bounce", "status": status, "reason": reason})
        else:
            if word == "defer":
                events += [{"event": "deferred", "response": "451 4.3.0 not now", "attempt": str(n)} for n in (1, 2)]
            events.append({"event": "delivered", "response": "250 2.0.0 OK"})
        for event in events:
            self._events.put_nowait({**base, "timestamp": int(time.time()), "sg_event_id": secrets.token_urlsafe(16), **event})

    async def _batches(self) -> None:
        while True:
            batch = [await self._events.get()]
            await asyncio.sleep(GATHER_S)
            while len(batch) < LARGEST_BATCH and not self._events.empty():
                batch.append(self._events.get_nowait())
            self._spawn(self._post(batch))

    async def _post(self, batch: list[dict[str, Any]]) -> None:
        url = self.settings.public_url + "/hooks/sendgrid"
        body = json.dumps(batch).encode()
        at = str(int(time.time()))
        signature = base64.b64encode(self._signing.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        await hooks.post(self.http, url, {
            "Content-Type": "application/json", "X-Twilio-Email-Event-Webhook-Signature": signature,
            "X-Twilio-Email-Event-Webhook-Timestamp": at}, body=body, about=f"{len(batch)} mail events")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def recipients(personal: dict[str, Any]) -> list[str]:
    return [one["email"] for kind in ("to", "cc", "bcc") for one in personal.get(kind, [])]


def custom_args(payload: dict[str, Any], personal: dict[str, Any]) -> dict[str, Any]:
    return {**payload.get("custom_args", {}), **personal.get("custom_args", {})}


def as_mail(payload: dict[str, Any], personal: dict[str, Any]) -> EmailMessage:
    """The mail that SendGrid would send on for one personalization."""
    custom_args(payload, personal)
    mail = EmailMessage()
    mail["From"] = _shown(payload["from"])
    for kind, name in (("to", "To"), ("cc", "Cc")):
        if personal.get(kind):
            mail[name] = ", ".join(_shown(one) for one in personal[kind])
    if payload.get("reply_to"):
        mail["Reply-To"] = _shown(payload["reply_to"])
    mail["Subject"] = personal.get("subject") or payload["subject"]
    for name, value in {**payload.get("headers", {}), **personal.get("headers", {})}.items():
        mail[name] = value
    if "Message-ID" not in mail:
        mail["Message-ID"] = make_msgid(domain="sandbox.example")
    if "Date" not in mail:
        mail["Date"] = format_datetime(box.now())
    contents = [(c["type"].partition("/")[2], c["value"]) for c in payload["content"]]
    mail.set_content(contents[0][1], subtype=contents[0][0])
    for subtype, value in contents[1:]:
        mail.add_alternative(value, subtype=subtype)
    for one in payload.get("attachments", []):
        maintype, _, subtype = one.get("type", "application/octet-stream").partition("/")
        mail.add_attachment(base64.b64decode(one["content"]), maintype=maintype, subtype=subtype, filename=one["filename"])
    return mail


def find_mistake(payload: Any) -> tuple[str | None, str] | None:
    """The first thing SendGrid would refuse: field and message; None for a mail that it would take."""
    if not isinstance(payload, dict):
        return None, "Bad Request"
    personals = payload.get("personalizations")
    if not isinstance(personals, list) or not personals:
        return "personalizations", "The personalizations field is required and must have at least one personalization."
    if not _is_address(payload.get("from")):
        return "from.email", "The from email does not contain a valid address."
    for n, personal in enumerate(personals):
        field = f"personalizations.{n}"
        lists = [personal.get(kind, []) for kind in ("to", "cc", "bcc")] if isinstance(personal, dict) else [None]
        if not all(isinstance(one, list) and all(map(_is_address, one)) for one in lists) or not lists[0]:
            return f"{field}.to", "Does not contain a valid address."
        addresses = [a.lower() for a in recipients(personal)]
        if len(set(addresses)) < len(addresses):
            return field, "Each email address in the personalization block should be unique between to, cc, and bcc."
        if not (payload.get("subject") or personal.get("subject")):
            return "subject", "The subject is required."
    content = payload.get("content")
    if not isinstance(content, list) or not content or not all(
            isinstance(c, dict) and str(c.get("type", "")).startswith("text/") and c.get("value") for c in content):
        return "content", "The content value must be a string at least one character in length."
    if any(name.lower() in _OWN_HEADERS for name in payload.get("headers", {})):
        return "headers", "A reserved header cannot be set."
    return None


def _is_address(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("email"), str) and _ADDRESS.fullmatch(one["email"]) is not None


def _shown(one: dict[str, Any]) -> str:
    return formataddr((one.get("name") or "", one["email"]))


def _refusal(status: int, field: str | None, message: str) -> JSONResponse:
    return JSONResponse({"errors": [{"message": message, "field": field, "help": None}]}, status)
