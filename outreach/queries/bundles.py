"""What is asked about bundles: who could go in one, who is in one, and bundles that have lost their carrier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, or_, select, union_all

from outreach.domain.letters import State
from outreach.models import Attempt, Letter, Submission, Target, table

L, S, T, AT = table(Letter), table(Submission), table(Target), table(Attempt)
_QUEUED = L.c.state == State.QUEUED.value
_LONE = (_QUEUED, L.c.carried_by.is_(None), L.c.carries.is_(False), L.c.withdrawn_at.is_(None))
_UNDER_WAY = (State.QUEUED.value, State.SENDING.value, State.UNKNOWN.value)


def first(connection: Connection, target_id: int, address_id: int, most: int) -> Sequence[Any]:
    """The first letters in line, up to `most`, that wait for themselves: id, submitted_at, not_before, consent_version."""
    heads = union_all(*(select(part.subquery()) for part in _line(target_id, address_id, most))).subquery()
    line = select(heads).order_by(heads.c.submitted_at, heads.c.id).limit(most).subquery()
    return connection.execute(
        select(line.c.id, line.c.submitted_at, line.c.not_before, S.c.consent_version)
        .select_from(line.join(S, S.c.id == line.c.submission_id)).order_by(line.c.submitted_at, line.c.id)).all()


def late(connection: Connection, target_id: int, address_id: int, n: int, *, agreed_since: str, most: int) -> tuple[list[str], int]:
    """Of the last `n` letters in line that wait for themselves: the ids of the first `most` whose writers' consent is of that version
    or newer, in order of submission, and how many have an older one."""
    x = union_all(*(select(part.subquery()) for part in _line(target_id, address_id, n, last=True))).subquery()
    line = select(x).order_by(x.c.submitted_at.desc(), x.c.id.desc()).limit(n).subquery()
    agreed = S.c.consent_version >= agreed_since
    rows = connection.execute(
        select(line.c.id, agreed.label("agreed"), func.sum(case((agreed, 0), else_=1)).over().label("unasked"))
        .select_from(line.join(S, S.c.id == line.c.submission_id))
        .order_by(agreed.desc(), line.c.submitted_at, line.c.id).limit(most)).all()
    return [row.id for row in rows if row.agreed], int(rows[0].unasked) if rows else 0


def oldest_consent(connection: Connection, campaign_id: int) -> str | None:
    """The oldest version of the consent under which anybody has written to a campaign's targets; None while nobody has."""
    return connection.execute(select(func.min(S.c.consent_version)).where(S.c.campaign_id == campaign_id)).scalar()


def _line(target_id: int, address_id: int, n: int, *, last: bool = False) -> Iterator[Select[Any]]:
    """The first or the last `n` of a line, of those never put off and of those that were: each by itself, as the index has them."""
    own = select(L.c.id, L.c.submission_id, L.c.submitted_at, L.c.not_before).where(
        L.c.address_id == address_id, L.c.target_id == target_id, *_LONE)
    for part, order in ((own.where(L.c.not_before.is_(None)), (L.c.not_before, L.c.submitted_at, L.c.id)),
                        (own.where(L.c.not_before.is_not(None)), (L.c.submitted_at, L.c.id))):
        yield part.order_by(*(column.desc() if last else column for column in order)).limit(n)


def locked(connection: Connection, letter_ids: Sequence[str]) -> list[Row[Any]]:
    """Those of these letters that still wait for themselves, whole rows, locked by id."""
    found: list[Row[Any]] = []
    ids = sorted(letter_ids)
    for at in range(0, len(ids), 500):
        found += connection.execute(select(L).where(L.c.id.in_(ids[at:at + 500]), *_LONE).order_by(L.c.id).with_for_update()).all()
    return found


def waiting_carriers(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    """Letters that carry a bundle which waits, by id: whole rows, and key of the target."""
    member = L.alias("member")
    # Not the bare column: the index of all letters of a campaign is no way to the few that are carried.
    carrying = select(member.c.carried_by).where(member.c.carried_by.is_not(None), func.coalesce(member.c.campaign_id, 0) == campaign_id)
    return connection.execute(select(L, T.c.key).join(T, T.c.id == L.c.target_id).where(L.c.id.in_(carrying), L.c.carries, _QUEUED)
                              .order_by(L.c.id)).all()


def followers(connection: Connection, carrier_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """All that these letters carry, whatever their states, whole rows, locked by id."""
    return connection.execute(select(L).where(L.c.carried_by.in_(carrier_ids)).order_by(L.c.id).with_for_update()).all()


def carrier(connection: Connection, letter_id: str) -> Row[Any]:
    """The whole row of a letter, which must be there; not locked."""
    return connection.execute(select(L).where(L.c.id == letter_id)).one()


def ended_lamely(connection: Connection, attempt_id: str | None) -> bool:
    """Whether an attempt says nothing against another one: its refusal was for the moment, or it never was handed over."""
    row = connection.execute(select(AT.c.verdict, AT.c.retryable).where(AT.c.id == attempt_id)).first()
    return row is not None and (bool(row.retryable) or row.verdict == "void")


def size(connection: Connection, carrier_id: str, state: str) -> int:
    """How many letters in `state` a bundle holds, its carrier among them."""
    return connection.execute(select(func.count()).select_from(L).where(
        or_(L.c.id == carrier_id, L.c.carried_by == carrier_id), L.c.state == state)).scalar_one()


def carrier_of_submission(connection: Connection, submission_id: str) -> list[str]:
    """The ids of a submission's letters that carry a bundle, ascending."""
    return list(connection.execute(select(L.c.id).where(L.c.submission_id == submission_id, L.c.carries).order_by(L.c.id)).scalars())


def headless(connection: Connection, most: int) -> list[str]:
    """The ids of letters that carry others which wait, though they themselves will not be handed over any more."""
    head = L.alias("head")
    # Not a join: in the order of their heads, SQLite would look at every letter for those few.
    heads = select(L.c.carried_by).where(L.c.carried_by.is_not(None), _QUEUED, L.c.withdrawn_at.is_(None))
    return list(connection.execute(select(head.c.id).where(head.c.id.in_(heads), head.c.state.not_in(_UNDER_WAY))
                                   .order_by(head.c.id).limit(most)).scalars())


def first_place(connection: Connection, target_id: int, address_id: int) -> datetime | None:
    """The place of who is first in a target's line at an address."""
    return next((x.submitted_at for x in first(connection, target_id, address_id, 1)), None)
