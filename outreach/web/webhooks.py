"""Receipts as providers post them: verified, understood, handed to the service. What is forged or rubbish changes nothing."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from outreach.db import utcnow
from outreach.errors import Forged, Malformed, NotFound
from outreach.logs import get
from outreach.services import receipts
from outreach.settings import get_settings
from outreach.transports.base import SignedRequest
from outreach.transports.registry import parse_webhook

router = APIRouter()
log = get()


def signed_request(request: Request, body: bytes) -> SignedRequest:
    """The request as its sender signed it: the public URL it was posted to, not the one behind a proxy."""
    query = request.url.query
    url = get_settings().public_url + request.url.path + (f"?{query}" if query else "")
    return SignedRequest(url, {name.lower(): value for name, value in request.headers.items()}, body, dict(request.query_params))


def _take(provider: str, signed: SignedRequest) -> Response:
    try:
        words = parse_webhook(provider, signed, get_settings(), utcnow())
    except NotFound:
        return Response("There is no such provider here.\n", 404, media_type="text/plain")
    except Forged:
        log.warning("webhook.forged", provider=provider[:20])
        return Response("The signature is not right.\n", 401, media_type="text/plain")
    except Malformed:
        log.warning("webhook.malformed", provider=provider[:20])
        return Response("This cannot be read.\n", 400, media_type="text/plain")
    receipts.take(words)
    return Response(status_code=204)


async def hook(request: Request) -> Response:
    """POST /hooks/{provider}: 204 taken, 400 malformed, 401 forged, 404 no such provider, 413 too long."""
    try:
        body = await request.body()
    except ClientDisconnect:
        return Response(status_code=400)
    return await run_in_threadpool(_take, str(request.path_params["provider"]), signed_request(request, body))


router.add_route("/hooks/{provider}", hook, ["POST"])
