"""What is asked about hand-overs whose outcome is not known, and about letters that an organizer or a rule sends again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, literal_column, or_, select

from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.models import Address, Attempt, Campaign, Letter, Receipt, Submission, Target, table
from outreach.queries.ordering import afterwards

L, AT, A, C, R, T, S = (table(Letter), table(Attempt), table(Address), table(Campaign), table(Receipt), table(Target),
                        table(Submission))
# Written out: a parameter would hide from the planner that the few letters of a small index are meant.
_UNKNOWN = L.c.state == literal_column(f"'{State.UNKNOWN.value}'")
_OPEN_QUESTION = and_(_UNKNOWN, AT.c.verdict == literal_column(f"'{Verdict.UNKNOWN.value}'"), AT.c.waived_at.is_(None))
_UNENDED = and_(AT.c.line_until.is_not(None), AT.c.verdict == Verdict.ACCEPTED.value)
_ASKED = (select(AT.c.id, AT.c.letter_id, AT.c.address_id, A.c.value.label("number"), AT.c.verdict, AT.c.reason, AT.c.holder,
                 AT.c.started_at, AT.c.ended_at, AT.c.polled_at, C.c.state.label("campaign_state"))
          .select_from(L.join(AT, AT.c.letter_id == L.c.id).join(A, A.c.id == AT.c.address_id).join(C, C.c.id == L.c.campaign_id)))


def faxes_to_ask_about(connection: Connection, transport: str, now: datetime, *, after: timedelta, again: timedelta, young: timedelta,
                       rarely: timedelta, until: timedelta, most: int) -> list[Any]:
    """Faxes that the provider may have without our knowing, or under a name we do not know; those never asked about first.

    Asked about `after` their end and every `again`, from the age of `young` on `rarely`, from `until` on no more. Columns: id,
    letter_id, address_id, number, verdict, reason, holder, started_at, ended_at, polled_at, campaign_state.
    """
    due = or_(AT.c.polled_at.is_(None), AT.c.polled_at <= now - rarely,
              and_(AT.c.started_at > now - young, AT.c.polled_at <= now - again))
    # The pages of the second sort were fetched: it was taken, but how the provider calls it we never heard.
    nameless = and_(L.c.state == State.SENT.value, AT.c.line_until.is_not(None), AT.c.verdict == Verdict.ACCEPTED.value,
                    AT.c.provider_ref.is_(None))
    asked: list[Any] = []
    for wanted in (_OPEN_QUESTION, nameless):
        asked += connection.execute(
            _ASKED.where(wanted, AT.c.transport == transport, AT.c.ended_at <= now - after,
                         AT.c.started_at > now - until, due)
            .order_by(AT.c.polled_at.is_not(None), AT.c.polled_at, AT.c.started_at).limit(most)).all()
    return asked[:most]


def calls_to_ask_about(connection: Connection, now: datetime, *, after: timedelta, again: timedelta, young: timedelta,
                       rarely: timedelta, until: timedelta, most: int) -> list[Any]:
    """Accepted fax attempts without a final receipt, due to be asked about by the provider's name: id, provider_ref, transport.

    `after` their start and every `again`, from the age of `young` on `rarely`, from `until` on no more; those never asked about
    first.
    """
    due = or_(AT.c.polled_at.is_(None), AT.c.polled_at <= now - rarely,
              and_(AT.c.started_at > now - young, AT.c.polled_at < now - again))
    return list(connection.execute(
        select(AT.c.id, AT.c.provider_ref, AT.c.transport)
        # coalesce(): or SQLite would go through the index of all providers' names instead of that of the lines taken
        .where(_UNENDED, func.coalesce(AT.c.provider_ref, "") != "", AT.c.started_at < now - after, AT.c.started_at > now - until, due)
        .order_by(AT.c.polled_at.is_not(None), AT.c.polled_at, AT.c.started_at).limit(most)))


def calls_given_up(connection: Connection, before: datetime, most: int, *, locked: bool = False) -> Sequence[Any]:
    """Accepted fax attempts begun before `before` of whose end nothing was ever said, perhaps locked by id: id, letter_id."""
    found = select(AT.c.id, AT.c.letter_id).where(_UNENDED, AT.c.started_at <= before).order_by(afterwards(AT.c.id)).limit(most)
    return connection.execute(found.with_for_update() if locked else found).all()


def named_by_receipts(connection: Connection, attempt_id: str) -> list[str]:
    """How the provider calls an attempt, as receipts with our own id have told, though they only informed."""
    return list(connection.execute(select(R.c.provider_ref).distinct().where(
        R.c.attempt_id == attempt_id, R.c.provider_ref.is_not(None))).scalars())


def owned_by_others(connection: Connection, refs: Sequence[str], attempt_id: str, address_id: int, since: datetime) -> set[str]:
    """Those of the provider's names that belong to other attempts, by what is known of these or by receipts that name them."""
    found = set(connection.execute(select(AT.c.provider_ref).where(AT.c.provider_ref.in_(refs), AT.c.id != attempt_id)).scalars())
    told = select(R.c.provider_ref).join(AT, AT.c.id == R.c.attempt_id).where(
        AT.c.address_id == address_id, AT.c.started_at >= since, AT.c.id != attempt_id, R.c.provider_ref.in_(refs))
    return found | set(connection.execute(told).scalars())


def next_start(connection: Connection, address_id: int, after: datetime) -> datetime | None:
    """When the next attempt at an address started after this moment."""
    return connection.execute(select(AT.c.started_at).where(AT.c.address_id == address_id, AT.c.started_at > after)
                              .order_by(AT.c.started_at).limit(1)).scalar()


def unknown_attempts_locked(connection: Connection, letter_id: str) -> Sequence[Row[Any]]:
    """Whole rows of a letter's attempts that nobody knows the outcome of, locked in the order of their ids."""
    return connection.execute(select(AT).where(
        AT.c.letter_id == letter_id, AT.c.verdict == Verdict.UNKNOWN.value, AT.c.waived_at.is_(None))
        .order_by(AT.c.id).with_for_update()).all()


def to_resend(connection: Connection, now: datetime, grace: timedelta, *, askable: str, tries: dict[Channel, int], most: int) -> list[str]:
    """Ids of letters that their campaign's rule sends again: those that nobody can be asked about, for `grace`.

    A fax waits until its provider's time to try is over too. `askable`: the fax transport that is set. What it took is not sent
    again by rule: its list, had whole, proves that a fax is not there (`inquiries.ask`), and if it cannot be had, or names
    candidates, an organizer decides. `tries`: the most by channel. Withdrawn, late and ended ones are left out.
    """
    line: ColumnElement[bool] = or_(AT.c.line_until.is_(None), AT.c.line_until <= now)
    left = or_(*(and_(L.c.channel == channel.value, L.c.tries < n) for channel, n in tries.items()))
    return list(connection.execute(
        select(L.c.id).select_from(L.join(AT, AT.c.id == L.c.attempt_id).join(C, C.c.id == L.c.campaign_id))
        .where(_OPEN_QUESTION, C.c.on_unknown == "resend", C.c.state.in_(("live", "paused")), L.c.withdrawn_at.is_(None),
               or_(C.c.deadline.is_(None), C.c.deadline > now), AT.c.ended_at <= now - grace, line, AT.c.transport != askable, left)
        .order_by(L.c.state_at).limit(most)).scalars())


def open_questions(connection: Connection, campaign_id: int, after: str, most: int) -> Sequence[Any]:
    """The next unknown letters of a campaign after this id, with what is known: id, target, channel, address, transport, since,
    started_at, asked_at, inquiry, detail."""
    return connection.execute(
        select(L.c.id, T.c.key.label("target"), L.c.channel, A.c.value.label("address"), AT.c.transport, L.c.state_at.label("since"),
               AT.c.started_at, AT.c.polled_at.label("asked_at"), AT.c.inquiry, AT.c.detail)
        .select_from(L.join(AT, AT.c.id == L.c.attempt_id).join(T, T.c.id == L.c.target_id).join(A, A.c.id == L.c.address_id))
        .where(_UNKNOWN, L.c.campaign_id == campaign_id, L.c.id > after).order_by(L.c.id).limit(most)).all()


def failed(connection: Connection, campaign_id: int, reason: Reason | None, after: str, most: int, *,
           letter_id: str = "") -> list[str]:
    """The ids of the next `most` failed letters of a campaign after this id, of one reason, or the one letter, if that is named."""
    chosen = select(L.c.id).where(L.c.campaign_id == campaign_id, L.c.id > after, L.c.state == literal_column(f"'{State.FAILED.value}'"))
    if reason is not None:
        chosen = chosen.where(L.c.reason == reason.value)
    if letter_id:
        chosen = chosen.where(L.c.id == letter_id)
    return list(connection.execute(chosen.order_by(L.c.id).limit(most)).scalars())


def attempts_locked(connection: Connection, letter_ids: Sequence[str]) -> list[str]:
    """Ids of all attempts at these letters, locked in the order of their ids: attempts come before letters."""
    return list(connection.execute(select(AT.c.id).where(AT.c.letter_id.in_(letter_ids)).order_by(AT.c.id).with_for_update()).scalars())


def failed_locked(connection: Connection, letter_ids: Sequence[str]) -> Sequence[Any]:
    """Those of these letters that have failed and may be tried again, locked by id: id, campaign_id, target_id, address_id,
    channel, tries, counts. Withdrawn and erased ones are left out."""
    return connection.execute(
        select(L.c.id, L.c.campaign_id, L.c.target_id, L.c.address_id, L.c.channel, L.c.tries, L.c.counts)
        .select_from(L.join(S, S.c.id == L.c.submission_id))
        .where(L.c.id.in_(letter_ids), L.c.state == State.FAILED.value, L.c.withdrawn_at.is_(None), S.c.state == "accepted",
               S.c.erased_at.is_(None)).order_by(L.c.id).with_for_update(of=L)).all()


def to_cancel(connection: Connection, now: datetime, again: timedelta, *, campaign_id: int | None, most: int) -> Sequence[Any]:
    """Faxes under way at a provider that are not wanted any more: a campaign's, or (None) all that were withdrawn or whose campaign
    has come to an outcome. Not asked about within `again`. Columns: id, letter_id, address_id, transport, provider_ref.
    """
    ended = and_(C.c.state == "closed", C.c.outcome.is_not(None))
    withdrawn = and_(L.c.withdrawn_at.is_not(None), L.c.carries.is_(False))  # a bundle is not called back for one of its writers
    unwanted = or_(withdrawn, ended) if campaign_id is None else L.c.campaign_id == campaign_id
    return connection.execute(
        select(AT.c.id, AT.c.letter_id, AT.c.address_id, AT.c.transport, AT.c.provider_ref)
        .select_from(AT.join(L, L.c.id == AT.c.letter_id).join(C, C.c.id == L.c.campaign_id))
        # Not "is not null": an index of all names that providers ever gave is no way to the few that are under way.
        .where(AT.c.line_until.is_not(None), AT.c.line_until > now, AT.c.verdict == Verdict.ACCEPTED.value,
               func.coalesce(AT.c.provider_ref, "") != "",
               L.c.state == State.SENT.value, unwanted, or_(AT.c.cancel_asked_at.is_(None), AT.c.cancel_asked_at <= now - again))
        .order_by(AT.c.line_until).limit(most)).all()


def newest_attempts(connection: Connection, letter_id: str, most: int) -> Sequence[Any]:
    """The newest attempts at a letter, the newest first: id, verdict, reason."""
    return connection.execute(select(AT.c.id, AT.c.verdict, AT.c.reason).where(AT.c.letter_id == letter_id)
                              .order_by(AT.c.started_at.desc(), AT.c.id.desc()).limit(most)).all()


def answered_since(connection: Connection, transport: str, attempt_id: str) -> bool:
    """Whether a provider has given a clear answer to some attempt that was made after this one; ids sort by time."""
    return connection.execute(select(AT.c.id).where(
        AT.c.id > attempt_id, AT.c.transport == transport, or_(AT.c.reason.is_(None), AT.c.reason != Reason.NO_CONNECTION.value),
        AT.c.verdict.not_in([Verdict.OPEN.value, Verdict.VOID.value, Verdict.UNKNOWN.value])).limit(1)).first() is not None
