"""Withdraw and erase: what a supporter can still take back, and what can only be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import unit_of_work, utcnow
from outreach.domain.letters import WAITING, Reason
from outreach.logs import get
from outreach.models import Letter, Submission, table
from outreach.queries import attempts
from outreach.services import bundles
from outreach.services.confirm import cancel_letters, submission_by_mail_token
from outreach.services.scrubbing import scrub

log = get()
_SUBMISSIONS, _LETTERS = table(Submission), table(Letter)


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


def take_back(c: Connection, s: Any, now: datetime) -> int:
    """Cancel what has not gone yet of a submission and mark the rest, in this transaction. Returns how many were cancelled."""
    cancelled = cancel_letters(c, s.id, now, Reason.WITHDRAWN, tuple(WAITING))
    c.execute(update(_LETTERS).where(_LETTERS.c.submission_id == s.id, _LETTERS.c.withdrawn_at.is_(None)).values(withdrawn_at=now))
    bundles.left(c, s.id)
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id, _SUBMISSIONS.c.withdrawn_at.is_(None))
              .values(state="withdrawn", withdrawn_at=now))
    return cancelled
