"""The operator's page, and the text that organizers accept."""

from __future__ import annotations

import pytest

from outreach.db import utcnow
from outreach.domain.roles import Role
from outreach.services import alerts, campaigns, pauses, reports, webhooks
from tests.web.desk.conftest import DeskSite
from tests.web.desk.test_levers import said

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # their services are tried on both


@pytest.fixture
def at(desk_site: DeskSite) -> DeskSite:
    desk_site.desk.now = utcnow()
    desk_site.desk.set(confirm="none")
    desk_site.desk.campaign()
    desk_site.desk.write()
    return desk_site


def test_a_reported_campaign_is_suspended_and_its_pages_say_so(at: DeskSite) -> None:
    operator, owner = at.signed_in(operator=True), at.signed_in(Role.OWNER)
    reports.report("night-bus", "It writes to somebody's home.", now=at.desk.now)
    assert "It writes to somebody&#39;s home." in operator.get("/o/operator").text
    assert "1 letter waits" in operator.get("/o/operator/c/night-bus/suspend").text
    assert operator.post("/o/operator/c/night-bus/suspend", data={"why": ""}).status_code == 422
    assert "is suspended" in said(operator, operator.post("/o/operator/c/night-bus/suspend", data={"why": "A home address"}))
    assert "A home address" in owner.get("/o/c/night-bus/levers").text
    assert "only the operator can lift that" in said(owner, owner.post("/o/c/night-bus/levers/resume"))
    page = owner.get("/c/night-bus").text
    assert "This campaign is suspended" in page
    assert "@transit.example" not in page and "+1 416" not in page, "nobody is led to the addresses of what is looked into"
    operator.post("/o/operator/c/night-bus/lift")
    assert (campaigns.get("night-bus").state, campaigns.get("night-bus").suspended_at) == ("paused", None)


def test_pauses_blocks_and_limits_of_the_whole_service(at: DeskSite) -> None:
    operator = at.signed_in(operator=True)
    assert "Pause everything: 1 letter waits" in operator.get("/o/operator").text
    paused = operator.post("/o/operator/pause", data={"what": "everything", "why": "drill"})
    assert "paused; what waits keeps its place" in said(operator, paused)
    assert "drill" in operator.get("/o/operator").text
    assert [row.what for row in pauses.listed()] == ["everything"]
    operator.post("/o/operator/resume", data={"what": "everything"})
    assert "nothing that can be paused" in said(operator, operator.post("/o/operator/pause", data={"what": "the moon"}))
    assert "pinned to 3/hour" in said(operator, operator.post("/o/operator/addresses/limit", data={
        "value": "commissioner@transit.example", "limits": "3/hour"}))
    assert "written to by night-bus" in said(operator, operator.post("/o/operator/addresses/block", data={
        "value": "commissioner@transit.example", "why": "asked us to"}))
    page = operator.get("/o/operator").text
    assert "Pinned to 3 an hour." in page and "asked us to" in page
    assert "in use again" in said(operator, operator.post("/o/operator/addresses/unblock", data={"value": "commissioner@transit.example"}))
    assert operator.get("/o/operator/doctor").status_code == 200
    owner = at.signed_in(Role.OWNER)
    assert [owner.get(path).status_code for path in ("/o/operator", "/o/operator/doctor")] == [404, 404]


def test_the_acceptable_use_text_is_accepted_once_and_leads_on(at: DeskSite) -> None:
    owner = at.signed_in(Role.OWNER)
    page = owner.get("/o/terms?next=/o/new").text
    assert 'name="next" value="/o/new"' in page
    version = version_of(page)
    assert owner.post("/o/terms", data={"version": version}).status_code == 422
    answer = owner.post("/o/terms", data={"version": version, "accept": "yes", "next": "/o/new"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/o/new")
    assert "You have accepted this version" in owner.get("/o/terms").text
    away = owner.post("/o/terms", data={"version": version, "accept": "yes", "next": "https://elsewhere.example/"})
    assert away.headers["location"] == "/o/"


def version_of(page: str) -> str:
    return page.partition('name="version" value="')[2].partition('"')[0]


def test_alerts_of_the_service_are_there_and_programs_can_be_told_of_them(at: DeskSite) -> None:
    operator, owner = at.signed_in(operator=True), at.signed_in(Role.OWNER)
    assert "Nothing is the matter with the service" in operator.get("/o/operator").text
    reports.report("night-bus", "It writes to somebody's home.", now=at.desk.now)
    alerts.look(at.desk.now)
    page = operator.get("/o/operator").text
    assert "A campaign was reported" in page and "/o/operator#reports" in page
    assert operator.post("/o/operator/webhooks", data={"url": "http://x", "events": "alert.opened"}).status_code == 422
    assert "whsec_" in operator.post("/o/operator/webhooks", data={"url": "https://hooks.example/x", "events": "alert.opened"}).text
    page = operator.get("/o/operator").text
    assert "https://hooks.example/x" in page and "whsec_" not in page
    (made,) = webhooks.of_campaign(None)
    assert owner.post(f"/o/operator/webhooks/{made.id}/remove").status_code == 404
    assert owner.post(f"/o/c/night-bus/alerts/webhooks/{made.id}/remove").status_code == 404
    operator.post(f"/o/operator/webhooks/{made.id}/remove")
    assert webhooks.of_campaign(None) == []
