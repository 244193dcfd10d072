"""How long whoever hands something over may hold it: longer than the slowest hand-over that the transports' time-outs allow.

A lease that ended sooner would make `unknown` of what a slow server is about to answer.
"""

from __future__ import annotations

from datetime import timedelta

from outreach.domain.letters import Channel
from outreach.settings import Settings

MARGIN = timedelta(seconds=30)


def patience(channel: Channel, settings: Settings) -> float:
    """Seconds that one hand-over may take at the most: SMTP has five commands with a time-out each, and may connect anew."""
    return 5 * settings.smtp_timeout + 15 if channel is Channel.EMAIL else 2 * settings.http_timeout


def lease(channel: Channel, settings: Settings) -> timedelta:
    """Outlives two hand-overs that run into their time-outs."""
    return timedelta(seconds=2 * patience(channel, settings)) + MARGIN
