"""The audit log, read: page by page, or the whole of it in chunks. Writing is `services/audit.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.db import reading, unit_of_work
from outreach.queries import people as queries
from outreach.services import audit

PAGE, CHUNK = 50, 500
COLUMNS = ("at", "who", "what", "detail")
"""Of a campaign's log as a file."""
ALL_COLUMNS = ("at", "who", "what", "campaign", "detail")
"""Of the whole service's."""


Entry = Mapping[str, Any]
"""A row of `ALL_COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the newest first: id, at, who, what, detail, and slug and title of the campaign, if it is one's."""

    rows: Sequence[Any]
    onward: int | None
    """What to give as `before` for those that are older; None at the end."""


def page(campaign_id: int | None, before: int | None = None, *, who: str = "", what: str = "", most: int = PAGE) -> Page:
    """A page of a campaign's log (None: of everything); `who` and `what` are looked for in those columns."""
    with reading() as c:
        rows = queries.audit_entries(c, campaign_id, before, most + 1, who=who[:320], what=what[:60])
    return Page(rows[:most], rows[most - 1].id if len(rows) > most else None)


def take_away(campaign_id: int | None, *, who: str, now: datetime) -> Iterator[list[Entry]]:
    """All of it, the newest first, in chunks of rows with `ALL_COLUMNS`; that it was taken away is noted first."""
    with unit_of_work() as c:
        audit.note(c, "audit log exported", at=now, who=who, campaign_id=campaign_id)
    return whole(campaign_id)


def whole(campaign_id: int | None) -> Iterator[list[Entry]]:
    """The same for whoever reads it where it lies."""
    before: int | None = None
    while True:
        found = page(campaign_id, before, most=CHUNK)
        if found.rows:
            yield [{"at": r.at, "who": r.who, "what": r.what, "campaign": r.slug, "detail": r.detail} for r in found.rows]
        if found.onward is None:
            return
        before = found.onward
