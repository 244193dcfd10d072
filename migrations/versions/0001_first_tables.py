"""The first tables.

Revision 0001. Written from `outreach.models`, read and tidied by hand; later changes come as migrations of their own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CIRCLE = ("fk_campaigns_version_id", ["version_id"], ["campaign_versions.id"])
"""A campaign names its version and a version its campaign. SQLite takes the forward reference and can add no constraint later;
Postgres is the other way round."""


def upgrade() -> None:
    late = op.get_bind().dialect.name != "sqlite"
    name, columns, refers_to = CIRCLE
    circle = [] if late else [sa.ForeignKeyConstraint(columns, refers_to, name=op.f(name))]
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="ok", nullable=False),
        sa.Column("state_reason", sa.String(length=200), nullable=True),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pinned", sa.String(length=200), nullable=True),
        sa.CheckConstraint("(channel = 'email' OR channel = 'fax' OR channel = 'phone')", name=op.f("ck_addresses_channel")),
        sa.CheckConstraint("state IN ('ok', 'proposed', 'suspect', 'blocked')", name=op.f("ck_addresses_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("channel", "value", name=op.f("uq_addresses_channel")),
    )
    op.create_index(
        "ix_addresses_unusable",
        "addresses",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state <> 'ok'"),
        sqlite_where=sa.text("state <> 'ok'"),
    )
    op.create_table(
        "breakers",
        sa.Column("transport", sa.String(length=20), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("by_receipt", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("transport", name=op.f("pk_breakers")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("fingerprint_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("on_unknown", sa.String(length=10), nullable=False),
        sa.Column("fall_back", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_why", sa.String(length=200), nullable=True),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("outcome_message", sa.Text(), nullable=True),
        sa.Column("stopped_from", sa.String(length=10), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_why", sa.String(length=500), nullable=True),
        sa.Column("moderation", sa.String(length=10), server_default=sa.text("'none'"), nullable=False),
        sa.CheckConstraint("moderation IN ('none', 'edited', 'all')", name=op.f("ck_campaigns_moderation")),
        sa.CheckConstraint("on_unknown IN ('hold', 'resend')", name=op.f("ck_campaigns_on_unknown")),
        sa.CheckConstraint("outcome IN ('won', 'changed', 'lost', 'other')", name=op.f("ck_campaigns_outcome")),
        sa.CheckConstraint(
            "state <> 'stopped' OR (outcome IS NOT NULL AND stopped_from IS NOT NULL AND final_at IS NOT NULL)",
            name=op.f("ck_campaigns_stopped"),
        ),
        sa.CheckConstraint("state IN ('draft', 'live', 'paused', 'stopped', 'closed')", name=op.f("ck_campaigns_state")),
        *circle,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaigns_slug")),
    )
    op.create_table(
        "copy_slots",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("inbox", sa.String(length=320), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copy_slots")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_copy_slots_log", "copy_slots", ["inbox", "until"], unique=False)
    op.create_table(
        "counter_deltas",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_deltas")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("who", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("who", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "mailbox_use",
        sa.Column("mailbox", sa.String(length=32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "until", name=op.f("pk_mailbox_use")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mailbox_use_until", "mailbox_use", ["until"], unique=False)
    op.create_table(
        "network_use",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", "since", name=op.f("pk_network_use")),
    )
    op.create_table(
        "organizers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=120), server_default=sa.text("('')"), nullable=False),
        sa.Column("operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("totp_key", sa.LargeBinary(length=200), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("accepted_terms", sa.String(length=20), nullable=True),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizers")),
        sa.UniqueConstraint("email", name=op.f("uq_organizers_email")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.Column("letter_id", sa.String(length=26), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=True),
        sa.Column("retryable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("provider_ref", sa.String(length=200), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=True),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(length=300), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_receipts_provider")),
    )
    op.create_index(op.f("ix_receipts_attempt_id"), "receipts", ["attempt_id"], unique=False)
    op.create_index(
        "ix_receipts_complaints",
        "receipts",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("verdict IS NULL AND reason = 'rejected_as_spam'"),
        sqlite_where=sa.text("verdict IS NULL AND reason = 'rejected_as_spam'"),
    )
    op.create_index(
        "ix_receipts_orphans",
        "receipts",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL"),
        sqlite_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "service_days",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_service_days")),
    )
    op.create_table(
        "suppressions",
        sa.Column("mailbox", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("ref", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calm_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_alerts_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_campaign", "alerts", ["campaign_id", "opened_at"], unique=False)
    op.create_index(
        "uq_alerts_one_open",
        "alerts",
        ["kind", "ref"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_api_tokens_campaign_id")),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_api_tokens_organizer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index(op.f("ix_api_tokens_organizer_id"), "api_tokens", ["organizer_id"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=320), nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_audit_log_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_campaign", "audit_log", ["campaign_id", "id"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("full_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("spent >= 0", name=op.f("ck_budgets_spent")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_budgets_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_budgets")),
    )
    op.create_table(
        "campaign_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=320), server_default=sa.text("('')"), nullable=False),
        sa.Column("older", sa.String(length=10), nullable=True),
        sa.Column("older_targets", sa.Text(), nullable=True),
        sa.Column("older_after", sa.String(length=26), server_default=sa.text("('')"), nullable=False),
        sa.Column("reviving", sa.String(length=10), nullable=True),
        sa.Column("reviving_after", sa.String(length=26), server_default=sa.text("('')"), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_versions_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_versions")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_campaign_versions_campaign_id")),
    )
    op.create_index(
        "ix_campaign_versions_older",
        "campaign_versions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("older IS NOT NULL"),
        sqlite_where=sa.text("older IS NOT NULL"),
    )
    op.create_index(
        "ix_campaign_versions_reviving",
        "campaign_versions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("reviving IS NOT NULL"),
        sqlite_where=sa.text("reviving IS NOT NULL"),
    )
    op.create_table(
        "costs",
        sa.Column("attempt_id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("final", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_costs_campaign_id")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_costs")),
    )
    op.create_index("ix_costs_campaign", "costs", ["campaign_id", "provider"], unique=False)
    op.create_index(
        "ix_costs_open", "costs", ["at"], unique=False, postgresql_where=sa.text("NOT final"), sqlite_where=sa.text("NOT final")
    )
    op.create_table(
        "counter_hours",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_counter_hours_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "hour", "channel", "name", name=op.f("pk_counter_hours")),
    )
    op.create_table(
        "counters",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_counters_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "target_id", "channel", "name", name=op.f("pk_counters")),
    )
    op.create_table(
        "lanes",
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("queue", sa.String(length=10), nullable=False),
        sa.Column("next_wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backoff_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("setbacks", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_lanes_address_id")),
        sa.PrimaryKeyConstraint("address_id", name=op.f("pk_lanes")),
    )
    op.create_index(
        "ix_lanes_due",
        "lanes",
        ["queue", "next_wake_at"],
        unique=False,
        postgresql_where=sa.text("next_wake_at IS NOT NULL"),
        sqlite_where=sa.text("next_wake_at IS NOT NULL"),
    )
    op.create_table(
        "login_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), server_default=sa.text("'invite'"), nullable=False),
        sa.Column("proves", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('invite', 'reset')", name=op.f("ck_login_links_kind")),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_login_links_organizer_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_links")),
    )
    op.create_table(
        "members",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(role = 'moderator' OR role = 'organizer' OR role = 'owner' OR role = 'viewer')", name=op.f("ck_members_role")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_members_campaign_id")),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_members_organizer_id")),
        sa.PrimaryKeyConstraint("campaign_id", "organizer_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_organizer_id"), "members", ["organizer_id"], unique=False)
    op.create_table(
        "recovery_codes",
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_recovery_codes_organizer_id")),
        sa.PrimaryKeyConstraint("organizer_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "reports",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=320), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_reports_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=10), server_default=sa.text("'full'"), nullable=False),
        sa.Column("browser", sa.String(length=80), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("stage IN ('full', 'password')", name=op.f("ck_sessions_stage")),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_sessions_organizer_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        sa.UniqueConstraint("id", name=op.f("uq_sessions_id")),
    )
    op.create_index(op.f("ix_sessions_organizer_id"), "sessions", ["organizer_id"], unique=False)
    op.create_table(
        "targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("hours", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_targets_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
        sa.UniqueConstraint("campaign_id", "key", name=op.f("uq_targets_campaign_id")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=200), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since_event", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_webhooks_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_campaign_id"), "webhooks", ["campaign_id"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("organizer_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("ticks", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=320), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_drafts_campaign_id")),
        sa.ForeignKeyConstraint(["organizer_id"], ["organizers.id"], name=op.f("fk_drafts_organizer_id")),
        sa.ForeignKeyConstraint(["version_id"], ["campaign_versions.id"], name=op.f("fk_drafts_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
        sa.UniqueConstraint("campaign_id", name=op.f("uq_drafts_campaign_id")),
    )
    op.create_index(op.f("ix_drafts_organizer_id"), "drafts", ["organizer_id"], unique=False)
    op.create_table(
        "pauses",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=320), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.CheckConstraint("(kind = 'target') = (target_id IS NOT NULL)", name=op.f("ck_pauses_target")),
        sa.CheckConstraint("kind IN ('everything', 'channel', 'provider', 'target')", name=op.f("ck_pauses_kind")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_pauses_target_id")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_pauses")),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("form_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("street", sa.String(length=200), nullable=False),
        sa.Column("city", sa.String(length=120), nullable=False),
        sa.Column("postal_code", sa.String(length=20), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("affiliation", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("consent_version", sa.String(length=20), nullable=False),
        sa.Column("updates", sa.Boolean(), nullable=False),
        sa.Column("public_name", sa.Boolean(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("code_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reveal_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('unconfirmed', 'accepted', 'duplicate', 'withdrawn', 'expired')", name=op.f("ck_submissions_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_submissions_campaign_id")),
        sa.ForeignKeyConstraint(["version_id"], ["campaign_versions.id"], name=op.f("fk_submissions_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("form_hash", name=op.f("uq_submissions_form_hash")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_submissions_asked",
        "submissions",
        ["asked_at"],
        unique=False,
        postgresql_where=sa.text("asked_at IS NOT NULL"),
        sqlite_where=sa.text("asked_at IS NOT NULL"),
    )
    op.create_index("ix_submissions_campaign", "submissions", ["campaign_id", "created_at"], unique=False)
    op.create_index("ix_submissions_person", "submissions", ["campaign_id", "fingerprint"], unique=False)
    op.create_index(
        "ix_submissions_unconfirmed",
        "submissions",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state = 'unconfirmed'"),
        sqlite_where=sa.text("state = 'unconfirmed'"),
    )
    op.create_index(
        "ix_submissions_unproved",
        "submissions",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('expired', 'withdrawn') AND confirmed_at IS NULL AND erased_at IS NULL"),
        sqlite_where=sa.text("state IN ('expired', 'withdrawn') AND confirmed_at IS NULL AND erased_at IS NULL"),
    )
    op.create_index(
        "ix_submissions_network",
        "submissions",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("network IS NOT NULL"),
        sqlite_where=sa.text("network IS NOT NULL"),
    )
    op.create_table(
        "target_addresses",
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("limits", sa.String(length=200), nullable=False),
        sa.Column("share", sa.String(length=200), server_default=sa.text("('')"), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_target_addresses_address_id")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_target_addresses_target_id")),
        sa.PrimaryKeyConstraint("target_id", "address_id", name=op.f("pk_target_addresses")),
    )
    op.create_index(op.f("ix_target_addresses_address_id"), "target_addresses", ["address_id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("webhook_id", sa.String(length=26), nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("said", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'sending', 'taken', 'failed')", name=op.f("ck_webhook_deliveries_state")),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "event", name=op.f("uq_webhook_deliveries_webhook_id")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["webhook_id", "rank", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
        sqlite_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.String(length=26), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("wave", sa.Integer(), server_default="1", nullable=False),
        sa.Column("slot", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carries", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("carried_by", sa.String(length=26), nullable=True),
        sa.CheckConstraint(
            "(state = 'cancelled' OR state = 'delivered' OR state = 'expired' OR state = 'failed' "
            "OR state = 'held' OR state = 'queued' OR state = 'sending' OR state = 'sent' OR "
            "state = 'unconfirmed' OR state = 'unknown')",
            name=op.f("ck_letters_state"),
        ),
        sa.CheckConstraint(
            "NOT counts OR NOT (state = 'cancelled' OR state = 'expired' OR state = 'unconfirmed')",
            name=op.f("ck_letters_uncounted"),
        ),
        sa.CheckConstraint("channel IN ('email', 'fax')", name=op.f("ck_letters_channel")),
        sa.CheckConstraint(
            "counts OR (state = 'cancelled' OR state = 'delivered' OR state = 'expired' OR state "
            "= 'failed' OR state = 'sent' OR state = 'unconfirmed')",
            name=op.f("ck_letters_counts"),
        ),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_letters_address_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_letters_campaign_id")),
        sa.ForeignKeyConstraint(["carried_by"], ["letters.id"], name=op.f("fk_letters_carried_by")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_letters_submission_id")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_letters_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_letters_campaign", "letters", ["campaign_id", "id"], unique=False)
    op.create_index(
        "ix_letters_carried",
        "letters",
        ["carried_by"],
        unique=False,
        postgresql_where=sa.text("carried_by IS NOT NULL"),
        sqlite_where=sa.text("carried_by IS NOT NULL"),
    )
    op.create_index(
        "ix_letters_faxes",
        "letters",
        ["campaign_id", "id"],
        unique=False,
        postgresql_where=sa.text("channel = 'fax' AND attempt_id IS NOT NULL"),
        sqlite_where=sa.text("channel = 'fax' AND attempt_id IS NOT NULL"),
    )
    op.create_index(
        "ix_letters_failed",
        "letters",
        ["campaign_id", "reason", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
        sqlite_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "ix_letters_pending",
        "letters",
        ["campaign_id", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('unconfirmed', 'held', 'queued')"),
        sqlite_where=sa.text("state IN ('unconfirmed', 'held', 'queued')"),
    )
    op.create_index(op.f("ix_letters_submission_id"), "letters", ["submission_id"], unique=False)
    op.create_index(
        "ix_letters_unknown",
        "letters",
        ["state_at"],
        unique=False,
        postgresql_where=sa.text("state = 'unknown'"),
        sqlite_where=sa.text("state = 'unknown'"),
    )
    op.create_index(
        "ix_letters_waiting",
        "letters",
        ["address_id", "target_id", "not_before", "submitted_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_letters_withdrawn",
        "letters",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'queued' AND withdrawn_at IS NOT NULL"),
        sqlite_where=sa.text("state = 'queued' AND withdrawn_at IS NOT NULL"),
    )
    op.create_index(
        "uq_letters_one_each",
        "letters",
        ["campaign_id", "wave", "target_id", "fingerprint", "slot"],
        unique=True,
        postgresql_where=sa.text("counts"),
        sqlite_where=sa.text("counts"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.String(length=60), nullable=False),
        sa.Column("submission_id", sa.String(length=26), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("mailbox", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'dropped')", name=op.f("ck_notices_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_notices_campaign_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_notices_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("kind", "ref", name=op.f("uq_notices_kind")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_notices_due",
        "notices",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_notices_mailbox",
        "notices",
        ["mailbox"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_notices_sending",
        "notices",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_index(op.f("ix_notices_submission_id"), "notices", ["submission_id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("submission_id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=320), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.CheckConstraint("state IN ('free', 'waiting', 'approved', 'rejected')", name=op.f("ck_reviews_state")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_reviews_campaign_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_reviews_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "ix_reviews_decided",
        "reviews",
        ["campaign_id", "decided_at"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NOT NULL"),
        sqlite_where=sa.text("decided_at IS NOT NULL"),
    )
    op.create_index("ix_reviews_recent", "reviews", ["campaign_id", "created_at"], unique=False)
    op.create_index(
        "ix_reviews_waiting",
        "reviews",
        ["campaign_id", "created_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("letter_id", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("transport", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("retryable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.String(length=300), nullable=True),
        sa.Column("provider_ref", sa.String(length=200), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("line_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("media_fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inquiry", sa.String(length=100), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(verdict = 'accepted' OR verdict = 'bounced' OR verdict = 'delivered' OR verdict = "
            "'open' OR verdict = 'refused' OR verdict = 'unknown' OR verdict = 'void')",
            name=op.f("ck_attempts_verdict"),
        ),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_attempts_address_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_attempts_campaign_id")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_attempts_letter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_attempts_failed",
        "attempts",
        ["campaign_id", "ended_at"],
        unique=False,
        postgresql_where=sa.text("verdict IN ('refused', 'bounced')"),
        sqlite_where=sa.text("verdict IN ('refused', 'bounced')"),
    )
    op.create_index(op.f("ix_attempts_letter_id"), "attempts", ["letter_id"], unique=False)
    op.create_index(
        "ix_attempts_lines",
        "attempts",
        ["address_id", "line_until"],
        unique=False,
        postgresql_where=sa.text("line_until IS NOT NULL"),
        sqlite_where=sa.text("line_until IS NOT NULL"),
    )
    op.create_index("ix_attempts_log", "attempts", ["address_id", "started_at"], unique=False)
    op.create_index(
        "ix_attempts_ref",
        "attempts",
        ["provider_ref"],
        unique=False,
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
        sqlite_where=sa.text("provider_ref IS NOT NULL"),
    )
    op.create_index(
        "ix_attempts_unknown",
        "attempts",
        ["transport", "started_at"],
        unique=False,
        postgresql_where=sa.text("verdict = 'unknown'"),
        sqlite_where=sa.text("verdict = 'unknown'"),
    )
    op.create_index(
        "uq_attempts_one_open",
        "attempts",
        ["letter_id"],
        unique=True,
        postgresql_where=sa.text("verdict = 'open'"),
        sqlite_where=sa.text("verdict = 'open'"),
    )
    op.create_table(
        "copies",
        sa.Column("letter_id", sa.String(length=26), nullable=False),
        sa.Column("inbox", sa.String(length=320), nullable=False),
        sa.Column("how", sa.String(length=6), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("digest_id", sa.String(length=26), nullable=True),
        sa.CheckConstraint("how IN ('cc', 'mail', 'digest')", name=op.f("ck_copies_how")),
        sa.CheckConstraint("state IN ('offered', 'sent', 'failed', 'unknown')", name=op.f("ck_copies_state")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_copies_letter_id")),
        sa.PrimaryKeyConstraint("letter_id", "inbox", name=op.f("pk_copies")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_copies_digest",
        "copies",
        ["digest_id"],
        unique=False,
        postgresql_where=sa.text("digest_id IS NOT NULL"),
        sqlite_where=sa.text("digest_id IS NOT NULL"),
    )
    op.create_index(
        "ix_copies_waiting",
        "copies",
        ["campaign_id", "inbox", "at"],
        unique=False,
        postgresql_where=sa.text("how = 'digest' AND state = 'offered' AND digest_id IS NULL"),
        sqlite_where=sa.text("how = 'digest' AND state = 'offered' AND digest_id IS NULL"),
    )
    op.create_table(
        "letter_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("letter_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.String(length=12), nullable=True),
        sa.Column("after", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_letter_events_letter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_events")),
    )
    op.create_index(op.f("ix_letter_events_letter_id"), "letter_events", ["letter_id"], unique=False)

    if late:
        op.create_foreign_key(op.f(name), "campaigns", "campaign_versions", columns, ["id"])


def downgrade() -> None:
    # Everything is dropped: this is the first migration, before it there was nothing.
    tables = [
        "addresses",
        "breakers",
        "campaigns",
        "copy_slots",
        "counter_deltas",
        "idempotency_keys",
        "mailbox_use",
        "network_use",
        "organizers",
        "receipts",
        "service_days",
        "suppressions",
        "alerts",
        "api_tokens",
        "audit_log",
        "budgets",
        "campaign_versions",
        "costs",
        "counter_hours",
        "counters",
        "lanes",
        "login_links",
        "members",
        "recovery_codes",
        "reports",
        "sessions",
        "targets",
        "webhooks",
        "drafts",
        "pauses",
        "submissions",
        "target_addresses",
        "webhook_deliveries",
        "letters",
        "notices",
        "reviews",
        "attempts",
        "copies",
        "letter_events",
    ]
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(CIRCLE[0]), "campaigns", type_="foreignkey")
    for table in reversed(tables):
        op.drop_table(table)
