"""A bundle once it is bound: its members follow every move of the letter that carries them, and another one carries when it ends.

Members keep their rows, counts and pages, and are never claimed by themselves (docs/decisions/0016). How bundles are made and taken
apart stands in `bundling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import unit_of_work
from outreach.domain.letters import EVIDENCE, Reason, State, allowed
from outreach.models import Letter, table
from outreach.queries import bundles as queries
from outreach.services import lanes, moves

_LETTERS = table(Letter)
_TAKEN_ALONG = ("sent_at", "delivered_at", "address_id", "channel")
"""What members are given of a carrier's move, beside its state."""


def follow(c: Connection, made: Sequence[moves.Move], at: datetime) -> list[moves.Move]:
    """Move what is carried by letters that have just moved, in the same transaction. Returns the moves, events written.

    Members in the carrier's former state go with it; evidence also takes along those of that hand-over that were queued again since.
    Who has taken a letter back is left out of the next hand-over. If only the carrier's writer stands in the way of another try
    (a withdrawal ends it), the others go on without it.
    """
    by_carrier = {m.letter_id: m for m in made}
    members = queries.followers(c, sorted(by_carrier))
    further: list[moves.Move] = []
    alone = {carrier for carrier in {x.carried_by for x in members} if _only_its_writer_stops(c, by_carrier[carrier])}
    for x in members:
        lead, state = by_carrier[x.carried_by], State(x.state)
        after, why = (State.QUEUED, Reason.NOT_STARTED) if x.carried_by in alone else (lead.after, lead.why)
        if x.withdrawn_at is not None and (after is State.SENDING or state is State.CANCELLED):
            after, why = State.CANCELLED, Reason.WITHDRAWN
        went = state is lead.before or (state is State.QUEUED and after in EVIDENCE and x.attempt_id == lead.attempt_id)
        if went and state is not after and allowed(state, after):
            values = {k: v for k, v in lead.values.items() if k in _TAKEN_ALONG} if x.carried_by not in alone else {}
            if after is State.SENDING:
                values["attempt_id"] = lead.attempt_id
            further.append(moves.Move(x.id, x.campaign_id, x.target_id, x.channel, state, after, why, lead.attempt_id, values))
    done = moves.apply(c, further, at)
    for carrier_id in sorted(alone):
        _hand_on(c, carrier_id)
    return [m for m in further if m.letter_id in done]


def retime(c: Connection, carrier: Any, times: Mapping[str, datetime | None]) -> None:
    """What went with a letter whose times change, without a move, has the new ones where it had the letter's."""
    if carrier.state in EVIDENCE:
        members = [x for x in queries.followers(c, [carrier.id]) if x.state == carrier.state]
        for name, at in times.items():
            set_values(c, [x.id for x in members if getattr(x, name) == getattr(carrier, name)], **{name: at})


def left(c: Connection, submission_id: str) -> None:
    """Somebody has taken their letters back, in this transaction: what one of these carried is carried by the next in line."""
    for carrier_id in queries.carrier_of_submission(c, submission_id):
        if queries.carrier(c, carrier_id).state == State.CANCELLED.value:
            _hand_on(c, carrier_id)


def mend(now: datetime, *, most: int = 50) -> int:
    """For the sweep: give bundles whose carrier will not be handed over any more (it ended alone) another one. Returns how many."""
    with unit_of_work() as c:
        found = queries.headless(c, most)
        lanes.mark(c, [queries.carrier(c, x).address_id for x in found], now)
        for carrier_id in found:
            _hand_on(c, carrier_id)
    return len(found)


def _only_its_writer_stops(c: Connection, m: moves.Move) -> bool:
    return (m.after in (State.FAILED, State.CANCELLED) and queries.carrier(c, m.letter_id).withdrawn_at is not None
            and queries.ended_lamely(c, m.attempt_id))


def _hand_on(c: Connection, carrier_id: str) -> None:
    """The first of what a letter carries takes its place and carries the others; one alone goes by itself again."""
    old = queries.carrier(c, carrier_id)
    waiting = sorted((x for x in queries.followers(c, [carrier_id]) if x.state == State.QUEUED.value and x.withdrawn_at is None),
                     key=lambda x: (x.submitted_at, x.id))
    if waiting:
        first, *others = waiting
        set_values(c, [first.id], carried_by=None, carries=bool(others), submitted_at=min(old.submitted_at, first.submitted_at))
        set_values(c, [x.id for x in others], carried_by=first.id)
    set_values(c, [carrier_id], carries=False)


def set_values(c: Connection, letter_ids: Sequence[str], **values: Any) -> None:
    """Set the same columns of many letters."""
    for at in range(0, len(letter_ids), moves.MOST):
        c.execute(update(_LETTERS).where(_LETTERS.c.id.in_(letter_ids[at:at + moves.MOST])).values(**values))
