"""The stop: officials have decided, so nothing more is handed over, what waits is cancelled, and the pages thank instead of asking.

At once the campaign is `stopped`, which the claim of a letter refuses; nothing else is touched, so that for ten minutes the stop can
be undone without a trace. Then the sweep makes it final: the campaign is `closed` and keeps its outcome (docs/decisions/0013).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.logs import get
from outreach.models import Campaign, Notice, table
from outreach.queries import campaigns as queries
from outreach.queries import upkeep
from outreach.render.clean import clean_text
from outreach.services import audit, campaigns, clearing, lanes
from outreach.services.campaigns import CampaignRow

log = get()
_CAMPAIGNS, _NOTICES = table(Campaign), table(Notice)
OUTCOMES = ("won", "changed", "lost", "other")
"""The campaign reached its aim; things have changed, so that the letters ask for the wrong thing; it was decided against it."""
CAN_BE_UNDONE = timedelta(minutes=10)
LONGEST = 2000
"""Characters of a message."""


def stop(slug: str, outcome: str, message: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> CampaignRow:
    """Stop a live or paused campaign; of one that was stopped before, replace outcome and message.

    When this returns no letter of it is claimed any more. Raises NotFound, Conflict (it is a draft, or was closed without an
    outcome), NotAllowed (an outcome that is none of `OUTCOMES`, no message, or one that is too long).
    """
    words = _words(outcome, message)
    with unit_of_work() as c:
        row = _locked(c, slug)
        values: dict[str, Any] = {**words, "revision": _CAMPAIGNS.c.revision + 1}
        if row.outcome is None:
            if row.state not in ("live", "paused"):
                raise Conflict(f"{slug} is {row.state}; only a campaign that is live or paused can be stopped")
            values |= {"state": "stopped", "stopped_from": row.state, "final_at": now + CAN_BE_UNDONE}
            # Whoever is in the middle of a claim ends it before us, and whoever begins one afterwards sees the stop.
            queries.lanes_locked(c, queries.letter_lanes(c, row.id))
        c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(**values))
        audit.note(c, "campaign: stop", at=now, who=who, campaign_id=row.id, detail=f"{row.state} → {values.get('state', row.state)}, "
                   f"{outcome}: {words['outcome_message']}")
    log.info("campaign.stopped", campaign=row.id, before=row.state)
    return campaigns.get(slug)


def undo(slug: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> CampaignRow:
    """Make a stop as if it had not been; what waited goes on in its place. Raises NotFound, Conflict (not stopped, or final)."""
    with unit_of_work() as c:
        row = _locked(c, slug)
        if row.outcome is not None and (row.state != "stopped" or row.final_at is None or row.final_at <= now):
            raise Conflict(f"{slug}: the ten minutes in which a stop can be undone are over; what waited is cancelled")
        if row.state != "stopped":
            raise Conflict(f"{slug} is {row.state}; it has not been stopped")
        c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(
            state=row.stopped_from, outcome=None, outcome_message=None, stopped_from=None, final_at=None,
            revision=_CAMPAIGNS.c.revision + 1))
        lanes.mark(c, queries.letter_lanes(c, row.id), now)
        audit.note(c, "campaign: stop undone", at=now, who=who, campaign_id=row.id, detail=f"stopped → {row.stopped_from}")
    log.info("campaign.stop_undone", campaign=row.id, after=row.stopped_from)
    return campaigns.get(slug)


def finish(now: datetime) -> int:
    """Make due stops final, and cancel whatever waits in campaigns that were stopped. Returns how many letters that were.

    Faxes that wait at the provider are then called back by the fax workers (`services/recalls.py`).
    """
    with reading() as c:
        due = upkeep.stops_due(c, now)
    for campaign_id in due:
        _end(campaign_id, now)
    return clearing.clear(upkeep.of_ended, State.CANCELLED, Reason.CAMPAIGN_ENDED, now)


def _end(campaign_id: int, now: datetime) -> None:
    with unit_of_work() as c:
        ended = c.execute(update(Campaign).where(
            _CAMPAIGNS.c.id == campaign_id, _CAMPAIGNS.c.state == "stopped", _CAMPAIGNS.c.final_at <= now).values(
            state="closed", stopped_from=None, closed_at=now, revision=_CAMPAIGNS.c.revision + 1)).rowcount
        if not ended:  # undone at the last moment, or another sweep was quicker
            return
        c.execute(update(_NOTICES).where(_NOTICES.c.campaign_id == campaign_id, _NOTICES.c.state == "queued",
                                         _NOTICES.c.kind.in_(("confirm", "remind", "ask")))
                  .values(state="dropped", reason=Reason.CAMPAIGN_ENDED.value))
        audit.note(c, "campaign: ended", at=now, who="outreach", campaign_id=campaign_id, detail="stopped → closed")
    log.info("campaign.ended", campaign=campaign_id)


def _words(outcome: str, message: str) -> dict[str, str]:
    if outcome not in OUTCOMES:
        raise NotAllowed(f"--outcome is one of {', '.join(OUTCOMES)}")
    text = clean_text(message).strip()
    if not text:
        raise NotAllowed("--message is what supporters read on the campaign's pages: say in a sentence or two what happened")
    if len(text) > LONGEST:
        raise NotAllowed(f"the message has {len(text)} characters; {LONGEST} are the most")
    return {"outcome": outcome, "outcome_message": text}


def _locked(c: Connection, slug: str) -> Any:
    row = queries.by_slug_locked(c, slug)
    if row is None:
        raise NotFound(f"there is no campaign {slug!r}")
    return row
