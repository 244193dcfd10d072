"""Hand-overs whose outcome is not known: what the provider says when asked, what a campaign's rule says, what an organizer says.

Presence counts at once, absence only when nothing can be under way any more and the provider's list is whole; between two
candidates nobody guesses (docs/decisions/0014). No database session is open while a provider is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from outreach import holders
from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.domain.retry import SCHEDULES
from outreach.errors import Conflict, NotFound, TransportDown
from outreach.logs import get
from outreach.models import Attempt, Letter, table
from outreach.queries import attempts as attempt_queries
from outreach.queries import campaigns as campaign_queries
from outreach.queries import inquiries as queries
from outreach.queries import letters as letter_queries
from outreach.services import audit, bundles, campaigns, lanes, moves, recalls, receipts, settle
from outreach.settings import Settings, get_settings
from outreach.transports.base import FaxTransport, FoundFax, ReceiptWord, event_hash
from outreach.transports.registry import impatient_fax_transport, transport_name

log = get()
_ATTEMPTS, _LETTERS = table(Attempt), table(Letter)
AFTER, AGAIN = timedelta(seconds=30), timedelta(minutes=1)
"""When an attempt that ended without an answer is first asked about, and how often."""
YOUNG, RARELY, UNTIL = timedelta(hours=1), timedelta(minutes=20), timedelta(days=2)
"""From that age on it is asked about rarely, and from that one no more: then it is an organizer's."""
SETTLED = timedelta(minutes=2)
"""How long after the last moment of a hand-over a provider may take to list the fax."""
GRACE = timedelta(minutes=15)
"""How long a letter that its campaign would send again waits for a receipt or a late outcome."""
SKEW = timedelta(minutes=5)
"""How far a provider's clock may be behind ours."""
MOST = 20
SECONDS = 5.0
"""A round's length, and the longest wait for one answer."""


def due(now: datetime) -> bool:
    """Whether a provider should be asked about a fax."""
    with reading() as c:
        return bool(_to_ask(c, now, 1))


def ask(now: datetime | None = None) -> int:
    """Ask the fax provider about hand-overs of unknown outcome. Returns how many are known now."""
    now = now or utcnow()
    with reading() as c:
        rows = _to_ask(c, now, MOST)
    if not rows:
        return 0
    settings = get_settings()
    transport = impatient_fax_transport(settings, SECONDS)
    end, known = time.monotonic() + SECONDS, 0
    for row in rows:
        if time.monotonic() >= end:  # the others come next
            break
        try:
            known += _ask_about(transport, row, settings, now)
        except TransportDown as e:
            log.warning("fax.not_found_out", attempt=row.id, error=str(e)[:200])
            _note(row.id, "the provider could not be asked", now)
            break
    return known


def provider() -> str:
    """The fax transport that can be asked: another one than is set would not know what it took."""
    return transport_name(Channel.FAX, get_settings())


def _to_ask(c: Connection, now: datetime, most: int) -> list[Any]:
    return queries.faxes_to_ask_about(c, provider(), now, after=AFTER, again=AGAIN, young=YOUNG, rarely=RARELY, until=UNTIL,
                                      most=most)


def _ask_about(transport: FaxTransport, row: Any, settings: Settings, now: datetime) -> bool:
    """Find out about one attempt. Returns whether it is settled. Raises TransportDown."""
    with reading() as c:
        named = queries.named_by_receipts(c, row.id)
    if named:  # a word that only informed has told that the provider has it
        return _take(transport, row, [(ref, row.started_at, None) for ref in named], now)
    since = row.started_at - SKEW
    found = transport.find(row.number, since)
    ours = [f for f in found if f["attempt_id"] == row.id]
    free = [] if ours else _unowned(found, row, since)
    if not ours and len(free) == 1:
        with reading() as c:
            following = queries.next_start(c, row.address_id, row.started_at)
        ours = [f for f in free if following is None or f["created_at"] < following]
    if ours:
        return _take(transport, row, [(f["provider_ref"], f["created_at"], f["word"]) for f in ours], now)
    if free:
        many = f"{len(free)} faxes to this number since then" if len(free) > 1 else "a fax to this number, but since a later attempt"
        _note(row.id, f"the provider lists {many}", now)
        return False
    if row.verdict == Verdict.UNKNOWN.value and row.campaign_state != "stopped" and now >= _absence_counts_at(row, settings):
        return _void(row, now)
    _note(row.id, "the provider does not list it", now)
    return False


def _unowned(found: list[FoundFax], row: Any, since: datetime) -> list[FoundFax]:
    """Listed faxes that no other attempt of ours accounts for."""
    nameless = [f for f in found if f["attempt_id"] is None]
    if not nameless:
        return []
    with reading() as c:
        owned = queries.owned_by_others(c, [f["provider_ref"] for f in nameless], row.id, row.address_id, since)
    return [f for f in nameless if f["provider_ref"] not in owned]


def _absence_counts_at(row: Any, settings: Settings) -> datetime:
    """From when on a fax that is not listed was never taken: its hand-over can no longer be under way, and was listed if it was.

    A worker that lost its lease and cannot be seen to be dead may have been stopped in the middle, and wake up.
    """
    at: datetime = max(row.ended_at, row.started_at + timedelta(seconds=2 * settings.http_timeout)) + SETTLED
    stopped = row.reason == Reason.LEASE_EXPIRED.value and not holders.is_dead(row.holder)
    return at + GRACE if stopped else at


def _take(transport: FaxTransport, row: Any, known: list[tuple[str, datetime, ReceiptWord | None]], now: datetime) -> bool:
    """The provider has it, since when it says: that is a receipt, and so is what it says of it already."""
    words = []
    for ref, at, word in known:
        words.append(ReceiptWord(transport.name, event_hash("asked", row.id, ref), Verdict.ACCEPTED, row.number, at, row.id, ref,
                                 detail="listed by the provider"))
        if word is not None:
            words.append(replace(word, attempt_id=row.id))
    receipts.take(words, now=now)
    _note(row.id, None, now)
    log.info("fax.found_out", letter=row.letter_id, attempt=row.id, verdict=Verdict.ACCEPTED.value)
    return True


def _void(row: Any, now: datetime) -> bool:
    """It was never taken: slot spent, try and line given back, the letter goes on."""
    with unit_of_work() as c:
        known = attempt_queries.by_id_locked(c, row.id)
        told = known.media_fetched_at is not None or queries.named_by_receipts(c, row.id)
        if known.verdict != Verdict.UNKNOWN.value or known.waived_at is not None or told:
            return False
        letter = letter_queries.by_id_locked(c, row.letter_id)
        why = hindrance(c, letter, now) or Reason.NOT_STARTED
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id == row.id).values(
            verdict=Verdict.VOID.value, reason=why.value, line_until=None, polled_at=now, inquiry=None))
        c.execute(update(_LETTERS).where(_LETTERS.c.id == row.letter_id, _LETTERS.c.state == State.UNKNOWN.value, _LETTERS.c.tries > 0)
                  .values(tries=_LETTERS.c.tries - 1))
        settle.settle(c, row.letter_id, now, Reason.NOT_STARTED)
    lanes.wake([row.address_id], now)
    log.info("fax.found_out", letter=row.letter_id, attempt=row.id, verdict=Verdict.VOID.value)
    return True


def _note(attempt_id: str, brought: str | None, now: datetime) -> None:
    with unit_of_work() as c:
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id == attempt_id).values(polled_at=now, inquiry=brought))


def hindrance(c: Connection, letter: Any, now: datetime) -> Reason | None:
    """What forbids to send a letter again: it was withdrawn, its campaign has ended, or its deadline has passed."""
    campaign = campaign_queries.standing(c, letter.campaign_id)
    if letter.withdrawn_at is not None:
        return Reason.WITHDRAWN
    if campaign.state not in ("live", "paused"):
        return Reason.CAMPAIGN_ENDED if campaign.state == "stopped" else Reason.CAMPAIGN_CLOSED
    return Reason.DEADLINE if campaign.deadline is not None and campaign.deadline <= now else None


def resend(now: datetime) -> int:
    """Queue again what a campaign with `on_unknown = "resend"` has waited for in vain and nobody can be asked about. Returns how many
    letters."""
    with reading() as c:
        tries = {channel: schedule.tries for channel, schedule in SCHEDULES.items()}
        ids = queries.to_resend(c, now, GRACE, askable=provider(), tries=tries, most=200)
    touched = []
    for letter_id in ids:
        with unit_of_work() as c:  # one each: whoever holds two letters at once waits for others in a ring
            attempts = queries.unknown_attempts_locked(c, letter_id)
            letter = letter_queries.by_id_locked(c, letter_id)
            if letter.state == State.UNKNOWN.value and attempts and hindrance(c, letter, now) is None:
                _waive(c, letter, attempts, Reason.OUTCOME_UNKNOWN, now)
                touched.append(letter.address_id)
    lanes.wake(touched, now)
    return len(touched)


def _waive(c: Connection, letter: Any, attempts: Any, why: Reason, now: datetime) -> None:
    """Send a letter again although an attempt may have gone: a copy that may have gone with it is not repeated."""
    c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_([a.id for a in attempts])).values(waived_at=now))
    move = moves.Move(letter.id, letter.campaign_id, letter.target_id, letter.channel, State.UNKNOWN, State.QUEUED, why,
                      attempts[-1].id, {"lease_until": None, "not_before": None})
    if moves.apply(c, [move], now) and letter.carries:
        bundles.follow(c, [move], now)
    log.info("letter.resent", letter=letter.id, campaign=letter.campaign_id, why=why.value)


def resolve(letter_id: str, outcome: str, *, who: str = audit.COMMAND_LINE, now: datetime | None = None) -> State:
    """What an organizer knows of an unknown letter: "sent" (it arrived, or is on its way) or "resend". Returns its new state.

    Raises NotFound, and Conflict when its outcome is known or it may not be sent again.
    """
    now = now or utcnow()
    with unit_of_work() as c:
        letter = _resolve(c, letter_id, outcome, now)
        audit.note(c, f"unknown letter: {outcome}", at=now, who=who, campaign_id=letter.campaign_id, detail=f"letter {letter_id}")
    lanes.wake([letter.address_id], now)
    return State.SENT if outcome == "sent" else State.QUEUED


def resolve_some(letter_ids: Sequence[str], outcome: str, now: datetime) -> int:
    """The same for several in one transaction, those left alone that it would refuse. Returns how many; leaves no audit line."""
    touched, done = set[int](), 0
    with unit_of_work() as c:
        for letter_id in sorted(letter_ids):
            try:
                touched.add(_resolve(c, letter_id, outcome, now).address_id)
                done += 1
            except Conflict:  # raised before anything is written
                continue
    lanes.wake(touched, now)
    return done


def _resolve(c: Connection, letter_id: str, outcome: str, now: datetime) -> Any:
    attempts = queries.unknown_attempts_locked(c, letter_id)
    if letter_queries.owner(c, letter_id) is None:
        raise NotFound(f"there is no letter {letter_id!r}")
    letter = letter_queries.by_id_locked(c, letter_id)
    if letter.carried_by:
        raise Conflict(f"letter {letter_id} went in the bundle of {letter.carried_by}: resolve that one")
    if letter.state != State.UNKNOWN.value or not attempts:
        raise Conflict(f"letter {letter_id} is {letter.state}: only what is unknown can be resolved")
    if outcome == "sent":
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id == attempts[-1].id).values(verdict=Verdict.ACCEPTED.value, retryable=False))
        settle.settle(c, letter_id, now, Reason.ORGANIZER)
    else:
        if reason := hindrance(c, letter, now):
            raise Conflict(f"letter {letter_id} may not be sent again ({reason.value})")
        _waive(c, letter, attempts, Reason.ORGANIZER, now)
    return letter


def open_questions(slug: str) -> Iterator[dict[str, Any]]:
    """A campaign's unknown letters, oldest first, with what is known of each. Raises NotFound."""
    campaign = campaigns.get(slug)
    last, page = "", 500
    while True:
        with reading() as c:
            rows = queries.open_questions(c, campaign.id, last, page)
        for row in rows:
            yield {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row._mapping.items()}
        if len(rows) < page:
            return
        last = rows[-1].id


cancel_waiting = recalls.cancel_waiting
