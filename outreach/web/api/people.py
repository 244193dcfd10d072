"""Who has a part in a campaign, and what is the matter in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from outreach.domain.roles import Right, Role
from outreach.services import alerts, members
from outreach.services.alerts import AlertRow
from outreach.settings import get_settings
from outreach.web.api.caller import Place, within
from outreach.web.api.route import Guarded
from outreach.web.api.shapes import ALWAYS, Moment, See

router = APIRouter(route_class=Guarded, tags=["campaigns"])


class Member(BaseModel):
    """Somebody's part in the campaign."""

    email: str
    name: str
    role: Role
    since: Moment
    begun: bool = Field(description="Whether they have an account that they can sign in to.")
    disabled: bool = Field(description="Whether the operator has shut them out.")


class Alert(BaseModel):
    """Something that is the matter, or was."""

    id: str
    kind: str = Field(examples=["address_suspect"])
    name: str = Field(examples=["An address may be wrong"])
    detail: str
    opened_at: Moment
    closed_at: Moment | None = Field(description="null while it goes on.")
    url: str = Field(description="Where something can be done about it.")


def shown(row: AlertRow) -> Alert:
    """An alert for programs."""
    return Alert(id=row.id, kind=row.kind, name=row.name, detail=row.detail, opened_at=row.opened_at.isoformat(),
                 closed_at=row.closed_at.isoformat() if row.closed_at else None, url=f"{get_settings().public_url}{row.path}")


@router.get("/campaigns/{slug}/members", operation_id="list_members", responses=ALWAYS)
def list_members(at: Annotated[Place, Depends(within(Right.MANAGE))]) -> list[Member]:
    """The campaign's people, by address."""
    return [Member(email=m.email, name=m.name, role=Role(m.role), since=m.at.isoformat(), begun=bool(m.begun),
                   disabled=m.disabled_at is not None) for m in members.list_of(at.campaign.id)]


@router.get("/campaigns/{slug}/alerts", operation_id="list_alerts", responses=ALWAYS)
def list_alerts(at: See) -> list[Alert]:
    """What is the matter in the campaign, then what was; the newest first."""
    return [shown(a) for a in alerts.of_campaign(at.slug)]
