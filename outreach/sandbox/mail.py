"""A mail server that keeps what it accepts, understands DSN requests, and misbehaves when asked to (see `magic.MAIL`)."""

from __future__ import annotations

import asyncio
import hashlib
import mailbox
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from itertools import count
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from outreach.sandbox import box
from outreach.sandbox.dsn import HOST, MailWish, RecipientWish, Report, split_parameters
from outreach.sandbox.magic import mail_magic
from outreach.settings import Settings

DEFERRALS = 2
SIZE_LIMIT = 30_000_000
_EXTRA_LENGTH = {"MAIL": 150, "RCPT": 600}    # RFC 3461, 4: what its parameters may add to a command line
_MAIL_NAMES, _RCPT_NAMES = frozenset({"ENVID", "RET"}), frozenset({"NOTIFY", "ORCPT"})

_SIGNED_ENVID = re.compile(r"^([0-9a-z]{26})-[a-z2-7]{8}$")


class DsnEnvelope(Envelope):
    def __init__(self) -> None:
        super().__init__()
        self.wish = MailWish()
        self.wishes: list[RecipientWish] = []


class DsnServer(SMTP):
    """aiosmtpd's SMTP with the parameters of RFC 3461, which it refuses by itself."""

    envelope: DsnEnvelope | None

    def __init__(self, handler: MailBox, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(handler, hostname=HOST, ident="Outreach sandbox", enable_SMTPUTF8=True, data_size_limit=SIZE_LIMIT,
                         loop=loop)
        for command, more in _EXTRA_LENGTH.items():
            self.command_size_limits[command] += more

    def _create_envelope(self) -> DsnEnvelope:
        return DsnEnvelope()

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        try:
            plain, given = split_parameters(arg or "", _MAIL_NAMES)
            wish = MailWish.of(given)
        except ValueError as e:
            await self.push(f"501 5.5.4 {e}")
            return
        fresh = self.envelope is not None and self.envelope.mail_from is None
        await super().smtp_MAIL(plain or None)
        if fresh and self.envelope is not None and self.envelope.mail_from is not None:
            self.envelope.wish = wish

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:
        try:
            plain, given = split_parameters(arg or "", _RCPT_NAMES)
            wish = RecipientWish.of(given)
        except ValueError as e:
            await self.push(f"501 5.5.4 {e}")
            return
        before = len(self.envelope.rcpt_tos) if self.envelope else 0
        await super().smtp_RCPT(plain or None)
        if self.envelope is not None and len(self.envelope.rcpt_tos) > before:
            self.envelope.wishes.append(wish)


@dataclass
class MailBox:
    """The handler: decides what to answer, keeps the mail, writes the reports. Delays are in seconds."""

    settings: Settings
    dsn_delay: float = 0.3
    slow_delay: float = 3.0
    _deferred: Counter[str] = field(default_factory=Counter)
    _pending: dict[int, tuple[asyncio.TimerHandle, Report]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    async def handle_EHLO(self, server: DsnServer, session: Session, envelope: DsnEnvelope, hostname: str,
                          responses: list[str]) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", "250-PIPELINING", responses[-1]]

    async def handle_RCPT(self, server: DsnServer, session: Session, envelope: DsnEnvelope, address: str,
                          options: list[str]) -> str:
        match mail_magic(address):
            case "refuse":
                return "550 5.1.1 no such mailbox here"
            case "full":
                return "552 5.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: DsnServer, session: Session, envelope: DsnEnvelope) -> str:
        words = {mail_magic(a) for a in envelope.rcpt_tos}
        if "slow" in words:
            await asyncio.sleep(self.slow_delay)
        if "defer" in words and self._comes_too_early(envelope):
            return "451 4.3.0 not now, please come back later"
        kept = self.keep(envelope, _peer(session))
        self._report_later(envelope)
        if "drop" in words:
            if isinstance(server.transport, asyncio.Transport):
                server.transport.abort()
            raise ConnectionResetError("dropped, as drop@ asks for")
        return f"250 2.0.0 kept as {kept}"

    def _comes_too_early(self, envelope: DsnEnvelope) -> bool:
        """Known by Message-ID and recipients, because an attempt changes the envelope's sender and ENVID."""
        content = _content(envelope)
        message_id = message_from_bytes(content).get("Message-ID") or hashlib.sha256(content).hexdigest()
        key = " ".join([message_id, *sorted(a for a in envelope.rcpt_tos if mail_magic(a) == "defer")])
        self._deferred[key] += 1
        return self._deferred[key] <= DEFERRALS

    def keep(self, envelope: DsnEnvelope, peer: str) -> str:
        """Write the mail and its sidecar; returns its id."""
        mail_id, folder = box.new_id(), box.mail_dir(self.settings)
        box.write(folder / f"{mail_id}.eml", _content(envelope))
        box.write_sidecar(folder / f"{mail_id}.json", {
            "id": mail_id, "at": box.now().isoformat(), "through": "smtp", "peer": peer, "mail_from": envelope.mail_from,
            "rcpt_to": [{"address": a, "notify": _notify_words(w), "orcpt": w.orcpt}
                        for a, w in zip(envelope.rcpt_tos, envelope.wishes, strict=True)],
            "envid": envelope.wish.envid, "ret": "FULL" if envelope.wish.full else "HDRS", "smtputf8": envelope.smtp_utf8,
            "attempt_id": _SIGNED_ENVID.sub(r"\1", envelope.wish.envid)})
        return mail_id

    def _report_later(self, envelope: DsnEnvelope) -> None:
        sender = envelope.mail_from or "<>"
        if sender == "<>":
            return
        for address, wish in zip(envelope.rcpt_tos, envelope.wishes, strict=True):
            word = mail_magic(address)
            if word != "quiet" and wish.wants("FAILURE" if word == "bounce" else "SUCCESS"):
                key = next(self._numbers)
                timer = asyncio.get_running_loop().call_later(self.dsn_delay, self._deliver, key)
                self._pending[key] = timer, _report(envelope, sender, address, wish, box.now())

    def _deliver(self, key: int) -> None:
        _, report = self._pending.pop(key)
        mailbox.Maildir(box.bounce_dir(self.settings)).add(bytes(report))

    def close(self) -> None:
        """Deliver what still waits: a stop loses no report."""
        for key, (timer, _) in list(self._pending.items()):
            timer.cancel()
            self._deliver(key)


def _report(envelope: DsnEnvelope, sender: str, address: str, wish: RecipientWish, at: datetime) -> Report:
    failed = mail_magic(address) == "bounce"
    return Report(sender=sender, recipient=address, mail=envelope.wish, wish=wish, content=_content(envelope),
                  arrived=at, at=at, delivered=not failed, status="5.1.1" if failed else "2.0.0",
                  diagnostic="550 5.1.1 no such mailbox here" if failed else "250 2.0.0 delivered")


def _content(envelope: DsnEnvelope) -> bytes:
    content = envelope.content or b""
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def _notify_words(wish: RecipientWish) -> list[str] | None:
    return None if wish.notify is None else sorted(wish.notify) or ["NEVER"]


def _peer(session: Session) -> str:
    peer: Any = session.peer
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""


async def start(settings: Settings, handler: MailBox, port: int) -> asyncio.Server:
    """Listen on loopback; port 0 picks a free one. Raises OSError when the port is taken."""
    box.mail_dir(settings).mkdir(parents=True, exist_ok=True)
    mailbox.Maildir(box.bounce_dir(settings))
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: DsnServer(handler, loop), "127.0.0.1", port)
