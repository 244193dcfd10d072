"""The letter's life: its states, the one table of allowed moves, and how attempts and receipts decide a state.

Nothing changes a letter's state but `outreach.services.moves`, which asks this table first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    EMAIL = "email"
    FAX = "fax"
    PHONE = "phone"


class State(StrEnum):
    UNCONFIRMED = "unconfirmed"
    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a letter is where it is, or why something was refused. Shown to organizers, counted, never free text."""

    # a letter's own end
    REFUSED = "refused_by_recipient"
    NO_MAILBOX = "no_such_mailbox"
    MAILBOX_FULL = "mailbox_full"
    BOUNCED = "bounced"
    SPAM = "rejected_as_spam"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    VOICE = "voice_answered"
    BAD_NUMBER = "bad_number"
    CALL_DROPPED = "call_dropped"
    FAX_ERROR = "fax_error"
    DEFERRED = "deferred"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_TRIES = "too_many_tries"
    CANNOT_RENDER = "cannot_be_rendered"
    NO_ADDRESS = "no_address"
    ADDRESS_BLOCKED = "address_blocked"
    REJECTED_BY_PROVIDER = "rejected_by_provider"
    PROVIDER_AUTH = "provider_refuses_our_credentials"
    NO_CONNECTION = "no_connection"
    NOT_STARTED = "not_started"
    NO_RECEIPT = "no_receipt"
    LEASE_EXPIRED = "lease_expired"
    DEADLINE = "deadline_passed"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    NOT_CONFIRMED = "not_confirmed"
    CAMPAIGN_CLOSED = "campaign_closed"
    CAMPAIGN_ENDED = "campaign_ended"
    # moves that need no excuse
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    HANDED_OVER = "handed_over"
    ACCEPTED = "accepted"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RECEIPT = "receipt"
    POLLED = "polled"
    ORGANIZER = "organizer"
    APPROVED = "approved"
    REJECTED = "rejected"
    # a form that was turned away
    THROTTLED = "throttled"
    TRAP = "trap"
    TARGET_ADDRESS = "target_address"
    EMPTY_LETTER = "empty_letter"
    BAD_INPUT = "bad_input"
    PAUSED = "paused"
    NOT_LIVE = "not_live"


_S = State
EVIDENCE = frozenset({_S.SENT, _S.DELIVERED})

TRANSITIONS: dict[State, frozenset[State]] = {
    _S.UNCONFIRMED: frozenset({_S.HELD, _S.QUEUED, _S.CANCELLED, _S.EXPIRED}),
    # Back to be confirmed: its writer is asked again because the campaign has changed; only before it was ever tried.
    _S.HELD: frozenset({_S.QUEUED, _S.UNCONFIRMED, _S.CANCELLED, _S.EXPIRED}),
    # And back to be read by a moderator, whose approval was taken back; likewise only before it was ever tried.
    _S.QUEUED: frozenset({_S.SENDING, _S.UNCONFIRMED, _S.HELD, _S.CANCELLED, _S.EXPIRED, _S.FAILED}) | EVIDENCE,
    _S.SENDING: frozenset({_S.SENT, _S.DELIVERED, _S.QUEUED, _S.FAILED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.QUEUED, _S.FAILED}) | EVIDENCE,
    _S.SENT: frozenset({_S.DELIVERED, _S.FAILED, _S.QUEUED, _S.CANCELLED, _S.UNKNOWN}),
    # A late bounce; what another attempt proves then stands. Never back into the queue: what once arrived is not sent again.
    _S.DELIVERED: frozenset({_S.FAILED, _S.SENT, _S.UNKNOWN}),
    _S.FAILED: frozenset({_S.QUEUED}) | EVIDENCE,
    # Held again: a moderator's rejection was taken back.
    _S.CANCELLED: frozenset({_S.HELD}) | EVIDENCE,
    _S.EXPIRED: frozenset({_S.QUEUED, _S.HELD}) | EVIDENCE,
}
INITIAL = frozenset({_S.UNCONFIRMED, _S.HELD, _S.QUEUED})

WAITING = frozenset({_S.UNCONFIRMED, _S.HELD, _S.QUEUED})
"""States in which a supporter can still take the letter back."""

UNCOUNTED = frozenset({_S.UNCONFIRMED, _S.CANCELLED, _S.EXPIRED})
"""States in which a letter does not hold its person's place at that target (see `domain/dedupe.py`)."""


def allowed(before: State | None, after: State) -> bool:
    """Whether the table has this move; `before` is None when the letter is made."""
    return after in (INITIAL if before is None else TRANSITIONS[before])


class Verdict(StrEnum):
    """What is known of one attempt; `strength` orders the words on it."""

    OPEN = "open"            # written to the ledger, outcome not recorded yet
    VOID = "void"            # never handed over; the slot is spent all the same
    UNKNOWN = "unknown"      # handed over, no answer
    REFUSED = "refused"      # the provider or mail server said no at once
    ACCEPTED = "accepted"    # the provider or mail server took responsibility
    DELIVERED = "delivered"
    BOUNCED = "bounced"      # accepted first, then reported undeliverable


_STRENGTH = {Verdict.OPEN: 0, Verdict.VOID: 1, Verdict.UNKNOWN: 2, Verdict.REFUSED: 3, Verdict.ACCEPTED: 4,
             Verdict.DELIVERED: 6, Verdict.BOUNCED: 7}


def strength(verdict: Verdict, retryable: bool) -> tuple[int, bool]:
    """How much one word on an attempt weighs; the heaviest is believed, so that their order cannot matter.

    A bounce outranks a delivery, but "busy, try again" does not: the pages that did arrive are on somebody's desk.
    """
    if verdict is Verdict.BOUNCED and retryable:
        return 5, False
    return _STRENGTH[verdict], not retryable


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """What a letter's state follows from: one attempt's verdict, and whether its refusal is worth another try.

    `waived`: the campaign's rule or an organizer sends the letter again all the same. What is not known of the attempt, or is
    held against it, counts no more; a word that it arrived does. `cancelled`: the provider was asked to cancel it and did.
    """

    verdict: Verdict
    retryable: bool = False
    waived: bool = False
    cancelled: bool = False
    arrived: bool = False
    """Somebody has said that it arrived, whatever was said later."""


_WAIVABLE = frozenset({Verdict.UNKNOWN, Verdict.REFUSED, Verdict.BOUNCED})


def state_from(attempts: Iterable[AttemptFact], *, may_retry: bool) -> State | None:
    """The state that a letter's attempts (oldest first) prove, or None while they prove nothing (none, or all void or waived).

    The best word over all attempts wins, so that any accepted attempt stops resending; `may_retry` tells whether
    retries are left and nothing (withdrawal, stop, deadline) forbids them.
    """
    facts = [a for a in attempts if a.verdict is not Verdict.VOID and not (a.waived and a.verdict in _WAIVABLE)]
    verdicts = {a.verdict for a in facts}
    for verdict, state in ((Verdict.DELIVERED, _S.DELIVERED), (Verdict.ACCEPTED, _S.SENT),
                           (Verdict.OPEN, _S.SENDING), (Verdict.UNKNOWN, _S.UNKNOWN)):
        if verdict in verdicts:
            return state
    if not facts:
        return None
    if facts[-1].cancelled:
        return _S.CANCELLED
    return _S.QUEUED if facts[-1].retryable and may_retry and not any(a.arrived for a in facts) else _S.FAILED
