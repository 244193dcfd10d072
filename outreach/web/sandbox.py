"""The sandbox's outbox: what would have left, as mails and pictures of pages.

In the demo anybody may look, at /sandbox; elsewhere, where a sandbox transport is on, only the operator, signed in to the desk, at
/o/sandbox, since the desk's cookie is sent nowhere else. Mails in it hold confirmation codes.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import utcnow
from outreach.errors import NotFound
from outreach.locale import interface_language
from outreach.sandbox import store
from outreach.services import access
from outreach.settings import get_settings
from outreach.web.desk.guard import COOKIE
from outreach.web.pages import PRIVATE, page, wanted_language
from outreach.web.status_words import when

router = APIRouter()
_OURS = re.compile(r"https?://[^\s<>\"]+")


def check_may_look(request: Request) -> None:
    """Raises NotFound for whoever may not look, and where nothing goes to the sandbox."""
    s = get_settings()
    if s.demo:
        return
    visitor = access.visitor_of(request.cookies.get(COOKIE), now=utcnow())
    if "sandbox" not in (s.email_transport, s.fax_transport) or visitor is None or not visitor.operator:
        raise NotFound("there is no such page")


def linked(text: str) -> Markup:
    """Plain text, with addresses of our own service as links."""
    origin = get_settings().public_url + "/"
    out, last = Markup(""), 0
    for found in _OURS.finditer(text):
        url = found[0].rstrip(").,;")
        out += escape(text[last:found.start()])
        out += Markup('<a href="{0}">{0}</a>').format(url) if url.startswith(origin) else escape(url)
        last = found.start() + len(url)
    return out + escape(text[last:])


def outbox(request: Request) -> Response:
    """GET /sandbox, GET /o/sandbox."""
    check_may_look(request)
    language, now = interface_language(wanted_language(request)), utcnow()
    kept: list[dict[str, Any]] = [{"k": k, "at": when(k.at, now, language, "UTC"), "text": linked(k.text)}
                                  for k in store.outbox(get_settings())]
    return page("organizer/sandbox.html", language, headers=PRIVATE, kept=kept)


def fax_page(request: Request) -> Response:
    """GET /sandbox/fax/{id}/{n}.png, GET /o/sandbox/fax/{id}/{n}.png."""
    check_may_look(request)
    number = str(request.path_params["n"])
    pages = store.fax_pages(get_settings(), str(request.path_params["id"]))
    if not (number.isascii() and number.isdigit() and len(number) < 5 and 1 <= int(number) <= len(pages)):
        raise NotFound("there is no such page")
    return Response(pages[int(number) - 1], 200, {"cache-control": "private, max-age=3600"}, "image/png")


for base in ("", "/o"):
    router.add_route(base + "/sandbox", outbox, ["GET"])
    router.add_route(base + "/sandbox/fax/{id}/{n}.png", fax_page, ["GET"])
