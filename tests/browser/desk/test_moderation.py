"""The moderator's room: ten letters by keyboard alone, and a page that anybody can read."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from outreach.domain.roles import Role
from outreach.models import Letter, Review, Submission, table
from outreach.services import moderation
from tests.browser.desk.conftest import ServedDesk

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
ROOM = "/o/c/night-bus/moderation"
WORDS = ("Dear [salutation],\n\nplease keep the night bus, you idiot. My mother comes home with it from her shift.\n\n"
         "Write to me@people.example.\n\n[your name]")


def filled(served: ServedDesk, n: int, **changes: str) -> None:
    """A campaign in which `n` changed letters wait, since a few minutes ago."""
    served.desk.later(minutes=-5)
    served.desk.campaign(moderation="edited", banned_words=("idiot",))
    for i in range(n):
        served.desk.signed(**{"name": f"Writer {'ABCDEFGHIJKL'[i]}", "body": f"{WORDS} {'Really. ' * i}", **changes})
        served.desk.later(seconds=1)


def heading(page: Page, name: str) -> None:
    """Wait for this writer's page, and until its script listens to keys."""
    expect(page.get_by_role("heading", level=2, name=name, exact=True)).to_be_visible()
    expect(page.locator("#keys")).to_be_visible()


def test_a_moderator_decides_ten_letters_by_keyboard_alone(served: ServedDesk) -> None:
    filled(served, 11)
    page = served.signed_in(Role.MODERATOR)
    page.goto(ROOM)
    heading(page, "Writer A")
    page.keyboard.press("?")
    expect(page.get_by_text("approve this letter")).to_be_visible()
    page.keyboard.press("n")
    heading(page, "Writer B")
    page.keyboard.press("p")
    heading(page, "Writer A")
    for name in "ABC":
        heading(page, f"Writer {name}")
        page.keyboard.press("a")
    heading(page, "Writer D")
    page.keyboard.press("r")  # a reason of the list
    expect(page.get_by_label(moderation.NOTES[0])).to_be_focused()
    page.keyboard.press("a")  # which approves nothing now
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    heading(page, "Writer E")
    page.keyboard.press("r")  # thought better of it
    page.keyboard.press("Escape")
    page.keyboard.press("r")  # a reason in one's own words
    page.keyboard.press("Tab")
    page.keyboard.type("a reason, and no key: ran past")
    page.keyboard.press("Enter")
    for name in "FGHIJ":
        heading(page, f"Writer {name}")
        page.keyboard.press("a")
    heading(page, "Writer K")
    expect(page.get_by_role("heading", level=1)).to_have_text("1 person’s letter waits to be read")

    names = {s.id: s.name[-1] for s in served.desk.rows(Submission)}
    decided = {names[r.submission_id]: (r.state, r.note) for r in served.desk.rows(Review)}
    assert decided == {
        **dict.fromkeys("ABCFGHIJ", ("approved", None)), "D": ("rejected", moderation.NOTES[1]),
        "E": ("rejected", "a reason, and no key: ran past."), "K": ("waiting", None)}
    assert len(served.desk.rows(Letter, table(Letter).c.state == "queued")) == 8


def test_keys_can_be_switched_off_and_another_ones_decision_is_told(served: ServedDesk) -> None:
    filled(served, 2)
    page = served.signed_in(Role.MODERATOR)
    page.goto(ROOM)
    heading(page, "Writer A")
    page.keyboard.press("?")
    page.get_by_label("Use these keys in this browser").uncheck()
    page.reload()
    heading(page, "Writer A")
    page.keyboard.press("a")
    page.keyboard.press("n")
    heading(page, "Writer A")
    assert {r.state for r in served.desk.rows(Review)} == {"waiting"}
    first = served.desk.rows(Review)[0].submission_id
    moderation.approve("night-bus", first, now=served.desk.now, who="omar@night-bus.example")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Somebody was quicker: omar@night-bus.example approved this letter.")).to_be_visible()
    heading(page, "Writer B")


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_the_room_is_there_for_everybody(served: ServedDesk, scheme: str, width: int) -> None:
    filled(served, 3)
    page = served.signed_in(Role.MODERATOR, color_scheme=scheme, viewport={"width": width, "height": 844})
    page.goto(ROOM)
    heading(page, "Writer A")
    page.keyboard.press("?")
    page.keyboard.press("r")
    troubles = look(page, "letter")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    troubles += look(page, "no reason")
    page.goto(f"{ROOM}/bulk?like={served.desk.rows(Review)[0].submission_id}")
    troubles += look(page, "together")
    page.get_by_role("button", name="Approve all 1").click()
    expect(page.get_by_text("Approved together")).to_be_visible()
    troubles += look(page, "decided")
    for name in "BC":
        heading(page, f"Writer {name}")
        page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits to be read")
    assert troubles + look(page, "empty") == []


def look(page: Page, what: str) -> list[str]:
    """What axe finds, and whether anything sticks out."""
    found = [f"{what}: {v['id']}: {n['html'][:120]}" for v in Axe().run(page).response["violations"] for n in v["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append(f"{what}: wider than the window")
    return found
