"""Pauses beside a campaign's own: of a target, a provider, a channel, of everything. What waits keeps its place.

A pause is a row; the claim of a letter asks for it (`queries/pauses.NOT_PAUSED`), so that it holds from its commit on, also for what
a drain has read already. Lifting it wakes the lanes that slept meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete

from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.letters import Channel
from outreach.errors import NotAllowed, NotFound
from outreach.logs import get
from outreach.models import Pause, table
from outreach.queries import figures
from outreach.queries import pauses as queries
from outreach.queue import QueueName, ring
from outreach.services import audit, lanes
from outreach.settings import Settings
from outreach.transports.registry import transport_name

log = get()
_PAUSES = table(Pause)
EVERYTHING = "everything"
PROVIDERS = {"smtp": Channel.EMAIL, "sendgrid": Channel.EMAIL, "twilio": Channel.FAX, "telnyx": Channel.FAX}
"""Transports by name, and what they take."""
CHANNELS = (Channel.EMAIL, Channel.FAX)
NAMES = (*PROVIDERS, *(c.value for c in CHANNELS))
"""What `--provider` may name: a provider, or whichever provider takes a channel's letters."""
_MOST = 500
"""Lanes that one statement marks: databases limit the number of parameters."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is paused at one moment."""

    channels: frozenset[str]
    """On which nothing at all goes out: everything, the channel, or the provider that takes it is paused."""
    targets: frozenset[int]

    def holds(self, channel: str, target_id: int) -> bool:
        """Whether a letter to this target on this channel waits for a pause to end."""
        return channel in self.channels or target_id in self.targets


@dataclass(frozen=True, slots=True)
class Row:
    """A pause as `outreach pauses` lists it. `what` is what `outreach resume` takes, of a target its campaign and id."""

    kind: str
    what: str
    at: datetime
    who: str
    why: str


def held(c: Connection, settings: Settings) -> Held:
    """What is paused now, for a service with these settings."""
    rows = queries.every(c)
    if not rows:
        return Held(frozenset(), frozenset())
    names = {r.name for r in rows if r.kind in ("channel", "provider")}
    everything = any(r.kind == EVERYTHING for r in rows)
    return Held(frozenset(ch.value for ch in CHANNELS if everything or ch.value in names or transport_name(ch, settings) in names),
                frozenset(r.target_id for r in rows if r.kind == "target"))


def listed() -> list[Row]:
    """All pauses, the oldest first; those of whole campaigns are states of theirs and not among them."""
    with reading() as c:
        return [Row(r.kind, f"{r.slug} {r.key}" if r.kind == "target" else r.name or r.kind, r.at, r.who, r.why)
                for r in queries.listed(c)]


def pause(what: str, *, now: datetime, why: str = "", who: str = audit.COMMAND_LINE) -> bool:
    """Pause everything, a provider or a channel. False if it was paused already. Raises NotAllowed for another name."""
    kind, name = _place(what)
    with unit_of_work() as c:
        return _set(c, kind, name, None, now=now, why=why, who=who)


def resume(what: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> bool:
    """Lift such a pause and wake the lanes. False if there was none. Raises NotAllowed for another name."""
    kind, name = _place(what)
    channel = PROVIDERS.get(name) or (Channel(name) if kind == "channel" else None)
    with unit_of_work() as c:
        lifted = _lift(c, kind, name, None, queries.lanes_of_channel(c, channel), now=now, who=who)
    if lifted:
        ring(*([QueueName(channel.value)] if channel else QueueName))
    return lifted


def pause_target(slug: str, key: str, *, now: datetime, why: str = "", who: str = audit.COMMAND_LINE) -> bool:
    """Send nothing to one of a campaign's targets (its id in the file). False if it was paused already. Raises NotFound."""
    with unit_of_work() as c:
        return _set(c, "target", "", _target(c, slug, key), now=now, why=why, who=who)


def resume_target(slug: str, key: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> bool:
    """Go on sending to such a target. False if it was not paused. Raises NotFound."""
    with unit_of_work() as c:
        target = _target(c, slug, key)
        lifted = _lift(c, "target", "", target, queries.lanes_of_target(c, target.id), now=now, who=who)
    if lifted:
        ring(*(QueueName(ch.value) for ch in CHANNELS))
    return lifted


def _place(what: str) -> tuple[str, str]:
    """A pause's kind and name."""
    if what == EVERYTHING:
        return EVERYTHING, ""
    if what in PROVIDERS:
        return "provider", what
    if what in CHANNELS:
        return "channel", what
    raise NotAllowed(f"{what!r} is nothing that can be paused; say one of {', '.join(NAMES)}, or everything")


def _target(c: Connection, slug: str, key: str) -> Any:
    found = queries.target(c, slug, key)
    if found is None:
        raise NotFound(f"there is no campaign {slug!r} with a target {key!r}")
    return found


def _set(c: Connection, kind: str, name: str, target: Any, *, now: datetime, why: str, who: str) -> bool:
    made = c.execute(dialect_insert(c, _PAUSES).values(
        kind=kind, name=name if target is None else str(target.id), target_id=target and target.id, at=now, who=who[:320], why=why[:200])
        .on_conflict_do_nothing().returning(_PAUSES.c.kind)).scalar()
    if made:
        _told(c, "sending paused", kind, name, target, now=now, who=who, why=why)
    return bool(made)


def _lift(c: Connection, kind: str, name: str, target: Any, woken: Sequence[int], *, now: datetime, who: str) -> bool:
    for at in range(0, len(woken), _MOST):  # lanes before anything else: the order in which the ledger locks
        lanes.mark(c, woken[at:at + _MOST], now)
    gone = c.execute(delete(_PAUSES).where(_PAUSES.c.kind == kind, _PAUSES.c.name == (name if target is None else str(target.id)))).rowcount
    if gone:
        _told(c, "sending resumed", kind, name, target, now=now, who=who)
    return bool(gone)


def _told(c: Connection, what: str, kind: str, name: str, target: Any, *, now: datetime, who: str, why: str = "") -> None:
    place = figures.target_names(c, target.campaign_id)[target.id][1] if target else f"{kind} {name}".strip()
    detail = f"{place}: {why}" if why else place
    audit.note(c, what, at=now, who=who, campaign_id=target and target.campaign_id, detail=detail)
    log.info("sending.changed", action=what, kind=kind, target=target and target.id, provider=name or None)
