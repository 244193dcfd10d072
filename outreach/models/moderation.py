"""What waits for a moderator, and what was decided."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.models.base import Base


class Review(Base):
    """A submission whose letters are held, why, and what became of it. `mark` is kept for every edited text, held or not."""

    __tablename__ = "reviews"
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    state: Mapped[str] = mapped_column(String(10))
    """free (nothing spoke against it), waiting, approved or rejected"""
    reasons: Mapped[list[str]]
    """Names of the rules that held it."""
    mark: Mapped[int | None] = mapped_column(BigInteger)
    """A similarity hash of the text: near-identical texts differ in few of its 64 bits."""
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(320))
    note: Mapped[str | None] = mapped_column(String(500))
    """Why it was rejected, in words for its writer."""
    __table_args__ = (
        CheckConstraint("state IN ('free', 'waiting', 'approved', 'rejected')", name="state"),
        Index("ix_reviews_waiting", "campaign_id", "created_at", postgresql_where=text("state = 'waiting'"),
              sqlite_where=text("state = 'waiting'")),
        Index("ix_reviews_recent", "campaign_id", "created_at"),
        Index("ix_reviews_decided", "campaign_id", "decided_at", postgresql_where=text("decided_at IS NOT NULL"),
              sqlite_where=text("decided_at IS NOT NULL")),
    )
