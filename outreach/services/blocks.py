"""Addresses to which nothing goes, whichever campaign asks: the operator's block, and how its lifting is told to lanes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Engine, update

from outreach.db import dialect_insert, engine, reading, unit_of_work
from outreach.domain.addresses import normal_address
from outreach.domain.letters import Reason
from outreach.domain.pacing import format_rules, parse_rules
from outreach.errors import NotAllowed, NotFound
from outreach.models import Address, Campaign, Notice, table
from outreach.numbers import normal_phone
from outreach.queries import campaigns as queries
from outreach.services import audit, lanes, reroute

_ADDRESSES, _CAMPAIGNS, _NOTICES = table(Address), table(Campaign), table(Notice)


@dataclass(frozen=True, slots=True)
class BlockResult:
    """The normalised address, and the campaigns that write to it."""

    value: str
    campaigns: tuple[str, ...]


def block_address(value: str, reason: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> BlockResult:
    """Let nothing go to this e-mail address or number any more; it need not be in any campaign yet.

    Takes effect at the next hand-over, for copies within a second; what waits there goes to the target's next address or
    ends. Raises NotAllowed when `value` is neither.
    """
    places = _places(value)
    with unit_of_work() as c:
        for channel, normal in places:
            values = {"state": "blocked", "state_reason": reason[:200], "state_at": now}
            c.execute(dialect_insert(c, _ADDRESSES).values(channel=channel, value=normal, **values)
                      .on_conflict_do_update(index_elements=["channel", "value"], set_=values))
        c.execute(update(_NOTICES).where(_NOTICES.c.kind == "fax_copy", _NOTICES.c.recipient == places[0][1], _NOTICES.c.state == "queued")
                  .values(state="dropped"))
        _note(c, "address blocked", places, now=now, who=who, detail=f": {reason}")
        told = _told(c, places, now)
    _refuses.cache_clear()
    return told


def suspect_address(address_id: int, reason: Reason, *, now: datetime) -> bool:
    """Let nothing go to an address that is probably wrong, until somebody has looked; what waits moves on as from a blocked one.

    False if it was suspect or blocked already.
    """
    with unit_of_work() as c:
        value = c.execute(update(Address).where(_ADDRESSES.c.id == address_id, _ADDRESSES.c.state == "ok").values(
            state="suspect", state_reason=reason.value, state_at=now).returning(_ADDRESSES.c.value)).scalar()
        if value is None:
            return False
        audit.note_for(c, queries.ids_at(c, [address_id]), "address suspect", at=now, who="outreach", detail=f"{value}: {reason.value}")
        touch_addresses(c, [address_id])
        reroute.away_from_unusable(c, queries.ids_at(c, [address_id]), now, most=reroute.AT_ONCE)
        lanes.mark(c, [address_id], now)
    _refuses.cache_clear()
    return True


def pin_limit(value: str, limits: str | None, *, now: datetime, who: str = audit.COMMAND_LINE) -> BlockResult:
    """The operator's own limit for an address, in the place of every campaign's and of the ceiling; None takes it away.

    Takes effect within seconds. Raises NotAllowed when `value` is no address or `limits` no limit string.
    """
    places = [p for p in _places(value) if p[0] != "phone"]
    try:
        text = None if limits is None else format_rules(parse_rules(limits))
        if len(text or "") > 200:
            raise ValueError("a limit has at most 200 characters")
    except ValueError as e:
        raise NotAllowed(str(e)) from e
    with unit_of_work() as c:
        for channel, normal in places:
            c.execute(dialect_insert(c, _ADDRESSES).values(channel=channel, value=normal, pinned=text)
                      .on_conflict_do_update(index_elements=["channel", "value"], set_={"pinned": text}))
        _note(c, "address limit", places, now=now, who=who, detail=f": {text or 'as the campaigns say'}")
        return _told(c, places, now)


def unblock_address(value: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> BlockResult:
    """Lift a block (or the suspicion that a number is wrong). Raises NotFound when there is nothing to lift, NotAllowed as above."""
    places = _places(value)
    with unit_of_work() as c:
        lifted = c.execute(update(Address).where(
            _ADDRESSES.c.value == places[0][1], _ADDRESSES.c.channel.in_([channel for channel, _ in places]), _ADDRESSES.c.state != "ok")
            .values(state="ok", state_reason=None, state_at=now)).rowcount
        if not lifted:
            raise NotFound(f"{places[0][1]} is not blocked")
        _note(c, "address unblocked", places, now=now, who=who)
        told = _told(c, places, now)
    _refuses.cache_clear()
    return told


def may_copy_to(inbox: str) -> bool:
    """Whether copies may go to a campaign's inbox. Asked for every letter, so the answer is kept for a second."""
    return not _refuses(engine(), inbox, int(time.monotonic()))


@lru_cache(maxsize=256)
def _refuses(_database: Engine, inbox: str, _second: int) -> bool:
    with reading() as c:
        return queries.is_blocked(c, "email", inbox)


def touch_addresses(connection: Connection, address_ids: Sequence[int]) -> None:
    """Say that the state of these addresses changed: what is cached about their campaigns is read again."""
    if address_ids:
        connection.execute(update(Campaign).where(_CAMPAIGNS.c.id.in_(queries.campaign_ids_at(address_ids)))
                           .values(revision=_CAMPAIGNS.c.revision + 1))


def _places(value: str) -> list[tuple[str, str]]:
    """An e-mail address is one place; behind a number there may be a fax or a telephone."""
    try:
        if "@" in value:
            return [("email", normal_address(value))]
        number = normal_phone(value, "")
    except ValueError as e:
        raise NotAllowed(str(e)) from e
    return [("fax", number), ("phone", number)]


def _note(c: Connection, what: str, places: list[tuple[str, str]], *, now: datetime, who: str, detail: str = "") -> None:
    """Before anything is moved away from there: whose letters wait is concerned, too."""
    ids = sorted(row.id for row in queries.addresses(c, places).values())
    audit.note_for(c, queries.ids_at(c, ids), what, at=now, who=who, detail=f"{places[0][1]}{detail}")


def _told(c: Connection, places: list[tuple[str, str]], now: datetime) -> BlockResult:
    ids = sorted(row.id for row in queries.addresses(c, places).values())
    touch_addresses(c, ids)
    reroute.away_from_unusable(c, queries.ids_at(c, ids), now, most=reroute.AT_ONCE)  # the sweep brings on the rest
    lanes.mark(c, ids, now)  # what waits there moves to the next address, or may go again
    return BlockResult(places[0][1], tuple(queries.campaigns_at(c, ids)))
