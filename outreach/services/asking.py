"""Writers who are asked again whether a letter that waits shall go, since its campaign has changed: the question, and no answer.

Their letters are back in `unconfirmed` and keep the time of their submission, that is their place in line; `submissions.asked_at`
says since when. The answer is the button of the mailed page (`confirm.by_link`), or taking the letter back.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.models import Submission, table
from outreach.queries import upkeep
from outreach.services import confirm_rules, moves, notices

_SUBMISSIONS = table(Submission)
MOST = 500
"""Submissions that one transaction takes."""


def ask_due(now: datetime) -> int:
    """Queue mails with the question, up to `MOST` of those that have not been queued yet. Returns how many."""
    with reading() as c:
        due = upkeep.to_ask(c, MOST)
    if not due:
        return 0
    with unit_of_work() as c:
        for s in due:
            notices.add(c, "ask", confirm_rules.asked_ref(s.id, s.asked_at), recipient=s.email, campaign_id=s.campaign_id,
                        submission_id=s.id, now=now)
    notices.ring_soon()
    return len(due)


def expire_unanswered(now: datetime) -> int:
    """Letters whose writers have not answered within a week, or by the deadline, expire; not before their mail has gone. Returns how
    many letters.

    All of them at once: one that the passed deadline ended instead would be queued again when the deadline is moved.
    """
    expired = 0
    while True:
        with unit_of_work() as c:
            late = upkeep.unanswered(c, now - confirm_rules.WEEK, now - confirm_rules.FROM_MAIL, now, MOST)
            expired += len(moves.apply(c, moves.of(upkeep.unconfirmed_letters(c, late), State.EXPIRED, Reason.NOT_CONFIRMED), now))
            c.execute(update(Submission).where(_SUBMISSIONS.c.id.in_(late)).values(asked_at=None))
        if len(late) < MOST:
            return expired
