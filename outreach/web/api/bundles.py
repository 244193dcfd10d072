"""What would miss the deadline, as one hand-over."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from outreach.services import bundling
from outreach.services.bundling import Plan
from outreach.web.api.caller import KEY
from outreach.web.api.figures import Lane
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Steer

router = APIRouter(route_class=Guarded, tags=["letters"])
Whose = Annotated[str, Query(max_length=80, pattern=KEY, description="Only this target's, by its id.")]


class Bundle(BaseModel):
    """Letters that would go, or go, together at one address."""

    lane: Lane
    letters: int = Field(description="How many. Their writers have agreed to go in a bundle.")
    joins: bool = Field(description="They join a bundle that waits there already.")
    unasked: int = Field(description="How many more are late, whose writers have not agreed.")
    why_not: str | None = Field(description="Why there is nothing to send together; null where there is.")


class Bind(Body):
    """Which."""

    target: Annotated[str, Field(max_length=80, pattern=KEY)] | None = Field(None, description="Only this target's, by its id.")


class Freed(BaseModel):
    """What was taken apart."""

    letters: int = Field(description="How many go one by one again.")


@router.get("/campaigns/{slug}/bundle", operation_id="get_bundles", responses=ALWAYS)
def get_bundles(at: Steer, target: Whose | None = None) -> list[Bundle]:
    """For each address at which letters would miss the deadline: what could go together. Nothing is done."""
    return _shown(bundling.plans(at.slug, target=target or "", now=at.now))


@router.post("/campaigns/{slug}/bundle", operation_id="send_bundles", responses=WRITES, dependencies=[Depends(declared)])
def send_bundles(at: Steer, body: Bind) -> list[Bundle]:
    """Bind them: each is the next hand-over at its address. Until then it can be taken apart."""
    return _shown(bundling.send(at.slug, target=body.target or "", now=at.now, who=at.who))


@router.delete("/campaigns/{slug}/bundle", operation_id="undo_bundles", responses=WRITES, dependencies=[Depends(declared)])
def undo_bundles(at: Steer, target: Whose | None = None) -> Freed:
    """Take apart what has not been handed over yet."""
    return Freed(letters=bundling.undo(at.slug, target=target or "", now=at.now, who=at.who))


def _shown(plans: list[Plan]) -> list[Bundle]:
    return [Bundle(lane=Lane.model_validate(p.lane.as_json()), letters=p.letters, joins=bool(p.joins), unasked=p.unasked,
                   why_not=p.why_not or None) for p in plans]
