"""How long whoever hands something over may hold it: longer than the slowest hand-over that the transports' time-outs allow.

A lease that ended sooner would make `unknown` of what a slow server is about to answer.
"""

from __future__ import annotations

from datetime import timedelta

from outreach.domain.letters import Channel
from outreach.settings import Settings

MARGIN = timedelta(seconds=30)


def patience(channel: Channel, settings: Settings) -> float:
    """Seconds that one hand-over may take at the most: the transports end it then. SMTP has five commands with a time-out each, and may
    connect anew."""
    by_http = 2 * settings.http_timeout
    if channel is Channel.FAX:
        return by_http
    return max(5 * settings.smtp_timeout + 15, by_http if settings.email_transport == "sendgrid" else 0)


def lease(channel: Channel, settings: Settings) -> timedelta:
    """Outlives two hand-overs that run into their time-outs."""
    return timedelta(seconds=2 * patience(channel, settings)) + MARGIN
