"""What is asked, of whom, and where they are reached."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import JSONText
from outreach.domain.letters import Channel
from outreach.models.base import Base, Id, one_of


class Campaign(Base):
    """What is asked, of whom, until when. Its content is a version's definition; here is what changes and is asked for often."""

    __tablename__ = "campaigns"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    """draft → live ↔ paused → closed; live or paused → stopped → closed, or back while that can be undone"""
    title: Mapped[str] = mapped_column(String(300))
    deadline: Mapped[datetime | None]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_versions.id", use_alter=True))
    fingerprint_key: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Destroyed when the campaign is scrubbed."""
    on_unknown: Mapped[str] = mapped_column(String(10))
    fall_back: Mapped[bool] = mapped_column(server_default=text("false"))
    revision: Mapped[int]
    """Goes up with every change; caches of the page compare it."""
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    paused_why: Mapped[str | None] = mapped_column(String(200))
    """Why it paused itself; None when somebody paused it, or nobody has."""
    resumed_at: Mapped[datetime | None]
    """Failures before then no longer count towards the next pause."""
    outcome: Mapped[str | None] = mapped_column(String(10))
    """What it came to, once stopped: its pages thank instead of asking (docs/decisions/0013)."""
    outcome_message: Mapped[str | None] = mapped_column(Text)
    stopped_from: Mapped[str | None] = mapped_column(String(10))
    """The state that undoing the stop restores; None once it is final."""
    final_at: Mapped[datetime | None]
    """Until then a stop can be undone."""
    suspended_at: Mapped[datetime | None]
    """Since when the operator keeps it paused: its organizers cannot resume it."""
    suspended_why: Mapped[str | None] = mapped_column(String(500))
    moderation: Mapped[str] = mapped_column(String(10), server_default=text("'none'"))
    """Which letters wait for a moderator: none, edited or all."""
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'live', 'paused', 'stopped', 'closed')", name="state"),
        CheckConstraint("on_unknown IN ('hold', 'resend')", name="on_unknown"),
        CheckConstraint("moderation IN ('none', 'edited', 'all')", name="moderation"),
        CheckConstraint("outcome IN ('won', 'changed', 'lost', 'other')", name="outcome"),
        CheckConstraint("state <> 'stopped' OR (outcome IS NOT NULL AND stopped_from IS NOT NULL AND final_at IS NOT NULL)",
                        name="stopped"),
    )


class CampaignVersion(Base):
    """A campaign file as it was imported. What a supporter submitted refers to the version they saw."""

    __tablename__ = "campaign_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(320), server_default=text("''"))
    older: Mapped[str | None] = mapped_column(String(10))
    """What is still to be done with letters that waited when it came into force: ask or cancel."""
    older_targets: Mapped[list[int] | None] = mapped_column(JSONText)
    """With those to which targets; None: to all."""
    older_after: Mapped[str] = mapped_column(Id, server_default=text("''"))
    """The last of them with which it has been done, by id."""
    reviving: Mapped[str | None] = mapped_column(String(10))
    """Letters that the deadline before had ended are still to be queued again, or (ask) their writers to be asked."""
    reviving_after: Mapped[str] = mapped_column(Id, server_default=text("''"))
    """The last of them that was looked at, by id."""
    __table_args__ = (UniqueConstraint("campaign_id", "number"),
                      Index("ix_campaign_versions_older", "id", postgresql_where=text("older IS NOT NULL"),
                            sqlite_where=text("older IS NOT NULL")),
                      Index("ix_campaign_versions_reviving", "id", postgresql_where=text("reviving IS NOT NULL"),
                            sqlite_where=text("reviving IS NOT NULL")))


class Draft(Base):
    """A campaign, or a new version of one, that somebody is still writing at the desk. May hold mistakes."""

    __tablename__ = "drafts"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"), unique=True)
    """The campaign it will be a version of; None for one that is not there yet."""
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"), index=True)
    """Who began it."""
    content: Mapped[dict[str, Any]]
    """The keys of a campaign file, as far as they are written."""
    source: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """The circular that it was read from."""
    findings: Mapped[list[Any]] = mapped_column(JSONText)
    """What was found in the circular, and where: see `outreach.domain.circular`."""
    revision: Mapped[int]
    """Goes up with every save: two who write at once do not overwrite each other unseen."""
    version_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_versions.id"))
    """The version that it was begun from; None for a campaign that is not there yet."""
    ticks: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What somebody vouched for on the check-list, by whom and when: see `outreach.services.checklist`."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(320))


class Target(Base):
    """A person or office that decides. `key` is its id in the campaign file and stays across imports."""

    __tablename__ = "targets"
    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    key: Mapped[str] = mapped_column(String(80))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(60))
    hours: Mapped[str] = mapped_column(String(200))
    """As in the file; empty when it states none."""
    active: Mapped[bool]
    """False once a later import no longer names it."""
    __table_args__ = (UniqueConstraint("campaign_id", "key"),)


class Address(Base):
    """One place to reach targets, shared by all campaigns: one inbox is one inbox."""

    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(320))
    """Normalised: lower-case e-mail with IDNA domain, or +E.164."""
    state: Mapped[str] = mapped_column(String(10), server_default="ok")
    """proposed: entered at the desk, and nothing is sent there until an operator has approved it"""
    state_reason: Mapped[str | None] = mapped_column(String(200))
    state_at: Mapped[datetime | None]
    pinned: Mapped[str | None] = mapped_column(String(200))
    """The operator's own limit string for this address, in the place of every campaign's and of the ceiling."""
    __table_args__ = (
        UniqueConstraint("channel", "value"),
        CheckConstraint(one_of("channel", Channel), name="channel"),
        CheckConstraint("state IN ('ok', 'proposed', 'suspect', 'blocked')", name="state"),
        Index("ix_addresses_unusable", "state", postgresql_where=text("state <> 'ok'"), sqlite_where=text("state <> 'ok'")),
    )


class Pause(Base):
    """What is not sent for the time being, beside campaigns that are paused themselves. Tiny: read in every claim."""

    __tablename__ = "pauses"
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    """everything, channel, provider or target"""
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    """The channel, the provider, or the target's number as text; empty for everything."""
    target_id: Mapped[int | None] = mapped_column(ForeignKey("targets.id"))
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(320))
    why: Mapped[str] = mapped_column(String(200))
    __table_args__ = (
        CheckConstraint("kind IN ('everything', 'channel', 'provider', 'target')", name="kind"),
        CheckConstraint("(kind = 'target') = (target_id IS NOT NULL)", name="target"),
    )


class TargetAddress(Base):
    """Which addresses a target has, in order of preference, and the limits that its campaign sets for each."""

    __tablename__ = "target_addresses"
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"), primary_key=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"), primary_key=True, index=True)
    rank: Mapped[int]
    limits: Mapped[str] = mapped_column(String(200))
    """A limit string; empty means only the operator's ceiling."""
    share: Mapped[str] = mapped_column(String(200), server_default=text("''"))
    """The most that this campaign itself takes of what the address takes; empty means all."""


class Lane(Base):
    """The queue in front of one address. A drain that holds it is the only one to start attempts there."""

    __tablename__ = "lanes"
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"), primary_key=True)
    queue: Mapped[str] = mapped_column(String(10))
    next_wake_at: Mapped[datetime | None]
    """When somebody should look; None while nothing waits. Only a hint: letters are the truth."""
    holder: Mapped[str | None] = mapped_column(String(120))
    held_until: Mapped[datetime | None]
    backoff_until: Mapped[datetime | None]
    """Nothing starts before then: a busy line, a server that defers everybody."""
    setbacks: Mapped[int] = mapped_column(server_default="0")
    """Set-backs in a row."""
    __table_args__ = (Index("ix_lanes_due", "queue", "next_wake_at", postgresql_where=text("next_wake_at IS NOT NULL"),
                            sqlite_where=text("next_wake_at IS NOT NULL")),)


class Breaker(Base):
    """A provider that cannot be used now, for all workers. No row: it can."""

    __tablename__ = "breakers"
    transport: Mapped[str] = mapped_column(String(20), primary_key=True)
    until: Mapped[datetime]
    """Then somebody tries again."""
    trips: Mapped[int]
    """How often in a row it was tried in vain."""
    since: Mapped[datetime]
    why: Mapped[str] = mapped_column(String(200))
    by_receipt: Mapped[bool] = mapped_column(server_default=text("false"))
    """Opened by what receipts say of our account: that it takes more proves nothing then, only that something arrives."""
