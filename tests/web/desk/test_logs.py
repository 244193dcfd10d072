"""Who changed what, in the service as a whole: the operator's to read, to look through and to take away."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from outreach.db import unit_of_work, utcnow
from outreach.domain.roles import Role
from outreach.services import audit
from tests.web.desk.conftest import DeskSite

LOG = "/o/operator/log"
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # their services are tried on both


def test_what_is_no_campaigns_can_be_read_and_taken_away(desk_site: DeskSite) -> None:
    campaign = desk_site.desk.campaign()
    operator, owner = desk_site.signed_in(operator=True), desk_site.signed_in(Role.OWNER)
    operator.post("/o/operator/pause", data={"what": "everything", "why": "a drill"})
    with unit_of_work() as c:
        audit.note(c, "=formula", at=utcnow(), who="@cmd", campaign_id=campaign.id, detail="+1")
    page = operator.get(LOG).text
    assert "a drill" in page and "=formula" in page and 'in <a href="/o/c/night-bus/">Keep the night bus</a>' in page
    assert 'href="/o/operator/log"' in operator.get("/o/operator").text
    rows = list(csv.DictReader(io.StringIO(operator.post(f"{LOG}.csv").text.removeprefix("\ufeff"))))
    assert [r["what"] for r in rows[:2]] == ["audit log exported", "'=formula"]
    assert (rows[1]["who"], rows[1]["campaign"], rows[1]["detail"]) == ("'@cmd", "night-bus", "'+1")
    answer = operator.post(f"{LOG}.jsonl")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [(r["what"], r["campaign"]) for r in lines[:3]] == [("audit log exported", None), ("audit log exported", None),
                                                               ("=formula", "night-bus")]
    assert operator.post(f"{LOG}.exe").status_code == 404
    assert [owner.get(LOG).status_code, owner.post(f"{LOG}.csv").status_code] == [404, 404]
    mine = owner.post("/o/c/night-bus/people/log.jsonl").text
    assert "a drill" not in mine and json.loads(mine.splitlines()[0]).keys() == {"at", "who", "what", "detail"}


def test_it_is_looked_through_page_by_page(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    with unit_of_work() as c:
        for n in range(120):
            audit.note(c, f"{'even' if n % 2 == 0 else 'odd'} thing {n}", at=utcnow(), who="Ann & Bob")
    operator, path, seen = desk_site.signed_in(operator=True), f"{LOG}?who=ann+%26&what=even", []
    for _ in range(9):
        page = operator.get(path).text
        seen += re.findall(r"<b>even thing (\d+)</b>", page)
        assert "odd thing" not in page
        onward = re.search(r'href="([^"]+before=\d+)"', page)
        if onward is None:
            break
        path = onward[1].replace("&amp;", "&")
    assert seen == [str(n) for n in range(118, -1, -2)]
