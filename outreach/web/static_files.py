"""Our own few static files, from memory, to be kept for ever under their content's hash; and the stylesheet of each accent."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from outreach.web.look import accent_css
from outreach.web.pages import STATIC

router = APIRouter()
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png"}
KEPT = {"cache-control": "public, max-age=31536000, immutable"}
_ACCENT_LENGTH = 6


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[bytes, str]]:
    return {p.name: (p.read_bytes(), KINDS[p.suffix]) for p in STATIC.iterdir() if p.suffix in KINDS}


async def static(request: Request) -> Response:
    """GET /static/{name}."""
    found = _files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return Response(found[0], 200, KEPT, found[1])


async def accent(request: Request) -> Response:
    """GET /accent/{rrggbb}.css: a campaign's colour with its contrast seen to."""
    colour = str(request.path_params["colour"])
    if len(colour) != _ACCENT_LENGTH or not all(c in "0123456789abcdef" for c in colour):
        raise HTTPException(404)
    return Response(accent_css(f"#{colour}"), 200, KEPT, "text/css")


router.add_route("/static/{name}", static, ["GET"])
router.add_route("/accent/{colour}.css", accent, ["GET"])
