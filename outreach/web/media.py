"""The fax pages that a provider fetches: a signed, short-lived address; streamed, never redirected."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import utcnow
from outreach.errors import Forged, NotFound
from outreach.services import media

router = APIRouter()
KINDS = frozenset({"tiff", "pdf"})


def fetch(request: Request) -> Response:
    """GET /media/{attempt}.{ext}?e=&s=; 404 for everything that is not exactly as we signed it."""
    attempt, _, kind = str(request.path_params["name"]).rpartition(".")
    expires, signature = request.query_params.get("e", "")[:12], request.query_params.get("s", "")[:60]
    plain = all(x.isascii() and x.isalnum() for x in (attempt, expires)) and signature.isascii()
    if kind not in KINDS or not plain:
        return _gone()
    try:
        content, content_type = media.fetch(attempt, expires, signature, utcnow(), kind=kind)
    except (Forged, NotFound):
        return _gone()
    return Response(content, 200, {"cache-control": "no-store", "x-robots-tag": "noindex"}, content_type)


def _gone() -> Response:
    return Response("Not found.\n", 404, {"cache-control": "no-store"}, "text/plain")


router.add_route("/media/{name}", fetch, ["GET"])
