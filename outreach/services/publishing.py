"""A draft comes into force: as a new campaign, or as a campaign's new version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert

from outreach.db import reading
from outreach.domain.campaign import CampaignSpec
from outreach.domain.roles import Role
from outreach.errors import CampaignFileInvalid, Conflict, Mistake, NotAllowed
from outreach.models import Draft, Member, table
from outreach.queries import drafts as queries
from outreach.services import audit, campaigns, proposals, terms
from outreach.services.access import Visitor
from outreach.services.campaign_import import ImportResult, store_campaign
from outreach.services.campaigns import CampaignRow
from outreach.services.changes import Waiting
from outreach.services.draft_files import FILE, Checked, check
from outreach.services.drafts import DraftRow

_DRAFTS = table(Draft)


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of a draft: what the import did, and the target addresses that now wait for an operator's approval."""

    result: ImportResult
    proposed: tuple[str, ...]


def store(draft: DraftRow, visitor: Visitor, *, now: datetime, waiting: Waiting = Waiting.SEND, over: int | None = None,
          dry_run: bool = False) -> Stored:
    """Store a draft as what it is a draft of; the draft is gone then. With `dry_run` nothing is stored, only told.

    Target addresses that nobody has approved are proposed, unless the operator stores it. `over` is the version that the draft may
    replace though it was begun from another one. Raises CampaignFileInvalid, Conflict (the slug is taken, somebody else changed the
    campaign or the draft), NotAllowed (acceptable use is not accepted).
    """
    if not dry_run and not terms.accepted(visitor):
        raise NotAllowed("accept the terms of acceptable use first (/o/terms)")
    checked = ready(draft, now)
    spec = spec_of(checked)
    in_force = None if draft.campaign_id is None else campaigns.by_id(draft.campaign_id).version_id
    if in_force is not None:
        _may_replace(draft, spec, over)
    new = [] if visitor.operator else proposals.new_places(spec)
    if new and not dry_run:
        if draft.campaign_id is None and _taken(spec.slug):
            raise Conflict(f"another campaign has the address /c/{spec.slug}; choose another one")
        proposals.propose(new, now=now, who=visitor.email)

    def finish(c: Connection, campaign_id: int) -> None:
        if agreed := draft.ticks.get("agreed"):
            audit.note(c, "person concerned agrees", at=now, who=str(agreed.get("who", "")), campaign_id=campaign_id,
                       detail=f"said at {agreed.get('at', '')}")
        if draft.campaign_id is None:
            c.execute(insert(Member).values(campaign_id=campaign_id, organizer_id=draft.organizer_id, role=Role.OWNER.value, at=now))
        if draft.id and c.execute(delete(Draft).where(_DRAFTS.c.id == draft.id, _DRAFTS.c.revision == draft.revision)
                                  .returning(_DRAFTS.c.id)).scalar() is None:
            raise Conflict("somebody has changed this draft since you opened the page; look at it again")

    result = store_campaign(spec, now=now, who=visitor.email, warnings=checked.warnings, waiting=waiting, dry_run=dry_run,
                            fresh=draft.campaign_id is None, over=in_force, finish=finish)
    return Stored(result, tuple(value for channel, value in new if channel != "phone"))


def foretold(draft: DraftRow, visitor: Visitor, campaign: CampaignRow, *, now: datetime) -> tuple[str, ...]:
    """In words, what storing the draft would do to letters that wait. Raises as `store`."""
    return store(draft, visitor, now=now, over=campaign.version_id, dry_run=True).result.letters


def ready(draft: DraftRow, now: datetime) -> Checked:
    """What the checks say of a draft."""
    return check(draft.content, now)


def spec_of(checked: Checked) -> CampaignSpec:
    """The campaign that a draft without mistakes is. Raises CampaignFileInvalid."""
    if checked.spec is None:
        raise CampaignFileInvalid([Mistake(FILE, None, key, message) for key, message in checked.mistakes])
    return checked.spec


def _may_replace(draft: DraftRow, spec: CampaignSpec, over: int | None) -> None:
    campaign = campaigns.by_id(draft.campaign_id or 0)
    if campaign.state in ("stopped", "closed"):
        raise Conflict(f"this campaign is {campaign.state}: nothing is sent for it any more")
    if spec.slug != campaign.slug:
        raise NotAllowed(f"the campaign's address stays /c/{campaign.slug}: its links have it")
    if draft.version_id not in (None, campaign.version_id) and over != campaign.version_id:
        raise Conflict("the campaign has changed since this draft was begun; look at what differs, then decide")


def _taken(slug: str) -> bool:
    with reading() as c:
        return queries.slug_taken(c, slug)
