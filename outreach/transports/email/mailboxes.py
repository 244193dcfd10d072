"""Where bounces arrive: a Maildir or an IMAP mailbox. Mails are read, marked, and never deleted or moved away.

Use: for each (key, bytes) either `done(key)`, once its words are stored, or `leave(key)` for a mail that is no notification;
neither comes up again. A crash between storing and `done` shows the same mail again, whose words have the same event ids.
"""

from __future__ import annotations

import imaplib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from outreach.errors import TransportDown
from outreach.settings import SettingsInvalid
from outreach.transports.base import short
from outreach.transports.email.bounces import MOST_BYTES
from outreach.transports.http import is_loopback

IMAP_SECONDS = 30.0
_LEFT = "OutreachLeft"


class BounceReader(Protocol):
    """Yields what has not been read yet."""

    def __iter__(self) -> Iterator[tuple[str, bytes]]: ...
    def done(self, key: str) -> None: ...
    def leave(self, key: str) -> None: ...


class MaildirReader:
    """New mails of a Maildir: `done` moves one to cur/ as seen, `leave` to cur/ as not yet seen, which is where a mail
    program would put it. A Maildir that does not exist has no mail."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        try:
            names = sorted(n for n in os.listdir(self._path / "new") if not n.startswith("."))
        except FileNotFoundError:
            return
        for name in names:
            try:
                with (self._path / "new" / name).open("rb") as file:
                    content = file.read(MOST_BYTES)
            except OSError:  # another process took it, or it is no file
                continue
            yield name, content

    def done(self, key: str) -> None:
        self._move(key, "S")

    def leave(self, key: str) -> None:
        self._move(key, "")

    def _move(self, key: str, flags: str) -> None:
        if os.sep in key:
            raise ValueError("not a Maildir key")
        (self._path / "cur").mkdir(exist_ok=True)
        try:
            (self._path / "new" / key).rename(self._path / "cur" / f"{key.partition(':')[0]}:2,{flags}")
        except FileNotFoundError:
            pass


def read_maildir(path: Path | str) -> MaildirReader:
    """The reader of a Maildir."""
    return MaildirReader(Path(path))


class ImapReader:
    """Unseen mails of an IMAP mailbox; `done` sets \\Seen, `leave` a keyword of ours (in memory where there are none).

    May be read again and again: each time it asks what has come since. Raises TransportDown.
    """

    def __init__(self, imap: imaplib.IMAP4) -> None:
        self._imap = imap
        self._left: set[str] = set()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for key in self._search():
            if key in self._left:
                continue
            with _down():
                _, data = self._imap.uid("FETCH", key, f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
            content = next((part[1] for part in data or [] if isinstance(part, tuple) and len(part) > 1), None)
            if isinstance(content, bytes):
                yield key, content

    def _search(self) -> list[str]:
        with _down():
            self._imap.noop()  # a server need not tell of new mail before (RFC 3501, 5.2)
            for word in ("EXISTS", "RECENT", "EXPUNGE", "FETCH"):
                self._imap.response(word)  # which the library keeps for ever otherwise
            _, found = self._imap.uid("SEARCH", "UNSEEN", "UNKEYWORD", _LEFT)
        return [k.decode() for k in (found[0] or b"").split()] if found else []

    def done(self, key: str) -> None:
        with _down():
            self._imap.uid("STORE", key, "+FLAGS.SILENT", r"(\Seen)")

    def cut(self) -> None:
        """From another thread: whatever is waited for ends at once, as if the connection had broken."""
        try:
            socket.socket.shutdown(self._imap.sock, socket.SHUT_RDWR)  # past TLS, whose state is the other thread's
        except OSError:
            pass

    def leave(self, key: str) -> None:
        self._left.add(key)
        try:
            self._imap.uid("STORE", key, "+FLAGS.SILENT", f"({_LEFT})")
        except imaplib.IMAP4.error:
            pass


@contextmanager
def read_imap(url: str, *, timeout: float = IMAP_SECONDS) -> Iterator[ImapReader]:
    """Log in and open the mailbox. imaps://user:password@host/MAILBOX; imap:// uses STARTTLS, except on loopback.

    Raises TransportDown when that fails (`auth`: the login), SettingsInvalid for a URL that cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
        raise SettingsInvalid("OUTREACH_BOUNCE_IMAP_URL must be like imaps://user:password@host/INBOX")
    mailbox = unquote(parts.path.strip("/")) or "INBOX"
    if re.search(r'[\x00-\x1f"\\]', mailbox):
        raise SettingsInvalid("OUTREACH_BOUNCE_IMAP_URL names a mailbox with characters that are not allowed")
    with _down():
        imap = _open(parts.scheme, parts.hostname, parts.port, timeout, loopback=is_loopback(url))
    try:
        try:
            imap.login(unquote(parts.username), unquote(parts.password or ""))
        except imaplib.IMAP4.error as e:
            raise TransportDown("the IMAP server refuses the login", auth=not isinstance(e, imaplib.IMAP4.abort)) from None
        except OSError as e:
            raise TransportDown(f"no connection to the IMAP server: {short(e)}") from e
        with _down():
            answer, _ = imap.select(f'"{mailbox}"')
        if answer != "OK":
            raise TransportDown("the IMAP server has no such mailbox")
        yield ImapReader(imap)
        with suppress(OSError, imaplib.IMAP4.error):
            imap.logout()
    finally:
        with suppress(OSError):
            imap.shutdown()  # without a word where something went wrong: the answer to one may stay out as well


def _open(scheme: str, host: str, port: int | None, timeout: float, *, loopback: bool) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    if scheme == "imaps":
        return imaplib.IMAP4_SSL(host, port or 993, ssl_context=context, timeout=timeout)
    imap = imaplib.IMAP4(host, port or 143, timeout=timeout)
    if not loopback:
        imap.starttls(context)
    return imap


@contextmanager
def _down() -> Iterator[None]:
    try:
        yield
    except (OSError, imaplib.IMAP4.error) as e:
        raise TransportDown(f"no connection to the IMAP server: {short(e)}") from e
