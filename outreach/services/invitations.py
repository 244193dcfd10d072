"""Letting organizers in from the command line."""

from __future__ import annotations

from datetime import datetime

from outreach.db import unit_of_work, utcnow
from outreach.errors import Conflict
from outreach.queries import people
from outreach.services import audit, links, notices, organizers


def invite(email: str, *, operator: bool = False, campaign: tuple[int, str] | None = None, mail: bool = False,
           now: datetime | None = None) -> str:
    """A one-time login URL from the command line for an organizer, who is made if new; good for two days.

    The very first organizer becomes an operator. `campaign` is its id and the role there. Raises Malformed for what is no
    address, Conflict if they are disabled.
    """
    now = now or utcnow()
    email = organizers.normal(email)
    with unit_of_work() as c:
        first = not people.anybody(c)  # whoever starts a service runs it
        row = organizers.known_or_new(c, email, operator=operator or (first and campaign is None), now=now)
        if row.disabled_at is not None:
            raise Conflict(f"{email} is disabled; `outreach organizer enable {email}` first")
        if row.proved_at is None:  # whoever began it by a copied link may be anybody (see `members`)
            organizers.begin_anew(c, row.id, now=now)
        if campaign:
            organizers.set_role(c, campaign[0], row.id, campaign[1], now=now)
        ref = links.make(c, row.id, now=now)
        audit.note(c, "organizer invited", at=now, campaign_id=campaign and campaign[0],
                   detail=" ".join(filter(None, (email, campaign and campaign[1], "operator" if operator or first else ""))))
        if mail:
            notices.add(c, "invite", ref, recipient=email, now=now, campaign_id=campaign and campaign[0])
    if mail:
        notices.ring_soon()
    return links.url_of(ref, "invite")
