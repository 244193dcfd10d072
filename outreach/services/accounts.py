"""One's own account: name, password, second factor. What a stolen session could misuse asks for the password again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, update

from outreach.db import reading, unit_of_work
from outreach.domain.roles import Right
from outreach.errors import Conflict, FormInvalid, NotFound
from outreach.models import Organizer, table
from outreach.queries import people
from outreach.services import api_tokens, audit, links, logins, passwords, second_factor, sessions, tries
from outreach.services.access import Visitor
from outreach.services.sessions import Opened

_ORGANIZERS = table(Organizer)
NAME_MOST = 120
GONE = "this session has ended; sign in again"


@dataclass(frozen=True, slots=True)
class Profile:
    """What an account has, for its own page."""

    email: str
    name: str
    has_password: bool
    has_factor: bool
    codes_left: int
    accepted_terms: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """A key for an authenticator app that is not in force before its first code. `sealed` travels in the form."""

    key: str
    address: str
    sealed: str


def profile(organizer_id: int) -> Profile:
    """The account as it is now. Raises NotFound."""
    with reading() as c:
        row = people.organizer_by_id(c, organizer_id)
        left = people.codes_left(c, organizer_id)
    if row is None:
        raise NotFound("there is no such organizer")
    return Profile(row.email, row.name, row.password is not None, row.totp_key is not None, left, row.accepted_terms, row.created_at)


def begin(visitor: Visitor, cookie: str, name: str, password: str, again: str, *, now: datetime) -> Opened:
    """Name and password of an account that has none yet; the session goes on under a new cookie. Raises FormInvalid, Conflict."""
    name = _named(name)
    logins.check(password, again, about=(visitor.email, name))
    kept = passwords.hashed(password)
    with unit_of_work() as c:
        if c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == visitor.id, _ORGANIZERS.c.password.is_(None))
                     .values(name=name, password=kept)).rowcount != 1:
            raise Conflict("this account has a password already")
        sessions.end_all(c, visitor.id, but=visitor.session_id)
        links.void(c, visitor.id)
        audit.note(c, "password set", at=now, who=visitor.email)
        return _renewed(c, visitor, cookie, now)


def rename(visitor: Visitor, name: str, *, now: datetime) -> None:
    """Change one's name. Raises FormInvalid."""
    name = _named(name)
    with unit_of_work() as c:
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == visitor.id).values(name=name))
        audit.note(c, "own name changed", at=now, who=visitor.email)


def change_password(visitor: Visitor, cookie: str, old: str, password: str, again: str, *, tokens: bool = True,
                    now: datetime) -> Opened:
    """A new password for the old one: all other sessions end, and API tokens unless `tokens` is false; this session goes on under a
    new cookie. Raises FormInvalid, TooManyTries."""
    row = _confirmed(visitor, old, now, field="old")
    logins.check(password, again, about=(visitor.email, visitor.name))
    kept = passwords.hashed(password)
    with unit_of_work() as c:
        _still(c, row)
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == visitor.id).values(password=kept))
        sessions.end_all(c, visitor.id, but=visitor.session_id)
        links.void(c, visitor.id)
        audit.note(c, "password changed", at=now, who=visitor.email)
        if tokens:
            api_tokens.revoke_all(c, visitor.id, now=now, who=visitor.email)
        return _renewed(c, visitor, cookie, now)


def offer(visitor: Visitor, sealed: str = "", *, now: datetime) -> Offer:
    """A key to set up: the one that was offered before (`sealed`) while it may still be taken, so that its picture stays, or a new one."""
    key = second_factor.opened(visitor.id, sealed, now=now) if sealed else None
    if key is None:
        key = second_factor.new_key()
        sealed = second_factor.sealed(visitor.id, key, now=now).decode()
    return Offer(key, second_factor.address(key, visitor.email), sealed)


def take_offer(visitor: Visitor, cookie: str, sealed: str, code: str, *, password: str = "", now: datetime) -> tuple[Opened, list[str]]:
    """The key is in force from its first right code on. Returns the session under a new cookie, and ten recovery codes to be shown
    once. Where there is a second factor already, the password is asked for. Raises FormInvalid, TooManyTries."""
    with reading() as c:
        row = people.organizer_by_id(c, visitor.id)
    if row is not None and row.totp_key is not None:
        row = _confirmed(visitor, password, now)
    key = second_factor.opened(visitor.id, sealed, now=now)
    if key is None:
        raise FormInvalid({"code": "That took longer than half an hour. Here is a new picture: scan it, then type its code."})
    with unit_of_work() as c:
        tries.spend(c, "new factor", str(visitor.id), tries.PASSWORD, now)
    step = second_factor.step_of(key, code, now, 0)
    if step is None:
        raise FormInvalid({"code": "This is not the app’s code. Type the six digits that it shows now. If that goes wrong again, "
                           "check that the telephone’s clock is set by itself."})
    with unit_of_work() as c:
        _still(c, row)
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == visitor.id)
                  .values(totp_key=second_factor.sealed(visitor.id, key, now=now), totp_step=step))
        codes = second_factor.new_codes(c, visitor.id)
        sessions.end_all(c, visitor.id, but=visitor.session_id)
        audit.note(c, "second factor set up", at=now, who=visitor.email)
        return _renewed(c, visitor, cookie, now), codes


def renew_codes(visitor: Visitor, password: str, *, now: datetime) -> list[str]:
    """Ten new recovery codes in place of the old ones. Raises FormInvalid, TooManyTries."""
    row = _confirmed(visitor, password, now)
    with unit_of_work() as c:
        _still(c, row)
        if row.totp_key is None:
            raise Conflict("recovery codes belong to a second factor, which is not set up")
        audit.note(c, "recovery codes renewed", at=now, who=visitor.email)
        return second_factor.new_codes(c, visitor.id)


def make_token(visitor: Visitor, password: str, name: str, *, scopes: frozenset[Right], campaign_id: int | None,
               expires_at: datetime | None, now: datetime) -> str:
    """A new API token, for the password: it outlives the session. Raises FormInvalid, TooManyTries, NotAllowed.

    Whoever has no password yet, as in the demo, is not asked for one.
    """
    if profile(visitor.id).has_password:
        _confirmed(visitor, password, now)
    return api_tokens.make(visitor, name, scopes=scopes, campaign_id=campaign_id, expires_at=expires_at, now=now)


def _named(name: str) -> str:
    plain = " ".join(name.split())
    if not plain:
        raise FormInvalid({"name": "Write the name that the other organizers know you by."})
    if len(plain) > NAME_MOST:
        raise FormInvalid({"name": f"At most {NAME_MOST} characters."})
    return plain


def _confirmed(visitor: Visitor, password: str, now: datetime, *, field: str = "password") -> Any:
    """The organizer's row, their password proved. Raises FormInvalid, TooManyTries."""
    with unit_of_work() as c:
        tries.spend(c, "own password", str(visitor.id), tries.PASSWORD, now)
    with reading() as c:
        row = people.organizer_by_id(c, visitor.id)
    if row is None or not passwords.fits(row.password, password):
        raise FormInvalid({field: "This is not your password."})
    return row


def _still(c: Connection, row: Row[Any] | None) -> None:
    """Nothing about the account has changed since `row` was read. Raises Conflict."""
    now_row = row and people.organizer_locked(c, row.id)
    if row is None or now_row is None or (now_row.password, now_row.totp_key) != (row.password, row.totp_key):
        raise Conflict("your account has just been changed elsewhere; look again")


def _renewed(c: Connection, visitor: Visitor, cookie: str, now: datetime) -> Opened:
    opened = sessions.renew(c, cookie, visitor.id, now=now)
    if opened is None:
        raise NotFound(GONE)
    return opened
