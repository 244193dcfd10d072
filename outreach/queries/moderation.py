"""What waits for a moderator, what was decided, and whose words resemble whose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, literal_column, or_, select

from outreach.domain.letters import State
from outreach.models import Campaign, Letter, Review, Submission, table

R, S, L, C = table(Review), table(Submission), table(Letter), table(Campaign)

_HAS_HELD = select(L.c.id).where(L.c.submission_id == R.c.submission_id, L.c.state == State.HELD.value).exists()
# Written out, not bound: SQLite takes the partial index only so. A letter may have been taken back a moment ago.
_WAITING = R.c.state == literal_column("'waiting'")
_WAITS = and_(_WAITING, _HAS_HELD)
# Built once: this stands on the way of every confirmation.
_POLICY = select(C.c.id, C.c.moderation, C.c.version_id).where(C.c.id == bindparam("campaign"))
_LISTED = select(R.c.submission_id, R.c.created_at, R.c.reasons, S.c.name).select_from(R.join(S, S.c.id == R.c.submission_id))


def policy(connection: Connection, campaign_id: int) -> Any:
    """What a campaign, which must be there, has read: id, moderation, version_id."""
    return connection.execute(_POLICY, {"campaign": campaign_id}).one()


def review(connection: Connection, submission_id: str) -> Row[Any] | None:
    """The whole row of one review."""
    return connection.execute(select(R).where(R.c.submission_id == submission_id)).first()


def state_of(connection: Connection, submission_id: str) -> str | None:
    """The state of one review; None where there is none."""
    return connection.execute(select(R.c.state).where(R.c.submission_id == submission_id)).scalar()


def note_of(connection: Connection, submission_id: str) -> str | None:
    """Why a submission was rejected; None for one that was not."""
    return connection.execute(select(R.c.note).where(R.c.submission_id == submission_id, R.c.state == "rejected")).scalar()


def marks(connection: Connection, campaign_id: int, but_not: str, most: int) -> list[int]:
    """The marks of other people's (another fingerprint's) texts among the campaign's `most` newest reviews."""
    newest = (select(R.c.submission_id, R.c.mark).where(R.c.campaign_id == campaign_id).order_by(R.c.created_at.desc())
              .limit(most).subquery())
    return list(connection.execute(select(newest.c.mark).join(S, S.c.id == newest.c.submission_id).where(
        newest.c.mark.is_not(None), S.c.fingerprint != but_not)).scalars())


def waiting(connection: Connection, campaign_id: int, after: tuple[datetime, str] | None, most: int) -> Sequence[Any]:
    """What waits, the oldest first, after this (created_at, submission_id) if given: submission_id, created_at, reasons, name."""
    wanted = [R.c.campaign_id == campaign_id, _WAITS]
    if after is not None:
        wanted.append(_later(after))
    return connection.execute(_LISTED.where(*wanted).order_by(R.c.created_at, R.c.submission_id).limit(most)).all()


def waiting_before(connection: Connection, campaign_id: int, before: tuple[datetime, str], most: int) -> Sequence[Any]:
    """What waits and is older than this, the newest of it first; columns as in `waiting`."""
    at, submission_id = before
    older = and_(R.c.created_at <= at, or_(R.c.created_at < at, R.c.submission_id < submission_id))
    return connection.execute(_LISTED.where(R.c.campaign_id == campaign_id, _WAITS, older)
                              .order_by(R.c.created_at.desc(), R.c.submission_id.desc()).limit(most)).all()


def _later(than: tuple[datetime, str]) -> ColumnElement[bool]:
    at, submission_id = than
    return and_(R.c.created_at >= at, or_(R.c.created_at > at, R.c.submission_id > submission_id))


def by_reasons(connection: Connection, campaign_id: int, most: int) -> list[tuple[list[str], int]]:
    """How many wait for which reasons together, counted at most up to `most`."""
    found = select(R.c.reasons).where(R.c.campaign_id == campaign_id, _WAITS).limit(most).subquery()
    return [(reasons, n) for reasons, n in connection.execute(select(found.c.reasons, func.count()).group_by(found.c.reasons))]


def held_only_for(connection: Connection, campaign_id: int, reason: str, until: datetime, most: int) -> list[str]:
    """Ids of what waits for this reason and no other since `until` at the latest, the oldest first."""
    return _ids(connection, campaign_id, until, most, R.c.reasons == [reason])


def with_text(connection: Connection, campaign_id: int, text: tuple[str | None, str | None], until: datetime,
              most: int) -> list[str]:
    """The same for what has exactly this subject and body (None: the campaign's own)."""
    return _ids(connection, campaign_id, until, most, _has_text(text))


def _has_text(text: tuple[str | None, str | None]) -> ColumnElement[bool]:
    subject, body = text
    return and_(S.c.subject.is_(None) if subject is None else S.c.subject == subject,
                S.c.body.is_(None) if body is None else S.c.body == body)


def count_with_text(connection: Connection, campaign_id: int, text: tuple[str | None, str | None], among: int) -> int:
    """How many of the `among` that have waited longest have exactly this subject and body."""
    oldest = (select(R.c.submission_id).where(R.c.campaign_id == campaign_id, _WAITS).order_by(R.c.created_at, R.c.submission_id)
              .limit(among).subquery())
    return connection.execute(select(func.count()).select_from(oldest.join(S, S.c.id == oldest.c.submission_id))
                              .where(_has_text(text))).scalar_one()


def _ids(connection: Connection, campaign_id: int, until: datetime, most: int, *wanted: ColumnElement[bool]) -> list[str]:
    return list(connection.execute(
        select(R.c.submission_id).select_from(R.join(S, S.c.id == R.c.submission_id))
        .where(R.c.campaign_id == campaign_id, _WAITS, R.c.created_at <= until, *wanted)
        .order_by(R.c.created_at, R.c.submission_id).limit(most)).scalars())


def decisions(connection: Connection, campaign_id: int, since: datetime, most: int) -> Sequence[Any]:
    """What was decided after `since`, one row for what was decided together, the newest first: decided_at, decided_by, state, n,
    submission_id (of one of them)."""
    return connection.execute(
        select(R.c.decided_at, R.c.decided_by, R.c.state, func.count().label("n"), func.min(R.c.submission_id).label("submission_id"))
        .where(R.c.campaign_id == campaign_id, R.c.decided_at.is_not(None), R.c.decided_at > since)
        .group_by(R.c.decided_at, R.c.decided_by, R.c.state).order_by(R.c.decided_at.desc()).limit(most)).all()


def decided_together(connection: Connection, campaign_id: int, at: datetime) -> list[str]:
    """Ids of the submissions that were decided at exactly this moment."""
    return list(connection.execute(select(R.c.submission_id).where(
        R.c.campaign_id == campaign_id, R.c.decided_at == at).order_by(R.c.submission_id)).scalars())


def submissions_locked(connection: Connection, campaign_id: int, ids: Sequence[str]) -> list[str]:
    """Those of these ids that are the campaign's submissions; nobody else decides on them until this transaction ends."""
    return list(connection.execute(select(S.c.id).where(S.c.id.in_(ids), S.c.campaign_id == campaign_id).order_by(S.c.id)
                                   .with_for_update()).scalars())


def letters_locked(connection: Connection, submission_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Whole rows of these submissions' letters, by id; nobody else changes them until this transaction ends."""
    return connection.execute(select(L).where(L.c.submission_id.in_(submission_ids)).order_by(L.c.id).with_for_update()).all()


def left_behind(connection: Connection, most: int) -> list[str]:
    """Ids of reviews that wait although no letter is held any more: it was taken back, late, or its campaign is over."""
    return list(connection.execute(select(R.c.submission_id).where(_WAITING, ~_HAS_HELD)
                                   .order_by(R.c.submission_id).limit(most)).scalars())
