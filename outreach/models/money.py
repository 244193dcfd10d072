"""What faxes cost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.models.base import Base, Id


class Budget(Base):
    """What a campaign's faxes may cost, and have. Not a column of `campaigns`: whoever changes a campaign locks its row before lanes,
    and a hand-over locks its lane before this."""

    __tablename__ = "budgets"
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    cap: Mapped[int | None] = mapped_column(BigInteger)
    """The most that they may cost, in millionths of the service's currency; None: no cap."""
    spent: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """What they have cost, those under way at their estimate: the sum of `costs`."""
    full_at: Mapped[datetime | None]
    """Since when the next fax would not fit; nothing of the campaign is faxed then."""
    __table_args__ = (CheckConstraint("spent >= 0", name="spent"),)


class Cost(Base):
    """What one attempt costs: reserved at its start by its pages and the price list, put right when it has ended."""

    __tablename__ = "costs"
    attempt_id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    provider: Mapped[str] = mapped_column(String(20))
    amount: Mapped[int] = mapped_column(BigInteger)
    """Millionths of the service's currency."""
    pages: Mapped[int | None]
    final: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether a receipt has said it, or nothing more is to come."""
    at: Mapped[datetime]
    __table_args__ = (
        Index("ix_costs_campaign", "campaign_id", "provider"),
        Index("ix_costs_open", "at", postgresql_where=text("NOT final"), sqlite_where=text("NOT final")),
    )
