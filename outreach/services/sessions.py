"""Signed-in browsers: begun, listed, ended. The cookie's value is kept nowhere, only its hash."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, update

from outreach import tokens
from outreach.db import new_id, reading, unit_of_work
from outreach.errors import NotFound
from outreach.models import Session, table
from outreach.queries import people

_SESSIONS = table(Session)
LIFE = timedelta(hours=12)
LONG_LIFE = timedelta(days=30)
"""With "stay signed in"; both end then, however much they were used."""
HALF_LIFE = timedelta(minutes=10)
"""How long the second factor may take."""
SEEN_EVERY = timedelta(minutes=5)
Stage = Literal["full", "password"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun: the cookie's value, its stage, how long the browser may keep it."""

    cookie: str
    stage: Stage
    life: timedelta


def hash_of(token: str) -> str:
    """What is kept of a cookie, a link or an API token: each has 256 random bits, so a plain hash does."""
    return tokens.form_hash(token)


def begin(c: Connection, organizer_id: int, *, stage: Stage = "full", now: datetime, browser: str = "", stay: bool = False) -> Opened:
    """A new session, always with a new cookie."""
    cookie = secrets.token_urlsafe(32)
    life = HALF_LIFE if stage == "password" else LONG_LIFE if stay else LIFE
    c.execute(insert(_SESSIONS).values(
        token_hash=hash_of(cookie), id=new_id(now.timestamp()), organizer_id=organizer_id, stage=stage, browser=browser[:80],
        created_at=now, seen_at=now, expires_at=now + life))
    return Opened(cookie, stage, life)


def renew(c: Connection, cookie: str, organizer_id: int, *, now: datetime) -> Opened | None:
    """The same full session under a new cookie, for after a step that changed what it may; None when there is none to renew."""
    fresh = secrets.token_urlsafe(32)
    until = c.execute(update(_SESSIONS).where(
        _SESSIONS.c.token_hash == hash_of(cookie), _SESSIONS.c.organizer_id == organizer_id, _SESSIONS.c.stage == "full",
        _SESSIONS.c.expires_at > now).values(token_hash=hash_of(fresh), seen_at=now).returning(_SESSIONS.c.expires_at)).scalar()
    return None if until is None else Opened(fresh, "full", until - now)


def list_of(organizer_id: int, *, now: datetime) -> Sequence[Any]:
    """An organizer's sessions, the one seen last first: id, browser, created_at, seen_at, expires_at."""
    with reading() as c:
        return people.sessions(c, organizer_id, now)


def end(organizer_id: int, session_id: str) -> None:
    """End one session of one's own. Raises NotFound."""
    with unit_of_work() as c:
        if not c.execute(delete(_SESSIONS).where(_SESSIONS.c.id == session_id, _SESSIONS.c.organizer_id == organizer_id)).rowcount:
            raise NotFound("this session has ended before")


def end_cookie(c: Connection, cookie: str) -> None:
    """End the session of this cookie, if there is one."""
    c.execute(delete(_SESSIONS).where(_SESSIONS.c.token_hash == hash_of(cookie)))


def end_all(c: Connection, organizer_id: int, *, but: str = "") -> int:
    """End all of an organizer's sessions, half ones too, but the one with this id. Returns how many."""
    return c.execute(delete(_SESSIONS).where(_SESSIONS.c.organizer_id == organizer_id, _SESSIONS.c.id != but)).rowcount


def end_others(organizer_id: int, session_id: str) -> int:
    """End all of one's sessions but this. Returns how many."""
    with unit_of_work() as c:
        return end_all(c, organizer_id, but=session_id)


def seen(token_hash: str, *, now: datetime) -> None:
    """Note that a session was used now."""
    with unit_of_work() as c:
        c.execute(update(_SESSIONS).where(_SESSIONS.c.token_hash == token_hash).values(seen_at=now))


def forget(c: Connection, now: datetime) -> None:
    """Drop sessions that have ended by themselves."""
    c.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_at <= now))
