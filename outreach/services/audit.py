"""Who changed what: one line in the audit log, in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert

from outreach.models import AuditEntry

COMMAND_LINE = "command line"


def note(connection: Connection, what: str, *, at: datetime, who: str = COMMAND_LINE, campaign_id: int | None = None,
         detail: str = "") -> None:
    """Write down that `who` did `what` (a verb phrase such as "campaign paused")."""
    connection.execute(insert(AuditEntry).values(at=at, who=who[:320], what=what[:60], campaign_id=campaign_id, detail=detail[:500]))


def note_for(connection: Connection, campaign_ids: Iterable[int], what: str, *, at: datetime, who: str = COMMAND_LINE,
             detail: str = "") -> None:
    """The same of something that is no campaign's but concerns these: once for the operator, and once in the log of each."""
    for campaign_id in (None, *campaign_ids):
        note(connection, what, at=at, who=who, campaign_id=campaign_id, detail=detail)
