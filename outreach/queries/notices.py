"""What is asked about mails of ours that are no letters, and about the mailboxes they go to (keyed hashes, all of them)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from outreach.models import Notice, Report, Suppression, table
from outreach.queries.pauses import NOTICE_NOT_HELD

N, SUPPRESSED, REPORTS = table(Notice), table(Suppression), table(Report)

# Built once: these stand on the way of every form.
_WANTS_NONE = select(SUPPRESSED.c.mailbox).where(SUPPRESSED.c.mailbox == bindparam("mailbox"))
_TOLD = select(func.count()).where(N.c.mailbox == bindparam("mailbox"), N.c.created_at > bindparam("after"),
                                   N.c.kind.in_(bindparam("kinds", expanding=True)), N.c.state != "dropped")


def wants_none(connection: Connection, mailbox: str) -> bool:
    """Whether this mailbox's owner asked never to be written to."""
    return connection.execute(_WANTS_NONE, {"mailbox": mailbox}).first() is not None


def told(connection: Connection, mailbox: str, kinds: Sequence[str], after: datetime) -> int:
    """How many notices of these kinds were queued for a mailbox after this time; those dropped at once are left out."""
    return connection.execute(_TOLD, {"mailbox": mailbox, "kinds": kinds, "after": after}).scalar_one()


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
