"""Letters that wait and must not go any more: brought to their end batch by batch, so that nobody waits for long behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.db import unit_of_work
from outreach.domain.letters import Reason, State
from outreach.services import moves

SECONDS = 2.0
"""So long one sweep goes on with one kind: the ticker that runs it has other things to do."""
MOST = 500
"""Letters that one transaction moves."""


def clear(found: Callable[[Connection, int], Sequence[Any]], after: State, why: Reason, now: datetime) -> int:
    """Move what `found` gives, the next so many letters with what a move needs, until it gives no more or the time is over.

    Returns how many were moved.
    """
    done, end = 0, time.monotonic() + SECONDS
    while True:
        with unit_of_work() as c:
            rows = found(c, MOST)
            moved = len(moves.apply(c, moves.of(rows, after, why), now))
        done += moved
        if len(rows) < MOST or not moved or time.monotonic() > end:
            return done
