"""What is asked about campaigns, their targets and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, literal_column, or_, select

from outreach.domain.letters import State
from outreach.models import Address, Attempt, Campaign, CampaignVersion, Lane, Letter, Submission, Target, TargetAddress

C, V, T, A = Campaign.__table__, CampaignVersion.__table__, Target.__table__, Address.__table__
TA, LANE, L, S = TargetAddress.__table__, Lane.__table__, Letter.__table__, Submission.__table__
AT = Attempt.__table__
LETTER_CHANNELS = ("email", "fax")
_QUEUED = L.c.state == literal_column(f"'{State.QUEUED.value}'")
"""Written out, not bound: SQLite takes partial indexes only so."""

# Built once: this stands on the way of every form.
_STANDING = select(C.c.slug, C.c.state, C.c.deadline, C.c.fingerprint_key).where(C.c.id == bindparam("campaign"))


def by_slug(connection: Connection, slug: str) -> Row[Any] | None:
    """The whole row of one campaign."""
    return connection.execute(select(C).where(C.c.slug == slug)).first()


def by_id(connection: Connection, campaign_id: int) -> Row[Any] | None:
    """The same by its number."""
    return connection.execute(select(C).where(C.c.id == campaign_id)).first()


def standing(connection: Connection, campaign_id: int) -> Any:
    """Whether a campaign, which must be there, takes letters at this moment: slug, state, deadline, fingerprint_key."""
    return connection.execute(_STANDING, {"campaign": campaign_id}).one()


def by_slug_locked(connection: Connection, slug: str) -> Row[Any] | None:
    """The same, and nobody else changes it until this transaction ends; submissions that refer to it are not held up."""
    return connection.execute(select(C).where(C.c.slug == slug).with_for_update(key_share=True)).first()


def revision(connection: Connection, campaign_id: int) -> int | None:
    """How often what is cached about a campaign has changed; None when there is no such campaign."""
    return connection.execute(select(C.c.revision).where(C.c.id == campaign_id)).scalar()


def everything(connection: Connection) -> Sequence[Row[Any]]:
    """All campaigns, the newest first."""
    return connection.execute(select(C).order_by(C.c.created_at.desc(), C.c.id.desc())).all()


def live(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """Campaigns that take letters now, the nearest deadline first, those without one last."""
    return connection.execute(select(C).where(C.c.state == "live", or_(C.c.deadline.is_(None), C.c.deadline > now))
                              .order_by(C.c.deadline.is_(None), C.c.deadline, C.c.slug)).all()


def definition(connection: Connection, version_id: int) -> dict[str, Any] | None:
    """A version's campaign as JSON."""
    return connection.execute(select(V.c.definition).where(V.c.id == version_id)).scalar()


def version(connection: Connection, version_id: int) -> Any:
    """A version's number, digest and definition."""
    return connection.execute(select(V.c.number, V.c.digest, V.c.definition).where(V.c.id == version_id)).one()


def targets(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    """All targets that the campaign ever had, in the file's order."""
    return connection.execute(select(T).where(T.c.campaign_id == campaign_id).order_by(T.c.position, T.c.id)).all()


def target_addresses(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """Addresses of a campaign's targets with rank, limits and state, in order of preference."""
    return connection.execute(
        select(TA.c.target_id, TA.c.address_id, A.c.channel, A.c.value, TA.c.rank, TA.c.limits, A.c.state)
        .select_from(TA.join(T, T.c.id == TA.c.target_id).join(A, A.c.id == TA.c.address_id))
        .where(T.c.campaign_id == campaign_id).order_by(TA.c.target_id, TA.c.rank)).all()


def addresses(connection: Connection, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """Rows of addresses by channel and value; those that do not exist are left out."""
    wanted = set(places)
    found: dict[tuple[str, str], Row[Any]] = {}
    values = sorted({value for _, value in wanted})
    for at in range(0, len(values), 500):  # SQLite takes a limited number of parameters
        for row in connection.execute(select(A).where(A.c.value.in_(values[at:at + 500]))):
            if (row.channel, row.value) in wanted:
                found[row.channel, row.value] = row
    return found


def letter_lanes(connection: Connection, campaign_id: int) -> list[int]:
    """Address ids of the lanes in front of a campaign's targets, ascending."""
    return list(connection.execute(
        select(LANE.c.address_id).where(LANE.c.address_id.in_(
            select(TA.c.address_id).join(T, T.c.id == TA.c.target_id).where(T.c.campaign_id == campaign_id)))
        .order_by(LANE.c.address_id)).scalars())


def reachable(connection: Connection, campaign_id: int) -> bool:
    """Whether some target that the campaign still has can be written to at an address that is not blocked; at one that waits for
    approval letters wait, too."""
    return connection.execute(
        select(func.count()).select_from(TA.join(T, T.c.id == TA.c.target_id).join(A, A.c.id == TA.c.address_id))
        .where(T.c.campaign_id == campaign_id, T.c.active, A.c.channel.in_(LETTER_CHANNELS),
               A.c.state != "blocked")).scalar_one() > 0


def channels(connection: Connection, campaign_id: int) -> set[str]:
    """The channels on which the campaign's targets have an address that is not blocked."""
    return set(connection.execute(
        select(A.c.channel).distinct().select_from(TA.join(T, T.c.id == TA.c.target_id).join(A, A.c.id == TA.c.address_id))
        .where(T.c.campaign_id == campaign_id, T.c.active, A.c.state != "blocked")).scalars())


def is_blocked(connection: Connection, channel: str, value: str) -> bool:
    """Whether nothing may go to an address."""
    return connection.execute(select(A.c.id).where(A.c.channel == channel, A.c.value == value, A.c.state == "blocked")).first() is not None


def stranded(connection: Connection, campaign_ids: Sequence[int]) -> Sequence[Any]:
    """Where letters wait at an address that is blocked, suspect, proposed or no longer their target's: target_id, address_id, channel,
    state, and whether their campaign may fall_back on the other channel."""
    return connection.execute(
        select(L.c.target_id, L.c.address_id, A.c.channel, A.c.state, C.c.fall_back).distinct()
        .select_from(L.join(A, A.c.id == L.c.address_id).join(C, C.c.id == L.c.campaign_id)).where(
            L.c.campaign_id.in_(campaign_ids), _PENDING,
            or_(A.c.state != "ok", ~select(TA.c.target_id).where(
                TA.c.target_id == L.c.target_id, TA.c.address_id == L.c.address_id).exists()))
        .order_by(L.c.target_id, L.c.address_id)).all()


def unusable_places(connection: Connection, now: datetime) -> Sequence[Any]:
    """Where queued letters of campaigns that go on stand at an address of their target that is blocked, suspect or proposed:
    campaign_id and the columns of `stranded`. Looks at no letter where there is no such address."""
    # In the index's order, or Postgres, where it expects many, would look through others' letters for the first.
    stands = (select(L.c.id).where(L.c.address_id == TA.c.address_id, L.c.target_id == TA.c.target_id, _QUEUED)
              .order_by(L.c.not_before, L.c.submitted_at, L.c.id).limit(1).scalar_subquery())
    return connection.execute(
        select(T.c.campaign_id, TA.c.target_id, TA.c.address_id, A.c.channel, A.c.state, C.c.fall_back)
        .select_from(A.join(TA, TA.c.address_id == A.c.id).join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
        .where(A.c.state != literal_column("'ok'"), A.c.channel.in_(LETTER_CHANNELS), *_goes_on(now), stands.is_not(None))
        .order_by(TA.c.target_id, TA.c.address_id)).all()


def foreign_places(connection: Connection, now: datetime) -> Sequence[Any]:
    """The same for addresses that a later version of the campaign has taken from the target. Reads one letter of each line."""
    its_own = select(TA.c.target_id).where(TA.c.target_id == L.c.target_id, TA.c.address_id == L.c.address_id).exists()
    return connection.execute(
        select(L.c.campaign_id, L.c.target_id, L.c.address_id, A.c.channel, A.c.state, C.c.fall_back)
        .select_from(_FIRST_IN_LINE.join(L, L.c.id == _FIRST_IN_LINE.c.id).join(A, A.c.id == L.c.address_id)
                     .join(C, C.c.id == L.c.campaign_id).join(V, V.c.id == C.c.version_id))
        .where(V.c.number > 1, *_goes_on(now), ~its_own).order_by(L.c.target_id, L.c.address_id)).all()


def _first_in_line() -> Any:
    """A letter of each line (of each target at each address): from one to the next in the index, over all the others."""
    here, x = L.alias("here"), L.alias("x")
    line = select(x.c.id).where(x.c.state == literal_column(f"'{State.QUEUED.value}'")).order_by(x.c.address_id, x.c.target_id).limit(1)
    found = select(line.scalar_subquery().label("id")).cte("line", recursive=True)
    same_address = line.where(x.c.address_id == here.c.address_id, x.c.target_id > here.c.target_id).correlate(here).scalar_subquery()
    next_address = line.where(x.c.address_id > here.c.address_id).correlate(here).scalar_subquery()
    return found.union_all(select(func.coalesce(same_address, next_address)).select_from(found.join(here, here.c.id == found.c.id)))


_FIRST_IN_LINE = _first_in_line()


def _goes_on(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return C.c.state.in_(("live", "paused")), or_(C.c.deadline.is_(None), C.c.deadline > now)


def target_ids(connection: Connection, campaign_id: int, keys: Sequence[str]) -> list[int]:
    """The ids of a campaign's targets by their ids in the file."""
    return sorted(connection.execute(select(T.c.id).where(T.c.campaign_id == campaign_id, T.c.key.in_(keys))).scalars())


def waiting_letters_locked(connection: Connection, campaign_id: int, targets: Sequence[int] | None) -> Sequence[Any]:
    """A campaign's letters that wait (to `targets` only, if given), locked by id, withdrawn ones left out: what a move needs, and
    submission_id, attempt_id, carries, carried_by."""
    return connection.execute(_waiting(campaign_id, targets).with_for_update()).all()


def waiting_letters(connection: Connection, campaign_id: int, targets: Sequence[int] | None) -> Sequence[Any]:
    """The same without locking any."""
    return connection.execute(_waiting(campaign_id, targets)).all()


def older_waiting_locked(connection: Connection, campaign_id: int, targets: Sequence[int] | None, until: datetime, *,
                         after: str, most: int) -> Sequence[Any]:
    """The next `most` of these after this id that had been written by `until`, locked by id."""
    chosen = _waiting(campaign_id, targets).where(L.c.created_at <= until, L.c.id > after)
    return connection.execute(chosen.limit(most).with_for_update()).all()


def unfinished(connection: Connection) -> list[int]:
    """The ids of versions of which something is still to be done with letters that waited, the oldest first."""
    return list(connection.execute(select(V.c.id).where(V.c.older.is_not(None)).order_by(V.c.id)).scalars())


def unfinished_locked(connection: Connection, version_id: int) -> Any | None:
    """What is still to be done of a version, locked: campaign_id, number, created_at, older, older_targets, older_after,
    who; None when it is done."""
    return connection.execute(
        select(V.c.campaign_id, V.c.number, V.c.created_at, V.c.older, V.c.older_targets, V.c.older_after, V.c.who)
        .where(V.c.id == version_id, V.c.older.is_not(None)).with_for_update()).first()


def reviving(connection: Connection) -> list[int]:
    """The ids of versions that have still to bring back letters which a deadline had ended, the oldest first."""
    return list(connection.execute(select(V.c.id).where(V.c.reviving.is_not(None)).order_by(V.c.id)).scalars())


def reviving_locked(connection: Connection, version_id: int) -> Any | None:
    """What a version has still to bring back, locked: campaign_id, reviving, reviving_after, and its campaign's state and deadline;
    None when it is done."""
    return connection.execute(
        select(V.c.campaign_id, V.c.reviving, V.c.reviving_after, C.c.state, C.c.deadline).select_from(V.join(C, C.c.id == V.c.campaign_id))
        .where(V.c.id == version_id, V.c.reviving.is_not(None)).with_for_update(of=V)).first()


def waiting_of(connection: Connection, campaign_id: int, letter_ids: Sequence[str]) -> Sequence[Any]:
    """Those of these letters that wait, in the form of `waiting_letters`."""
    return connection.execute(_waiting(campaign_id, None).where(L.c.id.in_(letter_ids))).all()


def _waiting(campaign_id: int, targets: Sequence[int] | None) -> Select[Any]:
    chosen = select(L.c.id, L.c.campaign_id, L.c.target_id, L.c.address_id, L.c.channel, L.c.state, L.c.submission_id, L.c.attempt_id,
                    L.c.carries, L.c.carried_by).where(L.c.campaign_id == campaign_id, _PENDING, L.c.withdrawn_at.is_(None))
    if targets is not None:
        chosen = chosen.where(L.c.target_id.in_(targets))
    return chosen.order_by(L.c.id)


_PENDING = L.c.state.in_([literal_column(f"'{s}'") for s in ("unconfirmed", "held", "queued")])
"""`WAITING`, written out as its index has it: SQLite takes a partial index only so."""


def with_unconfirmed(submission_ids: Sequence[str]) -> Any:
    """A sub-select: those of these submissions that still have a letter to be confirmed."""
    return select(L.c.submission_id).where(L.c.submission_id.in_(submission_ids), L.c.state == State.UNCONFIRMED.value)


def first_usable(connection: Connection, target_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """Target and channel to the address id that a waiting letter goes to: the first in use, else the first that waits for an
    operator's approval; those without one are left out."""
    rows = connection.execute(
        select(TA.c.target_id, A.c.channel, TA.c.address_id).select_from(TA.join(A, A.c.id == TA.c.address_id))
        .where(TA.c.target_id.in_(sorted(set(target_ids))), A.c.state.in_(("ok", "proposed")))
        .order_by(A.c.state == "ok", TA.c.rank.desc()))  # the last of them stays
    return {(row.target_id, row.channel): row.address_id for row in rows}


def untried(connection: Connection, target_id: int, letter_id: str) -> Sequence[Any]:
    """A target's usable addresses for letters at which this letter has not been tried, in order of preference: address_id, channel,
    and whether the campaign may fall_back on the other channel."""
    return connection.execute(
        select(TA.c.address_id, A.c.channel, C.c.fall_back)
        .select_from(TA.join(A, A.c.id == TA.c.address_id).join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id))
        .where(TA.c.target_id == target_id, A.c.state == "ok", A.c.channel.in_(LETTER_CHANNELS),
               TA.c.address_id.not_in(select(AT.c.address_id).where(AT.c.letter_id == letter_id)))
        .order_by(TA.c.rank, TA.c.address_id)).all()


def campaigns_at(connection: Connection, address_ids: Sequence[int]) -> list[str]:
    """Slugs of the campaigns with a target at one of these addresses."""
    return list(connection.execute(
        select(C.c.slug).where(C.c.id.in_(campaign_ids_at(address_ids))).order_by(C.c.slug)).scalars())


def campaign_ids_at(address_ids: Sequence[int]) -> Any:
    """A sub-select: the ids of the campaigns with a target at one of these addresses."""
    return select(T.c.campaign_id).join(TA, TA.c.target_id == T.c.id).where(TA.c.address_id.in_(address_ids))


def ids_at(connection: Connection, address_ids: Sequence[int]) -> list[int]:
    """The ids of the campaigns with a target, or still with queued letters, at one of these addresses."""
    return sorted(connection.execute(select(C.c.id).where(or_(
        C.c.id.in_(campaign_ids_at(address_ids)),
        C.c.id.in_(select(L.c.campaign_id).where(L.c.address_id.in_(address_ids), L.c.state == "queued"))))).scalars())


def lanes_locked(connection: Connection, address_ids: Sequence[int]) -> list[int]:
    """Those of these addresses that have a lane, ascending; nobody starts an attempt there until this transaction ends."""
    return list(connection.execute(select(LANE.c.address_id).where(LANE.c.address_id.in_(address_ids))
                                   .order_by(LANE.c.address_id).with_for_update()).scalars())
