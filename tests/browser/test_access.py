"""Every page, light and dark, on a phone and on a desktop: axe finds nothing, nothing sticks out, targets are large enough."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.test_letter import FAX, MAIL, _fill, _mail_to
from tests.conftest import Service

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]
SMALL = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), summary, textarea")].filter(e => {
  const r = e.getBoundingClientRect(), style = getComputedStyle(e);
  const inText = e.tagName === "A" && style.display === "inline";
  return r.width && r.height && !inText && !e.closest(".trap, .skip") && (r.width < 24 || r.height < 24);
}).map(e => e.outerHTML.slice(0, 90))"""


def _troubles(page: Page, what: str) -> list[str]:
    found = Axe().run(page)
    wrong = [f"{what}: {v['id']}: {n['html'][:120]}" for v in found.response["violations"] for n in v["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append(f"{what}: wider than the window")
    return wrong + [f"{what}: too small: {html}" for html in page.evaluate(SMALL)]


def _check(page: Page, what: str) -> None:
    assert _troubles(page, what) == []


@pytest.fixture(scope="module")
def paths(service: Service) -> dict[str, str]:
    """Every page of the web, by name."""
    login = _invited(service)
    status, mailed = _sent(service)
    return {"home": "/", "fax": FAX, "mail": MAIL, "french": FAX + "?lang=fr", "privacy": "/privacy", "report": FAX + "/report",
            "missing": "/nowhere", "sandbox": "/sandbox", "login": login, "signed out": "/o/", "status": status, "mailed": mailed,
            "withdraw": mailed + "/withdraw", "erase": mailed + "/erase", "never": mailed + "/never"}


def _invited(service: Service) -> str:
    printed = service.cli("organizer", "invite", "desk@campaign.example")
    found = re.search(r"(/o/login/\S+)", printed)
    assert found, printed
    return found[1]


def _sent(service: Service) -> tuple[str, str]:
    page = httpx.get(service.url + FAX).text
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    email = "axel@supporter.example"
    answer = httpx.post(service.url + FAX, data={"token": token[1], "name": "Axel Reader", "email": email, "channel": "fax",
                                                 "targets": "removals-officer", "consent": "yes", "language": "en"})
    assert answer.status_code == 303, answer.text
    mailed = _mail_to(service, email, r'<a href="[^"]+?(/m/[^"/]+)">')
    return answer.headers["location"], mailed


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_on_any_page(service: Service, open_page: Callable[..., Page], paths: dict[str, str], scheme: str,
                                       width: int) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    troubles = []
    for what, path in paths.items():
        page.goto(service.url + path)
        troubles += _troubles(page, what)
    assert troubles == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_in_what_opens(service: Service, open_page: Callable[..., Page], scheme: str, width: int) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.goto(service.url + FAX)
    for summary in page.locator("summary").all():
        summary.click()
    _check(page, "unfolded")
    _fill(page, "Nora <b>", "nobody")
    page.get_by_role("button", name="Preview the page").click()
    page.locator("dialog img").first.wait_for()
    _check(page, "preview")
    page.get_by_role("link", name="Close").click()
    page.locator("[data-send]").click()
    page.locator(".error-summary").wait_for()
    _check(page, "mistakes")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_on_the_desk(service: Service, open_page: Callable[..., Page], scheme: str, width: int) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.goto(service.url + _invited(service))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="The desk").wait_for()
    _check(page, "desk")
