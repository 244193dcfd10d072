"""What a network may ask for in an hour, and who may look into the sandbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from outreach.services import access, throttle
from outreach.settings import get_settings
from outreach.web.letters_out import ALLOWED
from tests.web.conftest import Site

C = "/c/keep-the-night-bus"


def from_address(site: Site, address: str) -> TestClient:
    return TestClient(site.client.app, follow_redirects=False, raise_server_exceptions=False, client=(address, 50000))


def test_reports_from_one_network_are_counted_and_then_refused_without_an_echo(site: Site) -> None:
    crowd = from_address(site, "203.0.113.7")
    for _ in range(ALLOWED["report"]):
        assert crowd.post(C + "/report", data={"reason": "Plantedreason"}).status_code == 200
    refused = from_address(site, "203.0.113.200").post(C + "/report", data={"reason": "Plantedreason"})  # the same /24
    assert refused.status_code == 429 and refused.headers["retry-after"] == "3600"
    assert "Nothing was done" in refused.text and "Plantedreason" not in refused.text
    assert from_address(site, "198.51.100.7").post(C + "/report", data={"reason": "x"}).status_code == 200
    assert crowd.post(C + "/preview", data={}).status_code == 200, "another allowance"


def test_previews_and_downloads_share_an_allowance(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALLOWED, "drawing", 2)
    crowd = from_address(site, "2001:db8::1")
    assert crowd.post(C + "/preview", data={}).status_code == 200
    assert crowd.post(C + "/letter.pdf", data={}).status_code == 200
    for path in ("/preview", "/letter.pdf"):
        refused = crowd.post(C + path, data={"name": "Plantedname"}, headers={"accept-language": "fr"})
        assert refused.status_code == 429 and "Plantedname" not in refused.text
        assert "Rien n’a été fait" in refused.text
    assert site.client.post(C + "/preview", data={}).status_code == 200, "the machine itself is not counted"


def test_all_addresses_that_cannot_be_read_are_one_network(site: Site) -> None:
    for n in range(ALLOWED["report"]):
        assert from_address(site, f"unix-{n}").post(C + "/report", data={"reason": "x"}).status_code == 200
    assert from_address(site, "").post(C + "/report", data={"reason": "x"}).status_code == 429


@pytest.mark.parametrize(("address", "network"), [
    ("203.0.113.7", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::ffff:203.0.113.7", "203.0.113.0/24"),
    ("fe80::1%eth0", "fe80::/48"),
    ("nonsense", throttle.UNKNOWN), ("", throttle.UNKNOWN), ("127.0.0.1", None), ("::1", None), (None, None)])
def test_an_address_belongs_to_a_network(address: str | None, network: str | None) -> None:
    assert throttle.prefix(address) == network


def test_a_form_from_an_address_that_cannot_be_read_is_timed_like_any_other(site: Site) -> None:
    assert from_address(site, "nonsense").post(C, data=site.form()).status_code == 422


def sign_in(site: Site) -> None:
    link = access.invite("desk@campaign.example").removeprefix("http://testserver")
    assert site.client.post(link).status_code == 303


@pytest.mark.parametrize("transports", [{"EMAIL_TRANSPORT": "sandbox"}, {"FAX_TRANSPORT": "sandbox"},
                                        {"EMAIL_TRANSPORT": "sandbox", "FAX_TRANSPORT": "sandbox"}])
def test_outside_the_demo_only_an_organizer_looks_into_the_sandbox(site: Site, transports: dict[str, str],
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in transports.items():  # after the campaign went online: it would not with one of the two
        monkeypatch.setenv(f"OUTREACH_{name}", value)
    get_settings.cache_clear()
    for path in ("/sandbox", "/o/sandbox", "/sandbox/fax/x/1.png", "/o/sandbox/fax/x/1.png"):
        assert site.client.get(path).status_code == 404
    assert site.client.get("/o/sandbox", headers={"cookie": "outreach_desk=guessed"}).status_code == 404
    sign_in(site)
    assert "Nothing has been sent yet" in site.client.get("/o/sandbox").text


def test_without_a_sandbox_transport_not_even_an_organizer_finds_it(site: Site) -> None:
    sign_in(site)
    assert site.client.get("/o/sandbox").status_code == 404


def test_in_the_demo_anybody_looks_into_the_sandbox(open_site: Callable[..., Site]) -> None:
    assert open_site(DEMO="true").client.get("/sandbox").status_code == 200


def test_the_page_about_privacy_states_the_terms_that_are_kept(site: Site) -> None:
    from outreach.services import closing, confirm_rules, mailboxes, scrubbing

    page = site.client.get("/privacy").text
    assert f"erased by itself {scrubbing.AFTER_CLOSING.days} days after the campaign has been closed" in page
    assert f"closed by itself {closing.AFTER_DEADLINE.days} days after its deadline" in page
    assert (confirm_rules.WEEK + scrubbing.AFTER_EXPIRY).days == 14 and "erased two weeks after it was written" in page
    assert mailboxes.PER_DAY == 3 and "never more than three" in page


def test_the_page_that_asks_for_the_code_says_to_everybody_that_it_may_come_tomorrow(site: Site) -> None:
    from outreach.services import mailboxes

    pages = [site.client.get(site.send(email="jane@people.example")).text for _ in range(mailboxes.PER_DAY + 2)]
    assert all("We send at most three such mails a day to one mailbox. If yours is one too many, it follows tomorrow." in p for p in pages)


def test_the_status_page_does_not_claim_that_the_code_has_gone(site: Site) -> None:
    page = site.client.get(site.send()).text
    assert "We are sending six digits" in page and "We have sent" not in page


@pytest.mark.parametrize(("state", "address"), [("failed", "ok"), ("unknown", "ok"), ("queued", "blocked")])
def test_the_status_page_promises_nobody_s_help_that_is_not_there(site: Site, state: str, address: str) -> None:
    from sqlalchemy import update

    from outreach.db import unit_of_work
    from outreach.models import Address, Letter, Submission, table

    path = site.send()
    with unit_of_work() as c:
        c.execute(update(table(Submission)).values(state="accepted"))
        c.execute(update(table(Letter)).values(state=state, counts=True))
        c.execute(update(table(Address)).values(state=address))
    page = site.client.get(path).text
    told = {"failed": "It is not tried again.", "unknown": "It is sent again only if it turns out that it has not",
            "queued": "It goes out once the office can be reached again"}[state]
    assert told in page
    assert not any(claim in page for claim in ("organizers see it", "organizers are told", "We find that out"))
