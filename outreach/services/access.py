"""Who is at the desk's door: the session behind a cookie, and what its owner is in a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from outreach.db import reading, unit_of_work
from outreach.logs import get
from outreach.queries import people
from outreach.services import links, sessions
from outreach.services.invitations import invite
from outreach.settings import get_settings

__all__ = ["Visitor", "invite", "role_in", "sign_in", "sign_out", "visitor_of"]
log = get()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, or whose program is."""

    id: int
    email: str
    name: str
    operator: bool
    session_id: str
    """Empty for a program."""
    unready: bool
    """Whether a password or the second factor is still to be set before anything else opens."""
    accepted_terms: str | None = None


def visitor_of(cookie: str | None, *, now: datetime) -> Visitor | None:
    """Whose session this is; None when it has ended, is no session, or still lacks its second factor."""
    if not cookie:
        return None
    token_hash = sessions.hash_of(cookie)
    with reading() as c:
        row = people.signed_in(c, token_hash, now)
    if row is None:
        return None
    if now - row.seen_at >= sessions.SEEN_EVERY:
        try:
            sessions.seen(token_hash, now=now)
        except SQLAlchemyError as e:  # a full disk must not shut the desk, where one would see it
            log.warning("session.not_noted", organizer=row.id, error=type(e).__name__)
    settings = get_settings()
    unready = not settings.demo and (row.password is None or (settings.require_totp and row.totp_key is None))
    return Visitor(row.id, row.email, row.name, row.operator, row.session_id, unready, row.accepted_terms)


def role_in(organizer_id: int, campaign_id: int) -> str | None:
    """The organizer's role in a campaign, or None."""
    with reading() as c:
        return people.role(c, organizer_id, campaign_id)


def sign_in(token: str, *, now: datetime | None = None) -> str:
    """Turn a one-time link into a session; returns the cookie's value. Raises NotFound for one that is used, old or wrong."""
    return links.sign_in(token, now=now).cookie


def sign_out(cookie: str) -> None:
    """End a session."""
    with unit_of_work() as c:
        sessions.end_cookie(c, cookie)
