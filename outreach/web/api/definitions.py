"""A campaign's definition: its file, read and written whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.services import definitions
from outreach.services.changes import Waiting
from outreach.services.definitions import Outdated
from outreach.web.api.caller import Caller, caller
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Edit, problem

router = APIRouter(route_class=Guarded, tags=["campaigns"])
MEDIA_TYPE = "application/toml"
_ETAG = {"ETag": {"description": "The version's mark.", "schema": {"type": "string"}}}
_FILE = {"schema": {"type": "string"}, "example": 'slug = "night-bus"\ntitle = "Keep the night bus"\n…'}


class Imported(BaseModel):
    """What was stored, or would be."""

    version: int
    stored: bool = Field(description="False for a dry run, and where nothing has changed.")
    changes: list[str] = Field(description="In words.", examples=[["deadline changed"]])
    warnings: list[str] = Field(description="What may be meant so, but seldom is.")
    letters: list[str] = Field(description="What becomes of letters that wait, and of how many.")
    proposed: list[str] = Field(description="Addresses that the operator has to approve before letters go there.")


class Created(BaseModel):
    """A campaign that was just made."""

    slug: str
    warnings: list[str] = Field(description="What may be meant so, but seldom is.")
    proposed: list[str] = Field(description="Addresses that the operator has to approve before letters go there.")


def _tags(header: str | None) -> list[str]:
    return [t.strip().removeprefix("W/").strip('"') for t in (header or "").split(",") if t.strip()]


@router.get("/campaigns/{slug}/definition", operation_id="get_definition", response_class=Response, responses={
    **ALWAYS, 200: {"description": "The campaign's file (docs/campaign-file.md).", "headers": _ETAG, "content": {MEDIA_TYPE: _FILE}},
    304: {"description": "It is as you have it."}})
def get_definition(at: Edit, if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=500)] = None) -> Response:
    """The campaign as a file. What is read here can be written back, and changes nothing then."""
    text, mark = definitions.read(at.slug)
    headers = {"etag": f'"{mark}"', "cache-control": "private, no-cache"}
    tags = _tags(if_none_match)
    if mark in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(text, 200, headers, f"{MEDIA_TYPE}")


async def _text(request: Request) -> str:
    """The body as text."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MEDIA_TYPE, "text/plain", "text/toml", "application/octet-stream"):
        raise HTTPException(415)
    try:
        return (await request.body()).decode("utf-8")
    except UnicodeDecodeError as e:
        raise Failed(400, "malformed", "A campaign file is UTF-8.") from e


@router.post("/campaigns", operation_id="create_campaign", status_code=201, dependencies=[Depends(declared)], responses={
    **WRITES, 415: problem("That is no TOML.")},
    openapi_extra={"requestBody": {"required": True, "content": {MEDIA_TYPE: _FILE}}})
async def create_campaign(by: Annotated[Caller, Depends(caller)], text: Annotated[str, Depends(_text)]) -> Created:
    """Make a campaign of a file: a draft, owned by the token's owner. Needs a token for all campaigns, with the scope edit."""
    if by.campaign_id is not None or Right.EDIT not in by.scopes:
        raise Failed(403, "missing-right", "This needs a token for all of its owner's campaigns, with the scope edit.")
    done = await run_in_threadpool(lambda: definitions.create(text, by.visitor, now=by.now, who=by.who))
    return Created(slug=done.result.slug, warnings=list(done.warnings), proposed=list(done.proposed))


@router.put("/campaigns/{slug}/definition", operation_id="put_definition", dependencies=[Depends(declared)], responses={
    **WRITES, 200: {"headers": _ETAG}, 412: problem("It has changed since it was read."), 415: problem("That is no TOML."),
    428: problem("If-Match is missing.")},
    openapi_extra={"requestBody": {"required": True, "content": {MEDIA_TYPE: _FILE}}})
async def put_definition(
        *, at: Edit, response: Response, text: Annotated[str, Depends(_text)],
        if_match: Annotated[str | None, Header(alias="If-Match", max_length=500, description="The ETag of the version that you changed; "
                                               "`*` writes over whatever is there.")] = None,
        waiting: Annotated[Waiting, Query(description="What becomes of letters that wait where text, deadline or addresses change: send as "
                                                      "written, ask their writers again, or cancel.")] = Waiting.SEND,
        dry_run: Annotated[bool, Query(description="Say what would happen, and store nothing.")] = False) -> Imported:
    """Store a new version of the campaign, in force at once."""
    if if_match is None:
        raise Failed(428, "precondition-required", "Send If-Match with the ETag of the version that you changed.")
    tags = _tags(if_match)
    try:
        done = await run_in_threadpool(lambda: definitions.write(
            at.slug, text, expected=lambda mark: mark in tags or "*" in tags, now=at.now, who=at.who, waiting=waiting,
            approved=at.caller.visitor.operator, dry_run=dry_run))
    except Outdated as e:
        raise Failed(412, "outdated", str(e)) from e
    if not dry_run:
        response.headers["etag"] = f'"{(await run_in_threadpool(definitions.read, at.slug))[1]}"'
    result = done.result
    return Imported(version=result.version, stored=result.changed and not dry_run, changes=list(result.changes),
                    warnings=list(done.warnings), letters=list(result.letters), proposed=list(done.proposed))
