"""A campaign's audit log, by program."""

from __future__ import annotations

from outreach.db import unit_of_work
from outreach.domain.roles import Right, Role
from outreach.services import audit, blocks
from tests.web.api.conftest import Api


def test_the_log_is_read_page_by_page_by_who_manages(api: Api) -> None:
    campaign = api.desk.campaign()
    api.desk.campaign("day-bus")
    with unit_of_work() as c:
        for n in range(5):
            audit.note(c, f"thing {n}", at=api.desk.now, who="ann@riders.example", campaign_id=campaign.id, detail="x")
    blocks.block_address("commissioner@transit.example", "asked us to", now=api.desk.now, who="operator@desk.example")
    owner, seen, path = api.program(Role.OWNER), [], "/campaigns/night-bus/audit?limit=2"
    first = owner.get(path).json()["items"][0]
    assert (first["what"], first["who"]) == ("address blocked", "operator@desk.example")
    for _ in range(9):
        page = owner.get(path).json()
        seen += [e["what"] for e in page["items"]]
        if page["next"] is None:
            break
        path = f"/campaigns/night-bus/audit?limit=2&after={page['next']}"
    assert seen[:6] == ["address blocked", *(f"thing {n}" for n in (4, 3, 2, 1, 0))]
    assert owner.get("/campaigns/night-bus/audit?after=x").status_code == 422
    assert api.program(Role.ORGANIZER).get("/campaigns/night-bus/audit").status_code == 403
    seeing = api.client(api.token(Role.OWNER, scopes=[Right.SEE]))
    assert seeing.get("/campaigns/night-bus/audit").status_code == 403
