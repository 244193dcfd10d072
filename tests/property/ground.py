"""What the properties over a database share: a clean table for each example, and what must be so after each step."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

from sqlalchemy import delete, update

from outreach import db
from outreach.db import reading, unit_of_work
from outreach.models import Address, Base, Campaign, Lane, table
from outreach.queries import promises
from tests.services.helpers import Desk

MOVING = ("submissions", "letters", "attempts", "letter_events", "copies", "notices", "receipts", "counter_deltas", "counters")
_NUMBERS = count()


def cleared(desk: Desk) -> str:
    """Forget all that has happened, except for campaigns, which close, and addresses, which are well again.

    Returns a name for the next campaign. From here on ids sort in the order in which they were made, also within a millisecond, so
    that an example is the same each time.
    """
    desk.patch.setattr(db, "secrets", SimpleNamespace(randbits=lambda _bits: next(_NUMBERS)))
    with unit_of_work() as c:
        for name in reversed(MOVING):
            c.execute(delete(Base.metadata.tables[name]))
        c.execute(update(table(Campaign)).values(state="closed", closed_at=desk.now))
        c.execute(update(table(Lane)).values(setbacks=0, backoff_until=None, next_wake_at=None, holder=None, held_until=None))
        c.execute(update(table(Address)).values(state="ok"))
    return f"campaign-{next(_NUMBERS)}"


def broken(most: int = 9) -> dict[str, Any]:
    """The promises that hold at every moment and are broken now, with what breaks them."""
    with reading() as c:
        found: dict[str, Any] = {
            "events": promises.off_the_table(c, most), "silent": promises.without_events(c, most), "places": promises.misplaced(c, most),
            "twice": promises.twice_in_place(c, most), "open": promises.open_without_sending(c, most),
            "sending": promises.sending_without_attempt(c, most), "opened twice": promises.opened_twice(c, most),
            "never tried": promises.handed_over_without_attempt(c, most), "counts": [tuple(r) for r in promises.miscounted(c, most)]}
    return {name: ids for name, ids in found.items() if ids}
