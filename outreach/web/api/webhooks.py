"""Outgoing webhooks: who is told of alerts and of letters' events (docs/api.md says how they are signed)."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator, BaseModel, Field
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.services import webhooks
from outreach.web.api.caller import ID, Place, within
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Moment, Text

router = APIRouter(route_class=Guarded, tags=["webhooks"])
Manage = Annotated[Place, Depends(within(Right.MANAGE))]
Kind = Literal[*webhooks.KINDS]  # type: ignore[valid-type]


class Webhook(BaseModel):
    """Where events are posted."""

    id: str
    url: str
    events: list[str]
    created_by: str
    created_at: Moment
    disabled_at: Moment | None
    disabled_why: str | None


def _readable(url: str) -> str:
    urlsplit(url)  # raises ValueError for what is no address at all
    return url


class NewWebhook(Body):
    """What to post, and where to."""

    url: Annotated[Text, Field(min_length=1, max_length=500), AfterValidator(_readable)] = Field(examples=["https://hooks.partner.example/outreach"])
    events: Annotated[list[Kind], Field(min_length=1, max_length=20)] = Field(examples=[["letter.delivered", "letter.failed"]])


class Made(BaseModel):
    """A webhook that was just made."""

    id: str
    secret: str = Field(description="Signs what is posted; it is shown only now.")


@router.get("/campaigns/{slug}/webhooks", operation_id="list_webhooks", responses=ALWAYS)
def list_webhooks(at: Manage) -> list[Webhook]:
    """The campaign's webhooks; at most ten."""
    return [Webhook(id=w.id, url=w.url, events=list(w.events), created_by=w.created_by, created_at=w.created_at.isoformat(),
                    disabled_at=w.disabled_at.isoformat() if w.disabled_at else None, disabled_why=w.disabled_why)
            for w in webhooks.of_campaign(at.slug)]


@router.post("/campaigns/{slug}/webhooks", operation_id="add_webhook", status_code=201, responses=WRITES, dependencies=[Depends(declared)])
def add_webhook(at: Manage, body: NewWebhook) -> Made:
    """Post events of the campaign to an address of yours."""
    made, secret = webhooks.add(at.slug, body.url, body.events, now=at.now, who=at.who)
    return Made(id=made, secret=secret)


@router.delete("/campaigns/{slug}/webhooks/{webhook}", operation_id="remove_webhook", status_code=204, responses=WRITES,
               dependencies=[Depends(declared)])
def remove_webhook(at: Manage, webhook: Annotated[str, Path(pattern=ID, description="The webhook's id.")]) -> Response:
    """Post nothing there any more."""
    webhooks.remove(at.slug, webhook, now=at.now, who=at.who)
    return Response(status_code=204)
