"""The RQ jobs, thin: each means "drain what is due", never "this one letter"."""

from __future__ import annotations

from collections.abc import Callable

from outreach import db
from outreach.logs import get
from outreach.queue import QueueName
from outreach.services import deliver, inquiries, notices, polls, recalls, webhooks

log = get()


def drain_email() -> int:
    """Hand over e-mails that may go now."""
    return _told(lambda: deliver.drain(QueueName.EMAIL))


def drain_fax() -> int:
    """Hand over faxes that may go now, then ask about those whose receipt or outcome stays out, and call back the unwanted."""
    return _told(lambda: deliver.drain(QueueName.FAX) + polls.poll() + inquiries.ask() + recalls.cancel_unwanted())


def drain_notices() -> int:
    """Send confirmations and other notices, and post what webhooks wait for."""
    return _told(lambda: notices.drain() + webhooks.deliver())


def _told(work: Callable[[], int]) -> int:
    """Run in this fork with connections of its own; an error is told in our log, not only in RQ's registry."""
    db.after_fork()
    try:
        return work()
    except Exception:
        log.exception("job.broke")
        raise
