"""Words that the levers and the operator's page share: how many letters, when, and what went wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from outreach.domain.force import Force
from outreach.domain.pacing import format_rules
from outreach.services.campaigns import CampaignRow, spec_of_version
from outreach.services.forecast import in_words
from outreach.web.pages import zone_name

REASONS = {
    "refused_by_recipient": "the mail server refused it", "no_such_mailbox": "there is no such mailbox",
    "mailbox_full": "the mailbox was full", "bounced": "it came back", "rejected_as_spam": "taken for spam",
    "busy": "the line was busy", "no_answer": "nobody answered the call",
    "voice_answered": "a person or a tape answered", "bad_number": "the number cannot be called", "call_dropped": "the call broke off",
    "fax_error": "the fax machines did not understand each other", "deferred": "put off by the mail server until no try was left",
    "rate_limited": "the provider asked to slow down", "too_many_tries": "tried in vain too often",
    "cannot_be_rendered": "its text cannot be set", "no_address": "its target has no address left",
    "address_blocked": "its address is blocked",
    "rejected_by_provider": "the provider rejected it", "provider_refuses_our_credentials": "the provider does not let us in",
    "no_connection": "the provider could not be reached", "not_started": "it was never handed over", "no_receipt": "no receipt came",
}
"""Why letters failed, for organizers."""


def reason(name: str) -> str:
    """A reason in words; its own name where there are none."""
    return REASONS.get(name, name.replace("_", " ") or "no reason is known")


def letters(n: int) -> str:
    """"1 letter", "1,204 letters"."""
    return f"{n:,} letter{'' if n == 1 else 's'}"


def waits(n: int) -> str:
    """"1 letter waits", "1,204 letters wait"."""
    return f"{letters(n)} wait{'s' if n == 1 else ''}"


def zone_of(campaign: CampaignRow) -> str:
    """A campaign's own time zone is its first target's."""
    return spec_of_version(campaign.version_id).zone


def when(at: datetime, zone: str, now: datetime) -> str:
    """"14:05", "Mon 14:05" within six days, else "23 Nov 2026, 14:05", in that time zone."""
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if abs(at - now) < timedelta(days=6):
        return f"{local:%a %H:%M}"
    return f"{local.day} {local:%b %Y, %H:%M}"


def place_of(zone: str) -> str:
    """"Toronto time", "UTC"."""
    return "UTC" if zone == "UTC" else f"{zone_name(zone)} time"


def overruled(force: Force) -> str:
    """Whose limit holds when the campaign's own does not; empty when its own does."""
    if force.pinned:
        return "the operator has pinned this address’s limit; what the campaign says has no effect"
    if force.ceiling:
        return f"the operator’s ceiling of {in_words(format_rules(force.ceiling))} is stricter"
    if force.others:
        return f"somebody else who writes to this address allows only {in_words(format_rules(force.others))}"
    return ""
