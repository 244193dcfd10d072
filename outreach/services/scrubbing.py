"""Personal data goes when it has served: a while after a campaign has closed, and where nobody ever confirmed.

What is left of a scrubbed submission ties no mailbox to it, even for somebody who has the database and every key: hashes of an
address are as good as the address to whoever holds their key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, String, cast, delete, literal, update

from outreach.db import unit_of_work
from outreach.logs import get
from outreach.models import Attempt, Campaign, Letter, Notice, Receipt, Submission, table
from outreach.queries import attempts, letters, scrubbing
from outreach.services import confirm_rules, reviews

log = get()
_CAMPAIGNS, _SUBMISSIONS, _LETTERS = table(Campaign), table(Submission), table(Letter)
_NOTICES, _ATTEMPTS, _RECEIPTS = table(Notice), table(Attempt), table(Receipt)
AFTER_CLOSING = timedelta(days=30)
AFTER_EXPIRY = timedelta(days=7)
"""Counted from the end of the time to confirm. `/privacy` states both terms in words."""
PERSONAL = {"name": "", "email": "", "street": "", "city": "", "postal_code": "", "phone": "", "affiliation": "", "subject": None,
            "body": None, "network": None, "public_name": False, "updates": False}


def scrub_due(now: datetime, most: int = 200) -> int:
    """Scrub at most `most` submissions whose time has come, and destroy the keys of campaigns of which nothing is left.

    Returns how many submissions were scrubbed; call it again while that is `most`.
    """
    with unit_of_work() as c:
        due = scrubbing.of_closed(c, now - AFTER_CLOSING, most)
        if len(due) < most:
            expired_before = now - AFTER_EXPIRY
            never = scrubbing.never_confirmed(c, expired_before - confirm_rules.WEEK, expired_before - confirm_rules.FROM_MAIL, most)
            due = [*due, *(i for i in never if i not in set(due))][:most]
        if due:
            scrub(c, due, now)
        bare = scrubbing.campaigns_without_data(c, now - AFTER_CLOSING)
        if bare:
            c.execute(update(_CAMPAIGNS).where(_CAMPAIGNS.c.id.in_(bare)).values(fingerprint_key=None, revision=_CAMPAIGNS.c.revision + 1))
    if due or bare:
        log.info("scrubbed", total=len(due), count=bare)
    return len(due)


def scrub(c: Connection, submission_ids: Sequence[str], now: datetime) -> None:
    """Blank the personal data of submissions and of what hangs on them.

    Who erased a letter that has gone may write to that target again: nothing is left by which they could be told.
    """
    attempts.lock_of_submissions(c, submission_ids)  # before letters, as receipts and the ledger do
    letters.lock_of_submissions(c, submission_ids)
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id.in_(submission_ids))
              .values(**PERSONAL, fingerprint=literal(scrubbing.NOBODY) + _SUBMISSIONS.c.id, erased_at=now))
    c.execute(update(_LETTERS).where(_LETTERS.c.submission_id.in_(submission_ids))
              .values(fingerprint=literal(scrubbing.NOBODY) + _LETTERS.c.submission_id))
    c.execute(update(_RECEIPTS).where(_RECEIPTS.c.attempt_id.in_(attempts.of_submissions(submission_ids))).values(raw=None, detail=None))
    # The mails to the supporter themselves: what is said of them names their mailbox, and an event's id may be a hash of it.
    c.execute(update(_RECEIPTS).where(_RECEIPTS.c.attempt_id.in_(attempts.notices_of(submission_ids)))
              .values(recipient="", raw=None, detail=None, provider_ref=None, message_id=None,
                      event_id=literal(f"{scrubbing.NOBODY} ") + cast(_RECEIPTS.c.id, String)))
    c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_(attempts.of_submissions(submission_ids))).values(detail=None))
    c.execute(delete(_NOTICES).where(_NOTICES.c.submission_id.in_(submission_ids), _NOTICES.c.state.in_(("queued", "dropped"))))
    c.execute(update(_NOTICES).where(_NOTICES.c.submission_id.in_(submission_ids)).values(recipient="", mailbox=None))
    reviews.forget(c, submission_ids)
