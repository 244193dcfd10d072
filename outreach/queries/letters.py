"""What is asked about letters, one submission's or one at a time, and how many stand before one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, literal, literal_column, select, tuple_, union_all

from outreach.domain.letters import Reason, State, Verdict
from outreach.models import Address, Attempt, Campaign, Letter, Review, Submission, Target, TargetAddress, table

L, S, C, T, A, AT = table(Letter), table(Submission), table(Campaign), table(Target), table(Address), table(Attempt)
RV, TA = table(Review), table(TargetAddress)
_STANDS = and_(L.c.state == literal_column(f"'{State.QUEUED.value}'"), L.c.carried_by.is_(None))
"""The condition on a letter that stands in line by itself. Written out, not bound: SQLite takes a partial index only so."""

_PAGES = select(func.max(AT.c.pages)).where(AT.c.letter_id == L.c.id).scalar_subquery()
_SHOWN = (select(L, T.c.name.label("target"), T.c.timezone, T.c.position, _PAGES.label("pages"))
          .select_from(L.join(T, T.c.id == L.c.target_id)).order_by(T.c.position))
# Of several attempts the one that arrived, else the newest, says how the provider calls this letter.
_PROVIDER_REF = (select(AT.c.provider_ref).where(AT.c.letter_id == L.c.id, AT.c.provider_ref.is_not(None))
                 .order_by((AT.c.verdict == Verdict.DELIVERED.value).desc(), AT.c.started_at.desc()).limit(1).scalar_subquery())
_LISTED = (select(L.c.id, T.c.key.label("target"), L.c.channel, A.c.value.label("address"), L.c.state, L.c.reason,
                  _PROVIDER_REF.label("provider_ref"), L.c.created_at, L.c.sent_at, L.c.delivered_at)
           .select_from(L.join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id)).order_by(L.c.id))


def by_id_locked(connection: Connection, letter_id: str) -> Row[Any]:
    """The whole row of one letter, which must be there; nobody else changes it until this transaction ends."""
    return connection.execute(select(L).where(L.c.id == letter_id).with_for_update()).one()


def of_submission(connection: Connection, submission_id: str) -> Sequence[Row[Any]]:
    """Whole rows of a submission's letters, by id: the order in which letters are locked."""
    return connection.execute(select(L).where(L.c.submission_id == submission_id).order_by(L.c.id)).all()


def lock_of_submissions(connection: Connection, submission_ids: Sequence[str]) -> None:
    """Nobody else changes the letters of these submissions until this transaction ends."""
    connection.execute(select(L.c.id).where(L.c.submission_id.in_(submission_ids)).order_by(L.c.id).with_for_update()).all()


def place_is_taken(connection: Connection, letter: Row[Any]) -> bool:
    """Whether a letter that counts holds the place of this one's person at its target."""
    # Written out as the index of places has it: SQLite does not see that "counts = 1" is the same, and would read the whole campaign.
    return connection.execute(select(L.c.id).where(
        L.c.campaign_id == letter.campaign_id, L.c.wave == letter.wave, L.c.target_id == letter.target_id,
        L.c.fingerprint == letter.fingerprint, L.c.slot == letter.slot, literal_column("letters.counts"))).first() is not None


def owner(connection: Connection, letter_id: str) -> Any | None:
    """Whose letter it is: submission_id, channel."""
    return connection.execute(select(L.c.submission_id, L.c.channel).where(L.c.id == letter_id)).first()


def shown(connection: Connection, submission_id: str) -> Sequence[Row[Any]]:
    """A submission's letters for its page, in the file's order: whole rows with target (its name), timezone, position, pages."""
    return connection.execute(_SHOWN.where(L.c.submission_id == submission_id)).all()


def for_recipient(connection: Connection, letter_id: str) -> Any | None:
    """What a letter's recipient may know: channel, created_at, sent_at, confirmed_at, slug and title, name of the target."""
    return connection.execute(
        select(L.c.channel, L.c.created_at, L.c.sent_at, S.c.confirmed_at, C.c.slug, C.c.title, T.c.name)
        .select_from(L.join(S, S.c.id == L.c.submission_id).join(C, C.c.id == L.c.campaign_id).join(T, T.c.id == L.c.target_id))
        .where(L.c.id == letter_id)).first()


def page(connection: Connection, campaign_id: int, after: str, most: int) -> Sequence[Any]:
    """The next `most` letters of a campaign after this id, with what `outreach letters --json` says about each."""
    return connection.execute(_LISTED.where(L.c.campaign_id == campaign_id, L.c.id > after).limit(most)).all()


def waiting_at(connection: Connection, campaign_ids: Sequence[int], places: Sequence[tuple[int, int]], most: int | None) -> Sequence[Any]:
    """What waits for these targets at these addresses (target_id, address_id), the first `most`, locked by id, with what a move needs:
    id, campaign_id, target_id, address_id, channel, state."""
    return connection.execute(
        select(L.c.id, L.c.campaign_id, L.c.target_id, L.c.address_id, L.c.channel, L.c.state)
        .where(L.c.campaign_id.in_(campaign_ids), tuple_(L.c.target_id, L.c.address_id).in_(places),
               L.c.state.in_([literal_column(f"'{s}'") for s in ("unconfirmed", "held", "queued")]))
        .order_by(L.c.id).limit(most).with_for_update()).all()


def count_ended_by_deadline(connection: Connection, campaign_id: int) -> Any:
    """How many letters a deadline has ended that can come back: n, and how many of these are fresh, that is, were never tried or
    bundled. Left out are those that were taken back or never confirmed; a person's place at a target is counted once, and not if
    another letter has it now."""
    fresh = and_(L.c.attempt_id.is_(None), L.c.carried_by.is_(None), L.c.carries.is_(False))
    places = (select(func.max(case((fresh, 1), else_=0)).label("fresh"))
              .where(*_ended_by_deadline(campaign_id)).group_by(L.c.wave, L.c.target_id, L.c.fingerprint, L.c.slot).subquery())
    return connection.execute(select(func.count().label("n"), func.coalesce(func.sum(places.c.fresh), 0).label("fresh"))
                              .select_from(places)).one()


def next_ended_by_deadline(connection: Connection, campaign_id: int, after: str, most: int) -> Sequence[Any]:
    """The next `most` of these after this id, locked: what a move needs, address_id, submission_id, wave, fingerprint, slot, and whether
    it is unread, that is, waited for a moderator."""
    unread = select(RV.c.submission_id).where(RV.c.submission_id == L.c.submission_id, RV.c.state.in_(("waiting", "free")),
                                              RV.c.reasons != []).exists()
    return connection.execute(
        select(L.c.id, L.c.campaign_id, L.c.target_id, L.c.channel, L.c.address_id, L.c.submission_id, L.c.wave, L.c.fingerprint,
               L.c.slot, unread.label("unread"))
        .where(L.c.id > after, *_ended_by_deadline(campaign_id)).order_by(L.c.id).limit(most).with_for_update(of=L)).all()


def _ended_by_deadline(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    taken = L.alias("taken")
    place = and_(taken.c.campaign_id == L.c.campaign_id, taken.c.wave == L.c.wave, taken.c.target_id == L.c.target_id,
                 taken.c.fingerprint == L.c.fingerprint, taken.c.slot == L.c.slot, literal_column("taken.counts"))
    # A value each, not a join: Postgres would read all submissions, and all that counts, for each batch.
    given = select(and_(S.c.state == "accepted", S.c.erased_at.is_(None))).where(S.c.id == L.c.submission_id).scalar_subquery()
    return (L.c.campaign_id == campaign_id, L.c.state == State.EXPIRED.value, L.c.reason == Reason.DEADLINE.value,
            L.c.withdrawn_at.is_(None), given, select(taken.c.id).where(place).limit(1).scalar_subquery().is_(None))


def ahead_of(connection: Connection, letter: Row[Any], most: int) -> int:
    """How many hand-overs of its own campaign stand before this letter in its lane, counted at most up to `most`."""
    own = select(TA.c.target_id).join(T, T.c.id == TA.c.target_id).where(
        TA.c.address_id == letter.address_id, T.c.campaign_id == letter.campaign_id)
    place = tuple_(literal(letter.submitted_at, L.c.submitted_at.type), literal(letter.id))
    before = select(L.c.id).where(L.c.address_id == letter.address_id, L.c.target_id.in_(own), _STANDS,
                                  tuple_(L.c.submitted_at, L.c.id) < place)
    # Each by itself: of those that were never put off the index knows who comes before whom.
    parts = [select(func.count().label("n")).select_from(before.where(which).limit(most).subquery())
             for which in (L.c.not_before.is_(None), L.c.not_before.is_not(None))]
    return min(most, int(connection.execute(select(func.sum(union_all(*parts).subquery().c.n))).scalar_one()))


def of_others(connection: Connection, letter: Row[Any], most: int) -> dict[int, int]:
    """How many hand-overs each other live campaign has waiting in this letter's lane, at each of its targets counted up to `most`."""
    # In the index's order, or Postgres, which expects as many for each target, would look through other targets' letters for them.
    line = (select(L.c.id).where(L.c.address_id == letter.address_id, L.c.target_id == T.c.id, _STANDS)
            .order_by(L.c.not_before, L.c.submitted_at, L.c.id).limit(most).correlate(T))
    there = select(T.c.campaign_id, select(func.count()).select_from(line.subquery()).scalar_subquery().label("n")).select_from(
        TA.join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id)).where(
        TA.c.address_id == letter.address_id, T.c.campaign_id != letter.campaign_id, C.c.state == "live").subquery()
    rows = connection.execute(select(there.c.campaign_id, func.sum(there.c.n)).group_by(there.c.campaign_id))
    return {campaign: int(n) for campaign, n in rows if n}
