"""What is taken away as files: page after page by key, so that a million rows need no more memory than a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select

from outreach.domain.letters import Verdict
from outreach.models import Address, Attempt, Letter, Receipt, Submission, Target, table

L, S, T, A, AT, R = table(Letter), table(Submission), table(Target), table(Address), table(Attempt), table(Receipt)

_LETTERS = (select(L.c.id, L.c.submission_id.label("submission"), T.c.key.label("target"), L.c.channel, A.c.value.label("address"),
                   L.c.state, L.c.reason, L.c.tries, L.c.created_at, L.c.state_at, L.c.sent_at, L.c.delivered_at)
            .select_from(L.join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id)).order_by(L.c.id))
_WRITER = (S.c.name, S.c.email, S.c.city, S.c.affiliation)
_FACTS = (S.c.id, S.c.state, S.c.channel, S.c.asked, S.c.language, S.c.updates, S.c.public_name,
          or_(S.c.subject.is_not(None), S.c.body.is_not(None)).label("edited"), S.c.consent_version, S.c.created_at, S.c.confirmed_at,
          S.c.withdrawn_at, S.c.erased_at)
_PERSON = (S.c.name, S.c.email, S.c.street, S.c.city, S.c.postal_code, S.c.phone, S.c.affiliation, S.c.subject, S.c.body)


def letters(connection: Connection, campaign_id: int, after: str, most: int, *, personal: bool) -> Sequence[Any]:
    """The next `most` letters after this id, each with its writer's name, e-mail address, city and affiliation if `personal`."""
    chosen = _LETTERS
    if personal:
        chosen = chosen.join(S, S.c.id == L.c.submission_id).add_columns(*_WRITER)
    return connection.execute(chosen.where(L.c.campaign_id == campaign_id, L.c.id > after).limit(most)).all()


def provider_refs(connection: Connection, campaign_id: int, first: str, last: str) -> dict[str, str]:
    """How providers call a campaign's letters from `first` to `last`: of several attempts the one that arrived, else the newest."""
    rows = connection.execute(
        select(AT.c.letter_id, AT.c.provider_ref).select_from(L.join(AT, AT.c.letter_id == L.c.id))
        .where(L.c.campaign_id == campaign_id, L.c.id.between(first, last), AT.c.provider_ref.is_not(None))
        .order_by(AT.c.verdict == Verdict.DELIVERED.value, AT.c.started_at))
    return {row.letter_id: row.provider_ref for row in rows}


def submissions(connection: Connection, campaign_id: int, after: tuple[datetime, str] | None, most: int, *,
                personal: bool) -> Sequence[Any]:
    """The next `most` submissions after this moment and id, in the order in which they came, with all that people wrote if `personal`."""
    chosen = select(*_FACTS, *(_PERSON if personal else ())).where(S.c.campaign_id == campaign_id)
    if after is not None:
        at, last = after
        chosen = chosen.where(S.c.created_at >= at, or_(S.c.created_at > at, and_(S.c.created_at == at, S.c.id > last)))
    return connection.execute(chosen.order_by(S.c.created_at, S.c.id).limit(most)).all()


def letter_ids(connection: Connection, campaign_id: int, after: str, most: int) -> list[str]:
    """The ids of the next `most` letters after this one."""
    return list(connection.execute(select(L.c.id).where(L.c.campaign_id == campaign_id, L.c.id > after).order_by(L.c.id).limit(most))
                .scalars())


def receipts(connection: Connection, campaign_id: int, first: str, last: str) -> Sequence[Any]:
    """What providers said of a campaign's letters from `first` to `last`, by letter."""
    return connection.execute(
        select(R.c.id, AT.c.letter_id.label("letter"), T.c.key.label("target"), R.c.attempt_id.label("attempt"), R.c.provider, R.c.verdict,
               R.c.reason, R.c.pages, R.c.detail, R.c.provider_ref, R.c.at, R.c.received_at)
        .select_from(L.join(AT, AT.c.letter_id == L.c.id).join(R, R.c.attempt_id == AT.c.id).join(T, T.c.id == L.c.target_id))
        .where(L.c.campaign_id == campaign_id, L.c.id.between(first, last)).order_by(AT.c.letter_id, R.c.id)).all()


def faxes(connection: Connection, campaign_id: int, after: str, most: int) -> Sequence[Any]:
    """The next `most` faxes that were handed over, by letter, those that went along in another's bundle left out: id, target, state,
    started_at (of the attempt that arrived, else of the newest), pages, erased."""
    mine = _gone()
    best = ((AT.c.verdict == Verdict.DELIVERED.value).desc(), AT.c.started_at.desc())
    started = select(AT.c.started_at).where(*mine).order_by(*best).limit(1).scalar_subquery()
    pages = select(AT.c.pages).where(*mine).order_by(*best).limit(1).scalar_subquery()
    return connection.execute(
        select(L.c.id, T.c.key.label("target"), L.c.state, started.label("started_at"), pages.label("pages"),
               S.c.erased_at.is_not(None).label("erased"), L.c.carries)
        .select_from(L.join(T, T.c.id == L.c.target_id).join(S, S.c.id == L.c.submission_id))
        .where(L.c.campaign_id == campaign_id, L.c.id > after, *_handed_over()).order_by(L.c.id).limit(most)).all()


def fax_ids(connection: Connection, campaign_id: int, most: int) -> list[str]:
    """The ids of the first `most` of these."""
    return list(connection.execute(select(L.c.id).where(L.c.campaign_id == campaign_id, *_handed_over()).order_by(L.c.id).limit(most))
                .scalars())


def _gone() -> tuple[ColumnElement[bool], ...]:
    """The condition on an attempt at a letter that was taken."""
    return AT.c.letter_id == L.c.id, AT.c.verdict.in_([Verdict.ACCEPTED.value, Verdict.DELIVERED.value])


def _handed_over() -> tuple[ColumnElement[bool], ...]:
    # Written out, not bound, and tried ones only: the index of faxes that were handed over serves it.
    return (L.c.channel == literal_column("'fax'"), L.c.attempt_id.is_not(None), L.c.carried_by.is_(None),
            select(AT.c.id).where(*_gone()).exists())


def target_keys(connection: Connection, campaign_id: int) -> dict[int, str]:
    """The ids in the file of all targets that a campaign ever had, by their numbers."""
    return {row.id: row.key for row in connection.execute(select(T.c.id, T.c.key).where(T.c.campaign_id == campaign_id))}


def failures(connection: Connection, campaign_id: int) -> dict[str, int]:
    """How many of a campaign's failed letters failed for which reason."""
    rows = connection.execute(select(L.c.reason, func.count()).where(L.c.campaign_id == campaign_id, L.c.state == "failed")
                              .group_by(L.c.reason))
    return {str(reason or "unknown"): int(n) for reason, n in rows}
