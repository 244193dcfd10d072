"""A campaign's versions, what differs between them, and the ways back; and off the net with one tap."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import NotAllowed, NotFound
from outreach.services import campaigns, drafts, terms, versions
from outreach.services.draft_files import content_of_spec
from outreach.web.desk.drafting import doing
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first


@room("/o/c/{slug}/versions", Right.EDIT)
def history(request: Request, at: Place) -> Response:
    """GET: all versions, the newest first."""
    return see("organizer/versions.html", at, versions=versions.list_of(at.here.id))


@room("/o/c/{slug}/versions/{n}", Right.EDIT)
def version(request: Request, at: Place) -> Response:
    """GET: what one version changed, and what differs from the one in force."""
    number = _number(request)
    spec, now = versions.spec_of(at.here.id, number), campaigns.spec_of_version(at.here.version_id)
    before = versions.spec_of(at.here.id, number - 1) if number > 1 else None
    current = versions.number_of(at.here.version_id)
    return see("organizer/version.html", at, number=number, current=current, made=next(
        v for v in versions.list_of(at.here.id) if v.number == number), changed=versions.between(before, spec) if before else None,
        differs=versions.between(now, spec) if number != current else [], draft=drafts.of_campaign(at.here, at.visitor))


@room("/o/c/{slug}/versions/{n}/restore", Right.EDIT, method="POST")
def restore(request: Request, at: Place) -> Response:
    """POST: make the version's content the draft of a new one, which the check-list then shows with what it would do."""
    number = _number(request)
    content = content_of_spec(versions.spec_of(at.here.id, number))
    draft = drafts.of_campaign(at.here, at.visitor)
    if draft.revision and first(at.form, "over") != str(draft.revision):
        return back(at, f"/o/c/{at.here.slug}/versions/{number}", "There is a draft with changes that nobody has published. Tick that it "
                    "may go, or publish it first.", bad=True)

    def act() -> str:
        drafts.save(replace(draft, content=content, ticks={}), draft.revision, who=at.who, now=at.now)
        return f"Version {number} is the draft of a new version now. Nothing has changed online yet."

    return doing(at, f"/o/c/{at.here.slug}/edit/check", act)


@room("/o/c/{slug}/duplicate", Right.EDIT, method="POST")
def duplicate(request: Request, at: Place) -> Response:
    """POST: another campaign like this one, as a draft."""
    if not terms.accepted(at.visitor):
        return back(at, "/o/new", "Accept the terms of acceptable use first: they are short.", bad=True)
    try:
        draft_id = drafts.begin(drafts.copy_of(at.here.slug, now=at.now), at.visitor, now=at.now)
    except NotAllowed as e:
        return back(at, f"/o/c/{at.here.slug}/edit", str(e), bad=True)
    return back(at, f"/o/drafts/{draft_id}", "Here is the copy. Nothing of it is online.")


@room("/o/c/{slug}/unpublish", Right.EDIT, method="POST")
def unpublish(request: Request, at: Place) -> Response:
    """POST: off the net with one tap: its page says so, takes no letters, and what waits keeps its place."""
    def act() -> str:
        campaigns.set_state(at.here.slug, "pause", now=at.now, who=at.who)
        return "It takes no letters now, and none is sent. Its page says so. “Put it online again” undoes this."

    return doing(at, f"/o/c/{at.here.slug}/edit", act)


@room("/o/c/{slug}/republish", Right.EDIT, method="POST")
def republish(request: Request, at: Place) -> Response:
    """POST: online again. One that never was goes through the check-list."""
    def act() -> str:
        if not terms.accepted(at.visitor):
            raise NotAllowed("accept the terms of acceptable use first (/o/terms)")
        campaigns.set_state(at.here.slug, "resume", now=at.now, who=at.who)
        return "It is online again."

    return doing(at, f"/o/c/{at.here.slug}/edit", act)


def _number(request: Request) -> int:
    text = str(request.path_params["n"])
    if not text.isascii() or not text.isdigit() or len(text) > 8:
        raise NotFound("there is no such version")
    return int(text)
