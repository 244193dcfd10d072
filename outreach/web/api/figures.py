"""Figures and forecast: what `outreach stats --json` prints."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from outreach.services import forecast, stats
from outreach.web.api.route import Guarded
from outreach.web.api.shapes import ALWAYS, Moment, See

router = APIRouter(route_class=Guarded, tags=["figures"])
States = Annotated[dict[str, int], Field(description="How many letters are in which state.", examples=[{"queued": 340, "delivered": 1204}])]


class TargetFigures(BaseModel):
    """Letters to one target over one channel."""

    target: str = Field(description="Its id in the campaign file.")
    name: str
    channel: Literal["email", "fax"]
    letters: States


class Lane(BaseModel):
    """One address, as the campaign's letters find it."""

    target: str
    name: str
    channel: Literal["email", "fax"]
    address: str
    waiting: int = Field(description="Hand-overs that wait.")
    pace: str = Field(description="The limits in force.", examples=["10/hour"])
    empty_at: Moment | None = Field(description="When the last of them starts; null if not before a limit, or the state, is changed.")
    misses: int = Field(description="How many miss the deadline.")
    deadline: Moment | None
    needed: str | None = Field(description="The limit that would bring all through; null when none is needed, or none can.")
    why: Literal["", *forecast.WHY] = Field(description="Why none can, or why nothing goes.")  # type: ignore[valid-type]
    as_of: Moment | None = Field(description="When empty_at, misses and needed were foretold; null where nothing is.")


class Statistics(BaseModel):
    """A campaign's figures at one moment."""

    campaign: str
    submissions: int
    refused: dict[str, int] = Field(description="Forms that were turned away, by reason.")
    letters: States
    targets: list[TargetFigures]
    forecast: list[Lane]


@router.get("/campaigns/{slug}/statistics", operation_id="get_statistics", responses=ALWAYS)
def get_statistics(at: See) -> Statistics:
    """Submissions, refusals, letters by state, target and channel, and the forecast of each lane."""
    return Statistics.model_validate(stats.stats(at.slug, now=at.now))


@router.get("/campaigns/{slug}/forecast", operation_id="get_forecast", responses=ALWAYS)
def get_forecast(at: See) -> list[Lane]:
    """For each address at which letters wait: when it is empty, what misses the deadline, and what limit would do."""
    return [Lane.model_validate(lane.as_json()) for lane in forecast.of_campaign(at.slug, now=at.now)]
