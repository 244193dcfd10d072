"""The acceptable-use text, and the button that accepts it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from outreach.services import terms
from outreach.settings import get_settings
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first


@room("/o/terms", None)
def text(request: Request, at: Place) -> Response:
    """GET: the text in force, and whether one has accepted it."""
    return _page(at, request.query_params.get("next", ""), "")


@room("/o/terms", None, method="POST")
def accept(request: Request, at: Place) -> Response:
    """POST: accept it, and go on to where one came from."""
    onward = first(at.form, "next")
    if first(at.form, "accept") != "yes":
        return _page(at, onward, "Tick the box to accept, or leave the page if you do not.")
    if not terms.accept(at.visitor.id, first(at.form, "version"), now=at.now, who=at.who):
        return _page(at, onward, "The text has changed since you opened the page; read it again.")
    return back(at, _own(onward) or "/o/", "Accepted.")


def _page(at: Place, onward: str, wrong: str) -> Response:
    settings = get_settings()
    return see("organizer/terms.html", at, status=422 if wrong else 200, accepted=terms.accepted(at.visitor), version=terms.VERSION,
               onward=_own(onward), wrong=wrong, kinds=settings.allowed_kinds, contact=settings.operator_contact)


def _own(path: str) -> str:
    """A path of the desk, or nothing: nobody is sent elsewhere."""
    return path if path.startswith("/o/") and "\\" not in path and "\n" not in path and "\r" not in path else ""
