"""Bounces that come as mail: read the mailbox they arrive in, and take what they say as receipts."""

from __future__ import annotations

from outreach.db import utcnow
from outreach.errors import Malformed
from outreach.logs import get
from outreach.services import receipts
from outreach.settings import Settings, get_settings
from outreach.transports.email.bounces import read_dsn
from outreach.transports.email.mailboxes import BounceReader, read_imap, read_maildir

log = get()


def take_message(raw: bytes) -> int:
    """Take one bounce as piped in. Returns how many receipts were new. Raises Malformed for a mail that is no notification."""
    now = utcnow()
    words = read_dsn(raw, key=get_settings().key(), now=now)
    if not words:
        raise Malformed("this mail is no delivery status notification (RFC 3464)")
    return receipts.take(words, now=now)


def collect() -> int:
    """Read what has arrived in the configured Maildir and IMAP mailbox. Returns how many receipts were new.

    Raises TransportDown when the IMAP server cannot be reached.
    """
    settings = get_settings()
    new = sum(_read(read_maildir(path)) for path in (settings.bounce_maildir, _sandbox_maildir(settings)) if path)
    if url := settings.bounce_imap_url.get_secret_value():
        with read_imap(url) as reader:
            new += _read(reader)
    return new


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
