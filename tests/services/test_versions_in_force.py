"""Two who change a campaign at once: the second is told, whatever each of them had read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outreach.errors import Conflict
from outreach.services import campaigns
from tests.services.helpers import Desk


def test_what_replaces_a_version_that_is_no_longer_in_force_is_refused(desk: Desk) -> None:
    seen = desk.campaign(state="draft")
    spec = campaigns.spec_of("night-bus")
    campaigns.store_campaign(replace(spec, summary="mine"), now=desk.now, over=seen.version_id)
    with pytest.raises(Conflict):
        campaigns.store_campaign(replace(spec, summary="yours"), now=desk.now, over=seen.version_id)
    assert campaigns.spec_of("night-bus").summary == "mine"
    campaigns.store_campaign(replace(spec, summary="yours"), now=desk.now, over=campaigns.get("night-bus").version_id)
    assert campaigns.spec_of("night-bus").summary == "yours"
