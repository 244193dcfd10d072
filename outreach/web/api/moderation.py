"""Moderation: what is held, and the decision about it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.moderation import Why
from outreach.services import listings, moderation
from outreach.web.api.caller import ID, Place
from outreach.web.api.paging import LINK, Limit, Page, cut, linked
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Instant, Moderate, Moment, Text, instant

router = APIRouter(route_class=Guarded, tags=["moderation"])
SubmissionId = Annotated[str, Path(pattern=ID, description="The submission's id.", examples=["01kavm6h2e5w8r3c9q7z4x1t0b"])]


class Held(BaseModel):
    """A submission that waits for a moderator."""

    submission: str
    reasons: list[str] = Field(description="The rules that held it.")
    created_at: Moment
    name: str
    city: str
    affiliation: str
    language: str
    subject: str | None = Field(description="Their own; null where the campaign's text was left as it is.")
    body: str | None


class Decision(BaseModel):
    """What became of it."""

    submission: str
    state: Literal["free", "waiting", "approved", "rejected"]
    decided_at: Moment | None
    note: str | None = Field(description="Why it was rejected, in words for its writer.")


class Together(Body):
    """Which, by one of two marks."""

    only: Literal[*Why] | None = Field(None, description="What only this rule held.",  # type: ignore[valid-type]
                                       examples=["changed"])
    like: Annotated[str, Field(pattern=ID)] | None = Field(None, description="What has the same text as this submission.")
    until: Instant | None = Field(None, description="Only what waited then: what you have seen. Now, unless given.")


class Approved(BaseModel):
    """What was approved."""

    submissions: int = Field(description="How many. They can be taken back one by one for ten minutes.")


class Rejection(Body):
    """Why."""

    note: Annotated[Text, Field(min_length=1, max_length=moderation.LONGEST)] = Field(
        description="In words for its writer, whose page shows it.", examples=["Please leave out the telephone number."])


@router.get("/campaigns/{slug}/moderation", operation_id="list_held", responses={**ALWAYS, 200: {"headers": LINK}})
def list_held(request: Request, response: Response, at: Moderate, limit: Limit = 100,
              after: Annotated[str | None, Query(pattern=ID, description="The cursor of the page before.")] = None) -> Page[Held]:
    """Submissions whose letters are held, the oldest first."""
    rows, following = cut(listings.reviews(at.campaign.id, after or "", limit + 1), limit, lambda row: str(row["submission"]))
    return Page(items=[Held.model_validate(r) for r in rows], next=linked(request, response, following))


@router.post("/campaigns/{slug}/moderation/approve", operation_id="approve_together", responses=WRITES, dependencies=[Depends(declared)])
def approve_together(at: Moderate, body: Together) -> Approved:
    """Let the letters go of all that one rule alone held, or that have one text. What somebody else decides meanwhile is left alone."""
    if (body.only is None) is (body.like is None):
        raise Failed(422, "invalid", "Give one of `only` and `like`.")
    until = min(instant(body.until), at.now) if body.until else at.now
    return Approved(submissions=moderation.approve_alike(at.slug, only=body.only or "", like=body.like or "", until=until, now=at.now,
                                                         who=at.who))


@router.get("/campaigns/{slug}/moderation/{submission}", operation_id="get_decision", responses=ALWAYS)
def get_decision(at: Moderate, submission: SubmissionId) -> Decision:
    """What was decided about a submission."""
    return _decided(at, submission)


@router.post("/campaigns/{slug}/moderation/{submission}/approve", operation_id="approve_held", responses=WRITES,
             dependencies=[Depends(declared)])
def approve_held(at: Moderate, submission: SubmissionId) -> Decision:
    """Let a submission's letters go."""
    moderation.approve(at.slug, submission, now=at.now, who=at.who)
    return _decided(at, submission)


@router.post("/campaigns/{slug}/moderation/{submission}/reject", operation_id="reject_held", responses=WRITES,
             dependencies=[Depends(declared)])
def reject_held(at: Moderate, submission: SubmissionId, body: Rejection) -> Decision:
    """Cancel a submission's letters; its writer is told why and may write again."""
    moderation.reject(at.slug, submission, body.note, now=at.now, who=at.who)
    return _decided(at, submission)


@router.post("/campaigns/{slug}/moderation/{submission}/undo", operation_id="undo_decision", responses=WRITES,
             dependencies=[Depends(declared)])
def undo_decision(at: Moderate, submission: SubmissionId) -> Decision:
    """Within ten minutes, and before a letter has been tried: it waits for a moderator again."""
    moderation.undo(at.slug, submission, now=at.now, who=at.who)
    return _decided(at, submission)


def _decided(at: Place, submission: str) -> Decision:
    return Decision.model_validate(listings.review(at.campaign.id, submission))
