"""Campaigns: what they are now, and the moves between draft, live, paused and closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, Row, update

from outreach.campaign_files import spec_from_json, write_campaign
from outreach.db import engine, reading, unit_of_work
from outreach.domain.campaign import CampaignSpec
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.models import Campaign, table
from outreach.queries import campaigns as queries
from outreach.services import audit, lanes
from outreach.services.blocks import BlockResult, block_address, touch_addresses, unblock_address
from outreach.services.campaign_import import ImportResult, import_campaign, store_campaign
from outreach.settings import Settings, SettingsInvalid, get_settings
from outreach.transports.fax.ours import check_sender

__all__ = ["ACTIONS", "AddressRow", "BlockResult", "CampaignCard", "CampaignRow", "ImportResult", "TargetRow", "block_address",
           "export", "get", "import_campaign", "list_all", "live", "publishing_warnings", "set_state", "spec_of", "spec_of_version",
           "store_campaign", "targets_of", "touch_addresses", "unblock_address"]
_CAMPAIGNS = table(Campaign)

ACTIONS: MappingProxyType[str, tuple[frozenset[str], str]] = MappingProxyType({
    "publish": (frozenset({"draft"}), "live"),
    "pause": (frozenset({"live"}), "paused"),
    "resume": (frozenset({"paused"}), "live"),
    "close": (frozenset({"draft", "live", "paused"}), "closed"),
})
"""Each action: the states it leaves, and the one it leads to."""


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as its row is now; its content is `spec_of_version(version_id)`."""

    id: int
    slug: str
    state: str
    title: str
    deadline: datetime | None
    version_id: int
    on_unknown: str
    fall_back: bool
    revision: int
    paused_why: str | None
    resumed_at: datetime | None
    created_at: datetime
    published_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    outcome_message: str | None
    stopped_from: str | None
    final_at: datetime | None
    suspended_at: datetime | None
    suspended_why: str | None
    moderation: str
    fingerprint_key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CampaignCard:
    """A live campaign as lists show it."""

    slug: str
    title: str
    summary: str
    deadline: datetime | None
    zone: str
    """Whose clock the deadline is told by."""
    languages: tuple[str, ...]
    accent: str
    goal: int
    targets: int


@dataclass(frozen=True, slots=True)
class AddressRow:
    """One address of a target. `rank` counts from 0 within its channel; `limits` is the campaign's limit string or empty."""

    id: int
    channel: str
    value: str
    rank: int
    limits: str
    state: str


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target as the database has it; addresses by channel (email, fax, phone), each in order of preference."""

    id: int
    key: str
    name: str
    timezone: str
    hours: str
    active: bool
    addresses: tuple[AddressRow, ...]

    def places(self, channel: str) -> list[AddressRow]:
        """Where a new letter may go on this channel, the preferred first; what waits for an operator's approval only where the target
        has nothing else: a letter waits there."""
        letters = [a for a in self.addresses if a.channel in ("email", "fax")]
        state = "ok" if any(a.state == "ok" for a in letters) else "proposed"
        return sorted((a for a in letters if (a.channel, a.state) == (channel, state)), key=lambda a: a.rank)


def get(slug: str) -> CampaignRow:
    """One campaign, in whatever state. Raises NotFound."""
    with reading() as c:
        return _row(queries.by_slug(c, slug), slug)


def by_id(campaign_id: int) -> CampaignRow:
    """One campaign by its number. Raises NotFound."""
    with reading() as c:
        return _row(queries.by_id(c, campaign_id), str(campaign_id))


def inbox_of(campaign_id: int) -> str:
    """Where the campaign's copies go now; empty when it wants none."""
    return spec_of_version(by_id(campaign_id).version_id).inbox


def list_all() -> list[CampaignRow]:
    """All campaigns, the newest first."""
    with reading() as c:
        return [_row(row, row.slug) for row in queries.everything(c)]


def live(now: datetime) -> list[CampaignCard]:
    """Campaigns that take letters now, the nearest deadline first."""
    with reading() as c:
        rows = queries.live(c, now)
    cards = []
    for row in rows:
        spec = spec_of_version(row.version_id)
        cards.append(CampaignCard(row.slug, row.title, spec.summary, row.deadline, spec.zone, spec.languages, spec.accent, spec.goal,
                                  len(spec.targets)))
    return cards


def spec_of_version(version_id: int) -> CampaignSpec:
    """The campaign as one version's file said; versions never change, so it is kept. Raises NotFound."""
    return _spec(engine(), version_id)


@lru_cache(maxsize=256)
def _spec(_database: Engine, version_id: int) -> CampaignSpec:
    with reading() as c:
        found = queries.definition(c, version_id)
    if found is None:
        raise NotFound(f"there is no version {version_id} of any campaign")
    return spec_from_json(found)


def spec_of(slug: str) -> CampaignSpec:
    """The campaign as it is now. Raises NotFound."""
    return spec_of_version(get(slug).version_id)


def targets_of(campaign_id: int, revision: int | None = None, *, dropped: bool = False) -> tuple[TargetRow, ...]:
    """The campaign's targets in the file's order, with those an import dropped if asked for.

    Kept until the campaign's revision changes; give the revision where it is known, which saves a query.
    """
    if revision is None:
        with reading() as c:
            revision = queries.revision(c, campaign_id)
    if revision is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    rows = _targets(engine(), campaign_id, revision)
    return rows if dropped else tuple(t for t in rows if t.active)


@lru_cache(maxsize=128)
def _targets(_database: Engine, campaign_id: int, _revision: int) -> tuple[TargetRow, ...]:
    with reading() as c:
        addresses: dict[int, list[AddressRow]] = {}
        for a in queries.target_addresses(c, campaign_id):
            addresses.setdefault(a.target_id, []).append(AddressRow(a.address_id, a.channel, a.value, a.rank, a.limits, a.state))
        return tuple(TargetRow(t.id, t.key, t.name, t.timezone, t.hours, t.active, tuple(addresses.get(t.id, ())))
                     for t in queries.targets(c, campaign_id))


def set_state(slug: str, action: str, *, now: datetime, who: str = audit.COMMAND_LINE, why: str = "",
              agreed: bool | None = None) -> CampaignRow:
    """Publish, pause, resume or close. An action that has already been taken changes nothing. `why` is a pause's that nobody asked for.

    `agreed`: whether `who` vouches that the person or family concerned wants it online; None where that is written down elsewhere.

    Raises NotFound, Conflict (the campaign's state does not allow it, its deadline has passed), NotAllowed (something
    that must be there before letters go out is missing; the text names it).
    """
    sources, to = ACTIONS[action]
    with unit_of_work() as c:
        row = _row(queries.by_slug_locked(c, slug), slug)
        if row.state == to:
            return row
        if row.state not in sources:
            raise Conflict(f"{slug} is {row.state}; {action} is for a campaign that is {' or '.join(sorted(sources))}")
        if to == "live":
            if row.suspended_at is not None:
                raise NotAllowed(f"{slug} is suspended by the operator ({row.suspended_why}); only the operator can lift that")
            _check_may_send(c, row, get_settings(), now)
        values: dict[str, Any] = {"state": to, "revision": _CAMPAIGNS.c.revision + 1}
        if action == "publish":
            values["published_at"] = now
        if to == "closed":
            values["closed_at"] = now
        if to == "live":
            values |= {"paused_why": None, "resumed_at": now}
        if why:
            values["paused_why"] = why
        c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(**values))
        lanes.mark(c, queries.letter_lanes(c, row.id), now)
        audit.note(c, f"campaign: {action}", at=now, who=who, campaign_id=row.id,
                   detail=f"{row.state} → {to}" + (f": {why}" if why else ""))
        if action == "publish" and agreed is not None:
            audit.note(c, "person concerned agrees" if agreed else "person concerned: not asked", at=now, who=who, campaign_id=row.id,
                       detail="said when it was published" if agreed else "published without the check-list")
        return _row(queries.by_slug(c, slug), slug)


def publishing_warnings(slug: str) -> list[str]:
    """What does not forbid to send, but should be known first. Raises NotFound."""
    settings, row = get_settings(), get(slug)
    if settings.demo:
        return []
    found = []
    if settings.email_transport == settings.fax_transport == "sandbox":
        found.append("both transports are `sandbox`: nothing leaves this machine")
    with reading() as c:
        faxes = "fax" in queries.channels(c, row.id)
    from outreach.services.compose import answered_phone  # it imports this module

    if faxes and not answered_phone(spec_of_version(row.version_id), settings):
        found.append("faxes must name a telephone at which somebody answers; set OUTREACH_OPERATOR_PHONE, or write one in the "
                     "campaign's contact. Until then they name OUTREACH_FAX_FROM")
    return found


def export(slug: str) -> str:
    """The campaign as TOML; importing it gives the same campaign. Raises NotFound."""
    return write_campaign(spec_of(slug))


def _check_may_send(c: Connection, row: CampaignRow, settings: Settings, now: datetime) -> None:
    if row.deadline is not None and row.deadline <= now:
        raise Conflict(f"{row.slug}: its deadline passed on {row.deadline:%Y-%m-%d %H:%M} UTC; import it with one that is ahead")
    if not settings.demo:
        needed = {"OUTREACH_OPERATOR_NAME": settings.operator_name, "OUTREACH_OPERATOR_ADDRESS": settings.operator_address,
                  "OUTREACH_OPERATOR_CONTACT": settings.operator_contact}
        if missing := [name for name, value in needed.items() if not value.strip()]:
            raise NotAllowed(f"set {', '.join(missing)} first: each letter says who sends it, and supporters and targets must be "
                             "able to reach you")
        _check_no_half_sandbox(c, row, settings)
        if settings.fax_transport != "sandbox" and "fax" in queries.channels(c, row.id):
            try:
                check_sender(settings.fax_from)
            except SettingsInvalid as e:
                raise NotAllowed(f"{row.slug}: {e}") from e
    if not queries.reachable(c, row.id):
        raise NotAllowed(f"{row.slug}: every address of its targets is blocked; nothing could be sent")


def _check_no_half_sandbox(c: Connection, row: CampaignRow, settings: Settings) -> None:
    """Beside a real transport, letters that end in our own sandbox would be shown as received."""
    transports = {"email": settings.email_transport, "fax": settings.fax_transport}
    fake = [channel for channel, name in transports.items() if name == "sandbox"]
    if len(fake) == 1 and fake[0] in queries.channels(c, row.id):
        word = {"email": "e-mail", "fax": "fax"}[fake[0]]
        raise NotAllowed(f"{row.slug}: some of its targets are reached by {word}, but OUTREACH_{fake[0].upper()}_TRANSPORT is `sandbox`: "
                         f"those letters would go nowhere. Set it, or take the {word} addresses out of the campaign's file")


def _row(row: Row[Any] | None, slug: str) -> CampaignRow:
    if row is None:
        raise NotFound(f"there is no campaign {slug!r}")
    return CampaignRow(**row._mapping)
