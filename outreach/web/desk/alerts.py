"""What is or was the matter, with a campaign or the service, and the programs that are told of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import NotAllowed
from outreach.services import alerts, webhooks
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first


@room("/o/c/{slug}/alerts", Right.SEE)
def matters(request: Request, at: Place) -> Response:
    """GET: alerts, open ones first; webhooks for those who manage the campaign."""
    return _page(at)


@room("/o/c/{slug}/alerts/webhooks", Right.MANAGE, method="POST")
def add_webhook(request: Request, at: Place) -> Response:
    """POST: a new webhook; its secret is on the page that answers, and never again."""
    return _page(at, **added(at, at.here.slug))


@room("/o/c/{slug}/alerts/webhooks/{id}/remove", Right.MANAGE, method="POST")
def remove_webhook(request: Request, at: Place) -> Response:
    """POST: no more posts there."""
    webhooks.remove(at.here.slug, str(request.path_params["id"])[:26], now=at.now, who=at.who)
    return back(at, f"/o/c/{at.here.slug}/alerts", "The webhook is removed; nothing more is posted there.")


def _page(at: Place, **form: Any) -> Response:
    hooks = hooks_of(at.here.slug, **form) if at.may(Right.MANAGE) else {"error": "", "secret": ""}
    return see("organizer/alerts.html", at, status=422 if hooks["error"] else 200, h=hooks, **matters_of(at.here.slug))


def matters_of(slug: str | None) -> dict[str, Any]:
    """What pages show of a campaign's alerts (None: of the operator's): those that are open, and those lately over."""
    found = alerts.of_campaign(slug)
    return {"open": [a for a in found if a.closed_at is None], "over": [a for a in found if a.closed_at]}


def added(at: Place, slug: str | None) -> dict[str, Any]:
    """Add the webhook of the form; what the page that answers says of it."""
    url, events = first(at.form, "url").strip(), at.form.get("events", [])
    try:
        _, secret = webhooks.add(slug, url, events, now=at.now, who=at.who)
    except NotAllowed as e:
        return {"url": url, "chosen": events, "error": str(e)}
    return {"secret": secret, "new": url}


def hooks_of(slug: str | None, **form: Any) -> dict[str, Any]:
    """What pages show of webhooks: those there are, and the form for another, as it is or as it was sent."""
    return {"rows": webhooks.of_campaign(slug), "kinds": webhooks.KINDS, "url": "", "chosen": ["alert.opened", "alert.closed"], "error": "",
            "secret": "", "new": ""} | form
