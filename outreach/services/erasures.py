"""The operator forgets people: a mailbox over all campaigns, or one submission."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.dedupe import fingerprint, normal_email
from outreach.domain.letters import State
from outreach.errors import NotAllowed, NotFound
from outreach.logs import get
from outreach.queries import attempts, letters, submissions
from outreach.queries import campaigns as campaign_queries
from outreach.services import audit, privacy, scrubbing

log = get()
_GONE = frozenset({State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED})


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: submissions erased, letters cancelled, and letters that have, or may have, gone already."""

    submissions: int = 0
    cancelled: int = 0
    gone: int = 0


def mailbox(email: str, *, now: datetime | None = None, who: str = audit.COMMAND_LINE) -> Erased:
    """Withdraw and erase all that a mailbox has submitted, however it was spelled. Raises NotAllowed when it is no address.

    Campaigns whose fingerprint key is destroyed hold nothing of it any more.
    """
    try:
        normal_email(email)
    except ValueError as e:
        raise NotAllowed(f"{email!r} is not an e-mail address") from e
    with reading() as c:
        ids: list[str] = []
        for campaign in campaign_queries.everything(c):
            if campaign.fingerprint_key is not None:
                ids += submissions.of_person(c, campaign.id, fingerprint(campaign.fingerprint_key, email))
    return _erase(ids, now or utcnow(), who, "all of a mailbox")


def submission(submission_id: str, *, now: datetime | None = None, who: str = audit.COMMAND_LINE) -> Erased:
    """The same for one submission. Raises NotFound."""
    with reading() as c:
        if submissions.by_id(c, submission_id) is None:
            raise NotFound(f"there is no submission {submission_id!r}")
    return _erase([submission_id], now or utcnow(), who, f"submission {submission_id}")


def _erase(ids: Iterable[str], now: datetime, who: str, what: str) -> Erased:
    with unit_of_work() as c:
        done = [_one(c, i, now) for i in sorted(ids)]
        total = Erased(len(done), sum(e.cancelled for e in done), sum(e.gone for e in done))
        audit.note(c, "personal data erased", at=now, who=who,
                   detail=f"{what}: {total.submissions} submissions, {total.cancelled} letters cancelled")
    log.info("submissions.erased", count=total.submissions)
    return total


def _one(c: Connection, submission_id: str, now: datetime) -> Erased:
    row = submissions.by_id_locked(c, submission_id)
    attempts.lock_of_submissions(c, [submission_id])  # before letters, as receipts and the ledger do
    gone = sum(State(x.state) in _GONE for x in letters.of_submission(c, submission_id))
    cancelled = privacy.take_back(c, row, now)
    scrubbing.scrub(c, [submission_id], now)
    return Erased(1, cancelled, gone)
