"""What organizers are told of, and what programs of theirs are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.models.base import Base, Id


class Alert(Base):
    """One matter that somebody should look at, from when it began until it was over."""

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    """None: the operator's matter."""
    kind: Mapped[str] = mapped_column(String(30))
    ref: Mapped[str] = mapped_column(String(120))
    """What it is about, within its kind: an address, a provider, a lane. One open alert a matter."""
    detail: Mapped[str] = mapped_column(String(500))
    opened_at: Mapped[datetime]
    calm_since: Mapped[datetime | None]
    """Since when it is over, as far as one sees: it closes once that has lasted."""
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_alerts_one_open", "kind", "ref", unique=True, postgresql_where=text("closed_at IS NULL"),
              sqlite_where=text("closed_at IS NULL")),
        Index("ix_alerts_campaign", "campaign_id", "opened_at"),
    )


class Webhook(Base):
    """Where a campaign's events are posted."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"), index=True)
    """None: the operator's, for the whole service."""
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[bytes] = mapped_column(LargeBinary(200))
    """What events are signed with, encrypted with a key of the service's own."""
    events: Mapped[list[str]]
    """Kinds: alert, letter.sent, letter.delivered, letter.failed, …"""
    created_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[datetime]
    since_event: Mapped[int] = mapped_column(server_default="0")
    """The newest `letter_events` row that has been looked at for it."""
    failures: Mapped[int] = mapped_column(server_default="0")
    """Posts in a row that it did not take."""
    failing_since: Mapped[datetime | None]
    """When the first of those was made."""
    not_before: Mapped[datetime]
    """It rests until then: after a failure, and while something is being posted to it."""
    turn_at: Mapped[datetime]
    """When it last had its turn; whose is the longest ago is next."""
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None] = mapped_column(String(200))


class WebhookDelivery(Base):
    """One event for one webhook: tried again until it is taken, or too old."""

    __tablename__ = "webhook_deliveries"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str] = mapped_column(String(80))
    """The event's own id; unique for a webhook, so that nothing is posted as two."""
    kind: Mapped[str] = mapped_column(String(30))
    rank: Mapped[int]
    """0: an alert, 1: letters. The lower goes first."""
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8))
    tries: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    said: Mapped[str | None] = mapped_column(String(200))
    """The last answer, shortened."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("webhook_id", "event"),
        CheckConstraint("state IN ('queued', 'sending', 'taken', 'failed')", name="state"),
        Index("ix_webhook_deliveries_due", "webhook_id", "rank", "id", postgresql_where=text("state IN ('queued', 'sending')"),
              sqlite_where=text("state IN ('queued', 'sending')")),
    )
