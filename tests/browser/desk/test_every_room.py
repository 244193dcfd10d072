"""One walk through every room of the desk, furnished: on a phone and on a desktop, light and dark, anybody can use each page.

A room that is added later must be given a place in `PLACES` or `FILES`, with something in it to look at, or the walk fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page, expect

from outreach.web.desk import signin
from outreach.web.desk.guard import ROOMS
from tests.browser.desk.conftest import ServedDesk
from tests.browser.desk.furnished import PASSWORD, Furnished, furnish
from tests.browser.test_access import _troubles

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.parametrize("database", ["sqlite"], indirect=True)]
CAMPAIGN = "/o/c/night-bus"
PATIENCE = 30_000
"""Milliseconds: a loaded machine answers when it can."""
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "resultTypes": ["violations"]}
"""A scheme is a media query, which changes colours and nothing else: pages stay the same document."""


@dataclass(frozen=True)
class Stop:
    """A page: where, a word that only the furnished page has, who goes there, and what they do there first."""

    path: str
    word: str
    who: str = "operator"
    act: Callable[[Page], None] | None = None


def pressed(name: str, **typed: str) -> Callable[[Page], None]:
    """Fill in fields by their id, then press the button of this name."""
    def act(page: Page) -> None:
        page.evaluate("document.querySelectorAll('form').forEach(f => { f.noValidate = true; })")  # the service's own words are looked at
        for field, text in typed.items():
            page.locator(f"#{field.replace('_', '-')}").fill(text)
        page.get_by_role("button", name=name).first.click()

    return act


def token(page: Page) -> None:
    page.locator("#f-token-name").fill("A program")
    page.locator("#f-scope").check()
    pressed("Make the token", f_token_password=PASSWORD)(page)


def sent_anyway(page: Page) -> None:
    page.locator("main form[method=post]").first.evaluate("form => form.submit()")


PLACES: dict[str, list[Stop]] = {
    "/o/welcome": [Stop("/o/welcome", "Welcome to the desk", "newcomer")],
    "/o/welcome/second-factor": [Stop("/o/welcome/second-factor", "Your authenticator app", "half")],
    "/o/account/second-factor": [Stop("/o/account/second-factor", "Another authenticator app")],
    "/o/account": [Stop("/o/account", "at night"), Stop("/o/account", "Your new token", act=token),
                   Stop("/o/account", "Your recovery codes", act=pressed("Make ten new codes", f_password_for_codes=PASSWORD))],
    "/o/c/{slug}/people": [Stop(f"{CAMPAIGN}/people", "has not begun", "owner"), Stop(
        f"{CAMPAIGN}/people", "A mail is on its way", "owner", pressed("Invite", f_email="new@riders.example"))],
    "/o/c/{slug}/people/log": [Stop(f"{CAMPAIGN}/people/log", "webhook")],
    "/o/": [Stop("/o/", "Keep the night bus", "owner")],
    "/o/c/{slug}/": [Stop(f"{CAMPAIGN}/", "miss"), Stop(f"{CAMPAIGN}/?by=days&all=yes", "Fax lines")],
    "/o/c/{slug}/levers": [Stop(f"{CAMPAIGN}/levers", "the mailbox was full")],
    "/o/c/{slug}/levers/stop": [Stop(f"{CAMPAIGN}/levers/stop", "will not go", "owner"), Stop(
        f"{CAMPAIGN}/levers/stop", "Choose what it came to", act=pressed("Stop now"))],
    "/o/c/{slug}/levers/targets/{key}": [Stop(f"{CAMPAIGN}/levers/targets/council", "council@city.example", "owner"), Stop(
        f"{CAMPAIGN}/levers/targets/council", "This would happen", act=pressed("See the pace it gives", limit_email="1/hour"))],
    "/o/c/{slug}/levers/deadline": [Stop(f"{CAMPAIGN}/levers/deadline", "Move the deadline")],
    "/o/c/{slug}/levers/cancel": [Stop(f"{CAMPAIGN}/levers/cancel", "will not be sent"), Stop(
        f"{CAMPAIGN}/levers/cancel?target=council", "Metropolitan")],
    "/o/c/{slug}/levers/unknown": [Stop(f"{CAMPAIGN}/levers/unknown", "Mark as sent")],
    "/o/c/{slug}/levers/bundle": [Stop(f"{CAMPAIGN}/levers/bundle", "together")],
    "/o/c/{slug}/letters": [Stop(f"{CAMPAIGN}/letters", "Council"), Stop(f"{CAMPAIGN}/letters?state=failed&q=x", "fit")],
    "/o/c/{slug}/letters/{id}": [
        *(Stop(f"{CAMPAIGN}/letters/{{{state}}}", "What happened") for state in ("fax", "failed", "unknown", "held")),
        Stop(f"{CAMPAIGN}/letters/{{queued}}", "Cancel this letter", act=pressed("Cancel it"))],
    "/o/c/{slug}/moderation": [Stop(f"{CAMPAIGN}/moderation", "me@people.example")],
    "/o/c/{slug}/moderation/bulk": [Stop(f"{CAMPAIGN}/moderation/bulk?like={{review}}", "Approve all 1")],
    "/o/c/{slug}/moderation/{id}": [Stop(f"{CAMPAIGN}/moderation/{{review}}", "me@people.example", "owner")],
    "/o/drafts/{draft}/check": [Stop("{circular}/check", "They agree"), Stop("{nothing}/check", "Still to do")],
    "/o/c/{slug}/edit/check": [Stop(f"{CAMPAIGN}/edit/check", "very last bus")],
    "/o/drafts/{draft}/preview": [Stop("{circular}/preview", "As a fax"), Stop("{nothing}/preview", "nothing to show yet")],
    "/o/c/{slug}/edit/preview": [Stop(f"{CAMPAIGN}/edit/preview", "As a fax")],
    "/o/drafts/{draft}/preview/page": [Stop("{circular}/preview/page", "Send"), Stop(
        "{circular}/preview/page", "Nothing was sent", act=sent_anyway)],
    "/o/c/{slug}/edit/preview/page": [Stop(f"{CAMPAIGN}/edit/preview/page", "Send")],
    "/o/c/{slug}/versions": [Stop(f"{CAMPAIGN}/versions", "eva@nightbus.example")],
    "/o/c/{slug}/versions/{n}": [Stop(f"{CAMPAIGN}/versions/{n}", f"Version {n}") for n in (1, 2)],
    "/o/drafts/{draft}": [Stop("{circular}", "Ten fields"), Stop("{circular}?part=circular", "What was found"),
                          Stop("{nothing}", "still needed"),
                          *(Stop(f"{{circular}}?part={part}", "Save") for part in ("what", "page", "form", "rules"))],
    "/o/c/{slug}/edit": [Stop(f"{CAMPAIGN}/edit", "Make another one like it"), *(
        Stop(f"{CAMPAIGN}/edit?part={part}", word) for part, word in (
            ("who", "Metropolitan"), ("letter", "very last bus"), ("copies", "Save"), ("file", "very last bus")))],
    "/o/drafts/{draft}/target/{n}": [Stop("{circular}/target/1", "More about this target")],
    "/o/c/{slug}/edit/target/{n}": [Stop(f"{CAMPAIGN}/edit/target/2", "metropolitan-authority")],
    "/o/new": [Stop("/o/new", "What you have begun"), Stop("/o/new", "Accept the terms", "owner", pressed("Begin"))],
    "/o/c/{slug}/money": [Stop(f"{CAMPAIGN}/money", "5.00"), Stop(f"{CAMPAIGN}/money", "much", act=pressed("Set", cap="much"))],
    "/o/c/{slug}/alerts": [Stop(f"{CAMPAIGN}/alerts", "hooks.example"), Stop(
        f"{CAMPAIGN}/alerts", "whsec_", "owner", pressed("Add", url="https://hooks.example/another"))],
    "/o/c/{slug}/exports": [Stop(f"{CAMPAIGN}/exports", "1 fax")],
    "/o/operator": [Stop("/o/operator", "metropolitan-authority")],
    "/o/operator/doctor": [Stop("/o/operator/doctor", "wrong")],
    "/o/operator/c/{slug}/suspend": [Stop(f"/o/operator{CAMPAIGN[2:]}/suspend", "Keep the night bus")],
    "/o/operator/log": [Stop("/o/operator/log", "address proposed")],
    "/o/terms": [Stop("/o/terms", "I have read this", "owner")],
    "/o/login": [Stop("/o/login", "Sign in", "nobody"), Stop(
        "/o/login", "do not belong together", "nobody", pressed("Sign in", f_email="nobody@riders.example", f_password="something"))],
    "/o/login/code": [Stop("/o/login/code", "Your code", "halfway"), Stop("/o/login/code?recovery=1", "Your recovery code", "halfway")],
    "/o/login/forgot": [Stop("/o/login/forgot", "A new password", "nobody"), Stop(
        "/o/login/forgot", "Look into your mail", "nobody", pressed("Mail me a link", f_email="nobody@riders.example"))],
    "/o/login/reset/{token}": [Stop("/o/login/reset/{reset}", "Choose a new password", "nobody"),
                               Stop("/o/login/reset/{invite}", "no longer works", "nobody")],
    "/o/login/{token}": [Stop("/o/login/{invite}", "Sign in to the desk", "nobody")],
}
FILES = {
    "/o/c/{slug}/now": (f"{CAMPAIGN}/now", "text/html", b"<section"),
    "/o/c/{slug}/levers/bundle.pdf": (f"{CAMPAIGN}/levers/bundle.pdf?target=council&channel=email", "application/pdf", b"%PDF-"),
    "/o/c/{slug}/letters/{id}/{n}.png": (f"{CAMPAIGN}/letters/{{fax}}/1.png", "image/png", b"\x89PNG"),
    "/o/drafts/{draft}/export.toml": ("{circular}/export.toml", "text/plain", b"title = "),
    "/o/c/{slug}/edit/export.toml": (f"{CAMPAIGN}/edit/export.toml", "text/plain", b"very last bus"),
    "/o/c/{slug}/exports/{name}": (f"{CAMPAIGN}/exports/letters.csv", "text/csv", b"council"),
}
"""Rooms that give no page: where, of what type, what is in it."""


def test_the_walk_leaves_out_no_room(served: ServedDesk) -> None:
    rooms = {r.path for r in ROOMS if r.method == "GET"} | {path for path, method, _ in signin._ROUTES if method == "GET"}
    assert PLACES.keys() & FILES.keys() == set()
    assert PLACES.keys() | FILES.keys() == rooms, "give a new room its place, with something in it to look at"
    assert all(PLACES.values())


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_can_be_used_by_anybody_on_every_screen(served: ServedDesk, width: int) -> None:
    house = furnish(served)
    page = served.open_page(base_url=served.url, viewport={"width": width, "height": 900})
    page.set_default_timeout(PATIENCE)
    troubles: list[str] = []
    for room, stops in PLACES.items():
        for stop in stops:
            troubles += looked_at(page, house, stop, room)
    for room, (path, kind, begins) in FILES.items():
        house.enter(page, "operator")
        answer = page.request.get(placed(house, path))
        if answer.status != 200 or kind not in answer.headers["content-type"] or begins not in answer.body():
            troubles.append(f"{room}: {answer.status} {answer.headers.get('content-type')}")
    assert not troubles, "\n".join(troubles)


def placed(house: Furnished, path: str) -> str:
    """The path with the ids of what was furnished."""
    return path.format(**house.letters, **house.drafts, **house.links, review=house.review)


def looked_at(page: Page, house: Furnished, stop: Stop, room: str) -> list[str]:
    """What is amiss with a page, everything on it folded out, in both schemes."""
    what = f"{room} ({stop.path}{', then' if stop.act else ''})"
    house.enter(page, stop.who)
    page.emulate_media(color_scheme="light")
    answer = page.goto(placed(house, stop.path))
    if answer is None or answer.status not in (200, 401, 404) or (answer.status != 200 and stop.who != "nobody"):
        return [f"{what}: {answer and answer.status}"]
    unfold(page)
    if stop.act:
        try:
            stop.act(page)
            expect(page.locator("body")).to_contain_text(stop.word, timeout=PATIENCE)
        except (AssertionError, Error) as e:
            return [f"{what}: {str(e)[:300]}"]
        unfold(page)
    if stop.word not in page.content():
        return [f"{what}: nothing of {stop.word!r} on it"]
    found = _troubles(page, f"{what}, light")
    page.emulate_media(color_scheme="dark")
    dark = Axe().run(page, options=COLOURS).response["violations"]
    return found + [f"{what}, dark: {v['id']}: {n['html'][:120]}" for v in dark for n in v["nodes"]]


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
