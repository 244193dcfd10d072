"""What is asked about mails of ours that are no letters, and about the mailboxes they go to (keyed hashes, all of them)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, or_, select

from outreach.domain.letters import Reason
from outreach.models import MailboxUse, Notice, Report, Suppression, table
from outreach.queries.pauses import NOTICE_NOT_HELD

N, SUPPRESSED, REPORTS, USE = table(Notice), table(Suppression), table(Report), table(MailboxUse)

# Built once: this stands on the way of every form.
_WANTS_NONE = select(SUPPRESSED.c.mailbox).where(SUPPRESSED.c.mailbox == bindparam("mailbox"))
REMINDER = "remind"
_ROOMLESS: ColumnElement[bool] = and_(N.c.mailbox == bindparam("of_mailbox"), N.c.state == "queued", N.c.tries == 0)
"""The mails that wait for a mailbox and have no place in its day yet; one that was tried keeps the place it had."""


def wants_none(connection: Connection, mailbox: str) -> bool:
    """Whether this mailbox's owner asked never to be written to."""
    return connection.execute(_WANTS_NONE, {"mailbox": mailbox}).first() is not None


def used(connection: Connection, mailbox: str, now: datetime) -> tuple[int, datetime | None]:
    """How many mails of a mailbox's day have started, and when the first of them no longer counts."""
    n, frees = connection.execute(select(func.coalesce(func.sum(USE.c.n), 0), func.min(USE.c.until)).where(
        USE.c.mailbox == mailbox, USE.c.until > now, USE.c.n > 0)).one()
    return int(n), frees


def due_for(connection: Connection, mailbox: str, now: datetime, transport: str, most: int) -> Sequence[Any]:
    """The first `most` of the mails that wait for a place in a mailbox's day and are due: id, kind,
    submission_id. Those about the newest submissions first, reminders last."""
    return connection.execute(
        select(N.c.id, N.c.kind, N.c.submission_id).where(_ROOMLESS, N.c.not_before <= now, NOTICE_NOT_HELD)
        .order_by(N.c.kind == REMINDER, N.c.submission_id.desc(), N.c.id.desc()).limit(most),
        {"of_mailbox": mailbox, "transport": transport}).all()


def due_beyond(now: datetime, but: Sequence[str]) -> Any:
    """A sub-select: the ids of the others of those mails, locked; one that somebody else has locked left out.

    Takes the parameters `of_mailbox` and `transport`.
    """
    return select(N.c.id).where(_ROOMLESS, N.c.not_before <= now, NOTICE_NOT_HELD, N.c.id.not_in(but)).with_for_update(skip_locked=True)


def put_off() -> Any:
    """A sub-select: the ids of the mails to a mailbox (parameter `of_mailbox`) that its cap has put off, locked, as in `due_beyond`."""
    return select(N.c.id).where(_ROOMLESS, N.c.reason == Reason.RATE_LIMITED.value).with_for_update(skip_locked=True)


def mailed(connection: Connection, kind: str, ref: str) -> Any | None:
    """How far one notice has come: state, sent_at."""
    return connection.execute(select(N.c.state, N.c.sent_at).where(N.c.kind == kind, N.c.ref == ref)).first()


def asked_after(submission_id: Any, kind: str, at: datetime) -> ColumnElement[bool]:
    """The condition on a submission that our mail of this kind to it is still to go, or went after `at`."""
    return select(N.c.id).where(N.c.submission_id == submission_id, N.c.kind == kind,
                                or_(N.c.state.in_(("queued", "sending")), N.c.sent_at > at)).exists()


def is_due(connection: Connection, now: datetime, transport: str) -> bool:
    """Whether a notice waits that `transport` may send now."""
    return connection.execute(select(N.c.id).where(N.c.state == "queued", N.c.not_before <= now, NOTICE_NOT_HELD).limit(1),
                              {"transport": transport}).first() is not None


def next_due(now: datetime, kinds: Sequence[str], *, among: bool) -> Any:
    """A sub-select: the id of the notice to send next, locked, one that somebody else has locked left out.

    Only those of these kinds, or (`among` False) only others. Takes the parameter `transport` (see `NOTICE_NOT_HELD`).
    """
    of_kind = N.c.kind.in_(kinds) if among else N.c.kind.not_in(kinds)
    return (select(N.c.id).where(N.c.state == "queued", N.c.not_before <= now, NOTICE_NOT_HELD, of_kind)
            .order_by(N.c.not_before, N.c.id).limit(1).with_for_update(skip_locked=True))


def report(connection: Connection, report_id: str) -> Row[Any] | None:
    """What somebody reported about a campaign."""
    return connection.execute(select(REPORTS).where(REPORTS.c.id == report_id)).first()


def lock_mailbox(connection: Connection, mailbox: str) -> None:
    """Nobody else counts this mailbox's notices until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(mailbox, 0))))
