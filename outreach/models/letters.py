"""What supporters send, each try to hand it over, and what providers say of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.domain.letters import EVIDENCE, UNCOUNTED, State, Verdict
from outreach.models.base import CLUSTERED, Base, BigKey, Id, one_of

_UNPROVED = "state IN ('expired', 'withdrawn') AND confirmed_at IS NULL AND erased_at IS NULL"


class Submission(Base):
    """One send of the form by one supporter, frozen as submitted."""

    __tablename__ = "submissions"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("campaign_versions.id"))
    form_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the form's token: a form sent again is the same submission."""
    state: Mapped[str] = mapped_column(String(12))
    fingerprint: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(10))
    asked: Mapped[list[int]]
    """The ids of the targets it names, also of those whose letter was there before."""
    language: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(320))
    street: Mapped[str] = mapped_column(String(200))
    city: Mapped[str] = mapped_column(String(120))
    postal_code: Mapped[str] = mapped_column(String(20))
    phone: Mapped[str] = mapped_column(String(40))
    affiliation: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str | None] = mapped_column(String(300))
    """The supporter's own, None when the campaign's text was left as it is."""
    body: Mapped[str | None] = mapped_column(Text)
    consent_version: Mapped[str] = mapped_column(String(20))
    updates: Mapped[bool]
    public_name: Mapped[bool]
    network: Mapped[str | None] = mapped_column(String(32))
    """Keyed hash of the network prefix; cleared after a day."""
    code_tries: Mapped[int] = mapped_column(server_default="0")
    asked_at: Mapped[datetime | None]
    """When its writer was asked whether letters that still wait shall go after the campaign has changed; None once answered."""
    reveal_at: Mapped[datetime | None]
    """For a repeat without confirmation: until when its page shows what a first one's would."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('unconfirmed', 'accepted', 'duplicate', 'withdrawn', 'expired')", name="state"),
        Index("ix_submissions_campaign", "campaign_id", "created_at"),
        Index("ix_submissions_person", "campaign_id", "fingerprint"),
        Index("ix_submissions_asked", "asked_at", postgresql_where=text("asked_at IS NOT NULL"), sqlite_where=text("asked_at IS NOT NULL")),
        Index("ix_submissions_unconfirmed", "created_at", postgresql_where=text("state = 'unconfirmed'"),
              sqlite_where=text("state = 'unconfirmed'")),
        # Never confirmed and not scrubbed yet; those that still can be confirmed are in the index before.
        Index("ix_submissions_unproved", "created_at", postgresql_where=text(_UNPROVED), sqlite_where=text(_UNPROVED)),
        Index("ix_submissions_network", "created_at", postgresql_where=text("network IS NOT NULL"),
              sqlite_where=text("network IS NOT NULL")),
        CLUSTERED,
    )


class Letter(Base):
    """One message to one target over one channel."""

    __tablename__ = "letters"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("targets.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"))
    channel: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(40))
    state_at: Mapped[datetime]
    fingerprint: Mapped[str] = mapped_column(String(32))
    wave: Mapped[int] = mapped_column(server_default="1")
    slot: Mapped[int] = mapped_column(server_default="0")
    """Household slot; 0 unless the campaign allows several people behind one mailbox."""
    counts: Mapped[bool]
    """Whether this letter holds its person's place at the target; see the unique index below."""
    submitted_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default="0")
    lease_until: Mapped[datetime | None]
    attempt_id: Mapped[str | None] = mapped_column(Id)
    """The attempt under way, or the last one."""
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    carries: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it is handed over for a bundle, that is for all letters whose `carried_by` names it."""
    carried_by: Mapped[str | None] = mapped_column(ForeignKey("letters.id"))
    """The letter whose hand-over takes this one along; it is then never claimed by itself (docs/decisions/0016)."""
    __table_args__ = (
        CheckConstraint(one_of("state", State), name="state"),
        CheckConstraint("channel IN ('email', 'fax')", name="channel"),
        # One person, one target, one letter, whichever channel.
        Index("uq_letters_one_each", "campaign_id", "wave", "target_id", "fingerprint", "slot", unique=True,
              postgresql_where=text("counts"), sqlite_where=text("counts")),
        # A letter that waits for its lane or was handed over holds its place; only evidence of a cancelled one may not.
        CheckConstraint(f"counts OR {one_of('state', UNCOUNTED | EVIDENCE | {State.FAILED})}", name="counts"),
        CheckConstraint(f"NOT counts OR NOT {one_of('state', UNCOUNTED)}", name="uncounted"),
        # A target's line at an address: first what was never put off (NULL), in order of submission; then by when it is due again.
        Index("ix_letters_waiting", "address_id", "target_id", "not_before", "submitted_at", "id",
              postgresql_where=text("state = 'queued'"), sqlite_where=text("state = 'queued'")),
        Index("ix_letters_pending", "campaign_id", "id", postgresql_where=text("state IN ('unconfirmed', 'held', 'queued')"),
              sqlite_where=text("state IN ('unconfirmed', 'held', 'queued')")),
        Index("ix_letters_withdrawn", "id", postgresql_where=text("state = 'queued' AND withdrawn_at IS NOT NULL"),
              sqlite_where=text("state = 'queued' AND withdrawn_at IS NOT NULL")),
        Index("ix_letters_unknown", "state_at", postgresql_where=text("state = 'unknown'"), sqlite_where=text("state = 'unknown'")),
        Index("ix_letters_failed", "campaign_id", "reason", "id", postgresql_where=text("state = 'failed'"),
              sqlite_where=text("state = 'failed'")),
        Index("ix_letters_campaign", "campaign_id", "id"),
        Index("ix_letters_faxes", "campaign_id", "id", postgresql_where=text("channel = 'fax' AND attempt_id IS NOT NULL"),
              sqlite_where=text("channel = 'fax' AND attempt_id IS NOT NULL")),
        Index("ix_letters_carried", "carried_by", postgresql_where=text("carried_by IS NOT NULL"),
              sqlite_where=text("carried_by IS NOT NULL")),
        CLUSTERED,
    )


class Attempt(Base):
    """The ledger: one try to hand a letter to a transport, committed before it starts. Its start is the pacing slot."""

    __tablename__ = "attempts"
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    letter_id: Mapped[str] = mapped_column(ForeignKey("letters.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"))
    transport: Mapped[str] = mapped_column(String(20))
    holder: Mapped[str] = mapped_column(String(120))
    verdict: Mapped[str] = mapped_column(String(10))
    retryable: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str | None] = mapped_column(String(300))
    """What the provider said, shortened; holds no personal data but the target's address."""
    provider_ref: Mapped[str | None] = mapped_column(String(200))
    pages: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    line_until: Mapped[datetime | None]
    """Fax: the line is taken until then, or until a final receipt clears it."""
    media_fetched_at: Mapped[datetime | None]
    polled_at: Mapped[datetime | None]
    """When the provider was last asked what became of it."""
    inquiry: Mapped[str | None] = mapped_column(String(100))
    """What asking brought while the outcome is unknown, for organizers: "2 faxes to this number since then"."""
    arrived_at: Mapped[datetime | None]
    """When it arrived, by the earliest moment that anybody has named; kept when a bounce outranks that."""
    waived_at: Mapped[datetime | None]
    """From then on what is known against it no longer counts (see `AttemptFact.waived`): the letter may go again."""
    cancel_asked_at: Mapped[datetime | None]
    """When the provider was asked to cancel it: its word that it did so is no failure."""
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        Index("uq_attempts_one_open", "letter_id", unique=True, postgresql_where=text("verdict = 'open'"),
              sqlite_where=text("verdict = 'open'")),
        Index("ix_attempts_log", "address_id", "started_at"),
        Index("ix_attempts_ref", "provider_ref", postgresql_where=text("provider_ref IS NOT NULL"),
              sqlite_where=text("provider_ref IS NOT NULL")),
        Index("ix_attempts_failed", "campaign_id", "ended_at", postgresql_where=text("verdict IN ('refused', 'bounced')"),
              sqlite_where=text("verdict IN ('refused', 'bounced')")),
        Index("ix_attempts_unknown", "transport", "started_at", postgresql_where=text("verdict = 'unknown'"),
              sqlite_where=text("verdict = 'unknown'")),
        Index("ix_attempts_lines", "address_id", "line_until", postgresql_where=text("line_until IS NOT NULL"),
              sqlite_where=text("line_until IS NOT NULL")),
        CLUSTERED,
    )


class LetterEvent(Base):
    """Every change of a letter's state: from, to, when, why. Append-only."""

    __tablename__ = "letter_events"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    letter_id: Mapped[str] = mapped_column(ForeignKey("letters.id"), index=True)
    at: Mapped[datetime]
    before: Mapped[str | None] = mapped_column(String(12))
    after: Mapped[str] = mapped_column(String(12))
    why: Mapped[str] = mapped_column(String(40))
    attempt_id: Mapped[str | None] = mapped_column(Id)


class Receipt(Base):
    """One thing a provider said about a letter; append-only, stored before it is applied, unique on the provider's event id."""

    __tablename__ = "receipts"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    event_id: Mapped[str] = mapped_column(String(200))
    attempt_id: Mapped[str | None] = mapped_column(Id, index=True)
    letter_id: Mapped[str | None] = mapped_column(Id)
    verdict: Mapped[str | None] = mapped_column(String(10))
    """None when it only informs (queued, processed, deferred)."""
    retryable: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None] = mapped_column(String(40))
    provider_ref: Mapped[str | None] = mapped_column(String(200))
    message_id: Mapped[str | None] = mapped_column(String(200))
    recipient: Mapped[str] = mapped_column(String(320))
    pages: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(String(300))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    """None while its letter is not found: an orphan, matched later."""
    look_at: Mapped[datetime | None]
    """When an orphan's letter is looked for next; rarer with its age, so that many orphans of nobody hold up no others."""
    raw: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        Index("ix_receipts_orphans", "look_at", postgresql_where=text("applied_at IS NULL"), sqlite_where=text("applied_at IS NULL")),
        # Somebody called a letter spam: a word that changes no state, and that providers count.
        Index("ix_receipts_complaints", "received_at", postgresql_where=text("verdict IS NULL AND reason = 'rejected_as_spam'"),
              sqlite_where=text("verdict IS NULL AND reason = 'rejected_as_spam'")),
    )
