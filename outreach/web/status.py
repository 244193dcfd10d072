"""The status page behind the form's token, and the page behind the mailed one. Nothing acts on GET."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from outreach.db import utcnow
from outreach.domain.letters import State
from outreach.errors import Conflict, FormInvalid, NotFound
from outreach.i18n import gettext_for
from outreach.locale import interface_language
from outreach.services import confirm, private_links, status
from outreach.web.forms import first, read_form
from outreach.web.look import accent_url
from outreach.web.pages import PRIVATE, long_time, page, problem, wanted_language
from outreach.web.status_words import PENDING, headline, told, when
from outreach.web.words import ended

router = APIRouter()
_LONGEST = 120


def _token(request: Request, *, mailed: bool | None = None) -> str:
    """The token in the path. Raises NotFound for what cannot be one."""
    token = str(request.path_params["token"])
    if len(token) > _LONGEST or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise NotFound("there is no such page")
    if mailed is not None and token.startswith("m-") != mailed:
        raise NotFound("there is no such page")
    return token


def _base(token: str) -> str:
    return f"/m/{token}" if token.startswith("m-") else f"/s/{token}"


def show(request: Request, *, errors: dict[str, str] | None = None, code: str = "", status_code: int = 200) -> Response:
    """The status page."""
    token = _token(request)
    view = status.view(token)
    ui, now = interface_language(view.language), utcnow()
    _ = gettext_for(ui)
    cards = [(x, told(x, view, now)) for x in view.letters]
    live = any(State(x.state) in PENDING for x in view.letters)
    waits = [x for x in view.letters if State(x.state) in (State.UNCONFIRMED, State.HELD, State.QUEUED, State.SENDING)]
    settled = not live or view.submission_state == "unconfirmed" or bool(view.outcome)
    return page(
        "supporter/status.html", ui, status=status_code, headers=PRIVATE, view=view, cards=cards, heading=headline(view, ui),
        ended=ended(view.outcome, ui) if view.outcome else None,
        base=_base(token), token=token,
        accent_url=accent_url(view.accent), errors={k: _(v) for k, v in (errors or {}).items()}, code=code,
        watch=f"/s/{token}.json" if live and not view.outcome else "", known=" ".join(x.state for x in view.letters), refresh=not settled,
        until=long_time(view.confirm_until, ui, view.timezone) if view.confirm_until else "", now=when(now, now, ui, view.timezone),
        waiting=bool(waits), can_take_back=any(not x.elsewhere for x in waits), elsewhere=any(x.elsewhere for x in view.letters),
        link_asked=request.query_params.get("sent") == "link")


def as_json(request: Request) -> Response:
    """GET /s/{token}.json: bare states, for the page itself and for whoever watches by script."""
    view = status.view(_token(request))
    letters = [{"target": x.target, "channel": x.channel, "state": x.state, "at": x.at.isoformat()} for x in view.letters]
    return JSONResponse({"letters": letters}, headers=PRIVATE)


def status_page(request: Request) -> Response:
    """GET /s/{token}."""
    if _token(request).startswith("m-"):
        return _to(_token(request))
    return show(request)


def mailed_page(request: Request) -> Response:
    """GET /m/{token}: confirm, see, withdraw, erase."""
    _token(request, mailed=True)
    return show(request)


async def confirm_by_code(request: Request) -> Response:
    """POST /s/{token}/confirm."""
    token, code = _token(request, mailed=False), first(await read_form(request), "code")[:40]
    try:
        await run_in_threadpool(confirm.by_code, token, code)
    except FormInvalid as e:
        return await run_in_threadpool(show, request, errors=e.errors, code=code, status_code=422)
    except Conflict as e:
        return await run_in_threadpool(_sorry, request, e)
    return _to(token)


def _sorry(request: Request, error: Conflict) -> Response:
    view = status.view(_token(request))
    if view.outcome:  # no reproach: the page says what was reached, and thanks
        return show(request, status_code=409)
    return problem(request, 409, title=gettext_for(interface_language(view.language))("That is no longer possible"),
                   text=gettext_for(interface_language(view.language))(str(error)), headers=PRIVATE)


def _to(token: str) -> Response:
    return RedirectResponse(_base(token), 303, PRIVATE)


def _acting(act: Callable[[str], Any]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        token = _token(request, mailed=True)
        try:
            act(token)
        except Conflict as e:
            return _sorry(request, e)
        return _to(token)
    return endpoint


def send_link(request: Request) -> Response:
    """POST /s/{token}/link: the private link goes to the mailbox; the answer is the same whatever comes of it."""
    token = _token(request)
    private_links.send(token)
    return RedirectResponse(f"{_base(token)}?sent=link#acts", 303, PRIVATE)


def _asking(template: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        token = _token(request, mailed=True)
        view = status.view(token)
        return page(template, interface_language(view.language), headers=PRIVATE, view=view, base=_base(token),
                    accent_url=accent_url(view.accent), done=False)
    return endpoint


def never(request: Request) -> Response:
    """POST /m/{token}/never."""
    token = _token(request, mailed=True)
    view = status.view(token)
    confirm.never_again(token)
    return page("supporter/never.html", interface_language(view.language), headers=PRIVATE, view=view, base=_base(token), done=True,
                accent_url=accent_url(view.accent))


def picture(request: Request) -> Response:
    """GET /s/{token}/letters/{id}/{n}.png: a page of the fax, for whoever has proved the mailbox."""
    token, number = _token(request, mailed=True), str(request.path_params["n"])
    letter_id = str(request.path_params["letter_id"])
    if not (number.isascii() and number.isdigit() and len(number) < 4 and letter_id.isascii() and letter_id.isalnum()):
        raise NotFound("there is no such page")
    pages = status.picture(token, letter_id)
    if not 1 <= int(number) <= len(pages):
        raise NotFound("there is no such page")
    return Response(pages[int(number) - 1], 200, PRIVATE, "image/png")


def verify(request: Request) -> Response:
    """GET /v/{letter}-{mac}: what the letter's recipient may know, to see that it is real."""
    letter_id, _, given = str(request.path_params["reference"]).partition("-")
    if not (letter_id.isascii() and letter_id.isalnum() and given.isascii() and len(given) < 40):
        raise NotFound("there is no such letter")
    facts = status.verify(letter_id, given)
    ui = interface_language(wanted_language(request))
    return page("supporter/verify.html", ui, headers=PRIVATE, **facts,
                written=long_time(facts["written_at"], ui, "UTC"), sent=long_time(facts["sent_at"], ui, "UTC") if facts["sent_at"] else "")


for _path, _endpoint, _method in (
    ("/s/{token}/link", send_link, "POST"), ("/m/{token}/link", send_link, "POST"),
    ("/s/{token}.json", as_json, "GET"), ("/s/{token}", status_page, "GET"), ("/s/{token}/confirm", confirm_by_code, "POST"),
    ("/s/{token}/letters/{letter_id}/{n}.png", picture, "GET"), ("/m/{token}", mailed_page, "GET"),
    ("/m/{token}/confirm", _acting(confirm.by_link), "POST"), ("/m/{token}/withdraw", _asking("supporter/withdraw.html"), "GET"),
    ("/m/{token}/withdraw", _acting(status.withdraw), "POST"), ("/m/{token}/erase", _asking("supporter/erase.html"), "GET"),
    ("/m/{token}/erase", _acting(status.erase), "POST"), ("/m/{token}/never", _asking("supporter/never.html"), "GET"),
    ("/m/{token}/never", never, "POST"), ("/v/{reference}", verify, "GET"),
):
    router.add_route(_path, _endpoint, [_method])
