"""The levers and the operator's page in a browser: pulled by hand, and readable by anybody on every screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from outreach.db import unit_of_work
from outreach.domain.letters import Reason, State
from outreach.domain.roles import Role
from outreach.services import amendments, blocks, moves, pauses, reports
from outreach.web.desk.guard import COOKIE
from tests.browser.desk.conftest import ServedDesk
from tests.browser.test_access import _troubles
from tests.services.helpers import COMMISSIONER, COUNCIL

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
BASE = "/o/c/night-bus/levers"
PATIENCE = 60_000
"""Milliseconds: a loaded machine answers when it can."""


@pytest.fixture
def lively(served: ServedDesk) -> ServedDesk:
    """A campaign of which letters wait, one has failed and one is of an address that nobody has approved."""
    expect.set_options(timeout=PATIENCE)
    desk = served.desk
    desk.set(confirm="none", max_email_rate="20/hour")
    desk.campaign(targets=(replace(COMMISSIONER, fax=()), COUNCIL))
    for target in ("commissioner", "commissioner", "commissioner", "council"):
        desk.write(targets=(target,))
    x = desk.letters()[0]
    with unit_of_work() as c:
        moves.apply(c, [moves.Move(x.id, x.campaign_id, x.target_id, x.channel, State.QUEUED, State.FAILED, Reason.MAILBOX_FULL)], desk.now)
    change = amendments.addresses("council", "email", ["council@gmail.com", "council@city.example"])
    amendments.amend("night-bus", change, now=desk.now, who="eva@nightbus.example")
    return served


def operators(served: ServedDesk, **how: object) -> Page:
    """A browser of the operator's."""
    page = served.open_page(base_url=served.url, **how)
    cookie = served.site.signed_in(operator=True).cookies[COOKIE]
    page.context.add_cookies([{"name": COOKIE, "value": cookie, "domain": "127.0.0.1", "path": "/o/", "httpOnly": True, "sameSite": "Lax"}])
    return page


def test_limit_pause_stop_and_undo_by_hand_on_a_phone(lively: ServedDesk) -> None:
    page = lively.signed_in(Role.ORGANIZER, viewport={"width": 390, "height": 844})
    page.goto(BASE)
    page.get_by_role("link", name="Transit Commissioner", exact=True).click()
    page.get_by_label("E-mail: at most").fill("5/hour")
    page.get_by_role("button", name="See the pace it gives").click()
    expect(page.get_by_role("row", name="commissioner@transit.example")).to_contain_text("20 an hour5 an hour")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("status")).to_contain_text("Done: version 3")
    expect(page.locator(".lanes")).to_contain_text("at 5 an hour")
    page.goto(BASE)
    page.get_by_role("button", name="Pause the campaign").click()
    expect(page.locator(".state-word")).to_have_text("paused")
    page.get_by_role("button", name="Resume: 3 letters go on").click()
    expect(page.locator(".state-word")).to_have_text("live")
    page.get_by_role("link", name="Stop this campaign").click()
    page.get_by_label("They gave in").check()
    page.get_by_label("What happened").fill("They keep the bus.")
    page.get_by_role("button", name="Stop now").click()
    expect(page.locator(".state-word")).to_have_text("stopped")
    page.get_by_role("button", name="Undo the stop").click()
    expect(page.locator(".state-word")).to_have_text("live")


def test_every_page_can_be_read_by_anybody(lively: ServedDesk) -> None:
    desk = lively.desk
    pauses.pause("fax", now=desk.now, why="an invoice is in dispute")
    reports.report("night-bus", "They write to somebody’s home.", now=desk.now)
    blocks.block_address("clerk@city.example", "asked not to be written to", now=desk.now)
    organizer = lively.signed_in(Role.ORGANIZER, viewport={"width": 390, "height": 844}, color_scheme="light")
    operator = operators(lively, viewport={"width": 1280, "height": 900}, color_scheme="dark")
    found: list[str] = []
    for page, paths in ((organizer, [BASE, *(f"{BASE}/{x}" for x in ("stop", "deadline", "cancel", "targets/council"))]),
                        (operator, ["/o/operator", "/o/operator/c/night-bus/suspend", "/o/terms"])):
        for path in paths:
            answer = page.goto(path)
            assert answer is not None and answer.status == 200, path
            found += _troubles(page, path)
    assert found == []
