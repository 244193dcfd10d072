"""The RQ jobs, thin: each means "drain what is due", never "this one letter"."""

from __future__ import annotations

import time
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
"""Seconds between looks for mails, and for more to post, while posts are being made."""
SLICE = 5.0
"""Seconds after which no further thread begins to post, so that the job ends."""


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
    """Send mails of our own while threads beside make posts: nobody who waits for a mail waits for somebody's program, and a post
    that hangs holds up no other. Returns how many mails were handed over."""
    posters, sent, end = list[Thread](), 0, time.monotonic() + SLICE
    while True:
        posters = [p for p in posters if p.is_alive()]
        if len(posters) < POSTERS and time.monotonic() < end and webhook_posts.due(utcnow()):
            posters.append(Thread(target=_post))
            posters[-1].start()
        sent += notices.drain()
        if not posters:
            return sent
        posters[0].join(LOOK_EVERY)


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
