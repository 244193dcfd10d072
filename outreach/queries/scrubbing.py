"""Whose personal data has been kept long enough."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, literal_column, or_, select

from outreach.domain.letters import State
from outreach.models import Campaign, Letter, Submission, table
from outreach.queries.notices import asked_after
from outreach.queries.ordering import afterwards

C, L, S = table(Campaign), table(Letter), table(Submission)
NOBODY = "erased"
"""What a scrubbed submission's fingerprint and its letters' begin with, before the submission's id: they are nobody's."""
_STILL_NEEDED = (State.HELD.value, State.QUEUED.value, State.SENDING.value)
_GONE = (State.UNKNOWN.value, State.SENT.value, State.DELIVERED.value)
# Withdrawn counts too: who says "never mail me again" has confirmed nothing. Not so where nobody is asked to, and letters went.
# In two parts, for each of which there is a small index. Written out, not bound: SQLite takes these only so.
_NOT_YET: ColumnElement[bool] = S.c.state == literal_column("'unconfirmed'")
_NO_MORE = and_(S.c.state.in_((literal_column("'expired'"), literal_column("'withdrawn'"))), S.c.confirmed_at.is_(None),
                S.c.erased_at.is_(None))
_UNPROVED = and_(S.c.confirmed_at.is_(None), S.c.erased_at.is_(None),
                 ~select(L.c.id).where(L.c.submission_id == S.c.id, L.c.state.in_(_STILL_NEEDED + _GONE)).exists())


def of_closed(connection: Connection, closed_before: datetime, most: int) -> list[str]:
    """Ids of submissions, not scrubbed yet, of campaigns closed before `closed_before`; none with a letter that may still go."""
    # By itself: where there is no such campaign, Postgres would have compared all submissions with all letters first.
    campaigns = connection.execute(select(C.c.id).where(*_to_scrub(closed_before))).scalars().all()
    if not campaigns:
        return []
    return list(connection.execute(
        select(S.c.id).where(S.c.campaign_id.in_(campaigns), S.c.erased_at.is_(None), ~_has_letter_to_go())
        .order_by(afterwards(S.c.id)).limit(most)).scalars())


def never_confirmed(connection: Connection, created_before: datetime, mailed_before: datetime, most: int) -> list[str]:
    """Ids of submissions made before `created_before` and mailed before `mailed_before`, not scrubbed yet, that nobody ever confirmed."""
    found: list[str] = []
    for so_far in (_NOT_YET, _NO_MORE):
        found += connection.execute(
            select(S.c.id).where(so_far, _UNPROVED, S.c.created_at <= created_before,
                                 or_(S.c.state == "withdrawn", ~asked_after(S.c.id, "confirm", mailed_before)))
            .order_by(afterwards(S.c.id)).limit(most)).scalars()
    return sorted(found)[:most]


def is_unproved(connection: Connection, submission_id: str) -> bool:
    """Whether nobody ever confirmed a submission, and nothing of it has gone or goes."""
    return connection.execute(select(S.c.id).where(S.c.id == submission_id, or_(_NOT_YET, _NO_MORE), _UNPROVED)).first() is not None


def campaigns_without_data(connection: Connection, closed_before: datetime) -> list[int]:
    """Ids of campaigns closed before `closed_before` that still have their key and no submission that is not scrubbed."""
    kept = select(S.c.id).where(S.c.campaign_id == C.c.id, S.c.erased_at.is_(None)).exists()
    return list(connection.execute(select(C.c.id).where(*_to_scrub(closed_before), ~kept).order_by(C.c.id)).scalars())


def _to_scrub(closed_before: datetime) -> tuple[ColumnElement[bool], ...]:
    """The condition on a campaign; one without its key has nothing left, and is not looked through again."""
    return C.c.state == "closed", C.c.closed_at <= closed_before, C.c.fingerprint_key.is_not(None)


def _has_letter_to_go() -> ColumnElement[bool]:
    return select(L.c.id).where(L.c.submission_id == S.c.id, L.c.state.in_(_STILL_NEEDED)).exists()
