"""The RQ jobs, thin: each means "drain what is due", never "this one letter"."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from outreach import db
from outreach.db import utcnow
from outreach.logs import get
from outreach.queue import QueueName
from outreach.services import deliver, inquiries, notices, polls, recalls, webhook_posts

log = get()
POSTERS = 4
"""Posts that are made at a time: so many programs that hang hold up nobody but the next."""
LOOK_EVERY = 0.2
"""Seconds between looks for mails while only posts are being made."""


def drain_email() -> int:
    """Hand over e-mails that may go now."""
    return _told(lambda: deliver.drain(QueueName.EMAIL))


def drain_fax() -> int:
    """Hand over faxes that may go now, then ask about those whose receipt or outcome stays out, and call back the unwanted."""
    return _told(lambda: deliver.drain(QueueName.FAX) + polls.poll() + inquiries.ask() + recalls.cancel_unwanted())


def drain_notices() -> int:
    """Send confirmations and other notices, and post what webhooks wait for."""
    return _told(mails_and_posts)


def mails_and_posts() -> int:
    """Send mails of our own for as long as threads beside make posts: nobody who waits for a mail waits for somebody's program."""
    posters = [Thread(target=_post) for _ in range(POSTERS if webhook_posts.due(utcnow()) else 0)]
    for poster in posters:
        poster.start()
    sent = notices.drain()
    for poster in posters:
        while poster.is_alive():
            poster.join(LOOK_EVERY)
            sent += notices.drain() if notices.due(utcnow()) else 0
    return sent


def _post() -> None:
    try:
        webhook_posts.deliver()
    except Exception:
        log.exception("job.broke")


def _told(work: Callable[[], int]) -> int:
    """Run in this fork with connections of its own; an error is told in our log, not only in RQ's registry."""
    db.after_fork()
    try:
        return work()
    except Exception:
        log.exception("job.broke")
        raise
