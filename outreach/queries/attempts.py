"""What is asked about attempts and the receipts that speak of them; what a drain asks about them is in `delivery`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select

from outreach.domain.letters import Verdict
from outreach.models import Address, Attempt, Letter, Notice, Receipt, Submission, table

AT, L, A, R, S, N = table(Attempt), table(Letter), table(Address), table(Receipt), table(Submission), table(Notice)

# Built once: providers post these by the hundred.
_HEARD = (select(AT.c.id, AT.c.letter_id, AT.c.address_id, AT.c.campaign_id, L.c.target_id, L.c.channel, L.c.state, L.c.carries,
                 A.c.value, A.c.channel.label("way"),
                 AT.c.transport, AT.c.verdict, AT.c.retryable, AT.c.reason, AT.c.detail, AT.c.pages, AT.c.provider_ref,
                 AT.c.line_until, AT.c.ended_at, AT.c.arrived_at, AT.c.started_at,
                 S.c.erased_at.is_not(None).label("erased"))
          .select_from(AT.join(L, L.c.id == AT.c.letter_id).join(A, A.c.id == AT.c.address_id).join(S, S.c.id == L.c.submission_id))
          .where(AT.c.id.in_(bindparam("ids", expanding=True))).order_by(AT.c.id).with_for_update(of=AT))
ARRIVED = (select(func.min(AT.c.arrived_at)).where(AT.c.letter_id == L.c.id, AT.c.verdict == Verdict.DELIVERED.value)
           .correlate(L).scalar_subquery())
"""A sub-select within an UPDATE of letters: when the letter arrived, by the attempts that did."""
_NOTICES = select(N.c.id).where(N.c.id.in_(bindparam("ids", expanding=True)))


def by_id_locked(connection: Connection, attempt_id: str) -> Row[Any]:
    """The whole row of one attempt, which must be there; nobody else changes it until this transaction ends."""
    return connection.execute(select(AT).where(AT.c.id == attempt_id).with_for_update()).one()


def last_reasons(connection: Connection, address_id: int, most: int) -> list[str | None]:
    """What was said against the newest attempts at an address of which something is known, the newest first; None: nothing was."""
    known = AT.c.verdict.not_in((Verdict.OPEN.value, Verdict.VOID.value, Verdict.UNKNOWN.value))
    said = case((AT.c.verdict.in_((Verdict.REFUSED.value, Verdict.BOUNCED.value)), AT.c.reason))
    return list(connection.execute(select(said).where(AT.c.address_id == address_id, known)
                                   .order_by(AT.c.started_at.desc()).limit(most)).scalars())


def of_letter(connection: Connection, letter_id: str) -> Sequence[Row[Any]]:
    """Whole rows of a letter's attempts, the oldest first."""
    return connection.execute(select(AT).where(AT.c.letter_id == letter_id).order_by(AT.c.started_at, AT.c.id)).all()


def of_submissions(submission_ids: Sequence[str]) -> Any:
    """A sub-select: the ids of all attempts at the letters of these submissions."""
    return select(AT.c.id).where(AT.c.letter_id.in_(select(L.c.id).where(L.c.submission_id.in_(submission_ids))))


def lock_of_submissions(connection: Connection, submission_ids: Sequence[str]) -> None:
    """Nobody else changes the attempts at the letters of these submissions until this transaction ends."""
    connection.execute(select(AT.c.id).where(AT.c.id.in_(of_submissions(submission_ids))).order_by(AT.c.id).with_for_update()).all()


def fetched(connection: Connection, attempt_id: str) -> Any | None:
    """What a provider fetches pages of: letter_id, started_at, verdict, and media_fetched_at if it has before."""
    return connection.execute(select(AT.c.letter_id, AT.c.started_at, AT.c.verdict, AT.c.media_fetched_at)
                              .where(AT.c.id == attempt_id)).first()


def last_start(connection: Connection, letter_id: str) -> datetime | None:
    """When the newest attempt at a letter started."""
    return connection.execute(select(AT.c.started_at).where(AT.c.letter_id == letter_id)
                              .order_by(AT.c.started_at.desc()).limit(1)).scalar()


def start_that_counts(connection: Connection, letter_id: str) -> datetime | None:
    """When the attempt that arrived started, else the newest one."""
    return connection.execute(
        select(AT.c.started_at).where(AT.c.letter_id == letter_id)
        .order_by((AT.c.verdict == Verdict.DELIVERED.value).desc(), AT.c.started_at.desc()).limit(1)).scalar()


def heard_locked(connection: Connection, attempt_ids: Sequence[str]) -> dict[str, Any]:
    """Attempts that receipts speak of, locked by id until this transaction ends, with their letter (`state` as it was
    before the lock), and the value and channel (`way`) of the address they went to: a letter may have gone on to another one."""
    return {row.id: row for row in connection.execute(_HEARD, {"ids": attempt_ids})} if attempt_ids else {}


def places_of(connection: Connection, letter_ids: Sequence[str]) -> set[int]:
    """The addresses to which these letters go now."""
    return set(connection.execute(select(L.c.address_id).where(L.c.id.in_(letter_ids))).scalars()) if letter_ids else set()


def named_by_provider(connection: Connection, provider_refs: Sequence[str]) -> dict[str, str]:
    """By the provider's name for it: the id of the newest attempt of that name."""
    if not provider_refs:
        return {}
    rows = connection.execute(select(AT.c.provider_ref, AT.c.id).where(AT.c.provider_ref.in_(provider_refs)).order_by(AT.c.started_at))
    return {row.provider_ref: row.id for row in rows}


def newest_of_letters(connection: Connection, letter_ids: Sequence[str]) -> dict[str, str]:
    """By letter: the id of the attempt under way, or of the last."""
    if not letter_ids:
        return {}
    rows = connection.execute(select(L.c.id, L.c.attempt_id).where(L.c.id.in_(letter_ids), L.c.attempt_id.is_not(None)))
    return {row.id: row.attempt_id for row in rows}


def lately_to(connection: Connection, transport: str, value: str, after: datetime, before: datetime) -> list[str]:
    """Ids of the attempts at an address, however it is written, that this transport took or may have taken, and that started between
    two moments; two of them at the most."""
    return list(connection.execute(
        select(AT.c.id).join(A, A.c.id == AT.c.address_id)
        .where(func.lower(A.c.value) == value.lower(), AT.c.transport == transport, AT.c.started_at > after, AT.c.started_at < before,
               AT.c.verdict.not_in((Verdict.VOID.value, Verdict.REFUSED.value))).limit(2)).scalars())


def notices_of(submission_ids: Sequence[str]) -> Any:
    """A sub-select: the ids of all notices about these submissions."""
    return select(N.c.id).where(N.c.submission_id.in_(submission_ids))


def notices(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these ids that are notices of ours."""
    return set(connection.execute(_NOTICES, {"ids": ids}).scalars()) if ids else set()


def due_orphans(connection: Connection, now: datetime, most: int) -> list[int]:
    """Ids of receipts whose letter is to be looked for again, those due longest first."""
    return list(connection.execute(select(R.c.id).where(R.c.applied_at.is_(None), R.c.look_at <= now)
                                   .order_by(R.c.look_at, R.c.id).limit(most)).scalars())


def orphans_locked(connection: Connection, receipt_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Whole rows of those receipts that have not been matched meanwhile, locked by id until this transaction ends."""
    return connection.execute(select(R).where(R.c.id.in_(receipt_ids), R.c.applied_at.is_(None))
                              .order_by(R.c.id).with_for_update()).all()


def wrong_codes(connection: Connection, campaign_id: int, fingerprint: str, after: datetime) -> int:
    """How many codes were tried in vain for one mailbox's submissions that were made after this time."""
    return int(connection.execute(select(func.coalesce(func.sum(S.c.code_tries), 0)).where(
        S.c.campaign_id == campaign_id, S.c.fingerprint == fingerprint, S.c.created_at > after)).scalar_one())
