"""A supporter's whole way, as a person goes it: with scripts, without them, and with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Service, eventually

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
FAX, MAIL = "/c/let-irena-stay", "/c/clean-water-for-lake-orsa"
_people = count(1)


def _person() -> tuple[str, str]:
    n = next(_people)
    return f"Ada Nightingale {chr(64 + n)}", f"ada{n}@supporter.example"


def _mail_to(service: Service, address: str, pattern: str) -> str:
    """What `pattern` finds in the sandbox's mail to `address`."""
    def look() -> str | None:
        page = httpx.get(f"{service.url}/sandbox").text
        for card in page.split('<li class="card mail">')[1:]:
            if address in card and (found := re.search(pattern, card)):
                return found[1]
        return None

    return str(eventually(look, seconds=240, every=0.3))


def _fill(page: Page, name: str, email: str) -> None:
    page.get_by_label("Your full name").fill(name)
    page.get_by_label("Your e-mail address").fill(email)


def test_a_fax_is_written_previewed_sent_confirmed_by_code_and_seen_to_arrive(service: Service, open_page: Callable[..., Page]) -> None:
    page, (name, email) = open_page(), _person()
    page.goto(service.url + FAX)
    sheet = page.locator("[data-sheet]")
    _fill(page, name, email)
    page.get_by_label("Organisation you write for").fill("Harbour Readers")
    page.get_by_label("Town or city").fill("Port Ellery")
    expect(sheet).to_contain_text(f"Yours sincerely,\n\n{name}", use_inner_text=True)
    expect(sheet).to_contain_text("I am writing on behalf of Harbour Readers about", use_inner_text=True)
    page.get_by_label("Organisation you write for").fill("")
    expect(sheet).to_contain_text("I am writing about", use_inner_text=True)
    expect(page.locator("[data-send]")).to_have_text("Send my fax to 1 office", use_inner_text=True)
    page.get_by_role("button", name="Preview the page").click()
    expect(page.locator("dialog img").first).to_be_visible()
    assert page.locator("dialog img").first.evaluate("i => i.naturalWidth") == 816
    page.get_by_role("link", name="Close").click()
    page.get_by_label("Send this letter in my name").check()
    page.locator("[data-send]").click()
    page.wait_for_url("**/s/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    page.get_by_label("Six-digit code").fill(_mail_to(service, email, r"\b(\d{6})\b"))
    page.get_by_role("button", name="Confirm and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your letter has arrived", timeout=90_000)
    expect(page).to_have_title(re.compile("^Your letter has arrived"))
    expect(page.locator(".stamp")).to_contain_text("1 page")
    expect(page.locator("#said")).to_contain_text("Received by the office’s fax machine.")


def test_an_e_mail_is_confirmed_by_the_mailed_link_s_button(service: Service, open_page: Callable[..., Page]) -> None:
    page, (name, email) = open_page(viewport={"width": 390, "height": 844}), _person()
    page.goto(service.url + MAIL)
    _fill(page, name, email)
    expect(page.locator("[data-send]")).to_have_text("Send my e-mail to 2 offices", use_inner_text=True)
    page.get_by_role("checkbox", name="Ministry of Northern Infrastructure").uncheck()
    expect(page.locator("[data-send]")).to_have_text("Send my e-mail to 1 office", use_inner_text=True)
    page.get_by_text("Change the words").click()
    page.get_by_label("Letter", exact=True).fill("Dear [salutation],\n\nin my own words, <b>plainly</b>: sign.\n\n[your name]")
    expect(page.locator("[data-sheet] .body").first).to_have_text(f"Dear Minister,\n\nin my own words, <b>plainly</b>: sign.\n\n{name}",
                                                                   use_inner_text=True)
    page.get_by_label("Send this letter in my name").check()
    page.locator("[data-send]").click()
    page.wait_for_url("**/s/*")
    page.goto(_mail_to(service, email, r'<a href="([^"]+/m/[^"/]+)">'))
    expect(page.get_by_text("in my own words, <b>plainly</b>: sign.")).to_be_visible()
    page.get_by_role("button", name="Confirm and send my letter").click()
    expect(page.locator(".state").first).to_contain_text(re.compile("Sent, no bounce so far|Delivered"), timeout=60_000)
    arrived = _mail_to(service, "minister@environment.example", r"(in my own words, &lt;b&gt;plainly&lt;/b&gt;: sign\.)")
    assert arrived


def test_everything_works_without_scripts(service: Service, open_page: Callable[..., Page]) -> None:
    page, (name, email) = open_page(java_script_enabled=False, viewport={"width": 390, "height": 844}), _person()
    page.goto(service.url + FAX)
    expect(page.locator("[data-sheet]")).to_contain_text("Dear Officer Brandt,")
    page.locator("[data-send]").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    expect(page.get_by_role("alert")).to_be_focused()
    _fill(page, name, email)
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Preview the page").click()
    expect(opened.value.locator("img.faxpage").first).to_be_visible()
    opened.value.close()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download the letter").click()
    assert taken.value.suggested_filename == "let-irena-stay.pdf"
    page.get_by_label("Send this letter in my name").check()
    page.locator("[data-send]").click()
    page.wait_for_url("**/s/*")
    page.get_by_label("Six-digit code").fill(_mail_to(service, email, r"\b(\d{6})\b"))
    page.get_by_role("button", name="Confirm and send my letter").click()

    def arrived() -> bool:
        page.reload()
        return page.get_by_role("heading", level=1).inner_text() == "Your letter has arrived"

    eventually(arrived, seconds=240, every=1)


def test_the_keyboard_is_enough(service: Service, open_page: Callable[..., Page]) -> None:
    page, (name, email) = open_page(), _person()
    page.goto(service.url + MAIL)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()

    def tab_to(label: str) -> None:
        for _ in range(60):
            if page.evaluate("document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText ?? ''").startswith(label):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"the focus on {label} is not seen"
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {label}")

    for label, text in (("Your full name", name), ("Your e-mail address", email)):
        tab_to(label)
        page.keyboard.type(text)
    tab_to("Send this letter in my name")
    page.keyboard.press("Space")
    tab_to("Send my e-mail to 2 offices")
    page.keyboard.press("Enter")
    page.wait_for_url("**/s/*")


def test_the_countdown_and_the_sheet_do_not_speak_up(service: Service, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(service.url + FAX)
    assert page.locator("[aria-live], [role=status], [role=timer]").count() == 0


def test_what_was_typed_is_still_there_after_going_back(service: Service, open_page: Callable[..., Page]) -> None:
    page, (name, email) = open_page(), _person()
    page.goto(service.url + FAX)
    _fill(page, name, email)
    page.get_by_role("link", name="What is kept, and for how long").click()
    page.go_back()
    expect(page.get_by_label("Your full name")).to_have_value(name)
    expect(page.locator("[data-sheet]")).to_contain_text(name)
