"""Errors as problem details (RFC 9457): one shape for whatever goes wrong. Nothing that somebody sent is repeated in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from outreach import logs
from outreach.errors import CampaignFileInvalid, Conflict, Forged, FormInvalid, Malformed, NotAllowed, NotFound, OutreachError
from outreach.services import forms
from outreach.services.once import InFlight, OtherRequest
from outreach.services.throttle import TooMany

log = logs.get()
MEDIA_TYPE = "application/problem+json"
DATABASE_AWAY = 60
"""Seconds after which trying again is worth while."""


class Mistake(BaseModel):
    """One thing to mend."""

    where: str = Field(description="The field, or the campaign file's key; empty for the whole request.", examples=["body.limits.fax"])
    line: int | None = Field(None, description="Of the campaign file.")
    message: str = Field(examples=["Fill this in, please."])


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(description="A name that stays the same: urn:outreach:problem:…", examples=["urn:outreach:problem:conflict"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["night-bus is draft; pause is for a campaign that is live"])
    errors: list[Mistake] = Field(default_factory=list, description="All that is to be mended, where fields are at fault.")


class Unauthorized(Exception):
    """No token came, or one that opens nothing (any more)."""


class Failed(Exception):
    """A problem of the API's own."""

    def __init__(self, status: int, name: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail = status, name, detail


STATUS: dict[type[OutreachError], tuple[int, str]] = {
    InFlight: (409, "in-flight"), OtherRequest: (422, "idempotency-key-reused"), TooMany: (429, "too-many"),
    NotFound: (404, "not-found"), Conflict: (409, "conflict"), NotAllowed: (403, "not-allowed"), Forged: (401, "unauthorized"),
    Malformed: (400, "malformed")}
_NAMES = {400: "malformed", 401: "unauthorized", 403: "not-allowed", 404: "not-found", 405: "method-not-allowed", 409: "conflict",
          413: "too-large", 415: "unsupported-media-type", 422: "invalid", 503: "not-ready"}
_WORDS = {400: "The request cannot be read.", 404: "There is nothing here.", 405: "This address does not take that method.",
          413: "A request may have one megabyte.", 415: "Send the body as the media type that the description names."}
KNOWN = (OutreachError, HTTPException, RequestValidationError, OperationalError, ClientDisconnect, Unauthorized, Failed)
"""What `answer` makes a problem of; everything else is a defect of ours."""


def respond(status: int, name: str, detail: str, *, errors: Iterable[Mistake] = (), headers: Mapping[str, str] | None = None) -> Response:
    """A problem as an answer."""
    found = Problem(type=f"urn:outreach:problem:{name}", title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return JSONResponse(found.model_dump(), status, {"cache-control": "no-store", **(headers or {})}, MEDIA_TYPE)


def answer(error: Exception) -> Response:
    """One of `KNOWN` as an answer."""
    if isinstance(error, Unauthorized):
        return respond(401, "unauthorized", "Send a token that is still good: Authorization: Bearer or_…",
                       headers={"www-authenticate": 'Bearer realm="outreach"'})
    if isinstance(error, Failed):
        return respond(error.status, error.name, error.detail)
    if isinstance(error, RequestValidationError):
        return respond(422, "invalid", "Some of it is missing or wrong; `errors` says what.", errors=[_mistake(e) for e in error.errors()])
    if isinstance(error, HTTPException):
        status = error.status_code
        return respond(status, _NAMES.get(status, "refused"), _WORDS.get(status, HTTPStatus(status).phrase), headers=error.headers)
    if isinstance(error, ClientDisconnect):
        return respond(400, "malformed", "The connection ended before the request did.")
    if isinstance(error, OperationalError):
        return respond(503, "not-ready", "The database is away; nothing was done.", headers={"retry-after": str(DATABASE_AWAY)})
    return _ours(error)


def _ours(error: Exception) -> Response:
    if isinstance(error, CampaignFileInvalid):
        return respond(422, "campaign-file", "The campaign file has mistakes.",
                       errors=[Mistake(where=m.key, line=m.line, message=m.message) for m in error.mistakes])
    if isinstance(error, FormInvalid):
        if forms.THROTTLED in error.errors.values():
            return respond(429, "too-many", forms.THROTTLED, headers={"retry-after": str(TooMany.retry_after)})
        return respond(422, "form", "The letter cannot be taken so; `errors` says why.",
                       errors=[Mistake(where=f"body.{k}" if k else "", line=None, message=v) for k, v in error.errors.items()])
    status, name = next((known for kind, known in STATUS.items() if isinstance(error, kind)), (400, "refused"))
    headers = {"retry-after": str(TooMany.retry_after)} if status == 429 else None
    return respond(status, name, str(error), headers=headers)


def _mistake(found: Mapping[str, Any]) -> Mistake:
    """Where and what, without the value that was sent."""
    return Mistake(where=".".join(str(x) for x in found.get("loc", ()))[:200], line=None, message=str(found.get("msg", ""))[:300])


async def handle(_request: Request, error: Exception) -> Response:
    """For errors outside a route: unknown addresses, methods, and what a route lets pass."""
    return answer(error)


async def defect(request: Request, error: Exception) -> Response:
    """Ours to mend."""
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    return respond(500, "defect", "Something broke here. Nothing is half done: send it again with the same Idempotency-Key.")
