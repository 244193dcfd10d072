"""What must be gone and is not, for the doctor: whatever still ties a scrubbed submission, or a day long past, to a mailbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, literal, or_, select, union

from outreach.models import Letter, MailboxUse, Notice, Submission, table
from outreach.queries.scrubbing import NOBODY

S, L, N, USE = table(Submission), table(Letter), table(Notice), table(MailboxUse)
_NOBODYS = literal(NOBODY) + S.c.id


def of_erased(connection: Connection, most: int) -> list[str]:
    """Ids of scrubbed submissions that still name their writer: in themselves, their letters or the mails about them."""
    erased = S.c.erased_at.is_not(None)
    found = union(
        select(S.c.id).where(erased, or_(S.c.fingerprint != _NOBODYS, S.c.email != "", S.c.name != "")),
        select(S.c.id).select_from(S.join(L, L.c.submission_id == S.c.id)).where(erased, L.c.fingerprint != _NOBODYS),
        select(S.c.id).select_from(S.join(N, N.c.submission_id == S.c.id)).where(
            erased, or_(N.c.mailbox.is_not(None), N.c.recipient != "")),
    ).subquery()
    return list(connection.execute(select(found.c.id).order_by(found.c.id).limit(most)).scalars())


def of_days_past(connection: Connection, before: datetime) -> int:
    """How many counts of mails to a mailbox are kept although they have not counted since `before`."""
    return int(connection.execute(select(func.count()).select_from(USE).where(USE.c.until < before)).scalar_one())
