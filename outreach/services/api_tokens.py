"""Keys that let a program use the API in an organizer's name: never more than the organizer may, and only in the key's scopes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, update

from outreach.db import new_id, reading, unit_of_work
from outreach.domain.roles import ALL, RIGHTS, Right, Role
from outreach.errors import NotAllowed, NotFound
from outreach.models import ApiToken, table
from outreach.queries import people
from outreach.services import audit
from outreach.services.access import Visitor
from outreach.services.sessions import hash_of

_TOKENS = table(ApiToken)
PREFIX = "or_"
"""Tokens begin with it, so that scanners of repositories and logs know one when they see it."""
MOST = 50
"""Tokens that one organizer may have."""
USED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that came with a good token: whose, which, and what it was given."""

    token_id: str
    visitor: Visitor
    scopes: frozenset[Right]
    campaign_id: int | None
    """The only campaign it opens; None for all of its owner's."""


def holder_of(token: str, *, now: datetime) -> Holder | None:
    """Who holds this token; None for one that is wrong, revoked or expired, or whose owner is disabled.

    What it opens is what its owner may at this moment (`access.role_in`), cut to its scopes and its campaign.
    """
    if not token.startswith(PREFIX):
        return None
    with reading() as c:
        row = people.api_token(c, hash_of(token), now)
    if row is None:
        return None
    if row.used_at is None or now - row.used_at >= USED_EVERY:
        with unit_of_work() as c:
            c.execute(update(_TOKENS).where(_TOKENS.c.id == row.id).values(used_at=now))
    visitor = Visitor(row.organizer_id, row.email, row.owner_name, row.operator, "", False, row.accepted_terms)
    return Holder(row.id, visitor, frozenset(Right(s) for s in row.scopes), row.campaign_id)


@dataclass(frozen=True, slots=True)
class Grantable:
    """A campaign (None: all of one's own) for which a token may be made, and the rights that it may carry."""

    campaign_id: int | None
    title: str
    rights: frozenset[Right]


def grantable(visitor: Visitor) -> list[Grantable]:
    """What this organizer may make tokens for: first all their campaigns, then each."""
    with reading() as c:
        if visitor.operator:
            return [Grantable(None, "", ALL), *(Grantable(r.id, r.title, ALL) for r in people.every_campaign(c))]
        own = [Grantable(r.id, r.title, RIGHTS[Role(r.role)]) for r in people.parts(c, visitor.id)]
    return [Grantable(None, "", frozenset[Right]().union(*(g.rights for g in own))), *own] if own else []


def make(visitor: Visitor, name: str, *, scopes: frozenset[Right], campaign_id: int | None, expires_at: datetime | None,
         now: datetime) -> str:
    """A new token, which is kept nowhere. Raises NotAllowed for more than the organizer has, or for one too many."""
    given = next((g for g in grantable(visitor) if g.campaign_id == campaign_id), None)
    if given is None or not scopes or not scopes <= given.rights:
        raise NotAllowed("a token can carry only rights that you have yourself")
    token = PREFIX + secrets.token_urlsafe(32)
    with unit_of_work() as c:
        people.organizer_locked(c, visitor.id)
        if len(people.api_tokens(c, visitor.id)) >= MOST:
            raise NotAllowed(f"you have {MOST} tokens already; revoke one first")
        c.execute(insert(_TOKENS).values(
            id=new_id(now.timestamp()), token_hash=hash_of(token), organizer_id=visitor.id, campaign_id=campaign_id, name=name,
            scopes=[right.value for right in Right if right in scopes], created_at=now, expires_at=expires_at))
        audit.note(c, "API token made", at=now, who=visitor.email, campaign_id=campaign_id, detail=name)
    return token


def revoke_all(c: Connection, organizer_id: int, *, now: datetime, who: str) -> int:
    """End all of an organizer's tokens, each with a line in the audit log. Returns how many."""
    rows = c.execute(update(_TOKENS).where(_TOKENS.c.organizer_id == organizer_id, _TOKENS.c.revoked_at.is_(None)).values(revoked_at=now)
                     .returning(_TOKENS.c.name, _TOKENS.c.campaign_id)).all()
    for row in rows:
        audit.note(c, "API token revoked", at=now, who=who, campaign_id=row.campaign_id, detail=f"{row.name}: with the password")
    return len(rows)


def list_of(organizer_id: int) -> Sequence[Any]:
    """An organizer's tokens, the newest first: id, name, scopes, title (None: all campaigns), created_at, expires_at, used_at."""
    with reading() as c:
        return people.api_tokens(c, organizer_id)


def revoke(visitor: Visitor, token_id: str, *, now: datetime) -> str:
    """End a token of one's own; returns its name. Raises NotFound."""
    with unit_of_work() as c:
        mine = (_TOKENS.c.id == token_id) & (_TOKENS.c.organizer_id == visitor.id)
        row = c.execute(update(_TOKENS).where(mine, _TOKENS.c.revoked_at.is_(None)).values(revoked_at=now)
                        .returning(_TOKENS.c.name, _TOKENS.c.campaign_id)).first()
        if row is None:
            raise NotFound("there is no such token, or it was revoked before")
        audit.note(c, "API token revoked", at=now, who=visitor.email, campaign_id=row.campaign_id, detail=row.name)
    return str(row.name)
