"""Who calls, and what they may do in the campaign that they name: the rights of the token's owner there, cut to its scopes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from outreach.db import utcnow
from outreach.domain.roles import ALL, RIGHTS, Right, Role
from outreach.errors import NotFound
from outreach.services import access, api_tokens, campaigns
from outreach.services.access import Visitor
from outreach.services.campaigns import CampaignRow
from outreach.web.api.problems import Failed, Unauthorized

Slug = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="The campaign's slug.", examples=["night-bus"])]
ID = r"^[0-9a-hjkmnp-tv-z]{26}$"
"""What ids of letters and submissions look like."""
KEY = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


@dataclass(frozen=True, slots=True)
class Caller:
    """The program behind a token."""

    token_id: str
    visitor: Visitor
    scopes: frozenset[Right]
    campaign_id: int | None
    network: str | None
    """The address that the request came from."""
    now: datetime

    @property
    def who(self) -> str:
        """How the audit log calls it."""
        return f"{self.visitor.email} (API token {self.token_id})"

    def rights_in(self, campaign_id: int) -> frozenset[Right]:
        """What it may do there; nothing where the token or its owner has no part."""
        if self.campaign_id not in (None, campaign_id):
            return frozenset()
        if self.visitor.operator:
            return ALL & self.scopes
        role = access.role_in(self.visitor.id, campaign_id)
        return RIGHTS[Role(role)] & self.scopes if role else frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A caller in one campaign."""

    caller: Caller
    campaign: CampaignRow
    rights: frozenset[Right]

    @property
    def slug(self) -> str:
        return self.campaign.slug

    @property
    def who(self) -> str:
        return self.caller.who

    @property
    def now(self) -> datetime:
        return self.caller.now


def identify(request: Request) -> Caller:
    """Who sends this. Raises Unauthorized."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    now = utcnow()
    holder = api_tokens.holder_of(token, now=now) if kind.lower() == "bearer" and token.isascii() and len(token) <= 200 else None
    if holder is None:
        raise Unauthorized
    return Caller(holder.token_id, holder.visitor, holder.scopes, holder.campaign_id, request.client.host if request.client else None, now)


def caller(request: Request) -> Caller:
    """Who the route's guard has let in (see `route.Guarded`)."""
    found = request.state.caller
    if not isinstance(found, Caller):
        raise Unauthorized
    return found


def within(*needed: Right) -> Callable[[Request, str], Place]:
    """A dependency: the campaign of the path, for who holds these rights there.

    Somebody else's campaign is not found, so that its existence is not told; one's own is refused by name of what is missing.
    """
    def place(request: Request, slug: Slug) -> Place:
        by = caller(request)
        campaign = campaigns.get(slug)
        rights = by.rights_in(campaign.id)
        if not rights:
            raise NotFound(f"there is no campaign {slug!r}")
        missing = [r.value for r in needed if r not in rights]
        if missing:
            raise Failed(403, "missing-right", f"This needs the right to {' and '.join(missing)} in {slug}: a scope of the token, and a "
                         "role of its owner that has it.")
        return Place(by, campaign, rights)

    return place
