"""Campaigns: which there are, what they are now, and the levers of a whole campaign."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import NotAllowed
from outreach.services import campaigns, forms, listings, stops, terms
from outreach.services.campaigns import CampaignRow
from outreach.web.api.caller import Caller, Place, caller
from outreach.web.api.paging import LINK, Limit, Page, cut, linked
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Edit, Moment, See, Steer, Text

router = APIRouter(route_class=Guarded, tags=["campaigns"])


class Campaign(BaseModel):
    """A campaign as it is now."""

    slug: str = Field(examples=["night-bus"])
    title: str = Field(examples=["Keep the night bus"])
    state: Literal["draft", "live", "paused", "stopped", "closed"]
    deadline: Moment | None
    created_at: Moment
    published_at: Moment | None
    closed_at: Moment | None
    paused_why: str | None = Field(description="Why it paused itself; null when somebody paused it, or nobody has.")
    suspended_why: str | None = Field(description="Why the operator keeps it paused; null if not.")
    outcome: Literal["won", "changed", "lost", "other"] | None = Field(description="What it came to, once stopped.")
    outcome_message: str | None
    undo_until: Moment | None = Field(description="Until when a stop can be undone.")
    moderation: Literal["none", "edited", "all"] = Field(description="Which letters wait for a moderator.")
    rights: list[Right] = Field(description="What this token may do here.")
    consent_version: str = Field(description="Of the wording that supporters agree to; needed to submit for them.")


class Stop(Body):
    """Why it ends."""

    outcome: Literal["won", "changed", "lost", "other"] = Field(description="The aim was reached; things have changed; it was decided "
                                                                            "against; something else.", examples=["won"])
    message: Annotated[Text, Field(min_length=1, max_length=stops.LONGEST)] = Field(
        description="What supporters read on all its pages.", examples=["The council has kept the night bus. Thank you."])


class Publish(Body):
    """What the token's owner vouches for."""

    agreed: bool = Field(description="The person or family concerned wants the campaign, knows what its page says and when it goes "
                                     "online; true, too, where it is about nobody in person. The token's owner vouches for it, and the "
                                     "audit log says so.", examples=[True])


def shown(row: CampaignRow, rights: frozenset[Right]) -> Campaign:
    """A campaign for whoever holds these rights."""
    def said(at: object) -> str | None:
        return at.isoformat() if hasattr(at, "isoformat") else None

    return Campaign.model_validate({
        "slug": row.slug, "title": row.title, "state": row.state, "deadline": said(row.deadline), "created_at": said(row.created_at),
        "published_at": said(row.published_at), "closed_at": said(row.closed_at), "paused_why": row.paused_why,
        "suspended_why": row.suspended_why if row.suspended_at else None, "outcome": row.outcome, "outcome_message": row.outcome_message,
        "undo_until": said(row.final_at) if row.state == "stopped" else None, "moderation": row.moderation,
        "rights": [r for r in Right if r in rights], "consent_version": forms.CONSENT_VERSION})


@router.get("/campaigns", operation_id="list_campaigns", responses={**ALWAYS, 200: {"headers": LINK}})
def list_campaigns(request: Request, response: Response, by: Annotated[Caller, Depends(caller)], limit: Limit = 100,
                   after: Annotated[str, Query(pattern=r"^[0-9]{1,9}$", description="The cursor of the page before.")] = "0",
                   ) -> Page[Campaign]:
    """The campaigns that this token opens, in the order in which they were made."""
    rows, following = cut(listings.campaigns(by.visitor, by.campaign_id, int(after), limit + 1), limit, lambda row: str(row.id))
    return Page(items=[shown(row, rights) for row in rows if (rights := by.rights_in(row.id))], next=linked(request, response, following))


@router.get("/campaigns/{slug}", operation_id="get_campaign", responses=ALWAYS)
def get_campaign(at: See) -> Campaign:
    """One campaign."""
    return shown(at.campaign, at.rights)


@router.post("/campaigns/{slug}/publish", operation_id="publish_campaign", responses=WRITES, dependencies=[Depends(declared)])
def publish_campaign(at: Edit, body: Publish) -> Campaign:
    """Put a draft online: supporters can send. What the desk's check-list asks of a person, `agreed` says."""
    if not body.agreed:
        raise Failed(422, "not-agreed", "Ask the person or family concerned first, then publish with `agreed`: true; the token's owner "
                     "vouches for it.")
    if not terms.accepted(at.caller.visitor):
        raise NotAllowed("the token's owner has not accepted the acceptable-use text; that is done at the desk, /o/terms")
    return shown(campaigns.set_state(at.slug, "publish", now=at.now, who=at.who, agreed=True), at.rights)


@router.post("/campaigns/{slug}/pause", operation_id="pause_campaign", responses=WRITES, dependencies=[Depends(declared)])
def pause_campaign(at: Steer) -> Campaign:
    """Send nothing more and take no new letters. What waits keeps its place."""
    return _moved(at, "pause")


@router.post("/campaigns/{slug}/resume", operation_id="resume_campaign", responses=WRITES, dependencies=[Depends(declared)])
def resume_campaign(at: Steer) -> Campaign:
    """Go on after a pause."""
    return _moved(at, "resume")


@router.post("/campaigns/{slug}/close", operation_id="close_campaign", responses=WRITES, dependencies=[Depends(declared)])
def close_campaign(at: Steer) -> Campaign:
    """End it for good: what waits is cancelled, and it cannot be opened again."""
    return _moved(at, "close")


@router.post("/campaigns/{slug}/stop", operation_id="stop_campaign", responses=WRITES, dependencies=[Depends(declared)])
def stop_campaign(at: Steer, body: Stop) -> Campaign:
    """They have decided: nothing more is handed over, and the pages thank instead of asking. Can be undone for ten minutes.

    Of a campaign that was stopped before, outcome and message are replaced.
    """
    return shown(stops.stop(at.slug, body.outcome, body.message, now=at.now, who=at.who), at.rights)


@router.post("/campaigns/{slug}/undo", operation_id="undo_stop", responses=WRITES, dependencies=[Depends(declared)])
def undo_stop(at: Steer) -> Campaign:
    """Within ten minutes of a stop: all is as it was."""
    return shown(stops.undo(at.slug, now=at.now, who=at.who), at.rights)


def _moved(at: Place, action: str) -> Campaign:
    return shown(campaigns.set_state(at.slug, action, now=at.now, who=at.who), at.rights)
