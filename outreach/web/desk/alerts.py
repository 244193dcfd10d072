"""What is or was the matter with a campaign, and the programs that are told of it."""

from __future__ import annotations

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
    url, events = first(at.form, "url").strip(), at.form.get("events", [])
    try:
        _, secret = webhooks.add(at.here.slug, url, events, now=at.now, who=at.who)
    except NotAllowed as e:
        return _page(at, status=422, url=url, chosen=events, error=str(e))
    return _page(at, secret=secret, url="", chosen=[], new=url)


@room("/o/c/{slug}/alerts/webhooks/{id}/remove", Right.MANAGE, method="POST")
def remove_webhook(request: Request, at: Place) -> Response:
    """POST: no more posts there."""
    webhooks.remove(at.here.slug, str(request.path_params["id"])[:26], now=at.now, who=at.who)
    return back(at, f"/o/c/{at.here.slug}/alerts", "The webhook is removed; nothing more is posted there.")


def _page(at: Place, *, status: int = 200, **values: object) -> Response:
    found = alerts.of_campaign(at.here.slug)
    hooks = webhooks.of_campaign(at.here.slug) if at.may(Right.MANAGE) else []
    shown: dict[str, object] = {"url": "", "chosen": ["alert.opened", "alert.closed"], "error": "", "secret": "", "new": ""} | values
    return see("organizer/alerts.html", at, status=status, open=[a for a in found if a.closed_at is None],
               over=[a for a in found if a.closed_at], hooks=hooks, kinds=webhooks.KINDS, **shown)
