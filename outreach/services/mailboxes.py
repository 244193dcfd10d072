"""How many mails of ours a supporter's mailbox gets: three a day over the whole service. What is more waits until a place comes free.

Anybody can type anybody's address, so what a stranger sets off must neither flood a mailbox nor keep its owner's own confirmation
from it: the newest submission goes first, and a reminder leaves a place to first mails. What is counted is kept apart from what
it was about, so that the cap outlives an erasure and nothing leads from a mailbox to what it wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, update

from outreach.db import dialect_insert
from outreach.domain.letters import Channel, Reason
from outreach.models import MailboxUse, Notice, table
from outreach.queries import notices as queries
from outreach.settings import get_settings
from outreach.transports.registry import transport_name

_USE, _NOTICES = table(MailboxUse), table(Notice)
PER_DAY = 3
CAPPED = ("confirm", queries.REMINDER, "duplicate", "ask", "rejected", "link")
"""The mails that count: all those that a form can set off."""
WAITS = timedelta(days=7)
"""So long a mail is put off at the most: whoever heaps up forms in somebody's name would fill their mailbox for months."""


def counted_until(at: datetime) -> datetime:
    """Until when a mail that starts at `at` counts: a day, rounded up to the hour, since a moment would tell which mail it was."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    return (hour if hour == at else hour + timedelta(hours=1)) + timedelta(days=1)


def start(c: Connection, row: Any, now: datetime) -> datetime | None:
    """Take a place in the day of a claimed notice's mailbox, in this transaction. None if it may go; else when to ask again.

    The others that are due for this mailbox and have no chance today are put off with it, or dropped if they have waited too long.
    """
    queries.lock_mailbox(c, row.mailbox)
    used, frees = queries.used(c, row.mailbox, now)
    later = frees or counted_until(now)
    waiting = queries.due_for(c, row.mailbox, now, _transport(), PER_DAY)
    placed = _placed([row, *waiting], PER_DAY - used)
    if len(waiting) == PER_DAY or any(n.id not in placed for n in waiting):
        _put_off(c, row.mailbox, placed, now, later)
    if row.id not in placed:
        return later
    c.execute(dialect_insert(c, _USE).values(mailbox=row.mailbox, until=counted_until(now), n=1)
              .on_conflict_do_update(index_elements=["mailbox", "until"], set_={"n": _USE.c.n + 1}))
    return None


def _placed(waiting: Sequence[Any], room: int) -> set[str]:
    """Which of these go today. A reminder never takes the last place: a first mail may still come for it."""
    newest = sorted(waiting, key=lambda n: (n.submission_id or "", n.id), reverse=True)
    ranked = sorted(newest, key=lambda n: n.kind == queries.REMINDER)
    return {n.id for i, n in enumerate(ranked) if i < room - (n.kind == queries.REMINDER)}


def _put_off(c: Connection, mailbox: str, but: set[str], now: datetime, later: datetime) -> None:
    beyond = _NOTICES.c.id.in_(queries.due_beyond(now, sorted(but)))
    given = {"of_mailbox": mailbox, "transport": _transport()}
    limited = {"reason": Reason.RATE_LIMITED.value}
    c.execute(update(_NOTICES).where(beyond, _NOTICES.c.created_at < later - WAITS).values(state="dropped", **limited), given)
    c.execute(update(_NOTICES).where(beyond).values(not_before=later, **limited), given)


def give_back(c: Connection, mailbox: str, started: datetime) -> None:
    """A mail that started then has certainly not gone."""
    queries.lock_mailbox(c, mailbox)
    c.execute(update(_USE).where(_USE.c.mailbox == mailbox, _USE.c.until == counted_until(started), _USE.c.n > 0)
              .values(n=_USE.c.n - 1))


def offer_again(c: Connection, mailbox: str, now: datetime) -> None:
    """A place has come free that nobody counted on: what was put off is looked at once more. The mailbox is locked."""
    c.execute(update(_NOTICES).where(_NOTICES.c.id.in_(queries.put_off())).values(not_before=now), {"of_mailbox": mailbox})


def forget(c: Connection, now: datetime) -> None:
    """Drop what no longer counts."""
    c.execute(delete(_USE).where(_USE.c.until <= now))


def _transport() -> str:
    return transport_name(Channel.EMAIL, get_settings())
