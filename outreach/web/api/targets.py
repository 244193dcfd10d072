"""Targets: what each takes, and pauses of one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.errors import NotAllowed, NotFound
from outreach.services import amendments, listings, pauses
from outreach.web.api.caller import KEY, Place
from outreach.web.api.paging import LINK, Limit, Page, cut, linked
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, See, Steer, Text

router = APIRouter(route_class=Guarded, tags=["targets"])
Key = Annotated[str, Path(max_length=80, pattern=KEY, description="The target's id in the campaign file.", examples=["commissioner"])]

Limits = Annotated[Text, Field(max_length=200)]


class Address(BaseModel):
    """One place where a target is reached."""

    channel: Literal["email", "fax", "phone"]
    value: str = Field(examples=["+14165550133"])
    rank: int = Field(description="Order of preference within its channel, from 0.")
    limits: str = Field(description="The campaign's limit; empty where it sets none.", examples=["6/hour, 40/day"])
    state: Literal["ok", "proposed", "suspect", "blocked"] = Field(description="proposed: nothing goes there until the operator approves.")


class Target(BaseModel):
    """A person or office that decides."""

    id: str = Field(description="Its id in the campaign file.", examples=["commissioner"])
    name: str
    timezone: str
    hours: str = Field(description="Office hours as in the file; empty where it states none.")
    paused: bool
    addresses: list[Address]


class Pace(Body):
    """What to change; what is left out stays."""

    email: Limits | None = Field(None, description="Limit for e-mail; null takes it away.", examples=["20/hour, 200/day"])
    fax: Limits | None = Field(None, description="Limit for faxes; null takes it away.", examples=["10/hour"])
    hours: Limits = Field("", description="Office hours.", examples=["Mon-Fri 08:00-18:00"])


@router.get("/campaigns/{slug}/targets", operation_id="list_targets", responses={**ALWAYS, 200: {"headers": LINK}})
def list_targets(request: Request, response: Response, at: See, limit: Limit = 100,
                 after: Annotated[str, Query(pattern=r"^[0-9]{1,6}$", description="The cursor of the page before.")] = "0") -> Page[Target]:
    """The campaign's targets in the file's order, with addresses and limits."""
    begin = int(after)
    every = list(enumerate(_targets(at), 1))[begin:begin + limit + 1]
    rows, following = cut(every, limit, lambda pair: str(pair[0]))
    return Page(items=[t for _, t in rows], next=linked(request, response, following))


@router.patch("/campaigns/{slug}/targets/{target}", operation_id="set_pace", responses=WRITES, dependencies=[Depends(declared)])
def set_pace(at: Steer, target: Key, body: Pace) -> Target:
    """Change limits and office hours: a new version of the campaign, in force within seconds, also for letters that wait."""
    given = {name: getattr(body, name) or "" for name in body.model_fields_set}
    try:
        amendments.amend(at.slug, amendments.limits(target, **given), now=at.now, who=at.who)
    except NotAllowed as e:
        raise Failed(422, "invalid", str(e)) from e
    return _target(at, target)


@router.post("/campaigns/{slug}/targets/{target}/pause", operation_id="pause_target", responses=WRITES, dependencies=[Depends(declared)])
def pause_target(at: Steer, target: Key) -> Target:
    """Send nothing to this target; the campaign's page goes on taking letters to it."""
    pauses.pause_target(at.slug, target, now=at.now, who=at.who)
    return _target(at, target)


@router.post("/campaigns/{slug}/targets/{target}/resume", operation_id="resume_target", responses=WRITES, dependencies=[Depends(declared)])
def resume_target(at: Steer, target: Key) -> Target:
    """Go on sending to this target."""
    pauses.resume_target(at.slug, target, now=at.now, who=at.who)
    return _target(at, target)


def _targets(at: Place) -> list[Target]:
    return [Target.model_validate(t) for t in listings.targets(at.slug)]


def _target(at: Place, key: str) -> Target:
    found = next((t for t in _targets(at) if t.id == key), None)
    if found is None:
        raise NotFound(f"{at.slug} has no target {key!r}")
    return found
