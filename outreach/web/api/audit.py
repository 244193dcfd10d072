"""A campaign's audit log: who changed what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.services import audit_log
from outreach.web.api.paging import LINK, Limit, Page, linked
from outreach.web.api.route import Guarded
from outreach.web.api.shapes import ALWAYS, Moment
from outreach.web.api.webhooks import Manage

router = APIRouter(route_class=Guarded, tags=["audit log"])


class Entry(BaseModel):
    """Something that was done."""

    id: int
    at: Moment
    who: str = Field(description="An organizer's address, with the token's id for a program; `command line`; or `outreach` itself.")
    what: str
    detail: str


@router.get("/campaigns/{slug}/audit", operation_id="list_audit", responses={**ALWAYS, 200: {"headers": LINK}})
def list_audit(request: Request, response: Response, at: Manage, limit: Limit = 100,
               after: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="The cursor of the page before.")] = None,
               ) -> Page[Entry]:
    """Who changed what in the campaign, and what the operator did to its addresses; the newest first."""
    found = audit_log.page(at.campaign.id, int(after) if after else None, most=limit)
    items = [Entry(id=r.id, at=r.at.isoformat(), who=r.who, what=r.what, detail=r.detail) for r in found.rows]
    return Page(items=items, next=linked(request, response, None if found.onward is None else str(found.onward)))
