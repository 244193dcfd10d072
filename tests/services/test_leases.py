"""A lease outlives whatever a transport allows one hand-over to take as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from outreach.domain.letters import Channel
from outreach.services import leases
from outreach.settings import Settings
from outreach.transports.email import smtp, smtp_server
from outreach.transports.http import WHOLE


@pytest.mark.parametrize(("given", "channel", "whole"), [
    ({"email_transport": "smtp", "smtp_timeout": 7}, Channel.EMAIL, smtp._COMMANDS * 7 + smtp_server.CONNECT_SECONDS),
    ({"email_transport": "sendgrid", "smtp_timeout": 1, "http_timeout": 90}, Channel.EMAIL, WHOLE * 90),
    ({"fax_transport": "twilio", "http_timeout": 90}, Channel.FAX, WHOLE * 90)])
def test_a_lease_outlives_two_of_the_longest_hand_overs(given: dict[str, Any], channel: Channel, whole: float) -> None:
    settings = Settings(_env_file=None, **given)  # type: ignore[call-arg]
    assert leases.patience(channel, settings) >= whole
    assert leases.lease(channel, settings).total_seconds() > 2 * whole
