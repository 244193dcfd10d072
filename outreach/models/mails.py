"""Copies for the campaign's inbox, and every other mail of ours."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.models.base import CLUSTERED, Base, Id


class Copy(Base):
    """The campaign inbox's copy of one letter. One row a letter and inbox: a retry never repeats a copy."""

    __tablename__ = "copies"
    letter_id: Mapped[str] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    inbox: Mapped[str] = mapped_column(String(320), primary_key=True)
    how: Mapped[str] = mapped_column(String(6))
    """cc (in the letter's own SMTP transaction), mail (a message of its own, for faxes) or digest (a line in one)"""
    state: Mapped[str] = mapped_column(String(8))
    attempt_id: Mapped[str | None] = mapped_column(Id)
    at: Mapped[datetime]
    campaign_id: Mapped[int | None]
    """Of what goes with a digest: whose."""
    digest_id: Mapped[str | None] = mapped_column(Id)
    """The digest that lists it; None while it waits for one."""
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'sent', 'failed', 'unknown')", name="state"),
        CheckConstraint("how IN ('cc', 'mail', 'digest')", name="how"),
        Index("ix_copies_waiting", "campaign_id", "inbox", "at",
              postgresql_where=text("how = 'digest' AND state = 'offered' AND digest_id IS NULL"),
              sqlite_where=text("how = 'digest' AND state = 'offered' AND digest_id IS NULL")),
        Index("ix_copies_digest", "digest_id", postgresql_where=text("digest_id IS NOT NULL"),
              sqlite_where=text("digest_id IS NOT NULL")),
        CLUSTERED,
    )


class CopySlot(Base):
    """The pace of an inbox: mails to it that have started within the last hours, or that somebody holds leave to start."""

    __tablename__ = "copy_slots"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    inbox: Mapped[str] = mapped_column(String(320))
    n: Mapped[int]
    until: Mapped[datetime]
    """When the last of them started, or until when it may start."""
    holder: Mapped[str | None] = mapped_column(String(120))
    """The drain that took a block of copies in Cc."""
    __table_args__ = (Index("ix_copy_slots_log", "inbox", "until"), CLUSTERED)


class Notice(Base):
    """Every other mail we send: confirmation, reminder, report, copy of a fax, digest. Same attempt protocol, capped per recipient."""

    __tablename__ = "notices"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    ref: Mapped[str] = mapped_column(String(60))
    """What it is about: a submission, letter, report or digest id. (kind, ref) is unique, so that nothing is told twice."""
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submissions.id"), index=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    recipient: Mapped[str] = mapped_column(String(320))
    mailbox: Mapped[str | None] = mapped_column(String(32))
    """Keyed hash of a supporter's mailbox, for the cap and "never mail me again". None for other mails, and once scrubbed."""
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(40))
    """While it is queued: `rate_limited` if its mailbox's cap has put it off."""
    tries: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    holder: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'dropped')", name="state"),
        Index("ix_notices_due", "not_before", postgresql_where=text("state = 'queued'"), sqlite_where=text("state = 'queued'")),
        Index("ix_notices_mailbox", "mailbox", postgresql_where=text("state = 'queued'"), sqlite_where=text("state = 'queued'")),
        Index("ix_notices_sending", "lease_until", postgresql_where=text("state = 'sending'"), sqlite_where=text("state = 'sending'")),
        CLUSTERED,
    )


class MailboxUse(Base):
    """How many mails of ours a supporter's mailbox (a keyed hash) has had within a day. Nothing here says which, or when exactly."""

    __tablename__ = "mailbox_use"
    mailbox: Mapped[str] = mapped_column(String(32), primary_key=True)
    until: Mapped[datetime] = mapped_column(primary_key=True)
    """A full hour: from then on they no longer count, and the row goes."""
    n: Mapped[int]
    __table_args__ = (Index("ix_mailbox_use_until", "until"), CLUSTERED)


class Suppression(Base):
    """A mailbox that asked never to be written to again, as a keyed hash."""

    __tablename__ = "suppressions"
    mailbox: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
