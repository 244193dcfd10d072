"""The desk's door: no room opens but through it. It knows who comes, what campaign is meant, and what they may do there.

A room is registered with the right that it needs; whoever has no part in a campaign is told that there is no such page,
so that its existence is not told either. A test walks every registered room with every role.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outreach.db import utcnow
from outreach.domain.roles import ALL, RIGHTS, Right, Role
from outreach.errors import NotFound
from outreach.services import access, campaigns
from outreach.services.access import Visitor
from outreach.services.campaigns import CampaignRow
from outreach.web import flash
from outreach.web.desk.times import Times
from outreach.web.forms import Posted, read_form
from outreach.web.pages import PRIVATE, page, problem

COOKIE = "outreach_desk"
LANGUAGE = "en"
"""The desk speaks English only, so far (docs/operating.md)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visitor stands: who they are, in which campaign, with which rights."""

    visitor: Visitor
    campaign: CampaignRow | None
    rights: frozenset[Right]
    form: Posted
    now: datetime
    path: str
    """Of the page that is asked for."""
    said: tuple[str, bool] | None = None
    """What the last action has to say, and whether it is bad news."""

    @property
    def who(self) -> str:
        """How the audit log calls them."""
        return self.visitor.email

    @property
    def here(self) -> CampaignRow:
        """The campaign of a room that is one's own. Raises NotFound in rooms that are no campaign's."""
        if self.campaign is None:
            raise NotFound("this page belongs to no campaign")
        return self.campaign

    def may(self, right: Right) -> bool:
        """Whether they hold this right here."""
        return right in self.rights


Handler = Callable[[Request, Place], Response]


@dataclass(frozen=True, slots=True)
class Room:
    """A page of the desk or something that it does."""

    path: str
    method: str
    right: Right | None
    handler: Handler = field(repr=False)


ROOMS: list[Room] = []
"""Every room, in the order of its registration."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A room that a campaign's head leads to."""

    name: str
    path: str
    right: Right


TABS = (Tab("Live", "", Right.SEE), Tab("Levers", "levers", Right.STEER), Tab("Letters", "letters", Right.READ),
        Tab("Moderation", "moderation", Right.MODERATE), Tab("Edit", "edit", Right.EDIT), Tab("Money", "money", Right.SEE),
        Tab("Alerts", "alerts", Right.SEE), Tab("Exports", "exports", Right.EXPORT), Tab("People", "people", Right.MANAGE))


def room(path: str, right: Right | None, *, method: str = "GET") -> Callable[[Handler], Handler]:
    """Register a handler for `path`; one with `{slug}` is a campaign's. `right` None: whoever is signed in."""
    def register(handler: Handler) -> Handler:
        ROOMS.append(Room(path, method, right, handler))
        return handler

    return register


def endpoint(room: Room) -> Callable[[Request], Awaitable[Response]]:
    """The room as a route: its handler runs in a thread, and only for those who may."""
    async def answer(request: Request) -> Response:
        form = await read_form(request) if room.method == "POST" else {}
        return await run_in_threadpool(_enter, room, request, form)

    return answer


def _without_nul(request: Request) -> Request:
    """The request as rooms see it: what a question's NUL stands in is left out, as no database of ours takes one and nothing is
    named with one. Raises NotFound for a path with one."""
    if "\0" in request.scope["path"]:
        raise NotFound("there is no such page")
    asked = request.query_params.multi_items()
    if not any("\0" in value for _, value in asked):
        return request
    kept = urlencode([(name, value) for name, value in asked if "\0" not in value])
    return Request({**request.scope, "query_string": kept.encode()})


def _enter(room: Room, request: Request, form: Posted) -> Response:
    request = _without_nul(request)
    now = utcnow()
    visitor = access.visitor_of(request.cookies.get(COOKIE), now=now)
    if visitor is None:
        return _at_the_door(room, request)
    if visitor.unready and not room.path.startswith(("/o/welcome", "/o/logout")):
        return RedirectResponse("/o/welcome", 303, PRIVATE)
    campaign, rights = None, ALL if visitor.operator else frozenset()
    if "{slug}" in room.path:
        campaign, rights = place_of(visitor, str(request.path_params["slug"])[:80])
    if room.right is not None and room.right not in rights:
        if not rights:
            raise NotFound("there is no such page")
        return problem(request, 403, title="That is not yours to do here", text="Your role in this campaign does not include it. "
                       "An owner of the campaign can change your role on its People page.", headers=PRIVATE)
    said = flash.read(request)
    answer = room.handler(request, Place(visitor, campaign, rights, form, now, request.url.path, said))
    if said and answer.status_code == 200:
        flash.clear(answer)
    return answer


def place_of(visitor: Visitor, slug: str) -> tuple[CampaignRow, frozenset[Right]]:
    """The campaign, and what they may do in it. Raises NotFound if it is not there, or they have no part in it."""
    campaign = campaigns.get(slug)
    if visitor.operator:
        return campaign, ALL
    role = access.role_in(visitor.id, campaign.id)
    if role is None:
        raise NotFound(f"there is no campaign {slug!r}")
    return campaign, RIGHTS[Role(role)]


def _at_the_door(room: Room, request: Request) -> Response:
    if room.method != "GET":
        return page("organizer/signed_out.html", LANGUAGE, status=401, headers=PRIVATE, used=False)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/o/login" + ("" if asked == "/o/" else f"?next={quote(asked)}"), 303, PRIVATE)


def see(template: str, at: Place, *, status: int = 200, **values: Any) -> Response:
    """A page of the desk."""
    tabs = [t for t in TABS if at.may(t.right)] if at.campaign else []
    return page(template, LANGUAGE, status=status, headers=PRIVATE, at=at, tabs=tabs, request_path=at.path, Right=Right,
                times=Times(at.campaign), **values)


def back(at: Place, path: str, said: str = "", *, bad: bool = False) -> Response:
    """To `path` after something was done (303), where `said` is shown once."""
    answer = RedirectResponse(path, 303, PRIVATE)
    if said:
        flash.say(answer, said, bad=bad)
    return answer
