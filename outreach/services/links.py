"""One-time links to the desk: to begin, and to set a new password. A link is named by an id and carries a MAC of it, so that a
mail of it can be written later without the link being kept anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, update

from outreach import tokens
from outreach.db import new_id, reading, unit_of_work, utcnow
from outreach.errors import NotFound
from outreach.models import LoginLink, Organizer, table
from outreach.queries import people
from outreach.services import sessions
from outreach.services.sessions import Opened, hash_of
from outreach.settings import get_settings

_LINKS, _ORGANIZERS = table(LoginLink), table(Organizer)
LIFE = timedelta(days=2)
RESET_LIFE = timedelta(hours=1)
Kind = Literal["invite", "reset"]
Used = Row[Any]
"""A link that has just been used up: its columns, and its organizer's email, name, password and totp_key."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that works: what for, and for whom."""

    kind: Kind
    organizer_id: int
    email: str
    name: str
    begun: bool
    """Whether a password is set."""
    expires_at: datetime


def token_of(ref: str) -> str:
    """The token of the link with this id."""
    return f"{ref}-{tokens.mac('login link', ref)}"


def url_of(ref: str, kind: Kind) -> str:
    """The link with this id as people follow it."""
    return f"{get_settings().public_url}/o/{'login' if kind == 'invite' else 'login/reset'}/{token_of(ref)}"


def make(c: Connection, organizer_id: int, kind: Kind = "invite", *, now: datetime, proves: bool = True, beside: bool = False,
         ref: str | None = None) -> str:
    """A new link in this transaction; returns its id. Unless it is to stand beside them, earlier ones of its kind end with it, so
    that one mislaid is worth nothing. `ref` is its id where that was given out before."""
    if not beside:
        void(c, organizer_id, kind)
    ref = ref or new_id(now.timestamp())
    c.execute(insert(_LINKS).values(token_hash=hash_of(token_of(ref)), organizer_id=organizer_id, kind=kind, proves=proves,
                                    expires_at=now + (LIFE if kind == "invite" else RESET_LIFE)))
    return ref


def void(c: Connection, organizer_id: int, kind: Kind | None = None) -> None:
    """End an organizer's unused links (of one kind)."""
    of_kind = [_LINKS.c.kind == kind] if kind else []
    c.execute(delete(_LINKS).where(_LINKS.c.organizer_id == organizer_id, _LINKS.c.used_at.is_(None), *of_kind))


def look(token: str, *, now: datetime) -> Link:
    """What a link is for; using it is another matter. Raises NotFound for one that is used, old or wrong."""
    with reading() as c:
        row = people.link(c, hash_of(token), now)
    if row is None:
        raise NotFound("this link has been used or is too old; ask for a new one")
    return Link(row.kind, row.organizer_id, row.email, row.name, row.password is not None, row.expires_at)


def sign_in(token: str, *, now: datetime | None = None, browser: str = "") -> Opened:
    """Turn a link of invitation into a session, which still waits for the second factor if there is one. Raises NotFound."""
    now = now or utcnow()
    return use(token, "invite", now, lambda c, link: sessions.begin(c, link.organizer_id, stage=stage_of(link.totp_key), now=now,
                                                                      browser=browser))


def stage_of(totp_key: bytes | None) -> sessions.Stage:
    """The stage of a session whose owner has proved everything but the second factor."""
    return "full" if totp_key is None else "password"


def use(token: str, kind: Kind, now: datetime, then: Callable[[Connection, Used], Opened]) -> Opened:
    """Use a link up in one transaction with what comes of it (`then`). Raises NotFound, or what `then` raises: then it stays good."""
    with unit_of_work() as c:
        link = people.link(c, hash_of(token), now)
        if link is None or link.kind != kind or c.execute(update(_LINKS).where(
                _LINKS.c.token_hash == link.token_hash, _LINKS.c.used_at.is_(None)).values(used_at=now)).rowcount != 1:
            raise NotFound("this link has been used or is too old; ask for a new one")
        if link.proves:
            c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == link.organizer_id, _ORGANIZERS.c.proved_at.is_(None))
                      .values(proved_at=now))
        return then(c, link)
