"""Bounces that come as mail: read the mailboxes they arrive in, and take what they say as receipts."""

from __future__ import annotations

import threading

from outreach.db import utcnow
from outreach.errors import Malformed, TransportDown
from outreach.logs import get
from outreach.services import receipts
from outreach.settings import Settings, SettingsInvalid, get_settings
from outreach.transports.email.bounces import read_dsn
from outreach.transports.email.mailboxes import BounceReader, ImapReader, read_imap, read_maildir

log = get()
SECONDS = 30.0
"""The longest wait for one answer of an IMAP server."""
POLL = 30.0
"""Seconds between two looks into the IMAP mailbox."""
FIRST_PAUSE, FIRST_PAUSE_REFUSED, LONGEST_PAUSE = 5.0, 300.0, 900.0
"""Seconds until the next connection after one that failed, or a login that was refused: twice as long after each further one."""

GOODBYE = 1.0
"""Seconds that the IMAP server has for what it is answering when we are told to stop."""


def take_message(raw: bytes) -> int:
    """Take one bounce as piped in. Returns how many receipts were new. Raises Malformed for a mail that is no notification."""
    now = utcnow()
    words = read_dsn(raw, key=get_settings().key(), now=now)
    if not words:
        raise Malformed("this mail is no delivery status notification (RFC 3464)")
    return receipts.take(words, now=now)


def collect() -> int:
    """Read what has arrived in the configured Maildir and the sandbox's. Returns how many receipts were new."""
    settings = get_settings()
    return sum(_read(read_maildir(path)) for path in (settings.bounce_maildir, _sandbox_maildir(settings)) if path)


def _sandbox_maildir(settings: Settings) -> str:
    return str(settings.data_dir / "sandbox" / "bounces") if settings.email_transport == "sandbox" else ""


def _read(reader: BounceReader) -> int:
    new = 0
    for key, raw in reader:
        try:
            new += take_message(raw)
        except Malformed:
            log.warning("bounce.not_understood", receipt=key)
            reader.leave(key)
        else:
            reader.done(key)
    return new


class ImapWatch:
    """Reads the configured IMAP mailbox over one connection that is kept, with a look each `POLL` seconds.

    A look each two seconds with a login of its own, or the server's long silence, is nothing for the ticker's own thread; and
    imaplib cannot wait for the server to speak (IDLE), which thirty seconds do not need.
    """

    def __init__(self) -> None:
        self._stop, self._ended = threading.Event(), threading.Event()
        self._reader: ImapReader | None = None

    def run(self) -> None:
        """Look until `stop`; does nothing where no mailbox is set. Never raises: a mailbox that fails is tried later and later."""
        try:
            self._follow()
        finally:
            self._ended.set()

    def _follow(self) -> None:
        failures = 0
        while (url := get_settings().bounce_imap_url.get_secret_value()) and not self._stop.is_set():
            first = FIRST_PAUSE
            try:
                with read_imap(url, timeout=SECONDS) as self._reader:
                    while not self._stop.is_set():
                        _read(self._reader)
                        failures = 0
                        self._stop.wait(POLL)
            except TransportDown as e:
                first = FIRST_PAUSE_REFUSED if e.auth else first
                if not self._stop.is_set():
                    log.warning("mailbox.down", auth=e.auth, error=str(e)[:200])
            except SettingsInvalid as e:
                first = LONGEST_PAUSE
                log.error("mailbox.not_set", error=str(e))
            except Exception:
                log.exception("mailbox.not_read")
            finally:
                self._reader = None
            self._stop.wait(min(first * 2**failures, LONGEST_PAUSE))
            failures = min(failures + 1, 20)

    def stop(self) -> None:
        """From another thread: say goodbye to the server, or go without where it does not answer at once."""
        self._stop.set()
        if not self._ended.wait(GOODBYE) and (reader := self._reader):
            reader.cut()
