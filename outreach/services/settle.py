"""A letter's state follows from its attempts: look at them all and make the move they prove, if the table has it.

Its times follow too: it arrived when the first of the attempts that arrived did, whenever we were told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from outreach.domain.letters import EVIDENCE, AttemptFact, Channel, Reason, State, Verdict, allowed, state_from
from outreach.domain.retry import SCHEDULES, of_the_provider
from outreach.models import Letter, table
from outreach.queries import attempts as attempt_queries
from outreach.queries import campaigns, letters
from outreach.services import bundles, copies, fallback, moves

_LETTERS = table(Letter)
_TAKEN = frozenset({Verdict.ACCEPTED.value, Verdict.DELIVERED.value})


def settle(c: Connection, letter_id: str, now: datetime, why: Reason, taken: datetime | None = None) -> State | None:
    """Bring one letter's state and times in line with its attempts. Returns the new state, or None when that stays.

    `taken`: the earliest moment at which its provider is now said to have had it.
    """
    letter = letters.by_id_locked(c, letter_id)
    attempts = attempt_queries.of_letter(c, letter_id)
    schedule = SCHEDULES[Channel(letter.channel)]
    before = State(letter.state)
    facts = [_fact(a) for a in attempts]
    more = letter.tries < schedule.tries or bool(attempts and _is_ours(letter, attempts[-1]))
    after = state_from(facts, may_retry=more and _may_requeue(c, letter, now))
    if after is State.FAILED and before in (State.UNKNOWN, State.QUEUED) and attempts[-1].verdict == Verdict.VOID.value:
        after = None  # what failed before had already led to the place at which the last one never began
    if after is None and before is State.UNKNOWN and facts:  # taken for handed over, and now known never to have been
        after = State.QUEUED if _may_requeue(c, letter, now) else State.FAILED
        if not any(a.waived_at for a in attempts):  # a waived one may have gone, and its copy with it
            copies.forget_unknown(c, letter_id)
    if after is None or after is before or after is State.SENDING:
        _retime(c, letter, _times(letter, attempts, before, taken))
        return None
    place = None
    if after is State.FAILED and not any(f.arrived for f in facts) and _may_requeue(c, letter, now):
        place = fallback.next_place(c, letter, Reason.TOO_MANY_TRIES if attempts[-1].retryable else _reason(attempts[-1]))
        after = State.QUEUED if place else after
    if not allowed(before, after):
        _retime(c, letter, _times(letter, attempts, before, taken))
        return None
    why, values = _consequences(letter, attempts[-1], after, place, why=why, now=now)
    values |= _times(letter, attempts, after, taken)
    move = moves.Move(letter_id, letter.campaign_id, letter.target_id, letter.channel, before, after, why, attempts[-1].id, values)
    made = moves.apply(c, [move], now)
    if made and letter.carries:
        bundles.follow(c, [move], now)
    if made and after in EVIDENCE and letter.channel == Channel.FAX:
        copies.offer_fax(c, letter_id, letter.campaign_id, attempts[-1].id, now)
    return after if made else None


def _consequences(letter: Any, last: Any, after: State, place: fallback.Place | None, *, why: Reason,
                  now: datetime) -> tuple[Reason, dict[str, Any]]:
    """The named reason of a move to `after`, and the columns that it sets."""
    values: dict[str, Any] = {"lease_until": None}
    if after is State.FAILED:
        why = Reason.TOO_MANY_TRIES if last.retryable else _reason(last)
    elif after is State.CANCELLED:  # the provider has cancelled it at our wish
        why = Reason.WITHDRAWN if letter.withdrawn_at else Reason.CAMPAIGN_ENDED
    elif after is State.QUEUED:
        why = Reason(last.reason or why)
        if _is_ours(letter, last):  # then that try counts for none, and the provider is what must wait
            return why, values | {"tries": -min(1, letter.tries)}
        values["not_before"] = now + (SCHEDULES[Channel(letter.channel)].delay(letter.tries, 0.5) or timedelta(0))
    if place:  # the same letter, at its target's next address; no second one is made
        values |= {"address_id": place.address_id, "channel": place.channel, "tries": -letter.tries, "not_before": None}
    return why, values


def _times(letter: Any, attempts: Sequence[Any], state: State, taken: datetime | None) -> dict[str, datetime | None]:
    """Those of a letter's times that change: it was sent when it is first known to have been taken; delivered as long as it is so."""
    sent = min((at for at in (letter.sent_at, taken) if at), default=None)
    if sent is None and state in EVIDENCE:  # somebody says so who knows no time
        sent = min((a.started_at for a in attempts if a.verdict in _TAKEN), default=None)
    arrived = min((a.arrived_at for a in attempts if a.verdict == Verdict.DELIVERED.value), default=None)
    if state is not State.DELIVERED:
        arrived = None
    elif arrived is None or letter.carried_by:  # it went with others, and may have gone alone as well
        arrived = min((at for at in (letter.delivered_at, arrived) if at), default=None)
    told = {"sent_at": sent, "delivered_at": arrived}
    return {name: at for name, at in told.items() if at != getattr(letter, name)}


def _retime(c: Connection, letter: Any, times: dict[str, datetime | None]) -> None:
    """Change times of a letter that stays where it is, and of those that went with it."""
    if times:
        c.execute(update(_LETTERS).where(_LETTERS.c.id == letter.id).values(**times))
        if letter.carries:
            bundles.retime(c, letter, times)


def _is_ours(letter: Any, attempt: Any) -> bool:
    return attempt.reason is not None and of_the_provider(Channel(letter.channel), Reason(attempt.reason))


def _reason(attempt: Any) -> Reason:
    return Reason(attempt.reason or Reason.BOUNCED)


def _fact(attempt: Any) -> AttemptFact:
    verdict = Verdict(attempt.verdict)
    cancelled = (attempt.cancel_asked_at is not None and verdict is Verdict.BOUNCED
                 and attempt.reason == Reason.REJECTED_BY_PROVIDER.value)
    return AttemptFact(verdict, attempt.retryable, attempt.waived_at is not None, cancelled, attempt.arrived_at is not None)


def _may_requeue(c: Connection, letter: Any, now: datetime) -> bool:
    """A withdrawal, a closed campaign or a passed deadline forbids another try. While a stop can be undone letters may come back to
    the queue: nothing leaves it, and the stop's end cancels what is there."""
    campaign = campaigns.standing(c, letter.campaign_id)
    in_time = campaign.deadline is None or campaign.deadline > now
    return letter.withdrawn_at is None and campaign.state in ("live", "paused", "stopped") and in_time
