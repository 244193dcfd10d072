"""Signing in: address and password, the second factor, one-time links, a new password by mail. Nothing acts on GET."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import utcnow
from outreach.errors import FormInvalid, NotFound
from outreach.services import access, links, logins
from outreach.services.sessions import Opened
from outreach.services.tries import TooManyTries
from outreach.web.desk import doors
from outreach.web.desk.guard import LANGUAGE, Place, room
from outreach.web.forms import Posted, first, read_form
from outreach.web.pages import PRIVATE, page

Answerer = Callable[[Request, Posted], Response]
_ROUTES: list[tuple[str, str, Answerer]] = []
TRIED = "Too many tries. Wait {minutes} minutes, or set a new password by mail."
"""Nobody else can keep somebody out: a browser that has signed in before counts by itself, and the mail always comes."""


def _at(path: str, method: str = "GET") -> Callable[[Answerer], Answerer]:
    def register(answer: Answerer) -> Answerer:
        _ROUTES.append((path, method, answer))
        return answer

    return register


def _endpoint(method: str, answer: Answerer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await read_form(request) if method == "POST" else {}
        return await run_in_threadpool(answer, request, form)

    return endpoint


def open_routes(router: APIRouter) -> None:
    """The routes that are reached without a session."""
    for path, method, answer in _ROUTES:
        router.add_route(path, _endpoint(method, answer), methods=[method])


def _page(template: str, *, status: int = 200, errors: dict[str, str] | None = None, fields: dict[str, Any] | None = None,
          **values: Any) -> Response:
    return page(f"organizer/{template}.html", LANGUAGE, status=status, headers=PRIVATE, errors=errors or {},
                values=doors.filled(**(fields or {})), **values)


@_at("/o/login")
def login_form(request: Request, _form: Posted) -> Response:
    """GET /o/login: address and password; on to where one wanted if one is signed in."""
    path = doors.own_path(request.query_params.get("next", ""))
    if access.visitor_of(doors.cookie_of(request), now=utcnow()):
        return doors.to(path)
    return _page("login", fields={"next": path})


@_at("/o/login", "POST")
def log_in(request: Request, form: Posted) -> Response:
    """POST /o/login: a session, or the question for the code."""
    email, path, stay = first(form, "email")[:320], doors.own_path(first(form, "next")), first(form, "stay") == "yes"
    fields = {"email": email, "next": path, "stay": stay}
    try:
        opened, email = logins.log_in(email, first(form, "password"), now=utcnow(), network=doors.network_of(request),
                               mark=doors.mark_of(request), browser=doors.browser_of(request), stay=stay)
    except logins.WrongLogin as e:
        return _page("login", status=422, fields=fields, errors={"email": str(e)})
    except TooManyTries as e:
        return _page("login", status=429, fields=fields, errors={"email": TRIED.format(minutes=e.minutes)})
    if opened.stage == "password":
        return doors.let_in(_code_page(path, stay=stay), opened)
    return _inside(opened, path, email)


def _inside(opened: Opened, path: str, email: str) -> Response:
    answer = doors.let_in(doors.to(path), opened)
    doors.remember(answer, email)
    return answer


def _code_page(path: str, *, stay: bool, recovery: bool = False, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    return _page("login_code", status=status, fields={"next": path, "stay": stay}, recovery=recovery, errors=errors)


@_at("/o/login/code")
def code_form(request: Request, _form: Posted) -> Response:
    """GET /o/login/code: the question for the app's code, or (`?recovery=1`) for a recovery code."""
    if logins.waiting_for_code(doors.cookie_of(request), now=utcnow()) is None:
        return doors.to("/o/login")
    query = request.query_params
    return _code_page(doors.own_path(query.get("next", "")), stay=query.get("stay") == "yes", recovery=query.get("recovery") == "1")


@_at("/o/login/code", "POST")
def give_code(request: Request, form: Posted) -> Response:
    """POST /o/login/code: the full session."""
    path, stay, recovery = doors.own_path(first(form, "next")), first(form, "stay") == "yes", first(form, "recovery") == "1"
    try:
        opened, email = logins.give_code(doors.cookie_of(request), first(form, "code")[:40], now=utcnow(),
                                         browser=doors.browser_of(request), stay=stay)
    except logins.WrongLogin as e:
        return _code_page(path, stay=stay, recovery=recovery, status=422, errors={"code": str(e)})
    except TooManyTries as e:
        wait = f"{e.minutes} minutes" if e.minutes < 120 else "a day"
        return _code_page(path, stay=stay, recovery=recovery, status=429, errors={
            "code": f"Too many tries. Wait {wait}. If it was not you, somebody knows your password: set a new one by mail."})
    except NotFound:
        return _page("login", status=401, fields={"next": path}, errors={"email": "The ten minutes for the code are over. Sign in again."})
    return _inside(opened, path, email)


@_at("/o/login/forgot")
def reset_form(request: Request, _form: Posted) -> Response:
    """GET /o/login/forgot: where to mail a link for a new password."""
    return _page("reset")


@_at("/o/login/forgot", "POST")
def ask_reset(request: Request, form: Posted) -> Response:
    """POST /o/login/forgot: the same answer whether the address is known or not."""
    try:
        logins.ask_reset(first(form, "email")[:320], now=utcnow(), network=doors.network_of(request))
    except TooManyTries as e:
        return _page("reset", status=429, fields={"email": first(form, "email")[:320]}, errors={
            "email": f"Too many such requests from your network. Wait {e.minutes} minutes."})
    return _page("reset_sent")


@_at("/o/login/reset/{token}")
def new_password_form(request: Request, _form: Posted) -> Response:
    """GET /o/login/reset/{token}: the form for a new password."""
    return _with_link(request, "reset", lambda link: _page("reset_password", email=link.email, token=_token(request)))


@_at("/o/login/reset/{token}", "POST")
def set_password(request: Request, form: Posted) -> Response:
    """POST /o/login/reset/{token}: the password is set, other sessions end, and the code is asked for if there is one."""
    try:
        opened = logins.set_by_link(_token(request), first(form, "password"), first(form, "again"), now=utcnow(),
                                    browser=doors.browser_of(request))
    except NotFound:
        return _page("signed_out", status=404, used=True)
    except FormInvalid as e:
        errors = e.errors
        return _with_link(request, "reset", lambda link: _page("reset_password", status=422, email=link.email, token=_token(request),
                                                               errors=errors))
    return doors.let_in(doors.to("/o/login/code" if opened.stage == "password" else "/o/"), opened)


@_at("/o/login/{token}")
def link_form(request: Request, _form: Posted) -> Response:
    """GET /o/login/{token}: a button; following the link alone signs nobody in."""
    return _with_link(request, "invite", lambda link: _page("login_link", email=link.email, begun=link.begun, token=_token(request)))


@_at("/o/login/{token}", "POST")
def use_link(request: Request, _form: Posted) -> Response:
    """POST /o/login/{token}: a session; whoever has a second factor is asked for its code all the same."""
    try:
        opened = links.sign_in(_token(request), now=utcnow(), browser=doors.browser_of(request))
    except NotFound:
        return _page("signed_out", status=404, used=True)
    return doors.let_in(doors.to("/o/login/code" if opened.stage == "password" else "/o/welcome"), opened)


@room("/o/logout", None, method="POST")
def log_out(request: Request, _at: Place) -> Response:
    """POST /o/logout."""
    access.sign_out(doors.cookie_of(request))
    answer = doors.to("/o/login")
    doors.forget(answer)
    return answer


def _token(request: Request) -> str:
    return str(request.path_params["token"])[:200]


def _with_link(request: Request, kind: links.Kind, show: Callable[[links.Link], Response]) -> Response:
    try:
        link = links.look(_token(request), now=utcnow())
    except NotFound:
        return _page("signed_out", status=404, used=True)
    return show(link) if link.kind == kind else _page("signed_out", status=404, used=True)
