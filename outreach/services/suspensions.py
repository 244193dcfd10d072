"""The operator stops a campaign from sending, and says why; only the operator lets it go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from outreach.db import unit_of_work
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.logs import get
from outreach.models import Campaign, table
from outreach.queries import campaigns as queries
from outreach.services import audit, campaigns, lanes
from outreach.services.campaigns import CampaignRow

log = get()
_CAMPAIGNS = table(Campaign)
LONGEST = 500


def suspend(slug: str, why: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> CampaignRow:
    """Pause a campaign so that its organizers cannot resume it; a draft cannot be published. `why` is shown to them.

    Nothing of it is handed over any more, what waits keeps its place, and its page says that it is suspended. Raises NotFound,
    Conflict (it has ended, or is suspended already), NotAllowed without a reason.
    """
    why = why.strip()
    if not why:
        raise NotAllowed("say why: its organizers read it")
    with unit_of_work() as c:
        row = queries.by_slug_locked(c, slug)
        if row is None:
            raise NotFound(f"there is no campaign {slug!r}")
        if row.state not in ("draft", "live", "paused"):
            raise Conflict(f"{slug} is {row.state}: nothing is sent for it")
        if row.suspended_at is not None:
            raise Conflict(f"{slug} has been suspended since {row.suspended_at:%Y-%m-%d %H:%M} UTC")
        c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(
            state="paused" if row.state == "live" else row.state, suspended_at=now, suspended_why=why[:LONGEST],
            revision=_CAMPAIGNS.c.revision + 1))
        # Whoever is in the middle of a claim ends it before us, and whoever begins one afterwards sees the pause.
        queries.lanes_locked(c, queries.letter_lanes(c, row.id))
        audit.note(c, "campaign suspended", at=now, who=who, campaign_id=row.id, detail=f"{row.state}: {why}")
    log.warning("campaign.suspended", campaign=row.id, before=row.state)
    return campaigns.get(slug)


def lift(slug: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> CampaignRow:
    """End a suspension. The campaign stays paused, or a draft, until its organizers go on. Raises NotFound, Conflict (not suspended)."""
    with unit_of_work() as c:
        row = queries.by_slug_locked(c, slug)
        if row is None:
            raise NotFound(f"there is no campaign {slug!r}")
        if row.suspended_at is None:
            raise Conflict(f"{slug} is not suspended")
        c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(
            suspended_at=None, suspended_why=None, revision=_CAMPAIGNS.c.revision + 1))
        lanes.mark(c, queries.letter_lanes(c, row.id), now)
        audit.note(c, "suspension lifted", at=now, who=who, campaign_id=row.id)
    log.info("campaign.suspension_lifted", campaign=row.id)
    return campaigns.get(slug)
