"""Whose clock a page of the desk is on: a campaign's own, and it says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outreach.db import unit_of_work
from outreach.services import alerts, audit, campaigns
from outreach.web.pages import TEMPLATES
from tests.web.desk.conftest import DeskSite

AT = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_campaigns_pages_are_on_its_own_clock(desk_site: DeskSite) -> None:
    desk_site.desk.now = AT
    campaign = desk_site.desk.campaign()
    with unit_of_work() as c:
        audit.note(c, "thing", at=AT, campaign_id=campaign.id)
    campaigns.set_state("night-bus", "pause", now=AT, why="most failed")
    alerts.look(AT)
    owner, operator = desk_site.signed_in(), desk_site.signed_in(operator=True)
    said = "22 Nov 2026, 22:30"
    for path, seconds in (("people", ""), ("people/log", ":00"), ("alerts", ""), ("versions/1", "")):
        page = owner.get(f"/o/c/night-bus/{path}").text
        assert f"{said}{seconds}</time>" in page.replace(" Toronto time", "") and "Toronto time" in page and "UTC" not in page, path
    versions = owner.get("/o/c/night-bus/versions").text
    assert f"{said}</time>" in versions and "When (Toronto time)" in versions
    assert "23 Nov 2026, 03:30:00 UTC" in operator.get("/o/operator/log").text


def test_no_template_makes_times_by_itself() -> None:
    assert [p.name for p in TEMPLATES.rglob("*.*") if "strftime" in p.read_text()] == []
