"""The cookies of the desk's door: the session, and the mark of a browser that has been here before."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outreach.services import tries
from outreach.services.sessions import Opened
from outreach.settings import get_settings
from outreach.web.desk.browsers import browser_name
from outreach.web.desk.guard import COOKIE
from outreach.web.pages import PRIVATE

R = TypeVar("R", bound=Response)
MARK = "outreach_known"
_MARK_LIFE = 180 * 24 * 3600
_PLAIN_PATH = re.compile(r"/o/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]-]*")
_NEVER_NEXT = ("/o/login", "/o/logout")


def filled(**values: Any) -> defaultdict[str, Any]:
    """What a form's fields hold; all others are empty."""
    return defaultdict(str, values)


def own_path(asked: str) -> str:
    """Where to go after signing in: a page of the desk, or its first one for anything else."""
    path = asked.partition("?")[0]
    if len(asked) > 500 or not _PLAIN_PATH.fullmatch(asked) or path.startswith(_NEVER_NEXT) or "//" in path or ".." in path:
        return "/o/"
    return asked


def browser_of(request: Request) -> str:
    """The name of the browser that asks."""
    return browser_name(request.headers.get("user-agent", "")[:400])


def network_of(request: Request) -> str | None:
    """The client's address, for counting."""
    return request.client.host if request.client else None


def cookie_of(request: Request) -> str:
    """The session's cookie, "" if there is none."""
    return request.cookies.get(COOKIE, "")


def mark_of(request: Request) -> str:
    """What this browser keeps of an earlier sign-in."""
    return request.cookies.get(MARK, "")[:100]


def to(path: str) -> RedirectResponse:
    """To a page of the desk, after something was done."""
    return RedirectResponse(path, 303, PRIVATE)


def let_in(answer: R, opened: Opened) -> R:
    """Give the browser its session's new cookie."""
    answer.set_cookie(COOKIE, opened.cookie, max_age=int(opened.life.total_seconds()), path="/o/", httponly=True, samesite="lax",
                      secure=_secure())
    return answer


def remember(answer: Response, email: str) -> None:
    """Mark this browser as one that has signed in to the account, for `services.tries`."""
    answer.set_cookie(MARK, tries.new_mark(email), max_age=_MARK_LIFE, path="/o/login", httponly=True, samesite="lax", secure=_secure())


def forget(answer: Response) -> None:
    """Take the session's cookie away."""
    answer.delete_cookie(COOKIE, path="/o/")


def _secure() -> bool:
    return get_settings().public_url.startswith("https:")
