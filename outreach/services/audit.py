"""Who changed what: one line in the audit log, in the transaction that changes it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from outreach.models import AuditEntry

COMMAND_LINE = "command line"


def note(connection: Connection, what: str, *, at: datetime, who: str = COMMAND_LINE, campaign_id: int | None = None,
         detail: str = "") -> None:
    """Write down that `who` did `what` (a verb phrase such as "campaign paused")."""
    connection.execute(insert(AuditEntry).values(at=at, who=who[:320], what=what[:60], campaign_id=campaign_id, detail=detail[:500]))
