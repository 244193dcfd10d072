"""E-mail over SMTP on one kept connection: the target's RCPT first, the inbox's copy in the same transaction.

`smtplib` connects, speaks TLS and logs in (`smtp_server.py`); the transaction itself is written here, because its safety
lies in knowing at which byte a connection broke (RFC 5321; pipelining RFC 2920; delivery reports RFC 3461).
"""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeAlias

from outreach.domain.letters import Channel, Reason
from outreach.errors import TransportDown
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import Accepted, NotStarted, Outcome, OutgoingMail, Refused, Unknown, short
from outreach.transports.email.bounces import envelope_id
from outreach.transports.email.envelope import DATA, envelope_lines, refusal
from outreach.transports.email.message import build, needs_smtputf8
from outreach.transports.email.smtp_server import CONNECT_SECONDS, SmtpServer, abandon, helo_name, said
from outreach.transports.email.status import Stage
from outreach.transports.email.window import Turn, Window
from outreach.transports.email.wire import Wire

Check: TypeAlias = Callable[[OutgoingMail], NotStarted | None]

_QUIT_SECONDS = 2.0
_COMMANDS = 5
"""Time-outs that one hand-over may use up, beside the seconds for a new connection: it is over then, and leases count on it."""
_QUEUED_AS = re.compile(r"(?:queued(?: mail for delivery)?(?: as)?[: ]+|\bid[=: ]+)<?([A-Z0-9][A-Z0-9._-]{3,99})", re.IGNORECASE)


class _Gone(Exception):
    """The connection broke, or the server said 421, before the final dot was written."""

    def __init__(self, why: str, *, early: bool = False) -> None:
        super().__init__(why)
        self.early = early
        """Whether it was within the envelope, where a kept connection shows that it had gone stale."""


def _always(_mail: OutgoingMail) -> None:
    return None


class SmtpTransport:
    """Hands mails to one mail server. Time-outs: 15 s to connect, `smtp_timeout` for each command, five times that for all of a mail."""

    name: ClassVar[str] = "smtp"
    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(self, server: SmtpServer, key: bytes | None = None) -> None:
        """`key` is the service's, to sign envelope ids; without it they are bare, and no delivery report is believed by them."""
        self.server, self.key = server, key

    @classmethod
    def from_settings(cls, settings: Settings) -> SmtpTransport:
        """Raises SettingsInvalid when OUTREACH_SMTP_URL is missing or cannot be read."""
        url = settings.smtp_url.get_secret_value()
        if not url:
            raise SettingsInvalid("OUTREACH_SMTP_URL is needed for the transport smtp, such as smtp://user:password@host:587")
        return cls(SmtpServer.from_url(url, helo=helo_name(settings), timeout=settings.smtp_timeout), settings.key())

    @contextmanager
    def connect(self) -> Iterator[SmtpSession]:
        """Raises TransportDown when no connection can be made or our credentials are refused; nothing was handed over."""
        session = SmtpSession(self.server.connect, self.key)
        try:
            yield session
        finally:
            session.close()


class SmtpSession:
    """One kept connection. Not thread-safe. After a broken one the next mail connects once more."""

    def __init__(self, connect: Callable[[], smtplib.SMTP], key: bytes | None = None) -> None:
        self._connect, self._key = connect, key
        self._wire: Wire | None = Wire(connect())
        self._carried = 0
        """Mails that this connection has taken part in."""

    def hand_over(self, mail: OutgoingMail) -> Outcome:
        """One mail to its target, with the copy to the inbox. Never raises for what a server or network does."""
        [outcome] = self.hand_over_many([mail])
        return outcome

    def hand_over_many(self, mails: Iterable[OutgoingMail], check: Check = _always) -> Iterator[Outcome]:
        """Mails one after another; yields what came of each, in order. Never raises for what a server or network does.

        A mail's text and the next one's envelope are one write where the server takes it (RFC 2920, 3.1), and the mail after
        that is pulled, which is when it is composed, while the answers are on their way. `check` is asked right before a
        mail's text goes out, with everything that could take time behind it; what it returns is then the outcome.
        """
        window = Window(iter(mails))
        try:
            while turn := window.next():
                outcome = self._carry(turn, window, check)
                if self._wire is None:
                    window.forget()
                yield outcome
        except GeneratorExit:  # nobody wants the rest
            if window.asked:
                self._drop()
            raise
        except BaseException:  # an error of ours: a transaction under way dies with its connection
            self._drop()
            raise

    def close(self) -> None:
        """Says goodbye where that is quick; never raises."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        try:
            wire.within(time.monotonic() + _QUIT_SECONDS)
            wire.write(b"QUIT\r\n")
            wire.reply()
        except OSError:
            pass
        abandon(wire.smtp)

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        abandon(wire.smtp if wire else None)

    def _carry(self, turn: Turn, window: Window, check: Check) -> Outcome:
        """One mail, on a new connection if the kept one had ended by itself: idle, or after the server's limit of mails."""
        began = time.monotonic()
        while True:
            if not turn.asked and (stop := check(turn.mail)):
                return stop
            try:
                if self._wire is None:
                    self._wire, self._carried = Wire(self._connect()), 0
                wire = self._wire
                wire.within(began + _COMMANDS * wire.patience + CONNECT_SECONDS)
                self._write(turn, wire)
            except TransportDown as e:
                return NotStarted(short(e), auth=e.auth)
            except ValueError as e:
                return Refused(Reason.CANNOT_RENDER, permanent=True, detail=short(e))
            try:
                outcome = self._transaction(wire, turn, window, check)
            except _Gone as e:
                stale = e.early and self._carried > 0
                self._drop()
                turn.asked = False
                if not stale:
                    return NotStarted(short(e))
            else:
                self._carried += 1
                return outcome

    def _write(self, turn: Turn, wire: Wire) -> None:
        """Compose the mail as this connection's server takes it. Raises ValueError for what cannot stand in a mail."""
        if turn.wire is wire:
            return
        mail, smtp = turn.mail, wire.smtp
        wide = smtp.has_extn("smtputf8") and needs_smtputf8(mail)
        content = build(mail, smtputf8=wide)
        turn.envelope = envelope_lines(smtp, mail, len(content), envelope_id(mail.attempt_id, self._key) if self._key else mail.attempt_id)
        if smtp.has_extn("pipelining") and len(turn.envelope) == 2:
            # Where there is a copy, the target's answer must be known before the text may go to anybody.
            turn.envelope.append(DATA)
        turn.text = content.replace(b"\n.", b"\n..") + b".\r\n"  # it begins with a header and ends in CRLF
        turn.wire = wire

    def _transaction(self, wire: Wire, turn: Turn, window: Window, check: Check) -> Outcome:
        """MAIL, RCPT, DATA, dot. Raises _Gone while nothing can have been accepted yet."""
        refused = self._envelope(wire, turn, window)
        if isinstance(refused, Refused | NotStarted):
            return refused
        if stop := check(turn.mail):
            self._drop()  # a transaction that has come this far is only forgotten with its connection
            return stop
        ahead = self._ahead(wire, window)
        sent, error = wire.send(turn.text + b"".join(ahead.envelope) if ahead else turn.text)
        if sent < len(turn.text):
            raise _Gone(f"the connection broke within the text: {short(error)}")
        if ahead:
            ahead.asked = True
        self._compose_more(wire, window)
        return self._after_dot(wire, turn.mail, copy_refused=bool(refused))

    def _ahead(self, wire: Wire, window: Window) -> Turn | None:
        """The next mail, if its envelope may travel with this one's text."""
        following = window.peek() if wire.smtp.has_extn("pipelining") else None
        if following is None:
            return None
        return following if self._can_write(following, wire) else None

    def _compose_more(self, wire: Wire, window: Window) -> None:
        """While answers are on their way: have one mail more in hand than has been asked for."""
        if more := window.peek(1 if window.asked else 0):
            self._can_write(more, wire)

    def _can_write(self, turn: Turn, wire: Wire) -> bool:
        """Whether a mail could be composed before its turn; at its turn, whatever is wrong with it is its own."""
        try:
            self._write(turn, wire)
        except Exception:
            return False
        return True

    def _envelope(self, wire: Wire, turn: Turn, window: Window) -> Refused | NotStarted | bool:
        """The outcome if it ends here, else, once the server waits for the text, whether the copy's recipient was refused."""
        together = turn.envelope[-1] is DATA
        asked = turn.envelope[:-1] if together else turn.envelope
        grouped = wire.smtp.has_extn("pipelining")
        replies: list[tuple[int, bytes]] = []
        try:
            if grouped and not turn.asked:
                wire.write(b"".join(turn.envelope))
                self._compose_more(wire, window)
            for line in asked:
                if not grouped:
                    wire.write(line)
                replies.append(_reply(wire))
                if not grouped and replies[-1][0] >= 400 and len(replies) < 3:
                    break
        except OSError as e:
            raise _Gone(short(e), early=True) from e
        if any(300 <= code < 400 for code, _ in replies):
            raise _Gone("no sense in the answers to the envelope")
        for (code, text), stage in zip(replies[:2], _STAGES, strict=False):
            if code >= 400:
                self._reset(wire, unread=together)
                return refusal(code, text, stage)
        try:
            if not together:
                wire.write(DATA)
            code, text = _reply(wire)
        except OSError as e:
            raise _Gone(short(e)) from e
        if code == 354:
            return len(replies) > 2 and replies[2][0] >= 400
        if code < 400:
            raise _Gone(f"no sense in the answer to DATA: {said(code, text)}")
        self._reset(wire)
        return refusal(code, text, "data")

    def _after_dot(self, wire: Wire, mail: OutgoingMail, *, copy_refused: bool) -> Outcome:
        try:
            code, text = wire.reply()
        except OSError as e:
            self._drop()
            return Unknown(f"no answer to the final dot: {short(e)}")
        if 200 <= code < 300:
            found = _QUEUED_AS.search(text.decode(errors="replace"))
            return Accepted(found[1] if found else mail.message_id, copy_refused=copy_refused)
        if 400 <= code < 600:
            if code == 421:
                self._drop()
            return refusal(code, text, "data")
        self._drop()
        return Unknown(f"no sense in the answer to the final dot: {said(code, text)}")

    def _reset(self, wire: Wire, *, unread: bool = False) -> None:
        """Forget the transaction; a connection that cannot is given up, which forgets it too. `unread`: DATA is still to be answered."""
        try:
            if unread and _reply(wire)[0] < 400:  # it waits for a text although there is nobody to get it
                self._drop()
                return
            wire.write(b"RSET\r\n")
            if _reply(wire)[0] != 250:
                self._drop()
        except OSError:
            self._drop()


_STAGES: tuple[Stage, Stage] = ("mail", "rcpt")


def _reply(wire: Wire) -> tuple[int, bytes]:
    """The next answer. Raises OSError at a broken connection, at 421, and at an answer that is none."""
    code, text = wire.reply()
    if code == 421:
        raise ConnectionError(said(code, text))
    if not 200 <= code < 600:
        raise ConnectionError(f"not an SMTP answer: {said(code, text)}")
    return code, text
