"""Withdraw and erase: what a supporter can still take back, and what can only be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, update

from outreach.db import unit_of_work, utcnow
from outreach.domain.letters import WAITING, Reason
from outreach.logs import get
from outreach.models import Attempt, Letter, Notice, Receipt, Submission, table
from outreach.queries import attempts
from outreach.services import bundles, reviews
from outreach.services.confirm import cancel_letters, submission_by_mail_token

log = get()
_SUBMISSIONS, _LETTERS, _NOTICES, _ATTEMPTS, _RECEIPTS = (table(Submission), table(Letter), table(Notice), table(Attempt),
                                                          table(Receipt))
PERSONAL = {"name": "", "email": "", "street": "", "city": "", "postal_code": "", "phone": "", "affiliation": "", "subject": None,
            "body": None, "network": None, "public_name": False, "updates": False}


def withdraw(mail_token: str, *, now: datetime | None = None) -> None:
    """Take back what has not gone yet; what is under way is marked and not sent again. Raises NotFound."""
    now = now or utcnow()
    with unit_of_work() as c:
        take_back(c, submission_by_mail_token(c, mail_token), now)


def erase(mail_token: str, *, now: datetime | None = None) -> None:
    """Withdraw, then remove all personal data of the submission; counts stay. Raises NotFound."""
    now = now or utcnow()
    with unit_of_work() as c:
        s = submission_by_mail_token(c, mail_token)
        attempts.lock_of_submissions(c, [s.id])  # before letters, as receipts and the ledger do
        take_back(c, s, now)
        scrub(c, [s.id], now)
    log.info("submission.erased", submission=s.id, campaign=s.campaign_id)


def scrub(c: Connection, submission_ids: list[str], now: datetime) -> None:
    """Blank the personal data of submissions and of what hangs on them."""
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id.in_(submission_ids)).values(**PERSONAL, erased_at=now))
    c.execute(update(_RECEIPTS).where(_RECEIPTS.c.attempt_id.in_(attempts.of_submissions(submission_ids))).values(raw=None, detail=None))
    # The mails to the supporter themselves: what is said of them names their mailbox.
    c.execute(update(_RECEIPTS).where(_RECEIPTS.c.attempt_id.in_(attempts.notices_of(submission_ids)))
              .values(recipient="", raw=None, detail=None))
    c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_(attempts.of_submissions(submission_ids))).values(detail=None))
    c.execute(delete(_NOTICES).where(_NOTICES.c.submission_id.in_(submission_ids), _NOTICES.c.state.in_(("queued", "dropped"))))
    c.execute(update(_NOTICES).where(_NOTICES.c.submission_id.in_(submission_ids)).values(recipient=""))
    reviews.forget(c, submission_ids)


def take_back(c: Connection, s: Any, now: datetime) -> int:
    """Cancel what has not gone yet of a submission and mark the rest, in this transaction. Returns how many were cancelled."""
    cancelled = cancel_letters(c, s.id, now, Reason.WITHDRAWN, tuple(WAITING))
    c.execute(update(_LETTERS).where(_LETTERS.c.submission_id == s.id, _LETTERS.c.withdrawn_at.is_(None)).values(withdrawn_at=now))
    bundles.left(c, s.id)
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id, _SUBMISSIONS.c.withdrawn_at.is_(None))
              .values(state="withdrawn", withdrawn_at=now))
    return cancelled
