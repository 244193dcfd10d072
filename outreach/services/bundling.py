"""Making a bundle of what would miss the deadline at one address, and taking it apart again.

The first in line carries the others, so that all go before the deadline and there is time for another try. Whoever gives the
bundle a place in line is in it too: with 340 that are late, 341 letters go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, update

from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import State
from outreach.errors import Conflict, NotFound
from outreach.logs import get
from outreach.models import Lane, table
from outreach.queries import bundles as queries
from outreach.queries import campaigns as campaign_queries
from outreach.queries import delivery
from outreach.queries import letters as letter_queries
from outreach.queries.delivery import Waiting
from outreach.render.text import CannotRender
from outreach.services import audit, bundle_papers, campaigns, forecast, forms
from outreach.services.bundles import set_values
from outreach.services.forecast import LaneForecast
from outreach.settings import get_settings

log = get()
_LANES = table(Lane)
MOST = 2000
"""Letters in one bundle: more take long to set and fill too many pages. What is left makes another."""
HEADS = (8, 200)
"""Of the first in line so many are looked at for one who gives the others a place: nearly always the very first does."""
FEWEST = 2
NOBODY = "nobody else whose consent speaks of bundles is late"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go together at one address. Its letters are counted, not read: one that cannot be printed is left out when it is
    made."""

    lane: LaneForecast
    letters: int = 0
    """How many, up to `MOST` of those that are late and whoever gives them a place."""
    first: str = ""
    """The letter that would carry the others."""
    joins: str = ""
    """The letter that carries a bundle which waits there already and which they would join."""
    unasked: int = 0
    """Letters that would miss the deadline and are left out: their writers' consent does not speak of bundles."""
    why_not: str = ""
    """Why there is nothing to send together."""


def late(slug: str, *, now: datetime) -> list[LaneForecast]:
    """The lanes in which letters miss the deadline, the most first. Raises NotFound."""
    return sorted((x for x in forecast.of_campaign(slug, now=now) if x.misses), key=lambda x: -x.misses)


def plans(slug: str, *, target: str = "", now: datetime | None = None) -> list[Plan]:
    """For each lane of a campaign (of one target, if named) in which letters miss the deadline: what would go together.

    Raises NotFound.
    """
    now, campaign = now or utcnow(), campaigns.get(slug)
    targets = {t.key: t.id for t in campaigns.targets_of(campaign.id, campaign.revision, dropped=True)}
    if target and target not in targets:
        raise NotFound(f"{slug} has no target {target!r}")
    with reading() as c:
        lanes = forecast.lanes_of(c, campaign, now, get_settings(), target_id=targets.get(target), anew=True)
        agreed = not target and (queries.oldest_consent(c, campaign.id) or "") >= forms.BUNDLES_SINCE
        carriers = {(x.target_id, x.address_id): x.id for x in reversed(queries.waiting_carriers(c, campaign.id)) if x.attempt_id is None}
        return [_plan(c, lane, carriers.get((lane.target_id, lane.address_id), ""), now, all_agreed=agreed)
                for lane in lanes if lane.misses]


def preview(plan: Plan, *, now: datetime | None = None) -> bytes:
    """The pages that would go out, as PDF, stamped now. Raises Conflict when there is nothing to send together."""
    if plan.why_not:
        raise Conflict(plan.why_not)
    with reading() as c:
        together = (*(delivery.carried(c, plan.joins) if plan.joins else ()), *letters_of(c, plan))
    if len(together) < FEWEST:
        raise Conflict(NOBODY)
    return bundle_papers.pdf(together, together[0], now or utcnow(), get_settings())


def send(slug: str, *, target: str = "", now: datetime | None = None, who: str = audit.COMMAND_LINE) -> list[Plan]:
    """Bind what would miss the deadline, lane by lane. Returns what was bound, as it was bound; raises NotFound, and Conflict when
    nothing can be."""
    now = now or utcnow()
    found = plans(slug, target=target, now=now)
    bound = []
    for plan in found:
        if not plan.why_not:
            with reading() as c:
                letters = letters_of(c, plan)
            with unit_of_work() as c:
                bound += _bind(c, plan, letters, now, who)
    if not bound:
        raise Conflict("; ".join(sorted({p.why_not for p in found if p.why_not})) or "no letter would miss the deadline")
    return bound


def undo(slug: str, *, target: str = "", now: datetime | None = None, who: str = audit.COMMAND_LINE) -> int:
    """Take apart the bundles of a campaign (of one target) that wait: each letter is in its own place again. Returns how many letters.

    Raises NotFound, and Conflict when no bundle waits.
    """
    now, campaign, freed = now or utcnow(), campaigns.get(slug), 0
    with unit_of_work() as c:
        found = [x for x in queries.waiting_carriers(c, campaign.id) if target in ("", x.key)]
        _take_lanes(c, [x.address_id for x in found], now)
        for x in found:
            carrier = letter_queries.by_id_locked(c, x.id)
            members = [m for m in queries.followers(c, [x.id]) if m.state == State.QUEUED.value]
            if carrier.state != State.QUEUED.value or not carrier.carries:  # it went while we waited for it
                continue
            set_values(c, [m.id for m in members], carried_by=None)
            set_values(c, [x.id], carries=False, submitted_at=carrier.created_at)
            freed += len(members) + 1
            audit.note(c, "bundle taken apart", at=now, who=who, campaign_id=campaign.id, detail=f"{len(members) + 1} letters to {x.key}")
    if not freed:
        raise Conflict("no bundle waits")
    return freed


def letters_of(c: Connection, plan: Plan) -> list[Waiting]:
    """A plan's letters as they wait now, in order of submission, without those that cannot be printed."""
    late, _ = _late(c, plan.lane)
    return [w for w in delivery.by_ids(c, [x for x in dict.fromkeys([plan.first, *late]) if x]) if _can_be_printed(w)]


def _plan(c: Connection, lane: LaneForecast, carrier: str, now: datetime, *, all_agreed: bool) -> Plan:
    """`carrier` is a letter that carries a bundle there already, and waits; `all_agreed`: everybody's consent speaks of bundles, so
    that nobody's need be read."""
    if all_agreed:
        willing, unasked = min(lane.misses, MOST), 0
    else:
        late, unasked = _late(c, lane)
        willing = len(late)
    if lane.misses >= lane.waiting:
        why = forecast.WHY[lane.why] if lane.why in ("paused", "address", "hours") else "its limits let nothing start before then"
        return Plan(lane, unasked=unasked, why_not=f"not one hand-over can be made before the deadline: {why}")
    first = "" if carrier else _first(c, lane, now)
    if willing + bool(first) < (1 if carrier else FEWEST):
        return Plan(lane, unasked=unasked, why_not=NOBODY)
    return Plan(lane, willing + bool(first), first, carrier, unasked)


def _first(c: Connection, lane: LaneForecast, now: datetime) -> str:
    """The first in line who may carry others, of those who are in time; "" without one."""
    for most in HEADS:
        for x in queries.first(c, lane.target_id, lane.address_id, min(lane.waiting - lane.misses, most)):
            if x.consent_version >= forms.BUNDLES_SINCE and (x.not_before or now) <= now:
                return str(x.id)
    return ""


def _late(c: Connection, lane: LaneForecast) -> tuple[list[str], int]:
    return queries.late(c, lane.target_id, lane.address_id, lane.misses, agreed_since=forms.BUNDLES_SINCE, most=MOST)


def _can_be_printed(letter: Waiting) -> bool:
    try:
        bundle_papers.text_of(letter)
    except CannotRender:
        return False
    return True


def _bind(c: Connection, plan: Plan, letters: Sequence[Waiting], now: datetime, who: str) -> list[Plan]:
    """Make a plan's bundle of those of its letters who still wait; [] when too few are left."""
    _take_lanes(c, [plan.lane.address_id], now)
    carrier_id = plan.joins
    if carrier_id:
        carrier = letter_queries.by_id_locked(c, carrier_id)
        if carrier.state != State.QUEUED.value or carrier.attempt_id is not None:
            return []
    still = {x.id for x in queries.locked(c, [w.id for w in letters])}
    letters = [w for w in letters if w.id in still]
    if len(letters) < (1 if carrier_id else FEWEST):
        return []
    if not carrier_id:
        carrier_id, first = letters[0].id, queries.first_place(c, plan.lane.target_id, plan.lane.address_id)
        set_values(c, [carrier_id], carries=True, submitted_at=min(letters[0].submitted_at, first or letters[0].submitted_at))
    set_values(c, [w.id for w in letters if w.id != carrier_id], carried_by=carrier_id)
    campaign_id = letters[0].campaign_id
    audit.note(c, "bundle made", at=now, who=who, campaign_id=campaign_id,
               detail=f"{len(letters)} letters to {plan.lane.target} by {plan.lane.channel.value}{', added' if plan.joins else ''}")
    log.info("bundle.made", campaign=campaign_id, letter=carrier_id, letters=len(letters), channel=plan.lane.channel.value)
    return [replace(plan, letters=len(letters), first=letters[0].id)]


def _take_lanes(c: Connection, address_ids: Sequence[int], now: datetime) -> None:
    """Take lanes from who drains them, and have them looked at: what a drain has read may be in a bundle now, or out of one."""
    ids = campaign_queries.lanes_locked(c, sorted(set(address_ids)))
    c.execute(update(_LANES).where(_LANES.c.address_id.in_(ids)).values(holder=None, held_until=None, next_wake_at=now))
