"""The levers of a campaign as an organizer finds them: how each stands, and how much would move if it were pulled."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.db import reading, unit_of_work
from outreach.domain.force import Force, in_force
from outreach.domain.letters import Channel, State
from outreach.domain.pacing import format_rules, parse_rules
from outreach.errors import NotFound
from outreach.logs import get
from outreach.queries import bundles as bundle_queries
from outreach.queries import figures
from outreach.queries import levers as queries
from outreach.services import audit, campaigns, forecast, inquiries, line, paces, pauses
from outreach.services.campaigns import AddressRow, CampaignRow, TargetRow
from outreach.services.forecast import LaneForecast
from outreach.settings import get_settings

log = get()
PAGE = 40
"""Targets that are shown at once."""
UNKNOWNS = 50
BATCH = 50
"""Letters of unknown outcome that one transaction resolves."""
CHANNELS = (Channel.FAX.value, Channel.EMAIL.value)


@dataclass(frozen=True, slots=True)
class Lane:
    """One address of a target that letters go to."""

    address: AddressRow
    force: Force
    foretold: LaneForecast | None
    """None when nothing waits there, or it was not asked for."""

    @property
    def pace(self) -> str:
        """The limits in force in words."""
        return forecast.in_words(format_rules(self.force.rules))


@dataclass(frozen=True, slots=True)
class TargetLevers:
    """A target with its lanes; `waiting` counts letters, those in bundles too."""

    row: TargetRow
    waiting: int
    paused: Any | None
    """at, who, why of its pause."""
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Levers:
    """All that the page of levers shows."""

    letters: dict[str, int]
    """By state."""
    targets: tuple[TargetLevers, ...]
    found: int
    """Targets in all, of which a page is shown."""
    failed: dict[str, int]
    """By reason."""
    unknown: int
    """Decisions to make: a bundle is one."""
    missing: int
    """Letters that would miss the deadline."""
    bundles: int
    """Letters that wait in bundles, those that carry them among them."""
    held: tuple[str, ...]
    """Channels on which the operator lets nothing out."""


def look(campaign: CampaignRow, *, now: datetime, search: str = "", page: int = 0) -> Levers:
    """How a campaign's levers stand. `search` keeps the targets whose name, id or address has it; all from one snapshot."""
    every = campaigns.targets_of(campaign.id, campaign.revision, dropped=True)
    wanted = search.strip().casefold()
    with reading() as c:
        letters, waiting = _counts(c, campaign.id)
        shown = [t for t in every if (t.active or waiting[t.id]) and wanted in _words(t)]
        part = shown[page * PAGE:(page + 1) * PAGE]
        lanes = forecast.lanes_of(c, campaign, now, get_settings())
        return Levers(
            letters, tuple(_targets(c, campaign, part, waiting, lanes)), len(shown), queries.failed_by_reason(c, campaign.id),
            queries.unknown_count(c, campaign.id), sum(x.misses for x in lanes if x.why not in ("paused", "address")),
            sum(bundle_queries.size(c, x.id, State.QUEUED.value) for x in bundle_queries.waiting_carriers(c, campaign.id)),
            tuple(sorted(pauses.held(c, get_settings()).channels)))


def target(campaign: CampaignRow, key: str, *, now: datetime) -> TargetLevers:
    """One target's levers with its forecast. Raises NotFound."""
    rows = [t for t in campaigns.targets_of(campaign.id, campaign.revision, dropped=True) if t.key == key]
    if not rows:
        raise NotFound(f"{campaign.slug} has no target {key!r}")
    with reading() as c:
        _letters, waiting = _counts(c, campaign.id)
        lanes = forecast.lanes_of(c, campaign, now, get_settings(), target_id=rows[0].id)
        return next(_targets(c, campaign, rows, waiting, lanes))


def forces(campaign: CampaignRow, row: TargetRow, own: dict[str, str]) -> dict[str, tuple[Force, ...]]:
    """By channel, what would hold at each of a target's addresses with these limit strings (empty: none of its own).

    Raises ValueError for what is no limit string.
    """
    with reading() as c:
        return {channel: tuple(_forces(c, [(row, a) for a in row.addresses if a.channel == channel], own=own.get(channel, "")).values())
                for channel in CHANNELS}


def by_state(campaign_id: int) -> dict[str, int]:
    """A campaign's letters by state."""
    with reading() as c:
        return _counts(c, campaign_id)[0]


def bundles(campaign_id: int) -> list[tuple[str, int]]:
    """Bundles that wait: the id of the target, and how many letters go together."""
    with reading() as c:
        return [(x.key, bundle_queries.size(c, x.id, State.QUEUED.value)) for x in bundle_queries.waiting_carriers(c, campaign_id)]


def calls(campaign_id: int) -> int:
    """Faxes that are with the provider now, and would be called back if the campaign were stopped."""
    with reading() as c:
        return queries.waiting_calls(c, campaign_id)


def unknowns(campaign: CampaignRow) -> tuple[Sequence[Any], int]:
    """The oldest letters of unknown outcome with what is known of each (see `queries.levers.unknowns`), and how many there are."""
    with reading() as c:
        return queries.unknowns(c, campaign.id, UNKNOWNS), queries.unknown_count(c, campaign.id)


def resolve_all(campaign: CampaignRow, outcome: str, *, until: datetime, now: datetime,
                who: str = audit.COMMAND_LINE) -> tuple[int, int, bool]:
    """Resolve alike all letters that were of unknown outcome at `until` (what the organizer has seen): "sent" or "resend".

    Returns how many, how many were left (their outcome is known by now, or they may not go again), and whether there are more that
    one call had no time for.
    """
    with reading() as c:
        ids = queries.unknown_ids(c, campaign.id, until)
    done = seen = 0
    end = time.monotonic() + line.SECONDS
    while seen < len(ids) and (not seen or time.monotonic() < end):
        done += inquiries.resolve_some(ids[seen:seen + BATCH], outcome, now)
        seen = min(seen + BATCH, len(ids))
    more = seen < len(ids)
    if ids:
        with unit_of_work() as c:
            audit.note(c, f"unknown letters: {outcome}", at=now, who=who, campaign_id=campaign.id,
                       detail=f"{done} letters{'; more are left' if more else ''}")
    log.info("unknown.resolved", campaign=campaign.id, letters=done, outcome=outcome)
    return done, seen - done, more


def require(campaign: CampaignRow, letter_id: str) -> Any:
    """A letter of this campaign. Raises NotFound: a letter of another one is not told of."""
    with reading() as c:
        found = queries.letter(c, campaign.id, letter_id)
    if found is None:
        raise NotFound("there is no such letter")
    return found


def _counts(c: Connection, campaign_id: int) -> tuple[dict[str, int], defaultdict[int, int]]:
    """Letters by state, and how many are queued for each target."""
    letters: defaultdict[str, int] = defaultdict(int)
    waiting: defaultdict[int, int] = defaultdict(int)
    for (target_id, _channel, name), n in figures.counts(c, campaign_id).items():
        kind, _, state = name.partition(":")
        if kind == "letter":
            letters[state] += n
            if state == State.QUEUED.value:
                waiting[target_id] += n
    return dict(letters), waiting


def _words(t: TargetRow) -> str:
    return " ".join([t.name, t.key, *(a.value for a in t.addresses)]).casefold()


def _targets(c: Connection, campaign: CampaignRow, rows: Sequence[TargetRow], waiting: dict[int, int],
             lanes: Sequence[LaneForecast]) -> Iterator[TargetLevers]:
    foretold = {(x.target_id, x.address_id): x for x in lanes}
    paused = queries.targets_paused(c, campaign.id)
    found = _forces(c, [(t, a) for t in rows for a in t.addresses if a.channel in CHANNELS])
    for t in rows:
        yield TargetLevers(t, waiting[t.id], paused.get(t.id), tuple(
            Lane(a, found[t.id, a.id], foretold.get((t.id, a.id)))
            for channel in CHANNELS for a in t.addresses if a.channel == channel))


def _forces(c: Connection, places: Sequence[tuple[TargetRow, AddressRow]], own: str | None = None) -> dict[tuple[int, int], Force]:
    """What holds at these addresses; with `own` in the place of the limit that the campaign sets."""
    ids = sorted({a.id for _, a in places})
    pins, others = queries.pins(c, ids), queries.other_limits(c, ids)
    made = {}
    for t, a in places:
        mine = a.limits if own is None else own
        theirs = {rule for x in others if x.address_id == a.id and x.target_id != t.id for rule in parse_rules(x.limits)}
        ceiling, pinned = paces.ceiling(Channel(a.channel), get_settings()), parse_rules(pins[a.id]) if a.id in pins else None
        made[t.id, a.id] = in_force(parse_rules(mine) if mine else (), sorted(theirs, key=str), ceiling, pinned)
    return made
