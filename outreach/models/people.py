"""Who may use the desk, and who did what there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.roles import Role
from outreach.models.base import Base, BigKey, Id, one_of


class Organizer(Base):
    """A person who may use the desk. What they may do there is a role in each campaign (`Member`), or the operator's."""

    __tablename__ = "organizers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(120), server_default=text("''"))
    operator: Mapped[bool] = mapped_column(server_default=text("false"))
    """Runs the service: sees every campaign, approves addresses, sets ceilings."""
    password: Mapped[str | None] = mapped_column(String(200))
    """Argon2id in its encoded form; None until one is set."""
    totp_key: Mapped[bytes | None] = mapped_column(LargeBinary(200))
    """The secret of RFC 6238, encrypted with a key of the service's own; None until it is set up."""
    totp_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The newest time step whose code was used: none is good twice."""
    accepted_terms: Mapped[str | None] = mapped_column(String(20))
    """The version of the acceptable-use text that they accepted."""
    proved_at: Mapped[datetime | None]
    """When they first came by a link that had been mailed, or that the operator's command printed. A link that another organizer
    copied proves no mailbox."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """One of the codes that stand in for a lost second factor; each is good once, and only its hash is kept."""

    __tablename__ = "recovery_codes"
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime | None]


class Member(Base):
    """What an organizer is in one campaign."""

    __tablename__ = "members"
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime]
    __table_args__ = (CheckConstraint(one_of("role", Role), name="role"),)


class LoginLink(Base):
    """A one-time link to the desk, to begin or to set a new password; the token itself is not kept."""

    __tablename__ = "login_links"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"))
    kind: Mapped[str] = mapped_column(String(10), server_default=text("'invite'"))
    """invite or reset"""
    proves: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether its use proves the mailbox: only its owner, or the operator, can have it."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    __table_args__ = (CheckConstraint("kind IN ('invite', 'reset')", name="kind"),)


class Session(Base):
    """A signed-in browser; the cookie's value itself is not kept."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True)
    """Names it in the list of one's sessions, where the hash has no business."""
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"), index=True)
    stage: Mapped[str] = mapped_column(String(10), server_default=text("'full'"))
    """full; or password: the second factor is still to come, and nothing else is open"""
    browser: Mapped[str] = mapped_column(String(80), server_default=text("''"))
    """"Firefox on Linux", so that its owner knows it again."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("stage IN ('full', 'password')", name="stage"),)


class ApiToken(Base):
    """A program's key to the API: never more than its owner may, and only in its scopes. The token itself is not kept."""

    __tablename__ = "api_tokens"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    organizer_id: Mapped[int] = mapped_column(ForeignKey("organizers.id"), index=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    """The only campaign it opens; None opens all of its owner's."""
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[list[str]]
    """Rights (`outreach.domain.roles.Right`)."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    """To the hour."""
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer to a write of the API, given again when the same key comes again; rows live a day."""

    __tablename__ = "idempotency_keys"
    who: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The token's id, or "public"."""
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of method, path and body: another request under the same key is a mistake."""
    status: Mapped[int | None]
    """None while the first one is at work."""
    body: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]


class AuditEntry(Base):
    """Who changed what. Append-only."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(320))
    what: Mapped[str] = mapped_column(String(60))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    detail: Mapped[str] = mapped_column(String(500))
    __table_args__ = (Index("ix_audit_campaign", "campaign_id", "id"),)


class Report(Base):
    """Somebody reported a campaign to the operator."""

    __tablename__ = "reports"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """When the operator had looked into it."""
    closed_by: Mapped[str | None] = mapped_column(String(320))
    note: Mapped[str | None] = mapped_column(String(500))
