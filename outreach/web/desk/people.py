"""The people of a campaign: members and their roles, invitations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right, Role
from outreach.errors import Conflict, Malformed, NotFound
from outreach.services import audit_log, members
from outreach.services.tries import TooManyTries
from outreach.web.desk import doors
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first

ROLE_WORDS: Mapping[Role, str] = {
    Role.OWNER: "everything in this campaign, and who may do what", Role.ORGANIZER: "texts, limits, pauses, stop, exports",
    Role.MODERATOR: "reads letters, approves and rejects them", Role.VIEWER: "sees figures, nobody’s data"}
NEWEST = 5
"""Entries of the log on the page of members."""


def _path(at: Place, more: str = "") -> str:
    return f"/o/c/{at.here.slug}/people{more}"


def _people(at: Place, *, status: int = 200, fields: dict[str, Any] | None = None,
            errors: dict[str, str] | None = None) -> Response:
    return see("organizer/people.html", at, status=status, path=_path(at), members=members.list_of(at.here.id), roles=ROLE_WORDS,
               log=audit_log.page(at.here.id, most=NEWEST).rows,
               values=doors.filled(**({"role": Role.ORGANIZER} | (fields or {}))), errors=errors or {})


def _whom(at: Place) -> int:
    """The organizer that the form names; 0, who is nobody, for anything else."""
    given = first(at.form, "organizer")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _role(at: Place) -> Role | None:
    given = first(at.form, "role")
    return Role(given) if given in set(Role) else None


@room("/o/c/{slug}/people", Right.MANAGE)
def people(request: Request, at: Place) -> Response:
    """GET: members, invitation, the newest of the log."""
    return _people(at)


@room("/o/c/{slug}/people/invite", Right.MANAGE, method="POST")
def invite(request: Request, at: Place) -> Response:
    """POST: a new member, who is mailed; the link to pass on by hand is shown where there may be one."""
    email, role = first(at.form, "email")[:320], _role(at)
    fields = {"email": email, "role": role or Role.ORGANIZER}
    if role is None:
        return _people(at, status=422, fields=fields, errors={"role": "Choose what they will be."})
    try:
        invited = members.invite(at.here.id, email, role, visitor=at.visitor, now=at.now)
    except (Malformed, Conflict) as e:
        return _people(at, status=422, fields=fields, errors={"email": _said(e)})
    except TooManyTries:
        return _people(at, status=429, fields=fields, errors={"email": "You have invited many people within a day. Go on tomorrow."})
    return _invited(at, invited)


@room("/o/c/{slug}/people/invite-again", Right.MANAGE, method="POST")
def invite_again(request: Request, at: Place) -> Response:
    """POST: a new link for a member who has not begun."""
    try:
        return _invited(at, members.invite_again(at.here.id, _whom(at), visitor=at.visitor, now=at.now))
    except (NotFound, Conflict) as e:
        return back(at, _path(at), _said(e), bad=True)
    except TooManyTries:
        return back(at, _path(at), "You have invited many people within a day. Go on tomorrow.", bad=True)


def _invited(at: Place, invited: members.Invited) -> Response:
    if invited.url is None:
        how = "They have an account already and sign in with it." if invited.known else "The link to begin with is in the mail."
        return back(at, _path(at), f"A mail to {invited.email} is on its way. {how}")
    return see("organizer/people_invited.html", at, path=_path(at), email=invited.email, url=invited.url)


@room("/o/c/{slug}/people/role", Right.MANAGE, method="POST")
def change_role(request: Request, at: Place) -> Response:
    """POST: another role, at once."""
    role = _role(at)
    if role is None:
        return back(at, _path(at), "Choose a role from the list.", bad=True)
    try:
        email = members.change_role(at.here.id, _whom(at), role, who=at.who, now=at.now)
    except (NotFound, Conflict) as e:
        return back(at, _path(at), _said(e), bad=True)
    return _still_here(at, role, f"{email} is {role.value} now.")


@room("/o/c/{slug}/people/remove", Right.MANAGE, method="POST")
def remove(request: Request, at: Place) -> Response:
    """POST: no part in this campaign any more, at once."""
    try:
        email = members.remove(at.here.id, _whom(at), who=at.who, now=at.now)
    except (NotFound, Conflict) as e:
        return back(at, _path(at), _said(e), bad=True)
    return _still_here(at, None, f"{email} has no part in this campaign any more.")


def _still_here(at: Place, role: Role | None, said: str) -> Response:
    """Back to the list, or, for somebody who gave up their own right to it, to where they may still be."""
    if _whom(at) == at.visitor.id and role is not Role.OWNER and not at.visitor.operator:
        return back(at, f"/o/c/{at.here.slug}/" if role else "/o/", said)
    return back(at, _path(at), said)


def _said(e: Exception) -> str:
    text = str(e)
    return f"{text[:1].upper()}{text[1:]}."
