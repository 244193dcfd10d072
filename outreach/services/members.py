"""The people of a campaign: who they are there, and bringing in more of them. Changes take effect at the next request.

An invitation shows its link only where it can open nothing but this campaign: to an account that nobody has begun and that
belongs nowhere else. Everybody else is told by mail and signs in as ever. An account that was begun by a copied link has
never proved its mailbox; when another campaign, or the same again, takes it in, it begins anew by a mailed link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete

from outreach.db import new_id, reading, unit_of_work
from outreach.domain.roles import Role
from outreach.errors import Conflict, NotFound
from outreach.models import Member, table
from outreach.queries import people
from outreach.services import audit, links, notices, organizers, tries
from outreach.services.access import Visitor

_MEMBERS = table(Member)
GONE = "they have no part in this campaign any more"


@dataclass(frozen=True, slots=True)
class Invited:
    """What came of an invitation. `url` can be passed on by hand; None where only the mail may carry a link."""

    email: str
    url: str | None
    known: bool
    """They had an account already, and sign in with it."""


def list_of(campaign_id: int) -> Sequence[Any]:
    """A campaign's members by address: id, email, name, role, at, begun, proved_at, disabled_at."""
    with reading() as c:
        return people.members(c, campaign_id)


def invite(campaign_id: int, email: str, role: Role, *, visitor: Visitor, now: datetime) -> Invited:
    """Make somebody a member and mail them. Raises Malformed, Conflict (a member already, disabled), tries.TooManyTries."""
    email = organizers.normal(email)
    with unit_of_work() as c:
        roles = people.roles_locked(c, campaign_id)
        row = organizers.known_or_new(c, email, now=now)
        if row.id in roles:
            raise Conflict(f"{email} is {_a(roles[row.id])} of this campaign already; change the role in the list")
        organizers.set_role(c, campaign_id, row.id, role.value, now=now)
        audit.note(c, "member invited", at=now, who=visitor.email, campaign_id=campaign_id, detail=f"{email} as {role.value}")
        invited = _welcome(c, row, campaign_id, visitor, now)
    notices.ring_soon()
    return invited


def invite_again(campaign_id: int, organizer_id: int, *, visitor: Visitor, now: datetime) -> Invited:
    """Mail a member who has not begun once more; earlier links end. Raises NotFound, Conflict, tries.TooManyTries."""
    with unit_of_work() as c:
        roles = people.roles_locked(c, campaign_id)
        row = people.organizer_locked(c, organizer_id) if organizer_id in roles else None
        if row is None:
            raise NotFound(GONE)
        if row.password is not None:
            raise Conflict(f"{row.email} has a password by now, and signs in with it")
        audit.note(c, "member invited again", at=now, who=visitor.email, campaign_id=campaign_id, detail=row.email)
        invited = _welcome(c, row, campaign_id, visitor, now)
    notices.ring_soon()
    return invited


def _welcome(c: Connection, row: Row[Any], campaign_id: int, visitor: Visitor, now: datetime) -> Invited:
    tries.spend(c, "invite", str(visitor.id), tries.INVITED, now)
    if row.disabled_at is not None:
        raise Conflict(f"{row.email} has been disabled by the operator of this service")
    if row.password is not None and row.proved_at is not None:
        notices.add(c, "invite", f"{row.id}:{new_id(now.timestamp())}", recipient=row.email, now=now, campaign_id=campaign_id)
        return Invited(row.email, None, True)
    if row.proved_at is None:  # whoever came by a copied link may be anybody
        organizers.begin_anew(c, row.id, now=now)
    notices.add(c, "invite", links.make(c, row.id, now=now), recipient=row.email, now=now, campaign_id=campaign_id)
    elsewhere = row.operator or row.proved_at is not None or any(p.id != campaign_id for p in people.parts(c, row.id))
    url = None if elsewhere else links.url_of(links.make(c, row.id, now=now, proves=False, beside=True), "invite")
    return Invited(row.email, url, False)


def change_role(campaign_id: int, organizer_id: int, role: Role, *, who: str, now: datetime) -> str:
    """Make a member something else; returns their address. Raises NotFound, Conflict (the last owner stays one)."""
    with unit_of_work() as c:
        roles = people.roles_locked(c, campaign_id)
        email = _member(c, roles, organizer_id)
        if role is not Role.OWNER:
            _keep_an_owner(roles, organizer_id)
        organizers.set_role(c, campaign_id, organizer_id, role.value, now=now)
        audit.note(c, "role changed", at=now, who=who, campaign_id=campaign_id, detail=f"{email}: {roles[organizer_id]} → {role.value}")
    return email


def remove(campaign_id: int, organizer_id: int, *, who: str, now: datetime) -> str:
    """Take somebody's part in a campaign away; returns their address. Raises NotFound, Conflict (the last owner stays)."""
    with unit_of_work() as c:
        roles = people.roles_locked(c, campaign_id)
        email = _member(c, roles, organizer_id)
        _keep_an_owner(roles, organizer_id)
        c.execute(delete(_MEMBERS).where(_MEMBERS.c.campaign_id == campaign_id, _MEMBERS.c.organizer_id == organizer_id))
        audit.note(c, "member removed", at=now, who=who, campaign_id=campaign_id, detail=f"{email}, {roles[organizer_id]}")
    return email


def _member(c: Connection, roles: dict[int, str], organizer_id: int) -> str:
    row = people.organizer_by_id(c, organizer_id) if organizer_id in roles else None
    if row is None:
        raise NotFound(GONE)
    return str(row.email)


def _keep_an_owner(roles: dict[int, str], organizer_id: int) -> None:
    if roles[organizer_id] == Role.OWNER and sum(r == Role.OWNER for r in roles.values()) == 1:
        raise Conflict("this is the campaign’s last owner; make somebody else an owner first")


def _a(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
