"""An organizer's first evening, on a phone: from the demo's one-time link to a campaign that came out of a circular, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import httpx
import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.conftest import Service, eventually, running

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]
PROPOSED = ("housing@city.example", "+14165550137", "+14165550138")
"""What the circular gives as the office's addresses; letters go to the first two."""
PASSWORD = "kettle marble forgotten lighthouse"
CIRCULAR = """From: Riverside Tenants <info@riverside.example>
Subject: Stop the eviction of 12 Mill Lane -- WRITE TODAY

Dear friends,

The families of 12 Mill Lane are to be evicted on Friday 22 January 2038. Please fax or e-mail the Housing Commissioner before 5 pm!

Housing Commissioner Dana Whitlock
Fax: 416.555.0137
Tel: (416) 555-0138
housing at city dot example

CC us: copies@riverside.example

Subject: Please halt the eviction at 12 Mill Lane

Dear Commissioner Whitlock,

I am writing to ask you to halt the eviction of the families of 12 Mill Lane until the appeal is heard.

Sincerely,
[YOUR NAME]
[YOUR CITY]

Endorsed by:
- Riverside Tenants
- Mill Lane Parents
"""


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A demo of its own: what is stopped here disturbs no other test."""
    with running(tmp_path_factory.mktemp("evening"), "demo", OUTREACH_CONFIRM="none", OUTREACH_MAX_EMAIL_RATE="none") as started:
        yield started


def clean(page: Page) -> None:
    """Nothing that would keep somebody out, on this page."""
    found = Axe().run(page).response["violations"]
    assert found == [], [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]


def gone(service: Service, slug: str) -> tuple[int, int]:
    """How many letters were sent, and how many delivered."""
    letters = json.loads(service.cli("stats", slug, "--json"))["letters"]
    return letters.get("sent", 0), letters.get("delivered", 0)


def write(service: Service, slug: str, n: int) -> None:
    """Supporters send the form, as plain clients do."""
    from tests.web.conftest import form_of

    with httpx.Client(base_url=service.url) as web:
        for i in range(n):
            fields = form_of(web.get(f"/c/{slug}").text) | {"name": [f"Jane Doe {chr(65 + i)}"], "email": [f"jane{i}@people.example"],
                                                           "city": ["Toronto"], "consent": ["yes"], "channel": ["email"]}
            eventually(lambda fields=fields: web.post(f"/c/{slug}", data=fields).status_code == 303)  # type: ignore[misc]


def enter(page: Page, link: str, name: str) -> None:
    """Follow a one-time link and set a password."""
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    clean(page)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same once more", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your authenticator app")
    clean(page)


def secure(page: Page) -> None:
    """Set up the second factor, and keep the recovery codes."""
    page.get_by_label("Six digits").fill(pyotp.TOTP(page.locator("#key").inner_text().replace(" ", "")).now())
    page.get_by_role("button", name="Check the code").click()
    expect(page.locator("#codes li")).to_have_count(10)
    clean(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your campaigns")
    clean(page)


def published(page: Page) -> str:
    """Make a campaign of the circular and put it online, as an organizer; returns its slug."""
    page.goto("/o/terms?next=/o/new")
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Accept").click()
    page.get_by_label("Paste the mail").fill(CIRCULAR)
    page.get_by_role("button", name="Read it").click()
    expect(page.locator(".ed-found")).to_contain_text("+14165550137")
    clean(page)
    page.get_by_role("link", name="On to the ten fields").click()
    expect(page.locator("#f-target-1-email")).to_have_value("housing@city.example")
    expect(page.locator("#f-deadline")).to_have_value("2038-01-22")
    page.locator("#f-contact").fill("Riverside Tenants, info@riverside.example, +1 416 555 0111")
    page.locator("#f-target-1-source-url").fill("https://city.example/housing/contact")
    clean(page)
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and publish")
    for button in ("They agree", "I have read it", "Send it to"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("button", name=button)).to_have_count(0)
    clean(page)
    page.get_by_label("I know what is open").check()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".state-word")).to_have_text(re.compile("live", re.I))
    expect(page.locator(".said")).to_contain_text("The operator has been asked to approve 2 new addresses; letters to them wait so long.")
    return page.url.split("/o/c/")[1].split("/")[0]


def told(operator: Page) -> None:
    """Until the operator's page has the alert, which the ticker opens."""
    def there() -> bool:
        operator.goto("/o/operator")
        return operator.locator("#alerts .card").filter(has_text="housing@city.example").count() == 1

    eventually(there, every=1)
    clean(operator)


def approved(operator: Page) -> None:
    """From the alert to the address, and one tap on each."""
    alert = operator.locator("#alerts .card").filter(has_text="housing@city.example")
    expect(alert).to_contain_text("nothing is sent there until you approve it")
    alert.get_by_role("link", name="See what can be done").click()
    expect(operator.locator("#proposed")).to_contain_text("5 letters wait for it")
    for left, value in enumerate(PROPOSED):
        button = operator.get_by_role("button", name=f"Approve {value}", exact=True)
        expect(operator.get_by_role("button", name=re.compile("^Approve"))).to_have_count(len(PROPOSED) - left)
        button.click()
        expect(operator.locator(".said")).to_contain_text(f"{value} is approved")
    expect(operator.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)


def test_from_the_one_time_link_to_letters_and_back(evening: Service, open_page: Callable[..., Page]) -> None:
    operator, page = (open_page(base_url=evening.url, viewport={"width": 390, "height": 844}) for _ in range(2))

    # a password and a second factor; and somebody else, who may make campaigns but not approve addresses
    link = re.search(r"http\S+/o/login/\S+", evening.log.read_text())
    assert link
    enter(operator, link[0], "Robin Okafor")
    secure(operator)
    invited = re.search(r"/o/login/\S+", evening.cli("organizer", "invite", "eva@riverside.example"))
    assert invited
    enter(page, invited[0], "Eva Lindqvist")
    secure(page)

    # a circular becomes a campaign
    slug = published(page)
    answer = page.goto("/o/operator")
    assert answer is not None and answer.status == 404  # she is no operator

    # five people write; their letters wait, and every page says for what
    write(evening, slug, 5)
    assert "has still to approve the address of" in httpx.get(f"{evening.url}/c/{slug}").text
    page.goto(f"/o/c/{slug}/")
    expect(page.locator("main")).to_contain_text("5 from 5 forms")
    expect(page.locator("#live-matters")).to_contain_text(
        "An e-mail address of Housing Commissioner Dana Whitlock waits for the operator’s approval")
    expect(page.locator(".answer-short").first).to_have_text("No")
    clean(page)

    # the operator is told, and approves; then it goes, and nothing has before
    told(operator)
    assert gone(evening, slug) == (0, 0)
    approved(operator)
    eventually(lambda: sum(gone(evening, slug)) == 1, every=1)
    page.goto(f"/o/c/{slug}/")
    expect(page.locator("main")).to_contain_text("20 an hour")
    expect(page.locator("#live")).not_to_contain_text("waits for the operator’s approval")

    # faster: what waits finds the new limit
    page.goto(f"/o/c/{slug}/levers")
    clean(page)
    page.get_by_role("link", name=re.compile("^Limits, addresses")).first.click()
    clean(page)
    page.locator("#limit-email").fill("100/minute")
    page.get_by_role("button", name=re.compile("^See the pace")).click()
    clean(page)
    page.get_by_role("button", name="Do it").click()
    eventually(lambda: sum(gone(evening, slug)) == 5, every=1)

    # paused and resumed; stopped, and taken back
    page.goto(f"/o/c/{slug}/levers")
    page.get_by_role("button", name=re.compile("^Pause the campaign")).click()
    expect(page.locator(".said")).to_be_visible()
    expect(page.locator(".state-word")).to_have_text(re.compile("paused", re.I))
    page.goto(f"/o/c/{slug}/levers")
    page.get_by_role("button", name=re.compile("^Resume")).first.click()
    expect(page.locator(".state-word")).to_have_text(re.compile("live", re.I))
    page.goto(f"/o/c/{slug}/levers")
    page.get_by_role("link", name=re.compile("^Stop this campaign")).click()
    clean(page)
    page.get_by_label("They gave in").check()
    page.get_by_label("What happened").fill("They may stay. Thank you, all of you.")
    page.get_by_role("button", name=re.compile("^Stop now")).click()
    expect(page.locator(".state-word")).to_have_text(re.compile("stopped", re.I))
    assert "They may stay" in httpx.get(f"{evening.url}/c/{slug}").text
    page.goto(f"/o/c/{slug}/levers")
    page.get_by_role("button", name=re.compile("^Undo the stop")).click()
    expect(page.locator(".state-word")).to_have_text(re.compile("live", re.I))

    # and what is taken along
    page.goto(f"/o/c/{slug}/exports")
    clean(page)
    cookies = {c["name"]: c["value"] for c in page.context.cookies()}
    with httpx.Client(base_url=evening.url, cookies=cookies, timeout=120) as taker:
        page_of_exports = page.content()
        report = re.search(r'href="([^"]+\.pdf[^"]*)"', page_of_exports)
        table = re.search(r'href="([^"]+letters\.csv[^"]*)"', page_of_exports)
        assert report and table, page_of_exports
        assert taker.get(report[1]).content[:5] == b"%PDF-"
        assert len(taker.get(table[1]).text.splitlines()) == 6
    for room in ("money", "alerts", "people"):
        page.goto(f"/o/c/{slug}/{room}")
        clean(page)
