"""The live desk in a browser: it keeps itself up to date without losing its reader's place, and anybody can read it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from outreach.domain.letters import Reason, Verdict
from outreach.domain.roles import Role
from outreach.queue import QueueName
from outreach.web.desk import live
from tests.browser.desk.conftest import ServedDesk

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
LIVE = "/o/c/night-bus/"
PATIENCE = 60_000
"""Milliseconds: a loaded machine answers when it can."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages ask after a second instead of three or five."""
    monkeypatch.setattr(live, "MOVING", 1)
    monkeypatch.setattr(live, "QUIET", 1)


def some_letters(served: ServedDesk) -> None:
    """A campaign with a delivered and a busy fax, two sent e-mails, one that came back, and one that waits."""
    desk = served.desk
    desk.set(confirm="none")
    desk.later(minutes=-10)
    desk.campaign()
    desk.write(channel="fax")
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, pages=1))
    for _ in range(3):
        desk.write()
    desk.send()
    desk.hear(desk.word(Verdict.BOUNCED, desk.attempts()[-1], reason=Reason.NO_MAILBOX))
    desk.write(targets=("council",))


def test_it_keeps_itself_up_to_date_and_what_was_unfolded_stays_so(served: ServedDesk) -> None:
    some_letters(served)
    page = served.signed_in(Role.VIEWER)
    page.goto(LIVE)
    expect(page.locator(".of-all")).to_have_text("5 from 5 forms")
    page.evaluate("window.sameDocument = true")
    page.get_by_text("What these words mean").click()
    page.get_by_text("The same as a table").click()
    served.desk.write(targets=("council",))
    expect(page.locator(".of-all")).to_have_text("6 from 6 forms", timeout=PATIENCE)
    assert page.locator("details[open]").count() == 2
    served.desk.action("pause")
    expect(page.get_by_role("status")).to_contain_text("Is it going out? No.", timeout=PATIENCE)
    expect(page.locator(".answer-short").first).to_have_text("No")
    assert page.evaluate("window.sameDocument") is True


def test_who_reads_a_section_by_keyboard_keeps_their_place_in_it(served: ServedDesk) -> None:
    some_letters(served)
    page = served.signed_in()
    page.goto(LIVE)
    page.get_by_text("What these words mean").focus()
    page.keyboard.press("Enter")
    served.desk.action("pause")
    expect(page.locator(".answer-short").first).to_have_text("No", timeout=PATIENCE)
    served.desk.action("resume")
    served.desk.write(targets=("council",))
    expect(page.locator("#as-of-how")).to_contain_text("the part that you are in", timeout=PATIENCE)
    expect(page.get_by_text("What these words mean")).to_be_focused()
    expect(page.locator(".of-all")).to_have_text("5 from 5 forms")
    page.keyboard.press("Shift+Tab")
    page.locator("h1").evaluate("() => document.activeElement.blur()")
    expect(page.locator(".of-all")).to_have_text("6 from 6 forms", timeout=PATIENCE)


@pytest.mark.parametrize(("width", "scheme", "paths"), [
    (390, "light", ("/o/", LIVE, f"{LIVE}letters", "letter")), (1280, "dark", (f"{LIVE}?by=days",))])
def test_the_desks_first_pages_can_be_read_by_anybody(served: ServedDesk, width: int, scheme: str, paths: tuple[str, ...]) -> None:
    some_letters(served)
    page = served.signed_in(viewport={"width": width, "height": 844}, color_scheme=scheme)
    faxed = next(x.id for x in served.desk.letters() if x.channel == "fax")
    for path in paths:
        page.goto(f"{LIVE}letters/{faxed}" if path == "letter" else path)
        for fold in page.locator("details > summary").all():
            fold.click()
        found = Axe().run(page).response["violations"]
        assert not found, (path, [(x["id"], x["nodes"][0]["html"]) for x in found])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
