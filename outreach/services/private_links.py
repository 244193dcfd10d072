"""The private link once more, for whoever has only the page that the form led to: by mail, and only to the mailbox it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.db import unit_of_work, utcnow
from outreach.queries import letters, submissions
from outreach.services import notices, repeats, status


def send(token: str, *, now: datetime | None = None) -> None:
    """Queue a mail with the private link of the submission behind a status page, and of those whose letters it shows: a repeat's
    letter is taken back where it was written first. Once a day each, and nothing of it is answered. Raises NotFound."""
    now = now or utcnow()
    with unit_of_work() as c:
        s, proven = status.submission(c, token)
        first = [x.submission_id for x in repeats.firsts(c, s, letters.shown(c, s.id)).values()]
        for one in [*([] if proven else [s]), *(submissions.by_id(c, i) for i in dict.fromkeys(first))]:
            _queue(c, one, now)
    notices.ring_soon()


def _queue(c: Connection, s: Any, now: datetime) -> None:
    if s.erased_at is None and s.state != "unconfirmed":  # an unconfirmed one's mail is on its way by itself
        notices.add(c, "link", f"{s.id} {now:%y%m%d}", recipient=s.email, campaign_id=s.campaign_id, submission_id=s.id, now=now)
