"""When a refused letter is tried again: exponential with jitter, longer for fax; each class of error has its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from outreach.domain.letters import Channel, Reason


@dataclass(frozen=True, slots=True)
class Schedule:
    """`first` delay, times `factor` after each further try, at most `longest`; given up after `tries` attempts."""

    first: timedelta
    factor: float
    longest: timedelta
    tries: int

    def delay(self, tried: int, jitter: float) -> timedelta | None:
        """How long to wait after `tried` attempts (at least 1), or None to give up; `jitter` in [0, 1) adds up to a quarter."""
        if tried >= self.tries:
            return None
        raw = self.first.total_seconds() * self.factor ** (max(tried, 1) - 1)
        return timedelta(seconds=min(raw, self.longest.total_seconds()) * (1 + 0.25 * jitter))


SCHEDULES: dict[Channel, Schedule] = {
    # A greylisting server usually lets the next try in after a minute or five; RFC 5321 4.5.4.1 asks to go on for days.
    Channel.EMAIL: Schedule(timedelta(seconds=20), 3, timedelta(hours=4), 12),
    # A busy line is often free minutes later; each call costs money and rings in an office.
    Channel.FAX: Schedule(timedelta(seconds=60), 3, timedelta(hours=2), 6),
}

_BACKOFF: dict[Channel, Schedule] = {
    Channel.EMAIL: Schedule(timedelta(seconds=20), 2, timedelta(hours=1), 1000),
    Channel.FAX: Schedule(timedelta(minutes=1), 2, timedelta(hours=1), 1000),
}
_OF_THE_LANE: dict[Channel, frozenset[Reason]] = {
    # Greylisting and "too many messages" are said to whoever comes next as well; a full mailbox is full for everybody.
    Channel.EMAIL: frozenset({Reason.DEFERRED, Reason.RATE_LIMITED, Reason.MAILBOX_FULL}),
    Channel.FAX: frozenset({Reason.BUSY, Reason.NO_ANSWER}),
}


def lane_delay(channel: Channel, reason: Reason, setbacks: int) -> timedelta | None:
    """How long a whole lane backs off after so many set-backs in a row before this one; None if it concerns the letter alone."""
    if reason not in _OF_THE_LANE.get(channel, ()):
        return None
    return _BACKOFF[channel].delay(setbacks + 1, 0.0)


def of_the_provider(channel: Channel, reason: Reason | None) -> bool:
    """Whether a refusal is about us and not about the address: a mail server may ask its senders to slow down, a fax machine cannot,
    so that is its provider's limit on calls at once, or on a day's costs."""
    return channel is Channel.FAX and reason is Reason.RATE_LIMITED


def wrong_at_once(channel: Channel, reason: Reason) -> bool:
    """Whether one such answer makes an address suspect: a person's voice, a number that does not exist."""
    return channel is Channel.FAX and reason in (Reason.VOICE, Reason.BAD_NUMBER)


def wrong_if_repeated(channel: Channel, reason: Reason) -> bool:
    """Whether such an answer makes an address suspect once it has come several times in a row. Mail servers say of one letter that
    there is no such mailbox, and take the next one for it: they are being changed, or mean that they do not want that letter."""
    return channel is Channel.EMAIL and reason is Reason.NO_MAILBOX


TRIED_ELSEWHERE = frozenset({Reason.NO_MAILBOX, Reason.MAILBOX_FULL, Reason.BOUNCED, Reason.BUSY, Reason.NO_ANSWER, Reason.VOICE,
                             Reason.BAD_NUMBER, Reason.CALL_DROPPED, Reason.FAX_ERROR, Reason.DEFERRED, Reason.RATE_LIMITED})
"""Failures of the address: the same letter may reach the target at its next one. A refusal of what it says would only be repeated."""
