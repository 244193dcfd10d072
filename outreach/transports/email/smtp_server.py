"""One connection to a mail server: where, how encrypted, and as whom. `smtplib` does the speaking."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from outreach.errors import TransportDown
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import short
from outreach.transports.email.message import ascii_address
from outreach.transports.email.wire import Wire

CONNECT_SECONDS = 15.0
"""For the connection, and for each answer until the first mail; twice that for all of them."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how to connect. `tls`: "offered" (STARTTLS if the server has it), "required" (STARTTLS or nothing), "wrapped"."""

    host: str
    port: int
    tls: str
    user: str
    password: str
    helo: str
    timeout: float

    @classmethod
    def from_url(cls, url: str, *, helo: str, timeout: float) -> SmtpServer:
        """Reads smtp://, smtps:// and smtp+starttls:// URLs. Raises SettingsInvalid without showing the password."""
        parts = urlsplit(url)
        try:
            tls, port = {"smtp": ("offered", 25), "smtps": ("wrapped", 465), "smtp+starttls": ("required", 587)}[parts.scheme]
            host, port = parts.hostname or "", parts.port or port
        except (KeyError, ValueError) as e:
            raise SettingsInvalid("OUTREACH_SMTP_URL must be like smtp://user:password@host:587, smtps://… or "
                                  "smtp+starttls://…") from e
        if not host:
            raise SettingsInvalid("OUTREACH_SMTP_URL names no host")
        return cls(host, port, tls, unquote(parts.username or ""), unquote(parts.password or ""), helo, timeout)

    def connect(self) -> smtplib.SMTP:
        """A greeted, encrypted and logged-in connection. Raises TransportDown, `auth` when the login was refused."""
        smtp: smtplib.SMTP | None = None
        try:
            smtp = self._open()
            self._log_in(smtp)
        except smtplib.SMTPAuthenticationError as e:
            abandon(smtp)
            raise TransportDown(f"login refused: {said(e.smtp_code, e.smtp_error)}", auth=e.smtp_code >= 500) from e
        except (OSError, smtplib.SMTPException) as e:
            abandon(smtp)
            raise TransportDown(f"no connection to the mail server: {short(e)}") from e
        except ValueError:  # its text would show a piece of the password
            abandon(smtp)
            raise TransportDown("the mail server's name, or our user name or password, has characters it cannot have") from None
        return smtp

    def _open(self) -> smtplib.SMTP:
        limit = min(CONNECT_SECONDS, self.timeout)
        smtp: _Punctual
        if self.tls == "wrapped":
            smtp = _PunctualTls(local_hostname=self.helo, timeout=limit, context=ssl.create_default_context())
        else:
            smtp = _Punctual(local_hostname=self.helo, timeout=limit)
        smtp.talk_seconds = 2 * limit
        smtp._host = self.host  # type: ignore[attr-defined]  # what smtplib checks the certificate against
        try:
            code, text = smtp.connect(self.host, self.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            smtp.ehlo_or_helo_if_needed()
            if self.tls != "wrapped" and (self.tls == "required" or smtp.has_extn("starttls")):
                smtp.starttls(context=self._context())
                smtp.ehlo_or_helo_if_needed()
        except BaseException:
            abandon(smtp)
            raise
        if smtp.sock is None:
            raise smtplib.SMTPServerDisconnected("closed by the server")
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        smtp.sock.settimeout(self.timeout)
        return smtp

    def _context(self) -> ssl.SSLContext:
        """Certificates are checked, except for STARTTLS that is only taken where offered and guards no password (RFC 7435)."""
        context = ssl.create_default_context()
        if self.tls == "offered" and not self.user:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        if not self.user:
            return
        if not isinstance(smtp.sock, ssl.SSLSocket) and self.host not in _LOOPBACK:
            raise smtplib.SMTPException("the server offers no encryption, and the password is not sent without it")
        smtp.login(self.user, self.password)


class _Punctual(smtplib.SMTP):
    """smtplib waits anew for each byte of an answer; here an answer has one time-out, and `talk_seconds` after the connection was
    made all that is said until then is over."""

    talk_seconds = 2 * CONNECT_SECONDS
    _talk: Wire | None = None
    _of: socket.socket | None = None
    _end: float | None = None

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's. Raises SMTPServerDisconnected."""
        try:
            if self._talk is None or self._of is not self.sock:  # after STARTTLS: what was said in the open counts no more
                self._talk, self._of = Wire(self), self.sock
                self._end = self._end or time.monotonic() + self.talk_seconds
                self._talk.within(self._end)
            return self._talk.reply()
        except OSError as e:
            self.close()
            raise smtplib.SMTPServerDisconnected(short(e)) from e


class _PunctualTls(_Punctual, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


def helo_name(settings: Settings) -> str:
    """What we call ourselves in EHLO: the mail domain. Asking the resolver for our own name can hang for many seconds."""
    domain = ascii_address(f"a@{settings.mail_domain}").partition("@")[2]
    return domain if "." in domain else "localhost"


def said(code: int, text: bytes | str) -> str:
    """A reply on one printable line."""
    return short(f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}")


def abandon(smtp: smtplib.SMTP | None) -> None:
    """Close without a word, even in mid-transaction; never raises."""
    if smtp is not None:
        try:
            smtp.close()
        except OSError:
            pass
