"""Where a letter goes that has failed at its address: the target's next one of the same channel, then, if the campaign allows, the
other channel. It stays one letter: only its address changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from outreach.domain.letters import Reason
from outreach.domain.retry import TRIED_ELSEWHERE
from outreach.queries import campaigns as queries


@dataclass(frozen=True, slots=True)
class Place:
    """An address to try, and its channel."""

    address_id: int
    channel: str


def next_place(c: Connection, letter: Any, why: Reason) -> Place | None:
    """The address that takes over from the one at which this letter has failed; None when there is none left.

    Addresses at which the letter has been tried are not tried again, nor are suspect and blocked ones.
    """
    if why not in TRIED_ELSEWHERE and why is not Reason.TOO_MANY_TRIES:
        return None
    untried = queries.untried(c, letter.target_id, letter.id)
    for row in untried:
        if row.channel == letter.channel:
            return Place(row.address_id, row.channel)
    return Place(untried[0].address_id, untried[0].channel) if untried and untried[0].fall_back else None
