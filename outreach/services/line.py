"""What an organizer does with letters that stand in line: cancel them, or give one another place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.logs import get
from outreach.models import Letter, table
from outreach.queries import campaigns as campaign_queries
from outreach.queries import levers as queries
from outreach.queries import pauses as pause_queries
from outreach.services import audit, bundles, campaigns, moves

log = get()
_LETTERS = table(Letter)
SECONDS = 15.0
"""So long one call cancels; what is left is said, and another call goes on."""
MOST = 4000
"""Letters that are looked for at a time."""
LONGEST = 200
"""Characters of a reason."""
PLACES = ("front", "back", "own")
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many letters were cancelled, and whether some are left that one call had no time for."""

    letters: int
    more: bool


def cancel(slug: str, *, target: str = "", why: str, now: datetime, who: str = audit.COMMAND_LINE) -> Cancelled:
    """Cancel what is queued in a campaign, or of it only what is for one target (its id in the file). This cannot be undone.

    What is being handed over at this moment is let go. Raises NotFound, NotAllowed without a reason.
    """
    why = _reason(why)
    campaign, target_id = campaigns.get(slug), None
    if target:
        with reading() as c:
            found = pause_queries.target(c, slug, target)
        if found is None:
            raise NotFound(f"{slug} has no target {target!r}")
        target_id = found.id
    cancelled, more, end = 0, True, time.monotonic() + SECONDS
    while more and time.monotonic() < end:
        with reading() as c:
            ids = queries.queued_ids(c, campaign.id, target_id, MOST)
        for i in range(0, len(ids), moves.MOST):
            with unit_of_work() as c:
                cancelled += len(_cancel(c, queries.locked(c, ids[i:i + moves.MOST]), now))
        more = len(ids) == MOST
    with unit_of_work() as c:
        audit.note(c, "waiting letters cancelled", at=now, who=who, campaign_id=campaign.id,
                   detail=f"{cancelled} letters{f' to {target}' if target else ''}: {why}")
    log.info("letters.cancelled", campaign=campaign.id, target=target_id, letters=cancelled)
    return Cancelled(cancelled, more)


def cancel_one(slug: str, letter_id: str, *, why: str, now: datetime, who: str = audit.COMMAND_LINE) -> None:
    """Cancel one queued letter; what it carried is carried by the next in line. Raises NotFound, Conflict, NotAllowed without a reason."""
    why = _reason(why)
    with unit_of_work() as c:
        letter = _queued(c, slug, letter_id)
        if not _cancel(c, [letter], now):
            raise Conflict(f"letter {letter_id} has just left the line")
        bundles.left(c, letter.submission_id)
        audit.note(c, "letter cancelled", at=now, who=who, campaign_id=letter.campaign_id, detail=f"letter {letter_id}: {why}")


def place(slug: str, letter_id: str, where: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> None:
    """Put one queued letter at the front or the back of its campaign's line at its address, or where it came from ("own").

    A line is in order of `submitted_at`, so that this is what moves; `created_at` keeps when it was written. Whoever shares the
    address still has their turns. Raises NotFound, Conflict (not queued, in a bundle), NotAllowed for another place.
    """
    if where not in PLACES:
        raise NotAllowed(f"a letter goes to one of {', '.join(PLACES)}")
    with unit_of_work() as c:
        letter = _queued(c, slug, letter_id)
        ends = queries.ends_of_line(c, letter.campaign_id, letter.address_id) or (letter.submitted_at, letter.submitted_at)
        at = {"front": ends[0] - _STEP, "back": ends[1] + _STEP, "own": letter.created_at}[where]
        c.execute(update(_LETTERS).where(_LETTERS.c.id == letter_id, _LETTERS.c.state == State.QUEUED.value).values(submitted_at=at))
        audit.note(c, "letter moved in line", at=now, who=who, campaign_id=letter.campaign_id, detail=f"letter {letter_id}: {where}")


def _queued(c: Connection, slug: str, letter_id: str) -> Any:
    """The letter, locked. Raises NotFound, and Conflict if it does not stand in line by itself."""
    campaign = campaign_queries.by_slug(c, slug)
    if campaign is None or queries.letter(c, campaign.id, letter_id) is None:
        raise NotFound(f"{slug} has no letter {letter_id!r}")
    letter = queries.locked(c, [letter_id])[0]
    if letter.state != State.QUEUED.value:
        raise Conflict(f"letter {letter_id} is {letter.state}: it does not wait in line")
    if letter.carried_by:
        raise Conflict(f"letter {letter_id} goes in the bundle of {letter.carried_by}; take the bundle apart first")
    return letter


def _cancel(c: Connection, rows: Any, now: datetime) -> set[str]:
    return moves.apply(c, [moves.Move(r.id, r.campaign_id, r.target_id, r.channel, State.QUEUED, State.CANCELLED, Reason.ORGANIZER)
                           for r in rows if r.state == State.QUEUED.value], now)


def _reason(why: str) -> str:
    why = " ".join(why.split())
    if not why:
        raise NotAllowed("say why: it stands in the audit log")
    if len(why) > LONGEST:
        raise NotAllowed(f"the reason has {len(why)} characters; {LONGEST} are the most")
    return why
