"""The operator's page: alerts, addresses that wait for a word, trouble, ceilings, pauses of everything, reports, suspensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import NotFound, OutreachError
from outreach.services import blocks, checkup, operating, pauses, proposals, suspensions, webhooks
from outreach.services.forecast import in_words
from outreach.web.desk import alerts, lever_words
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first

HOME = "/o/operator"
ZONE = "UTC"
"""The operator's times: an operator's campaigns are in many zones."""


@room(HOME, Right.OPERATE)
def overview(request: Request, at: Place) -> Response:
    """GET: the service at this moment."""
    return _page(at)


def _page(at: Place, **form: Any) -> Response:
    hooks = alerts.hooks_of(None, **form)
    return see("organizer/operator.html", at, status=422 if hooks["error"] else 200, seen=operating.overview(at.now), words=lever_words,
               in_words=in_words, when=lambda moment: lever_words.when(moment, ZONE, at.now), h=hooks, **alerts.matters_of(None))


@room(f"{HOME}/webhooks", Right.OPERATE, method="POST")
def add_webhook(request: Request, at: Place) -> Response:
    """POST: a new webhook for the whole service; its secret is on the page that answers, and never again."""
    return _page(at, **alerts.added(at, None))


@room(f"{HOME}/webhooks/{{id}}/remove", Right.OPERATE, method="POST")
def remove_webhook(request: Request, at: Place) -> Response:
    """POST: no more posts there."""
    def deed() -> str:
        webhooks.remove(None, str(request.path_params["id"])[:26], now=at.now, who=at.who)
        return "The webhook is removed; nothing more is posted there."

    return _done(at, deed, "#webhooks")


@room(f"{HOME}/doctor", Right.OPERATE)
def doctor(request: Request, at: Place) -> Response:
    """GET: the whole examination of `outreach doctor`; with many letters it takes a while."""
    found = list(checkup.findings(at.now))
    order = {"wrong": 0, "note": 1, "ok": 2}
    return see("organizer/operator_doctor.html", at, found=sorted(found, key=lambda f: order[f.level]),
               wrong=sum(f.level == "wrong" for f in found))


@room(f"{HOME}/addresses/{{id}}/approve", Right.OPERATE, method="POST")
def approve(request: Request, at: Place) -> Response:
    """POST: let letters go to a proposed address."""
    return _done(at, lambda: f"{proposals.approve(_number(request), now=at.now, who=at.who)} is approved; what waits there goes on.",
                 "#proposed")


@room(f"{HOME}/addresses/{{id}}/refuse", Right.OPERATE, method="POST")
def refuse(request: Request, at: Place) -> Response:
    """POST: block a proposed address."""
    def deed() -> str:
        value = proposals.refuse(_number(request), first(at.form, "why").strip(), now=at.now, who=at.who)
        return f"{value} is refused and blocked; what waited there goes to its target’s next address, or ends."

    return _done(at, deed, "#proposed")


@room(f"{HOME}/addresses/block", Right.OPERATE, method="POST")
def block(request: Request, at: Place) -> Response:
    """POST: let nothing go to an address any more."""
    def deed() -> str:
        why = first(at.form, "why").strip() or "by the operator"
        told = blocks.block_address(first(at.form, "value").strip(), why, now=at.now, who=at.who)
        return f"{told.value} is blocked{_written_to(told)}."

    return _done(at, deed, "#addresses")


@room(f"{HOME}/addresses/unblock", Right.OPERATE, method="POST")
def unblock(request: Request, at: Place) -> Response:
    """POST: lift a block, or the suspicion that a number is wrong."""
    def deed() -> str:
        told = blocks.unblock_address(first(at.form, "value").strip(), now=at.now, who=at.who)
        return f"{told.value} is in use again{_written_to(told)}."

    return _done(at, deed, "#addresses")


@room(f"{HOME}/addresses/limit", Right.OPERATE, method="POST")
def limit(request: Request, at: Place) -> Response:
    """POST: pin a limit to an address, or with an empty one take it away."""
    def deed() -> str:
        limits = " ".join(first(at.form, "limits").split())
        told = blocks.pin_limit(first(at.form, "value").strip(), limits or None, now=at.now, who=at.who)
        return f"{told.value}: {'pinned to ' + limits if limits else 'as the campaigns and the ceiling say'}{_written_to(told)}."

    return _done(at, deed, "#addresses")


@room(f"{HOME}/pause", Right.OPERATE, method="POST")
def pause(request: Request, at: Place) -> Response:
    """POST: hand nothing over to a provider, on a channel, or at all."""
    def deed() -> str:
        what = first(at.form, "what")
        changed = pauses.pause(what, now=at.now, why=first(at.form, "why").strip()[:200], who=at.who)
        return f"{what}: {'paused; what waits keeps its place.' if changed else 'was paused already.'}"

    return _done(at, deed, "#sending")


@room(f"{HOME}/resume", Right.OPERATE, method="POST")
def resume(request: Request, at: Place) -> Response:
    """POST: go on after such a pause."""
    def deed() -> str:
        what = first(at.form, "what")
        return f"{what}: {'goes on.' if pauses.resume(what, now=at.now, who=at.who) else 'was not paused.'}"

    return _done(at, deed, "#sending")


@room(f"{HOME}/reports/{{id}}/close", Right.OPERATE, method="POST")
def close_report(request: Request, at: Place) -> Response:
    """POST: a report has been looked into."""
    def deed() -> str:
        operating.close_report(str(request.path_params["id"])[:26], first(at.form, "note"), now=at.now, who=at.who)
        return "The report is closed."

    return _done(at, deed, "#reports")


@room(f"{HOME}/c/{{slug}}/suspend", Right.OPERATE)
def suspend_page(request: Request, at: Place) -> Response:
    """GET: what suspending a campaign does."""
    return _suspend_page(at, "")


@room(f"{HOME}/c/{{slug}}/suspend", Right.OPERATE, method="POST")
def suspend(request: Request, at: Place) -> Response:
    """POST: suspend a campaign."""
    if not first(at.form, "why").strip():
        return _suspend_page(at, "Say why: its organizers read it.")

    def deed() -> str:
        suspensions.suspend(at.here.slug, first(at.form, "why"), now=at.now, who=at.who)
        return f"{at.here.title} is suspended. Nothing of it is sent, and its page says so."

    return _done(at, deed, "#campaigns")


@room(f"{HOME}/c/{{slug}}/lift", Right.OPERATE, method="POST")
def lift(request: Request, at: Place) -> Response:
    """POST: end a suspension."""
    def deed() -> str:
        row = suspensions.lift(at.here.slug, now=at.now, who=at.who)
        return f"{row.title}: the suspension is lifted. It is {row.state} until its organizers go on."

    return _done(at, deed, "#campaigns")


def _done(at: Place, deed: Callable[[], str], where: str) -> Response:
    """Do it, and back to that part of the page with what was done, or why not."""
    try:
        return back(at, HOME + where, deed())
    except OutreachError as e:
        return back(at, HOME + where, str(e), bad=True)


def _number(request: Request) -> int:
    text = str(request.path_params["id"])
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # no database of ours has longer ones
        raise NotFound("there is no such address")
    return int(text)


def _written_to(told: blocks.BlockResult) -> str:
    return f"; written to by {', '.join(told.campaigns)}" if told.campaigns else ""


def _suspend_page(at: Place, wrong: str) -> Response:
    from outreach.services import levers

    return see("organizer/operator_suspend.html", at, status=422 if wrong else 200, wrong=wrong, why=first(at.form, "why"),
               waiting=levers.by_state(at.here.id).get("queued", 0), can=at.here.state in ("draft", "live", "paused"), campaign=at.here)
