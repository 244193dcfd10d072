"""Letters: which there are, what became of one, and what an organizer can do about it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.letters import Reason, State
from outreach.errors import Conflict
from outreach.services import inquiries, levers, line, listings, retries
from outreach.web.api.caller import ID, KEY
from outreach.web.api.paging import LINK, Limit, Page, linked
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Instant, Moment, Read, Steer, Text, instant

router = APIRouter(route_class=Guarded, tags=["letters"])
LetterId = Annotated[str, Path(pattern=ID, description="The letter's id.", examples=["01kavm6h2e5w8r3c9q7z4x1t0b"])]


class Letter(BaseModel):
    """One message to one target over one channel."""

    id: str
    submission: str = Field(description="The id of the form that it came of.")
    target: str = Field(description="Its id in the campaign file.")
    channel: Literal["email", "fax"]
    address: str
    state: State
    reason: str | None = Field(description="Why it is where it is.")
    provider_ref: str | None
    created_at: Moment
    state_at: Moment
    sent_at: Moment | None
    delivered_at: Moment | None


class Event(BaseModel):
    """A change of state."""

    at: Moment
    before: State | None
    after: State
    why: str
    attempt: str | None


class Attempt(BaseModel):
    """One try to hand it to a provider."""

    id: str
    transport: str
    verdict: str
    reason: str | None
    detail: str | None = Field(description="What the provider said, shortened.")
    provider_ref: str | None
    pages: int | None
    started_at: Moment
    ended_at: Moment | None
    inquiry: str | None = Field(description="What asking the provider brought, while its outcome is unknown.")


class Receipt(BaseModel):
    """One thing that a provider said."""

    attempt: str | None
    provider: str
    verdict: str | None
    reason: str | None
    detail: str | None
    pages: int | None
    at: Moment
    received_at: Moment


class WholeLetter(Letter):
    """A letter with its life."""

    events: list[Event]
    attempts: list[Attempt]
    receipts: list[Receipt]


class Resolution(Body):
    """What became of it."""

    outcome: Literal["sent", "resend"] = Field(description="sent: it arrived, or is on its way. resend: send it again, even if it may "
                                                           "arrive twice.")


class ManyResolved(Resolution):
    """What became of all of them."""

    until: Instant | None = Field(None, description="Only those that were of unknown outcome then: what you have seen. Now, unless given.")


class Resolved(BaseModel):
    """What became of unknown letters."""

    letters: int = Field(description="How many were resolved.")
    left: int = Field(description="How many were left: their outcome is known by now, or they may not go again.")
    more: bool = Field(description="Some have not been looked at yet: call again.")


class Cancellation(Body):
    """Why, and of which letters."""

    why: Annotated[Text, Field(min_length=1, max_length=line.LONGEST)] = Field(description="It stands in the audit log.",
                                                                               examples=["Sent to the wrong office."])


class ManyCancelled(Cancellation):
    """Which waiting letters."""

    target: Annotated[str, Field(max_length=80, pattern=KEY)] | None = Field(None, description="Only those to this target.")


class Placing(Body):
    """Where to."""

    where: Literal["front", "back", "own"] = Field(description="own: where it came from.")


class Cancelled(BaseModel):
    """What was cancelled."""

    letters: int
    more: bool = Field(description="Some are left: call again.")


class Again(Body):
    """Which failed letters."""

    reason: Literal[*Reason] | None = Field(None, description="Only those that failed for this reason.",  # type: ignore[valid-type]
                                            examples=["busy"])


class Retried(BaseModel):
    """What became of failed letters."""

    queued: int = Field(description="How many wait again.")
    left: int = Field(description="How many were left: taken back, erased, or another has their place.")
    more: bool = Field(description="Some have not been looked at yet: call again.")


@router.get("/campaigns/{slug}/letters", operation_id="list_letters", responses={**ALWAYS, 200: {"headers": LINK}})
def list_letters(*, request: Request, response: Response, at: Read, limit: Limit = 100,
                 after: Annotated[str | None, Query(pattern=ID, description="The cursor of the page before.")] = None,
                 state: Annotated[State | None, Query()] = None, reason: Annotated[Reason | None, Query()] = None,
                 channel: Annotated[Literal["email", "fax"] | None, Query()] = None,
                 target: Annotated[str | None, Query(max_length=80, pattern=KEY, description="A target's id.")] = None) -> Page[Letter]:
    """The campaign's letters, the oldest first."""
    rows, following = listings.letters(at.campaign.id, after or "", limit, state=state and state.value, reason=reason and reason.value,
                                       channel=channel, target=target)
    return Page(items=[Letter.model_validate(r) for r in rows], next=linked(request, response, following))


@router.get("/campaigns/{slug}/letters/{letter}", operation_id="get_letter", responses=ALWAYS)
def get_letter(at: Read, letter: LetterId) -> WholeLetter:
    """One letter with its events, attempts and receipts."""
    return WholeLetter.model_validate(listings.letter(at.campaign.id, letter))


@router.post("/campaigns/{slug}/letters/{letter}/resolve", operation_id="resolve_letter", responses=WRITES,
             dependencies=[Depends(declared)])
def resolve_letter(at: Steer, letter: LetterId, body: Resolution) -> Letter:
    """Say what became of a letter of which nobody could find out."""
    listings.letter(at.campaign.id, letter)  # one of this campaign's
    inquiries.resolve(letter, body.outcome, who=at.who, now=at.now)
    return Letter.model_validate(listings.letter(at.campaign.id, letter))


@router.post("/campaigns/{slug}/letters/{letter}/cancel", operation_id="cancel_letter", responses=WRITES, dependencies=[Depends(declared)])
def cancel_letter(at: Steer, letter: LetterId, body: Cancellation) -> Letter:
    """Cancel one letter that waits. This cannot be undone."""
    line.cancel_one(at.slug, letter, why=body.why, now=at.now, who=at.who)
    return Letter.model_validate(listings.letter(at.campaign.id, letter))


@router.post("/campaigns/{slug}/letters/{letter}/retry", operation_id="retry_letter", responses=WRITES, dependencies=[Depends(declared)])
def retry_letter(at: Steer, letter: LetterId) -> Letter:
    """Queue one failed letter again, with all its tries before it."""
    before = listings.letter(at.campaign.id, letter)
    if not retries.retry(at.slug, letter_id=letter, who=at.who, now=at.now).queued:
        raise Conflict(f"letter {letter} is {before['state']}, or another has its place: only what has failed is tried again")
    return Letter.model_validate(listings.letter(at.campaign.id, letter))


@router.post("/campaigns/{slug}/letters/{letter}/place", operation_id="place_letter", responses=WRITES, dependencies=[Depends(declared)])
def place_letter(at: Steer, letter: LetterId, body: Placing) -> Letter:
    """Give one letter that waits another place in its campaign's line."""
    line.place(at.slug, letter, body.where, now=at.now, who=at.who)
    return Letter.model_validate(listings.letter(at.campaign.id, letter))


@router.post("/campaigns/{slug}/cancel", operation_id="cancel_waiting", responses=WRITES, dependencies=[Depends(declared)])
def cancel_waiting(at: Steer, body: ManyCancelled) -> Cancelled:
    """Cancel what waits in the campaign, or of it what is for one target. This cannot be undone."""
    done = line.cancel(at.slug, target=body.target or "", why=body.why, now=at.now, who=at.who)
    return Cancelled(letters=done.letters, more=done.more)


@router.post("/campaigns/{slug}/resolve", operation_id="resolve_unknown", responses=WRITES, dependencies=[Depends(declared)])
def resolve_unknown(at: Steer, body: ManyResolved) -> Resolved:
    """Say alike of all letters of unknown outcome what became of them."""
    until = min(instant(body.until), at.now) if body.until else at.now
    done, left, more = levers.resolve_all(at.campaign, body.outcome, until=until, now=at.now, who=at.who)
    return Resolved(letters=done, left=left, more=more)


@router.post("/campaigns/{slug}/retry", operation_id="retry_failed", responses=WRITES, dependencies=[Depends(declared)], tags=["letters"])
def retry_failed(at: Steer, body: Again) -> Retried:
    """Queue the campaign's failed letters again, with all their tries before them."""
    done = retries.retry(at.slug, Reason(body.reason) if body.reason else None, who=at.who, now=at.now)
    return Retried(queued=done.queued, left=done.left, more=done.more)
