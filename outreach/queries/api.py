"""What the API lists, page by page, and its idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from outreach.domain.letters import Verdict
from outreach.models import (
    Address,
    Attempt,
    Campaign,
    IdempotencyKey,
    Letter,
    LetterEvent,
    Member,
    Receipt,
    Review,
    Submission,
    Target,
    table,
)

C, M, K, L, T, A = table(Campaign), table(Member), table(IdempotencyKey), table(Letter), table(Target), table(Address)
AT, EV, R, RV, S = table(Attempt), table(LetterEvent), table(Receipt), table(Review), table(Submission)
SCAN = 20_000
"""Letters that one page looks at: with a rare state wanted it ends early instead of reading a million."""

_REF = (select(AT.c.provider_ref).where(AT.c.letter_id == L.c.id, AT.c.provider_ref.is_not(None))
        .order_by((AT.c.verdict == Verdict.DELIVERED.value).desc(), AT.c.started_at.desc()).limit(1).scalar_subquery())
_LISTED = (select(L.c.id, L.c.submission_id.label("submission"), T.c.key.label("target"), L.c.channel, A.c.value.label("address"),
                  L.c.state, L.c.reason, _REF.label("provider_ref"), L.c.created_at, L.c.state_at, L.c.sent_at, L.c.delivered_at)
           .select_from(L.join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id)))


def idempotency_key_locked(connection: Connection, who: str, key: str) -> Row[Any] | None:
    """The whole row of a key; nobody else changes it until this transaction ends."""
    return connection.execute(select(K).where(K.c.who == who, K.c.key == key).with_for_update()).first()


def campaigns(connection: Connection, after: int, most: int, *, of: int | None, only: int | None) -> Sequence[Row[Any]]:
    """Whole rows of the next campaigns after this number: those of one organizer (`of`), or all; only one of them, if named."""
    chosen = select(C).where(C.c.id > after)
    if of is not None:
        chosen = chosen.where(C.c.id.in_(select(M.c.campaign_id).where(M.c.organizer_id == of)))
    if only is not None:
        chosen = chosen.where(C.c.id == only)
    return connection.execute(chosen.order_by(C.c.id).limit(most)).all()


def letters(connection: Connection, campaign_id: int, after: str, most: int, wanted: Mapping[str, Any]) -> tuple[Sequence[Any], str | None]:
    """The next letters of a campaign after this id that are as `wanted` (state, reason, channel, target_id), and after which id to go
    on: None at the end. A page may be short, or empty, and yet not the last."""
    if not wanted:
        rows = connection.execute(_mine(campaign_id, after).limit(most + 1)).all()
        return rows[:most], rows[most - 1].id if len(rows) > most else None
    scanned = (select(L.c.id).where(L.c.campaign_id == campaign_id, L.c.id > after).order_by(L.c.id).limit(SCAN).subquery())
    n, last = connection.execute(select(func.count(), func.max(scanned.c.id)).select_from(scanned)).one()
    if not n:
        return [], None
    chosen = _mine(campaign_id, after).where(L.c.id <= last, *(L.c[k] == v for k, v in wanted.items()))
    rows = connection.execute(chosen.limit(most + 1)).all()
    if len(rows) > most:
        return rows[:most], rows[most - 1].id
    return rows, last if n == SCAN else None


def _mine(campaign_id: int, after: str) -> Select[Any]:
    return _LISTED.where(L.c.campaign_id == campaign_id, L.c.id > after).order_by(L.c.id)


def letter(connection: Connection, campaign_id: int, letter_id: str) -> Any | None:
    """One letter of a campaign, with what `letters` says of each."""
    return connection.execute(_LISTED.where(L.c.campaign_id == campaign_id, L.c.id == letter_id)).first()


def events(connection: Connection, letter_id: str) -> Sequence[Any]:
    """A letter's life: at, before, after, why, attempt, the oldest first."""
    return connection.execute(select(EV.c.at, EV.c.before, EV.c.after, EV.c.why, EV.c.attempt_id.label("attempt"))
                              .where(EV.c.letter_id == letter_id).order_by(EV.c.id)).all()


def attempts(connection: Connection, letter_id: str) -> Sequence[Any]:
    """The tries to hand a letter over, the oldest first."""
    return connection.execute(
        select(AT.c.id, AT.c.transport, AT.c.verdict, AT.c.reason, AT.c.detail, AT.c.provider_ref, AT.c.pages, AT.c.started_at,
               AT.c.ended_at, AT.c.inquiry).where(AT.c.letter_id == letter_id).order_by(AT.c.started_at, AT.c.id)).all()


def receipts(connection: Connection, letter_id: str) -> Sequence[Any]:
    """What providers said of a letter, in the order in which it came."""
    return connection.execute(
        select(R.c.attempt_id.label("attempt"), R.c.provider, R.c.verdict, R.c.reason, R.c.detail, R.c.pages, R.c.at, R.c.received_at)
        .select_from(R.join(AT, AT.c.id == R.c.attempt_id)).where(AT.c.letter_id == letter_id).order_by(R.c.id)).all()


def reviews(connection: Connection, campaign_id: int, after: str, most: int) -> Sequence[Any]:
    """The next submissions that wait for a moderator, in the order of their ids, with what their writers sent."""
    return connection.execute(
        select(RV.c.submission_id.label("submission"), RV.c.reasons, RV.c.created_at, S.c.name, S.c.city, S.c.affiliation, S.c.language,
               S.c.subject, S.c.body)
        .select_from(RV.join(S, S.c.id == RV.c.submission_id))
        .where(RV.c.campaign_id == campaign_id, RV.c.state == "waiting", RV.c.submission_id > after)
        .order_by(RV.c.submission_id).limit(most)).all()


def review(connection: Connection, campaign_id: int, submission_id: str) -> Any | None:
    """Whether a submission of this campaign waits for a moderator, or what was decided: state, decided_at, note."""
    return connection.execute(select(RV.c.state, RV.c.decided_at, RV.c.note).where(
        RV.c.campaign_id == campaign_id, RV.c.submission_id == submission_id)).first()


def target(connection: Connection, campaign_id: int, key: str) -> int | None:
    """The number of a campaign's target by its id in the file."""
    return connection.execute(select(T.c.id).where(T.c.campaign_id == campaign_id, T.c.key == key)).scalar()
