"""What receipts prove: whose they are, the heaviest word on each attempt, and the states that follow. By the batch.

The end does not depend on how words are cut into batches: an attempt keeps its heaviest word, a letter follows from its
attempts. Attempts are locked first, by id, then letters: two batches that speak of the same attempts wait in a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, update

from outreach.domain.letters import Channel, Reason, State, Verdict, strength
from outreach.logs import get
from outreach.models import Attempt, table
from outreach.prepared import Prepared
from outreach.queries import attempts
from outreach.services import moves, settle
from outreach.transports.base import ReceiptWord

log = get()
_ATTEMPTS = table(Attempt)
UNSIGNED, SENDGRID = "dsn", "sendgrid"
NAMELESS = timedelta(days=3)
"""How far back the mail is looked for that a bounce without any id is about: as long as SendGrid tries."""
CHANNEL_OF = {"dsn": Channel.EMAIL, "sendgrid": Channel.EMAIL, "twilio": Channel.FAX, "telnyx": Channel.FAX}
NOTICE_MARK = "n-"
"""What the Message-ID of a notice begins with, before the notice's id."""
DELIVERED, SENT, EMAIL = Verdict.DELIVERED.value, State.SENT.value, Channel.EMAIL.value
_VERDICTS = {v.value: v for v in Verdict}
_FINAL = frozenset({Verdict.DELIVERED, Verdict.BOUNCED, Verdict.REFUSED})
_NO_LEASE = {"lease_until": None}
_WENT = frozenset({Verdict.ACCEPTED, Verdict.DELIVERED})
"""Words which say that the provider had it by then."""


@dataclass(frozen=True, slots=True)
class Match:
    """Whose word it is: a notice of ours, or an attempt that it may or may not speak for. Neither: an orphan, unless dismissed."""

    notice_id: str | None = None
    attempt: Any = None
    """A row of `attempts.heard_locked`."""
    speaks: bool = False
    """It counts for the attempt: proved, of the right channel, about the letter's own address."""
    dismissed: bool = False
    """Nothing can ever come of it, though no letter was found or it is of another channel."""

    @property
    def orphan(self) -> bool:
        """Whose it is may still be found."""
        return self.notice_id is None and self.attempt is None and not self.dismissed


ORPHAN = Match()


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known of an attempt has changed: it says something about whatever else goes to its address (see `setbacks`)."""

    address_id: int
    channel: Channel
    verdict: Verdict
    reason: Reason | None
    retryable: bool
    transport: str


@dataclass(slots=True)
class Effects:
    """What is to be done once words are committed: lanes somebody should look at, and what their addresses have met."""

    lanes: set[int] = field(default_factory=set)
    turns: list[Turn] = field(default_factory=list)


def match(c: Connection, words: Sequence[ReceiptWord]) -> list[Match]:
    """Whose each word is: by our id, else by the provider's name for it, else by the letter's Message-ID, else (SendGrid's bounces) by
    its recipient and time. Locks the attempts."""
    by_id = attempts.heard_locked(c, sorted({w.attempt_id for w in words if w.attempt_id}))
    rest = [w for w in words if w.attempt_id not in by_id]
    if not rest:
        return [_judged(w, by_id[w.attempt_id or ""]) for w in words]
    notices = attempts.notices(c, sorted({n for w in rest for n in _notices_named(w)}))
    by_ref = attempts.named_by_provider(c, sorted({w.provider_ref for w in rest if w.provider_ref}))
    by_letter = attempts.newest_of_letters(c, sorted({_letter_of(w) for w in rest if w.message_id and w.provider_ref not in by_ref}))
    by_time = {w.event_id: attempt for w in rest if (attempt := _only_one_lately(c, w))}
    ids = {*by_ref.values(), *by_letter.values(), *by_time.values()} - by_id.keys()
    found = {**attempts.heard_locked(c, sorted(ids)), **by_id}
    matches = []
    for w in words:
        known = w.attempt_id if w.attempt_id in by_id else (by_ref.get(w.provider_ref or "") or by_letter.get(_letter_of(w))
                                                           or by_time.get(w.event_id))
        notice = None if w.attempt_id in by_id else next((n for n in _notices_named(w) if n in notices), None)
        matches.append(Match(notice_id=notice) if notice else _judged(w, found.get(known or "")))
    return matches


def _only_one_lately(c: Connection, word: ReceiptWord) -> str | None:
    """The attempt that a bounce without any id must be about: the only one to its recipient in so many days. SendGrid's asynchronous
    bounces may come so; they are signed, and between two mails nobody guesses."""
    if word.provider != SENDGRID or word.verdict is not Verdict.BOUNCED or word.attempt_id or word.provider_ref or word.message_id:
        return None
    found = attempts.lately_to(c, SENDGRID, word.recipient.strip(), word.at - NAMELESS, word.at + timedelta(seconds=1))
    return found[0] if len(found) == 1 else None


def _judged(word: ReceiptWord, attempt: Any) -> Match:
    if attempt is None:
        return Match(dismissed=word.provider == UNSIGNED)
    if attempt.way != CHANNEL_OF.get(word.provider, attempt.way):
        log.warning("receipt.wrong_channel", provider=word.provider, letter=attempt.letter_id)
        return Match(dismissed=True)
    proved = word.provider != UNSIGNED or word.attempt_id is not None
    return Match(None, attempt, proved and word.verdict is not None and _same_place(word.recipient, attempt.value, attempt.way))


def apply(c: Connection, said: Iterable[tuple[ReceiptWord, Match]], now: datetime) -> Effects:
    """Weigh the words that speak for an attempt and settle its letter. Lanes in which a fax line has come free, or a letter is
    to be tried again, should be looked at.

    The common case goes in one piece: a mail that was sent has arrived. All other letters are settled one by one, by id.
    """
    heard: dict[str, list[ReceiptWord]] = {}
    known = {}
    for word, m in said:
        if m.speaks:
            heard.setdefault(m.attempt.id, []).append(word)
            known[m.attempt.id] = m.attempt
    arrived, others, effects = dict[str, moves.Move](), set[str](), Effects()
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    went: dict[str, datetime] = {}
    for attempt_id, row in sorted(known.items()):
        values = _weighed(row, heard[attempt_id], now)
        for word in heard[attempt_id]:
            if word.verdict in _WENT:
                at = _moment(row, word, now)
                went[row.letter_id] = min(at, went.get(row.letter_id, at))
        if values:
            changed.setdefault(tuple(values), []).append({"attempt": attempt_id, **{f"new_{n}": v for n, v in values.items()}})
        if "line_until" in values:
            effects.lanes.add(row.address_id)
        if "verdict" in values or "retryable" in values:
            effects.turns.append(_turn(row, values))
        if values.get("verdict") == DELIVERED and row.letter_id not in arrived and _goes_by_itself(row, heard[attempt_id]):
            arrived[row.letter_id] = moves.Move(
                row.letter_id, row.campaign_id, row.target_id, row.channel, State.SENT, State.DELIVERED, Reason.RECEIPT, attempt_id,
                _NO_LEASE, arrived=values.get("arrived_at", row.arrived_at))
        else:
            others.add(row.letter_id)
    for columns, rows in changed.items():
        _note(c, columns, rows)
    if arrived:
        others |= arrived.keys() - moves.apply(c, list(arrived.values()), now)
    again = [x for x in sorted(others) if settle.settle(c, x, now, Reason.RECEIPT, went.get(x)) is State.QUEUED]
    effects.lanes |= attempts.places_of(c, again)
    return effects


def _turn(row: Any, values: dict[str, Any]) -> Turn:
    reason = values.get("reason", row.reason)
    return Turn(row.address_id, Channel(row.way), _VERDICTS[values.get("verdict", row.verdict)], Reason(reason) if reason else None,
                values.get("retryable", row.retryable), row.transport)


def _goes_by_itself(row: Any, words: Sequence[ReceiptWord]) -> bool:
    """Whether nothing follows from a mail's arrival but that: it carries no others, and no word beside it may tell when it was sent."""
    return row.state == SENT and row.channel == EMAIL and not row.carries and not any(w.verdict is Verdict.ACCEPTED for w in words)


def taken(c: Connection, attempt_id: str, now: datetime) -> tuple[str, State | None] | None:
    """The provider has certainly taken this attempt. Returns its letter and the letter's new state (None: it stays);
    None for all when more than that was known of the attempt."""
    known = attempts.heard_locked(c, [attempt_id])[attempt_id]
    if known.verdict != Verdict.UNKNOWN.value:
        return None
    word = ReceiptWord("", "", Verdict.ACCEPTED, "", now, attempt_id)
    values = _weighed(known, [word], now)
    _note(c, tuple(values), [{"attempt": known.id, **{f"new_{n}": v for n, v in values.items()}}])
    return known.letter_id, settle.settle(c, known.letter_id, now, Reason.ACCEPTED, now)


def _note(c: Connection, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Change these columns of attempts: `attempt`, `new_` and the column's name."""
    statement, prepared = _weigh(columns)
    if c.dialect.name == "sqlite":  # past SQLAlchemy: there its way to the driver is what costs
        prepared.run_each(c, rows)
    else:
        c.execute(statement, rows)


@lru_cache(maxsize=100)
def _weigh(columns: tuple[str, ...]) -> tuple[Update, Prepared]:
    statement = update(_ATTEMPTS).where(_ATTEMPTS.c.id == bindparam("attempt")).values(
        {name: bindparam(f"new_{name}", type_=_ATTEMPTS.c[name].type) for name in columns})
    return statement, Prepared(statement)


def _weighed(known: Any, words: Sequence[ReceiptWord], now: datetime) -> dict[str, Any]:
    """What changes in what is known of an attempt: the heaviest word stays, a final one frees the fax line."""
    changed: dict[str, Any] = {}
    weight = strength(_VERDICTS[known.verdict], known.retryable)
    detail, ref, arrived, ended = known.detail, known.provider_ref, known.arrived_at, known.ended_at
    for word in words:
        verdict = word.verdict
        if verdict is None:
            continue
        if (heavier := strength(verdict, word.retryable)) > weight:
            weight, detail = heavier, None if known.erased else word.detail or detail
            changed |= {"verdict": verdict.value, "retryable": word.retryable, "reason": word.reason and word.reason.value,
                        "detail": detail}
        if verdict is Verdict.DELIVERED:
            at = _moment(known, word, now)
            changed["arrived_at"] = arrived = at if arrived is None else min(arrived, at)
        if verdict in _FINAL:
            changed["line_until"] = None
            if ended is None:
                changed["ended_at"] = ended = now
        if word.pages is not None:
            changed["pages"] = word.pages
        if not ref and word.provider_ref:
            changed["provider_ref"] = ref = word.provider_ref
    return {name: value for name, value in changed.items() if value != getattr(known, name)}


def _moment(known: Any, word: ReceiptWord, now: datetime) -> datetime:
    """When that was so which a word tells: not before its attempt began, nor after we heard of it, whatever others' clocks say."""
    begun: datetime = known.started_at
    return max(begun, min(word.at, now))


def _notices_named(word: ReceiptWord) -> list[str]:
    """The notices of ours that a word may speak of, by its id or by the Message-ID made of it."""
    named = _letter_of(word)
    return [n for n in (word.attempt_id, named.removeprefix(NOTICE_MARK) if named.startswith(NOTICE_MARK) else None) if n]


def _letter_of(word: ReceiptWord) -> str:
    """The Message-ID's local part: the letter's id if it is one of ours."""
    return (word.message_id or "").strip("<>").partition("@")[0]


def _same_place(said: str, ours: str, channel: str) -> bool:
    """Whether a receipt's recipient is the letter's address; a provider that names none speaks of the attempt as a whole.

    A copy's receipt does not speak for the letter.
    """
    if not said:
        return True
    if channel == Channel.FAX:
        return _digits(said) == _digits(ours)
    return said == ours or said.strip().strip("<>").casefold() == ours.casefold()


def _digits(number: str) -> str:
    return "".join(ch for ch in number if ch.isdigit())
