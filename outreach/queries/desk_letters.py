"""What is asked to find letters at the desk and to show one of them with all that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal_column, select

from outreach.domain.letters import State
from outreach.models import Address, Attempt, Letter, LetterEvent, Receipt, Submission, Target, table

L, S, T, A, AT, EV, R = (table(Letter), table(Submission), table(Target), table(Address), table(Attempt), table(LetterEvent),
                         table(Receipt))
_WAITING = ("unconfirmed", "held", "queued")
FEW = frozenset({State.UNKNOWN.value, State.FAILED.value})
INDEXED = FEW | frozenset(_WAITING)
"""States whose letters an index of their own finds, however many others there are; of `FEW` there are never very many."""
_LISTED = (L.c.id, L.c.submitted_at, L.c.target_id, L.c.channel, L.c.state, L.c.reason, L.c.state_at, L.c.tries, L.c.carries,
           L.c.carried_by)


def _in(state: str) -> ColumnElement[bool]:
    """The condition on a letter's state, written out so that the planner sees which small index serves."""
    condition = L.c.state == literal_column(f"'{State(state).value}'")
    if state in _WAITING:
        return and_(condition, L.c.state.in_([literal_column(f"'{s}'") for s in _WAITING]))
    return condition


def page(connection: Connection, campaign_id: int, *, before: str = "", since: str = "", most: int, state: str = "",
         target_id: int | None = None, channel: str = "", reason: str = "", ids: Sequence[str] | None = None) -> Sequence[Any]:
    """Up to `most` letters of a campaign that fit, the newest first: with an id below `before` and not below `since` ("": any).

    Columns: those of the list, and the name and city of the writer, and whether they were erased.
    """
    chosen: Select[Any] = (select(*_LISTED, S.c.name, S.c.city, S.c.erased_at.is_not(None).label("erased"))
                           .select_from(L.join(S, S.c.id == L.c.submission_id)).where(L.c.campaign_id == campaign_id))
    if before:
        chosen = chosen.where(L.c.id < before)
    if since:
        chosen = chosen.where(L.c.id >= since)
    if ids is not None:
        chosen = chosen.where(L.c.id.in_(ids))
    if state:
        chosen = chosen.where(_in(state))
    chosen = chosen.where(*(column == value for column, value in (
        (L.c.target_id, target_id), (L.c.channel, channel), (L.c.reason, reason)) if value not in ("", None)))
    return connection.execute(chosen.order_by(L.c.id.desc()).limit(most)).all()


def end_of_window(connection: Connection, campaign_id: int, before: str, window: int) -> str:
    """The id of the letter that is number `window` among those older than `before`; "" if there are not so many."""
    chosen = select(L.c.id).where(L.c.campaign_id == campaign_id)
    if before:
        chosen = chosen.where(L.c.id < before)
    return connection.execute(chosen.order_by(L.c.id.desc()).offset(window - 1).limit(1)).scalar() or ""


def named(connection: Connection, ref: str, most: int) -> list[str]:
    """Ids of the letters whose attempts a provider calls by this name."""
    return list(connection.execute(select(AT.c.letter_id).where(AT.c.provider_ref == ref).limit(most)).scalars())


def one(connection: Connection, campaign_id: int, letter_id: str) -> Row[Any] | None:
    """A letter of this campaign: its whole row, with target (name), key, timezone, address, address_state, and of its writer name,
    city, affiliation, email, confirmed_at, erased_at, version_id, edited; and how many go with it."""
    members = L.alias("members")
    with_it = select(func.count()).select_from(members).where(members.c.carried_by == letter_id).scalar_subquery()
    return connection.execute(
        select(L, T.c.name.label("target"), T.c.key, T.c.timezone, A.c.value.label("address"), A.c.state.label("address_state"),
               S.c.name, S.c.city, S.c.affiliation, S.c.email, S.c.confirmed_at, S.c.erased_at,
               (S.c.subject.is_not(None) | S.c.body.is_not(None)).label("edited"), with_it.label("with_it"))
        .select_from(L.join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id).join(S, S.c.id == L.c.submission_id))
        .where(L.c.id == letter_id, L.c.campaign_id == campaign_id)).first()


def events(connection: Connection, letter_id: str) -> Sequence[Row[Any]]:
    """Whole rows of a letter's events, the oldest first."""
    return connection.execute(select(EV).where(EV.c.letter_id == letter_id).order_by(EV.c.id)).all()


def receipts(connection: Connection, attempt_ids: Sequence[str]) -> Sequence[Any]:
    """What providers said about these attempts, in the order in which it came: attempt_id, provider, verdict, retryable, reason, pages,
    detail, at, received_at."""
    return connection.execute(
        select(R.c.attempt_id, R.c.provider, R.c.verdict, R.c.retryable, R.c.reason, R.c.pages, R.c.detail, R.c.at, R.c.received_at)
        .where(R.c.attempt_id.in_(attempt_ids)).order_by(R.c.received_at, R.c.id)).all() if attempt_ids else []
