"""What an organizer does by hand: a campaign from nothing, a lane's pace, letters of unknown outcome, and the report to print."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pypdfium2 as pdfium
import pytest
from playwright.sync_api import Page, Response, expect

from outreach.domain.letters import Verdict
from outreach.domain.roles import Role
from outreach.models import AuditEntry
from outreach.queue import QueueName
from outreach.services import campaigns
from outreach.web.desk.guard import COOKIE
from tests.browser.desk.conftest import ServedDesk
from tests.browser.test_access import _troubles
from tests.services.helpers import COMMISSIONER, COUNCIL
from tests.transports.servers import CLOSE
from tests.web.desk.drafting import person

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
BASE = "/o/c/night-bus"
PHONE = {"viewport": {"width": 390, "height": 844}}
LETTER = "Dear {{ target.salutation }},\n\nplease keep the library open.\n\n{{ supporter.name }}"
TEN = {"Title": "Keep the library", "In one or two sentences": "It is to close.", "Day": "2031-01-24", "Time": "17:00",
       "Whom people can ask": "Readers, info@readers.example", "Your inbox for copies": "copies@readers.example",
       "Who decides": "School board", "E-mail addresses": "board@schools.example",
       "Where these are published": "https://schools.example/board", "Subject": "Keep it open", "The letter": LETTER}
"""The ten fields by their labels."""


@pytest.mark.parametrize("how", [pytest.param(PHONE, id="phone"), pytest.param({}, id="desk")])
def test_a_campaign_is_built_from_nothing_and_put_online(served: ServedDesk, open_page: Callable[..., Page],
                                                         how: dict[str, object]) -> None:
    desk = served.desk
    assert desk.sink and desk.provider
    page = open_page(base_url=served.url, **how)
    cookie = person(served.site).cookies[COOKIE]
    page.context.add_cookies([{"name": COOKIE, "value": cookie, "domain": "127.0.0.1", "path": "/o/", "httpOnly": True, "sameSite": "Lax"}])
    page.goto("/o/new")
    page.get_by_role("button", name="Begin").click()
    for field, text in TEN.items():
        page.get_by_label(re.compile(f"^{field}( still needed)?$")).fill(text)
    page.get_by_label("Time zone").select_option("America/Toronto")
    page.locator(".ed-save button").first.click()
    expect(page.locator(".said")).to_contain_text("Saved.")

    # somebody else who decides, with a fax; and what it looks like
    page.get_by_role("link", name=re.compile("^Who decides")).first.click()
    page.get_by_role("button", name="Add somebody who decides").click()
    page.get_by_label(re.compile("^Who decides")).fill("Minister of Education")
    page.get_by_label(re.compile("^Fax numbers")).fill("+1 416 555 0144")
    page.locator(".ed-save button").first.click()
    expect(page.locator(".ed-targets > li")).to_have_count(2)
    page.get_by_role("link", name="Preview", exact=True).click()
    expect(page.locator(".ed-mail").first).to_contain_text("Dear School board,")
    page.get_by_label("As it goes to").select_option("Minister of Education")
    page.get_by_role("button", name="Show").click()
    drawn(page, "img.faxpage")
    page.get_by_role("link", name="Check and publish").click()
    page.get_by_role("button", name="They agree").click()
    page.get_by_label("I know what is open").check()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".state-word")).to_have_text("live")

    spec = campaigns.spec_of("keep-the-library")
    assert (spec.title, spec.summary, spec.contact, spec.inbox) == tuple(TEN[x] for x in (
        "Title", "In one or two sentences", "Whom people can ask", "Your inbox for copies"))
    assert (spec.letter.subject, spec.letter.body) == (TEN["Subject"], LETTER)
    assert spec.deadline == datetime(2031, 1, 24, 22, tzinfo=UTC)
    assert [(t.name, t.email, t.fax) for t in spec.targets] == [("School board", ("board@schools.example",), ()),
                                                               ("Minister of Education", (), ("+14165550144",))]
    page.goto("/c/keep-the-library")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep the library")
    expect(page.locator("main")).to_contain_text("please keep the library open")


def drawn(page: Page, what: str) -> None:
    """The first picture of these is there, and has ink on it."""
    page.locator(what).first.scroll_into_view_if_needed()
    dark = page.locator(what).first.evaluate("""async img => {
      await img.decode();
      const canvas = document.createElement("canvas"), at = canvas.getContext("2d");
      canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
      at.drawImage(img, 0, 0);
      const data = at.getImageData(0, 0, canvas.width, canvas.height).data;
      let dark = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] < 128) dark += 1;
      return dark / (data.length / 4);
    }""")
    assert 0.002 < dark < 0.5, dark


PROMISE = 5.0
"""Seconds within which an open desk shows a lane's new pace."""
LOADED = 20.0
"""Seconds that a loaded machine is given on top, to answer and to draw: how long that takes is not what this is about. What is: the
service's own times, of the lever in the audit log and of the look that showed it (`x-look-at`), which leave out both."""


def test_a_changed_limit_is_the_lanes_pace_on_an_open_desk_within_five_seconds(served: ServedDesk) -> None:
    desk = served.desk
    desk.set(confirm="none", max_email_rate="60/hour")
    desk.campaign(targets=(replace(COMMISSIONER, fax=(), limits={"email": "20/hour"}), COUNCIL))
    for _ in range(3):
        desk.write()
    watching, page = served.signed_in(Role.VIEWER), served.signed_in(Role.ORGANIZER, **PHONE)
    answers: list[Response] = []
    watching.on("response", lambda r: answers.append(r) if "/now?" in r.url and r.status == 200 else None)
    page.goto(f"{BASE}/levers/targets/commissioner")
    page.get_by_label("E-mail: at most").fill("7/hour")
    page.get_by_role("button", name="See the pace it gives").click()
    expect(page.get_by_role("row", name="commissioner@transit.example")).to_contain_text("20 an hour7 an hour")
    watching.goto(f"{BASE}/")
    expect(watching.locator(".lane-figures")).to_contain_text("20 an hour")
    page.get_by_role("button", name="Do it").click()
    began = time.monotonic()
    expect(watching.locator(".lane-figures")).to_contain_text("7 an hour", timeout=(PROMISE + LOADED) * 1000)
    assert time.monotonic() - began < PROMISE + LOADED
    expect(page.locator(".lanes")).to_contain_text("at 7 an hour")  # and on the page of whoever pulled it, at once

    pulled = max(x.at for x in desk.rows(AuditEntry) if x.campaign_id == campaigns.get("night-bus").id)
    clock = datetime.strptime(next(r for r in answers if "7 an hour" in r.text()).headers["x-look-at"], "%H:%M:%S")
    local = pulled.astimezone(ZoneInfo(COMMISSIONER.timezone))  # the campaign's desk has its first target's clock
    passed = (clock - datetime(1900, 1, 1, local.hour, local.minute, local.second)).total_seconds() % 86_400
    assert passed <= PROMISE + 1, passed  # both are whole seconds


def test_unknown_letters_are_decided_with_what_is_known_beside_them(served: ServedDesk) -> None:
    desk = served.desk
    desk.set(confirm="none")
    desk.campaign(targets=(replace(COMMISSIONER, fax=()), COUNCIL))
    for target in ("commissioner", "council"):
        desk.write(targets=(target,))
        desk.sink.faults["dot"] = CLOSE  # the letter is in the server's hands, and its answer never comes
        desk.send()
    assert desk.states() == ["unknown", "unknown"]
    page = served.signed_in(Role.ORGANIZER, **PHONE)
    page.goto(f"{BASE}/")
    page.locator("#live-matters").get_by_role("link", name="Decide").click()
    expect(page.locator(".unknowns > li")).to_have_count(2)
    for value in ("commissioner@transit.example", "council@city.example"):
        beside = page.locator(".unknowns > li").filter(has_text=value).locator(".known")
        expect(beside).to_contain_text("Handed to smtp at")
        expect(beside).to_contain_text("Mail servers cannot be asked; a bounce would say that it did not arrive.")
    assert _troubles(page, "unknown") == []
    sent, again = (next(x for x in desk.letters() if x.target_id == t.id) for t in campaigns.targets_of(campaigns.get("night-bus").id))

    page.get_by_role("button", name=re.compile("^Mark as sent ?: to Transit Commissioner")).click()
    expect(page.locator(".said")).to_have_text("Marked as sent.")
    expect(page.locator(".unknowns > li")).to_have_count(1)
    page.get_by_role("button", name=re.compile("^Send again ?: to City Council")).click()
    expect(page.locator(".said")).to_have_text("Queued to be sent again.")
    expect(page.locator("main")).to_contain_text("None: each hand-over so far was answered.")
    assert {x.id: x.state for x in desk.letters()} == {sent.id: "sent", again.id: "queued"}
    before = len(desk.sink.mails)
    desk.later(minutes=1)
    assert desk.send() == 1 and desk.states() == ["sent", "sent"]
    assert [m.rcpts[0] for m in desk.sink.mails[before:]] == ["council@city.example"]
    page.goto(f"{BASE}/letters/{again.id}")
    expect(page.locator(".letter-state")).to_contain_text("Sent")


def test_the_report_is_taken_away_and_its_pages_are_drawn(served: ServedDesk, tmp_path: Path) -> None:
    desk = served.desk
    desk.set(confirm="none")
    desk.later(hours=-5)
    desk.campaign()
    for i in range(6):
        desk.write(targets=("council",) if i % 3 else ("commissioner",))
        desk.later(minutes=40)
    desk.write(channel="fax")
    desk.send()
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, next(a for a in desk.attempts() if a.transport == "twilio"), pages=1))
    page = served.signed_in(Role.ORGANIZER)
    page.goto(f"{BASE}/exports")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Make the report").click()
    taken.value.save_as(tmp_path / "report.pdf")
    assert taken.value.suggested_filename.startswith("night-bus")
    file = pdfium.PdfDocument((tmp_path / "report.pdf").read_bytes())
    try:
        assert len(file) >= 1
        words = " ".join(" ".join(p.get_textpage().get_text_range() for p in file).split())
        for said in ("Keep the night bus", "Transit Commissioner", "City Council"):
            assert said in words
        for n, sheet in enumerate(file):
            grey = sheet.render(scale=0.5).to_pil().convert("L")
            dark = sum(grey.histogram()[:160]) / (grey.width * grey.height)
            assert 0.003 < dark < 0.5, (n, dark)
    finally:
        file.close()
    figures = desk.stats()["letters"]
    assert f"{sum(figures.values())} letters {sum(figures.values())} gone out {figures['delivered']} received" in words
