"""The tables. SQL is the truth: what must never happen is forbidden here by a constraint, not only by code."""

from __future__ import annotations

from outreach.models.alerts import Alert, Webhook, WebhookDelivery
from outreach.models.base import Base, table
from outreach.models.campaigns import Address, Breaker, Campaign, CampaignVersion, Draft, Lane, Pause, Target, TargetAddress
from outreach.models.counts import Counter, CounterDelta, CounterHour, NetworkUse, ServiceDay
from outreach.models.letters import Attempt, Letter, LetterEvent, Receipt, Submission
from outreach.models.mails import Copy, CopySlot, MailboxUse, Notice, Suppression
from outreach.models.moderation import Review
from outreach.models.money import Budget, Cost
from outreach.models.people import (
    ApiToken,
    AuditEntry,
    IdempotencyKey,
    LoginLink,
    Member,
    Organizer,
    RecoveryCode,
    Report,
    Session,
)

__all__ = [
    "Address", "Alert", "ApiToken", "Attempt", "AuditEntry", "Base", "Breaker", "Budget", "Campaign", "CampaignVersion", "Copy", "CopySlot",
    "Cost", "Counter", "CounterDelta", "CounterHour", "Draft", "IdempotencyKey", "Lane", "Letter", "LetterEvent", "LoginLink",
    "MailboxUse", "Member", "NetworkUse", "Notice", "Organizer", "Pause", "Receipt", "RecoveryCode", "Report", "Review", "ServiceDay",
    "Session", "Submission", "Suppression", "Target", "TargetAddress", "Webhook", "WebhookDelivery", "table",
]
