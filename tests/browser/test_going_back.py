"""Back from the status page to the form: the browser shows the page it had, token and all, and what is then sent is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.conftest import QUIET
from tests.conftest import Service, eventually
from tests.plugins.no_skips import chromium_path

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
FAX = "/c/let-irena-stay"


def _sent(page: Page, *, name: str, email: str) -> str:
    """Fill the form in and send it; the status page's address."""
    page.get_by_label("Your full name").fill(name)
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_label("Send this letter in my name").check()
    page.locator("[data-send]").click()
    page.wait_for_url("**/s/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    return page.url


def _has_mail(service: Service, address: str) -> None:
    eventually(lambda: address in httpx.get(f"{service.url}/sandbox").text, seconds=240, every=0.3)


@pytest.fixture
def keeping(playwright: Playwright) -> Iterator[Page]:
    """A phone whose browser keeps the pages it has left, as people's do and Playwright's does not."""
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=QUIET, ignore_default_args=["--disable-back-forward-cache"])
    page = browser.new_context(viewport={"width": 390, "height": 844}, locale="en").new_page()
    page.set_default_timeout(90_000)
    yield page
    browser.close()


def test_a_mistyped_address_put_right_after_going_back_gets_the_mail(service: Service, keeping: Page) -> None:
    keeping.goto(service.url + FAX)
    token = keeping.locator("input[name=token]").input_value()
    keeping.evaluate("addEventListener('pageshow', e => { document.documentElement.dataset.kept = e.persisted })")
    first = _sent(keeping, name="Nora Typo", email="nora@suporter.example")
    keeping.go_back(wait_until="commit")  # a kept page is not loaded again
    expect(keeping.locator("html")).to_have_attribute("data-kept", "true")
    assert keeping.locator("input[name=token]").input_value() == token
    second = _sent(keeping, name="Nora Typo", email="nora@supporter.example")
    assert second != first
    _has_mail(service, "nora@supporter.example")
    keeping.go_back(wait_until="commit")  # a kept page is not loaded again
    assert _sent(keeping, name="Nora Typo", email="nora@supporter.example") == second  # the same again is the same


@pytest.mark.parametrize("scripts", [True, False])
def test_the_next_person_at_a_shared_tablet_has_a_page_of_their_own(service: Service, open_page: Callable[..., Page],
                                                                    scripts: bool) -> None:
    page, who = open_page(viewport={"width": 820, "height": 1180}, java_script_enabled=scripts), "per" if scripts else "pia"
    page.goto(service.url + FAX)
    first = _sent(page, name="Ola First", email="ola@tablet.example")
    page.go_back()
    second = _sent(page, name="Per Second", email=f"{who}@tablet.example")
    assert second != first
    _has_mail(service, f"{who}@tablet.example")
