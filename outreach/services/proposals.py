"""Addresses that were entered at the desk: nothing is sent there until an operator has approved them.

What is written to a target meanwhile waits at its proposed address. Campaign files that are imported from the command line need no
approval: whoever has the command line is an operator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.campaign import CampaignSpec
from outreach.domain.trust import Flag, flags
from outreach.errors import Conflict, NotFound
from outreach.logs import get
from outreach.models import Address, table
from outreach.numbers import is_mobile
from outreach.queries import campaigns as campaign_queries
from outreach.queries import drafts as draft_queries
from outreach.queries import operating as queries
from outreach.services import audit, blocks, campaigns, lanes, reroute

log = get()
_ADDRESSES = table(Address)
Place = tuple[str, str]
"""Channel and normalised value."""


@dataclass(frozen=True, slots=True)
class Use:
    """A target that has the address."""

    slug: str
    campaign: str
    target: str
    role: str
    kind: str
    source_url: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """An address that waits for an operator's word."""

    id: int
    channel: str
    value: str
    at: datetime | None
    why: str
    """Who entered it, in words."""
    uses: tuple[Use, ...]
    flags: tuple[Flag, ...]
    waiting: int
    """Letters that would go there."""


def new_places(spec: CampaignSpec) -> list[Place]:
    """The addresses of a campaign's targets that this service has never known."""
    places = {(channel, value) for t in spec.targets for channel in ("email", "fax", "phone") for value in getattr(t, channel)}
    with reading() as c:
        known = campaign_queries.addresses(c, places).keys()
        inboxes = draft_queries.never_targets(c, sorted(value for channel, value in known if channel == "email"))
    return sorted((places - known) | {("email", value) for value in inboxes})


def propose(places: Iterable[Place], *, now: datetime, who: str) -> None:
    """Make these addresses, proposed; those that are known stay as they are. To be called before the campaign that has them is stored."""
    with unit_of_work() as c:
        for channel, value in sorted(set(places)):
            made = c.execute(dialect_insert(c, _ADDRESSES).values(
                channel=channel, value=value, state="proposed", state_reason=f"entered by {who}"[:200], state_at=now)
                .on_conflict_do_nothing(index_elements=["channel", "value"]).returning(_ADDRESSES.c.id)).scalar()
            if made is None and channel == "email" and draft_queries.never_targets(c, [value]):  # it was only an inbox so far
                made = c.execute(update(Address).where(_ADDRESSES.c.channel == channel, _ADDRESSES.c.value == value).values(
                    state="proposed", state_reason=f"entered by {who}"[:200], state_at=now).returning(_ADDRESSES.c.id)).scalar()
            if made is not None:
                audit.note(c, "address proposed", at=now, who=who, detail=value)
                log.info("address.proposed", address=made, channel=channel)


def waiting() -> list[Proposal]:
    """Every address that some target has and nobody has approved, the oldest first."""
    with reading() as c:
        rows = queries.proposed(c)
        uses = queries.uses(c, [r.id for r in rows])
        letters = queries.waiting_at(c, [r.id for r in rows])
    found = [_proposal(r, [u for u in uses if u.address_id == r.id], letters.get(r.id, 0)) for r in rows]
    return [p for p in found if p.uses]


def approve(address_id: int, *, now: datetime, who: str) -> str:
    """Let letters go to a proposed address; what waits there goes on. Returns the address. Raises NotFound, Conflict (decided before)."""
    return _decide(address_id, "ok", None, "address approved", now=now, who=who)


def refuse(address_id: int, why: str, *, now: datetime, who: str) -> str:
    """Block a proposed address; what waits there goes to the target's next one or ends. Returns the address. Raises as `approve`."""
    return _decide(address_id, "blocked", why[:200] or "not approved", "address refused", now=now, who=who)


def _decide(address_id: int, state: str, why: str | None, what: str, *, now: datetime, who: str) -> str:
    with unit_of_work() as c:
        value = c.execute(update(Address).where(_ADDRESSES.c.id == address_id, _ADDRESSES.c.state == "proposed").values(
            state=state, state_reason=why, state_at=now).returning(_ADDRESSES.c.value)).scalar()
        if value is None:
            raise _undecided(c, address_id)
        audit.note_for(c, campaign_queries.ids_at(c, [address_id]), what, at=now, who=who, detail=f"{value}: {why}" if why else value)
        blocks.touch_addresses(c, [address_id])
        reroute.away_from_unusable(c, campaign_queries.ids_at(c, [address_id]), now, most=reroute.AT_ONCE)
        lanes.mark(c, [address_id], now)
    log.info("address.decided", address=address_id, state=state)
    return str(value)


def _undecided(c: Connection, address_id: int) -> Conflict | NotFound:
    row = queries.address(c, address_id)
    if row is None:
        return NotFound("there is no such address")
    words = {"ok": "in use", "suspect": "suspect", "blocked": "blocked"}
    return Conflict(f"{row.value} is {words[row.state]} already: somebody else has decided")


def _proposal(row: Any, uses: list[Any], letters: int) -> Proposal:
    known = []
    for u in uses:
        try:
            spec = campaigns.spec_of_version(u.version_id).target(u.key)
        except KeyError:
            continue
        role = " · ".join(x for x in (spec.role, spec.organization) if x)
        known.append(Use(u.slug, u.title, spec.name, role, spec.kind, spec.source_url))
    mobile = row.channel != "email" and is_mobile(row.value)
    found = {f for u in known for f in flags(row.channel, row.value, kind=u.kind, source_url=u.source_url, mobile=mobile)}
    return Proposal(row.id, row.channel, row.value, row.state_at, row.state_reason or "", tuple(known),
                    tuple(f for f in Flag if f in found), letters)

