"""The operator's: addresses that wait for a word, pauses of a provider or of everything, what is the matter with the service."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.services import alerts, pauses, proposals
from outreach.services.proposals import Proposal
from outreach.web.api import people
from outreach.web.api.caller import Caller, caller
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Moment, Text

router = APIRouter(route_class=Guarded, tags=["the service"])
AddressId = Annotated[int, Path(ge=1, le=2_000_000_000, description="The address's number.")]
What = Annotated[Literal[pauses.EVERYTHING, *pauses.NAMES], Path(  # type: ignore[valid-type]
    description="Everything, a channel, or a provider.")]


def operator(request: Request) -> Caller:
    """A dependency: the operator's own program, with a token that is for the whole service."""
    by = caller(request)
    if not by.visitor.operator or Right.OPERATE not in by.scopes or by.campaign_id is not None:
        raise Failed(403, "missing-right", "This needs an operator's token for all campaigns, with the scope operate.")
    return by


Operator = Annotated[Caller, Depends(operator)]


class Use(BaseModel):
    """A target that has the address."""

    campaign: str = Field(description="Its slug.")
    target: str
    role: str
    kind: str
    source_url: str


class Proposed(BaseModel):
    """An address that waits for the operator's word."""

    id: int
    channel: Literal["email", "fax", "phone"]
    value: str
    why: str = Field(description="Who entered it.")
    since: Moment | None
    flags: list[str] = Field(description="What should be looked at: a freemail address, a mobile number, no source …")
    uses: list[Use]
    letters: int = Field(description="How many wait there.")


class Decided(BaseModel):
    """An address, and what was decided."""

    value: str
    state: Literal["ok", "blocked"]


class Refusal(Body):
    """Why not."""

    why: Annotated[Text, Field(max_length=200)] = Field("", description="Organizers read it.", examples=["a private mailbox"])


class Why(Body):
    """Why, for whoever looks."""

    why: Annotated[Text, Field(max_length=200)] = Field("", examples=["their certificate has run out"])


class Pause(BaseModel):
    """Something that is paused."""

    kind: Literal["everything", "channel", "provider", "target"]
    what: str = Field(description="Of a target: its campaign and its id.")
    since: Moment
    who: str
    why: str | None


@router.get("/proposals", operation_id="list_proposals", responses=ALWAYS)
def list_proposals(_by: Operator) -> list[Proposed]:
    """Addresses of targets that nobody has approved, the oldest first. Letters to them wait."""
    return [_shown(p) for p in proposals.waiting()]


@router.post("/proposals/{address}/approve", operation_id="approve_address", responses=WRITES, dependencies=[Depends(declared)])
def approve_address(by: Operator, address: AddressId) -> Decided:
    """Let letters go there; those that wait go on."""
    return Decided(value=proposals.approve(address, now=by.now, who=by.who), state="ok")


@router.post("/proposals/{address}/refuse", operation_id="refuse_address", responses=WRITES, dependencies=[Depends(declared)])
def refuse_address(by: Operator, address: AddressId, body: Refusal) -> Decided:
    """Block it; what waits there goes to the target's next address, or ends."""
    return Decided(value=proposals.refuse(address, body.why, now=by.now, who=by.who), state="blocked")


@router.get("/pauses", operation_id="list_pauses", responses=ALWAYS)
def list_pauses(_by: Operator) -> list[Pause]:
    """All that is paused beside whole campaigns, the oldest first."""
    return [Pause.model_validate({"kind": p.kind, "what": p.what, "since": p.at.isoformat(), "who": p.who, "why": p.why or None})
            for p in pauses.listed()]


@router.put("/pauses/{what}", operation_id="pause_service", status_code=204, responses=WRITES, dependencies=[Depends(declared)])
def pause_service(by: Operator, what: What, body: Why) -> Response:
    """Hand nothing over any more on a channel, by a provider, or at all. What waits keeps its place."""
    pauses.pause(what, now=by.now, why=body.why, who=by.who)
    return Response(status_code=204)


@router.delete("/pauses/{what}", operation_id="resume_service", status_code=204, responses=WRITES, dependencies=[Depends(declared)])
def resume_service(by: Operator, what: What) -> Response:
    """Go on."""
    pauses.resume(what, now=by.now, who=by.who)
    return Response(status_code=204)


@router.get("/alerts", operation_id="list_service_alerts", responses=ALWAYS)
def list_service_alerts(_by: Operator) -> list[people.Alert]:
    """What is the matter with the service, then what was; the newest first."""
    return [people.shown(a) for a in alerts.of_campaign(None)]


def _shown(p: Proposal) -> Proposed:
    return Proposed.model_validate({
        "id": p.id, "channel": p.channel, "value": p.value, "why": p.why, "since": p.at.isoformat() if p.at else None,
        "flags": [f.value for f in p.flags], "letters": p.waiting, "uses": [
            Use(campaign=u.slug, target=u.target, role=u.role, kind=u.kind, source_url=u.source_url) for u in p.uses]})
