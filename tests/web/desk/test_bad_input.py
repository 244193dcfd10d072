"""Whatever is sent to the desk, it answers: nothing odd in an address or a field breaks it."""

from __future__ import annotations

import pytest

from outreach.domain.roles import Role
from outreach.services import campaigns
from tests.web.desk.conftest import DeskSite

LONG = "9" * 5000
BASE = "/o/c/night-bus"
LOOKED_AT = ("/o/c/%00/", "/o/c/a%00b/levers", f"{BASE}/letters/%00", f"{BASE}/letters?after=%00&target=%00&state=%00",
             f"{BASE}/letters?q=%00",
             f"{BASE}/moderation/bulk?like=%00", f"{BASE}/moderation/bulk?only=edited&until=0001-01-01T00:00:00%2B05:00",
             f"{BASE}/versions/{LONG}", f"{BASE}/edit/target/99999999999", f"{BASE}/exports/faxes.zip?after=%00", "/o/drafts/%00",
             "/o/operator/c/%00/suspend", "/o/login/%00", "/o/login?next=https://[")
DONE = ((f"{BASE}/money", {"cap": "9e999999"}), (f"{BASE}/letters/%00/resolve", {"outcome": "sent"}),
        (f"{BASE}/letters/%00/cancel", {"why": "x"}),
        (f"{BASE}/levers/unknown", {"until": "0001-01-01T00:00:00+05:00", "seen": LONG, "outcome": "sent"}),
        (f"{BASE}/moderation/%00/reject", {"note": LONG}), (f"{BASE}/moderation/undo", {"decided": "9999-12-31T23:59:59-05:00"}),
        (f"{BASE}/alerts/webhooks", {"url": "https://[", "events": "alert.opened"}), ("/o/operator/reports/%00/close", {"note": "x"}),
        ("/o/operator/addresses/block", {"value": "https://[", "why": "x"}),
        ("/o/operator/addresses/limit", {"value": "commissioner@transit.example", "limits": "9" * 300 + "/hour"}),
        (f"{BASE}/levers/deadline", {"date": "9999-12-31", "time": "23:59"}),
        (f"{BASE}/people/invite", {"email": "a@" + "b" * 400, "role": "owner"}))


@pytest.mark.parametrize("operator", [False, True])
def test_nothing_odd_breaks_a_page(desk_site: DeskSite, operator: bool) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(operator=True) if operator else desk_site.signed_in(Role.OWNER)
    target = campaigns.spec_of("night-bus").targets[0].id
    answers = {path: client.get(path).status_code for path in LOOKED_AT}
    posts = (*DONE, (f"{BASE}/levers/targets/{target}/limits", {"fax": "1/hour", "sure": "yes", "version": LONG}))
    answers |= {f"{path} {data}"[:120]: client.post(path, data=data).status_code for path, data in posts}
    assert {path: status for path, status in answers.items() if status >= 500} == {}
