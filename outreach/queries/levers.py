"""What the levers ask before they are pulled: what waits, what failed and why, what nobody knows the outcome of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from outreach.domain.letters import State, Verdict
from outreach.models import Address, Attempt, Campaign, Letter, Pause, Target, TargetAddress, table

L, T, A, C, AT, TA, P = (table(Letter), table(Target), table(Address), table(Campaign), table(Attempt), table(TargetAddress),
                         table(Pause))
# Written out, not bound: SQLite takes partial indexes only so.
_FAILED = L.c.state == literal_column(f"'{State.FAILED.value}'")
_QUEUED = L.c.state == literal_column(f"'{State.QUEUED.value}'")
_UNKNOWN = L.c.state == literal_column(f"'{State.UNKNOWN.value}'")


def _of(campaign_id: int) -> ColumnElement[bool]:
    """For the few that wait or are unknown: no index of all of a campaign's letters serves it, which SQLite would take otherwise."""
    return func.coalesce(L.c.campaign_id, 0) == campaign_id


def failed_by_reason(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Why a campaign's failed letters failed, and how many for each reason, the most first."""
    rows = connection.execute(select(L.c.reason, func.count()).where(L.c.campaign_id == campaign_id, _FAILED).group_by(L.c.reason))
    return {reason or "": n for reason, n in sorted(rows, key=lambda x: (-x[1], x[0] or ""))}


def unknowns(connection: Connection, campaign_id: int, most: int) -> Sequence[Any]:
    """A campaign's letters of unknown outcome, the oldest first, with what is known of each: id, since, carries, target (its name), key,
    timezone, channel, address; of the attempt transport, started_at, ended_at, polled_at, inquiry, detail, reason,
    media_fetched_at, line_until. Carried letters are left out: they follow the one that carries them."""
    return connection.execute(
        select(L.c.id, L.c.state_at.label("since"), L.c.carries, T.c.name.label("target"), T.c.key, T.c.timezone, L.c.channel,
               A.c.value.label("address"), AT.c.transport, AT.c.started_at, AT.c.ended_at, AT.c.polled_at, AT.c.inquiry, AT.c.detail,
               AT.c.reason, AT.c.media_fetched_at, AT.c.line_until)
        .select_from(L.join(AT, AT.c.id == L.c.attempt_id).join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id))
        .where(_UNKNOWN, _of(campaign_id), L.c.carried_by.is_(None)).order_by(L.c.state_at, L.c.id).limit(most)).all()


def unknown_ids(connection: Connection, campaign_id: int, until: datetime) -> list[str]:
    """The ids of a campaign's letters that have been of unknown outcome since `until` or longer, the oldest first; carried ones not."""
    return list(connection.execute(select(L.c.id).where(
        _UNKNOWN, _of(campaign_id), L.c.carried_by.is_(None), L.c.state_at <= until)
        .order_by(L.c.state_at, L.c.id)).scalars())


def unknown_count(connection: Connection, campaign_id: int) -> int:
    """How many decisions that is: a bundle is one."""
    return connection.execute(select(func.count()).select_from(L).where(
        _UNKNOWN, _of(campaign_id), L.c.carried_by.is_(None))).scalar_one()


def waiting_calls(connection: Connection, campaign_id: int) -> int:
    """How many of a campaign's faxes are with the provider now and may still be called back."""
    return connection.execute(
        select(func.count()).select_from(AT.join(L, L.c.id == AT.c.letter_id))
        .where(AT.c.line_until.is_not(None), AT.c.campaign_id == campaign_id, L.c.state == State.SENT.value,
               AT.c.verdict == Verdict.ACCEPTED.value)).scalar_one()


def queued_ids(connection: Connection, campaign_id: int, target_id: int | None, most: int) -> list[str]:
    """The ids of up to `most` of a campaign's queued letters (to one target, if named), ascending."""
    chosen = select(L.c.id).where(_of(campaign_id), _QUEUED)
    if target_id is not None:
        chosen = chosen.where(L.c.target_id == target_id)
    return sorted(connection.execute(chosen.limit(most)).scalars())


def locked(connection: Connection, letter_ids: Sequence[str]) -> Sequence[Any]:
    """Whole rows of these letters, locked by id."""
    return connection.execute(select(L).where(L.c.id.in_(letter_ids)).order_by(L.c.id).with_for_update()).all()


def letter(connection: Connection, campaign_id: int, letter_id: str) -> Any | None:
    """One letter of a campaign, whole row; None when the campaign has none of that id."""
    return connection.execute(select(L).where(L.c.id == letter_id, L.c.campaign_id == campaign_id)).first()


def ends_of_line(connection: Connection, campaign_id: int, address_id: int) -> tuple[datetime, datetime] | None:
    """The first and the last place in a campaign's line at an address; None when nobody stands there."""
    first, last = connection.execute(select(func.min(L.c.submitted_at), func.max(L.c.submitted_at)).where(
        L.c.address_id == address_id, _QUEUED, L.c.campaign_id == campaign_id)).one()
    return None if first is None else (first, last)


def pins(connection: Connection, address_ids: Sequence[int]) -> dict[int, str]:
    """The operator's own limits among these addresses, by address id."""
    return {i: pinned for i, pinned in connection.execute(
        select(A.c.id, A.c.pinned).where(A.c.id.in_(address_ids), A.c.pinned.is_not(None)))}


def other_limits(connection: Connection, address_ids: Sequence[int]) -> Sequence[Any]:
    """The limits that live campaigns set at these addresses: address_id, target_id, campaign_id, limits; empty ones left out."""
    return connection.execute(
        select(TA.c.address_id, TA.c.target_id, T.c.campaign_id, TA.c.limits)
        .select_from(TA.join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
        .where(TA.c.address_id.in_(address_ids), TA.c.limits != "", C.c.state == "live")).all()


def targets_paused(connection: Connection, campaign_id: int) -> dict[int, Any]:
    """Which of a campaign's targets are paused: target id to at, who, why."""
    rows = connection.execute(select(P.c.target_id, P.c.at, P.c.who, P.c.why).join(T, T.c.id == P.c.target_id)
                              .where(T.c.campaign_id == campaign_id))
    return {row.target_id: row for row in rows}
