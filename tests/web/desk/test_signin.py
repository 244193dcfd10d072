"""The desk's door from outside: links, password, code; what a half-open session opens; where one lands."""

from __future__ import annotations

import re

import pyotp
import pytest
from starlette.testclient import TestClient

from outreach.services import access, invitations, links
from outreach.settings import get_settings
from outreach.web.desk import guard, signin
from outreach.web.desk.guard import COOKIE, ROOMS
from tests.web.desk.conftest import DeskSite
from tests.web.desk.test_guard import place

ANN, GOOD, BETTER = "ann@riders.example", "violet anchors swim northward", "seven lanterns under gravel"


def session(client: TestClient) -> str:
    return client.cookies.get(COOKIE, domain="testserver.local", path="/o/") or ""


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


@pytest.fixture(autouse=True)
def still(desk_site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door goes by the desk's clock, which only tests move: codes and waits do not hang on how fast this machine is."""
    for module in (guard, signin):
        monkeypatch.setattr(module, "utcnow", desk_site.desk.clock)


def invited(site: DeskSite, email: str = ANN) -> str:
    """The path of a one-time link."""
    return invitations.invite(email, now=site.desk.now).removeprefix(get_settings().public_url)


def next_code(site: DeskSite, key: str) -> str:
    """The app's code a minute later."""
    return pyotp.TOTP(key).at(site.desk.later(minutes=1))


def set_up(site: DeskSite, client: TestClient) -> tuple[str, list[str]]:
    """From a one-time link to the desk, as somebody new does it. Returns the app's key and the recovery codes."""
    link = invited(site)
    assert client.get(link).status_code == 200 and not session(client), "following the link signs nobody in"
    cookies = {""}

    def fresh() -> None:
        assert session(client) not in cookies, "each step gives a new cookie"
        cookies.add(session(client))

    answer = client.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/o/welcome")
    fresh()
    assert client.get("/o/account").headers["location"] == "/o/welcome", "nothing else is open yet"
    weak = client.post("/o/welcome", data={"name": "Ann", "password": "ann", "again": "ann"})
    assert weak.status_code == 422 and "has 3 characters" in weak.text and 'value="Ann"' in weak.text
    assert client.post("/o/welcome", data={"name": "Ann", "password": GOOD, "again": GOOD}).status_code == 303
    fresh()
    assert client.get("/o/account").headers["location"] == "/o/welcome"
    assert client.get("/o/welcome").headers["location"] == "/o/welcome/second-factor"
    page = client.get("/o/welcome/second-factor").text
    assert "<svg" in page and "otpauth://totp/" in page
    key, sealed = re.search(r'id="key">([^<]+)<', page), field(page, "sealed")
    assert key and key[1].replace(" ", "") not in sealed
    wrong = client.post("/o/welcome/second-factor", data={"sealed": sealed, "code": "12"})
    assert wrong.status_code == 422 and key[1] in wrong.text, "the same picture again"
    secret = key[1].replace(" ", "")
    done = client.post("/o/welcome/second-factor", data={"sealed": sealed, "code": next_code(site, secret)})
    assert done.status_code == 200, done.text
    fresh()
    codes = re.findall(r"<li><code>([^<]+)</code>", done.text)
    assert len(codes) == 10 and client.get("/o/account").status_code == 200
    return secret, codes


def test_from_a_link_to_the_desk_and_in_again_by_password_and_code(desk_site: DeskSite) -> None:
    client = desk_site.stranger()
    key, codes = set_up(desk_site, client)
    old = session(client)
    assert client.post("/o/logout").headers["location"] == "/o/login"
    assert access.visitor_of(old, now=desk_site.desk.now) is None
    assert client.get("/o/account?x=1").headers["location"] == "/o/login?next=/o/account%3Fx%3D1"
    page = client.get("/o/login?next=/o/account").text
    answer = client.post("/o/login", data={"email": ANN.upper(), "password": GOOD, "next": field(page, "next"), "stay": "yes"})
    assert answer.status_code == 200 and "Six digits" in answer.text and GOOD not in answer.text
    half = session(client)
    for room in ROOMS:  # a password alone opens nothing
        shut = client.request(room.method, place(room), data={} if room.method == "POST" else None)
        assert shut.status_code == 401 or shut.headers["location"].startswith("/o/login"), room.path
    asked = {"next": field(answer.text, "next"), "stay": field(answer.text, "stay")}
    answer = client.post("/o/login/code", data=asked | {"code": next_code(desk_site, key)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/o/account"), answer.text
    assert session(client) != half and f"Max-Age={30 * 24 * 3600}" in answer.headers["set-cookie"]
    # Once more, by a recovery code.
    client.post("/o/logout")
    client.post("/o/login", data={"email": ANN, "password": GOOD})
    assert client.post("/o/login/code", data={"recovery": "1", "code": codes[3]}).headers["location"] == "/o/"
    assert "9 recovery codes are left" in client.get("/o/account").text


def test_wrong_logins_are_told_alike_and_stopped_but_not_for_the_owners_browser(desk_site: DeskSite) -> None:
    owner, thief = desk_site.stranger(), desk_site.stranger()
    desk_site.desk.set(require_totp="false")
    owner.post(invited(desk_site))
    owner.post("/o/welcome", data={"name": "Ann", "password": GOOD, "again": GOOD})
    owner.post("/o/logout")
    assert owner.post("/o/login", data={"email": ANN, "password": GOOD}).status_code == 303
    owner.post("/o/logout")
    for tries in range(9):  # the owner's first one was a stranger's, too
        answer = thief.post("/o/login", data={"email": ANN, "password": f"guess {tries}"})
    unknown = thief.post("/o/login", data={"email": "bea@riders.example", "password": GOOD})
    assert answer.status_code == unknown.status_code == 422
    assert answer.text.replace(ANN, "bea@riders.example") == unknown.text and not session(thief)
    stopped = thief.post("/o/login", data={"email": ANN, "password": GOOD})
    assert stopped.status_code == 429 and "Wait 15 minutes" in stopped.text
    assert owner.post("/o/login", data={"email": ANN, "password": GOOD}).status_code == 303


def test_a_new_password_by_mail_asks_for_the_code_all_the_same(desk_site: DeskSite) -> None:
    client, other = desk_site.stranger(), desk_site.stranger()
    key, _ = set_up(desk_site, client)
    known = other.post("/o/login/forgot", data={"email": ANN})
    unknown = other.post("/o/login/forgot", data={"email": "nobody@riders.example"})
    assert known.status_code == unknown.status_code == 200 and known.text == unknown.text
    desk_site.desk.notify()
    path = f"/o/login/reset/{links.token_of(next(n.ref for n in desk_site.desk.notices() if n.recipient == ANN))}"
    assert ANN in other.get(path).text and other.get(path.replace("/reset", "")).status_code == 404
    assert other.post(path, data={"password": "short", "again": "short"}).status_code == 422
    answer = other.post(path, data={"password": BETTER, "again": BETTER})
    assert answer.headers["location"] == "/o/login/code"
    assert other.get("/o/account").headers["location"].startswith("/o/login")
    assert client.get("/o/account").headers["location"].startswith("/o/login"), "the other session has ended"
    assert other.post("/o/login/code", data={"code": next_code(desk_site, key)}).headers["location"] == "/o/"
    assert other.get(path).status_code == 404 and other.get("/o/account").status_code == 200


def test_in_the_demo_the_link_opens_the_desk_at_once(desk_site: DeskSite) -> None:
    desk_site.desk.set(demo="true")
    client = desk_site.stranger()
    client.post(invited(desk_site))
    assert "Later: look around first" in client.get("/o/welcome").text and client.get("/o/account").status_code == 200


def test_the_cookie_is_for_the_desk_and_out_of_reach(desk_site: DeskSite) -> None:
    answer = desk_site.stranger().post(invited(desk_site))
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/o/" in cookie and "Secure" not in cookie
    assert "no-store" in answer.headers["cache-control"]
    desk_site.desk.set(public_url="https://letters.example")
    link = invited(desk_site, "bea@riders.example")
    assert "Secure" in desk_site.stranger().post(link, headers={"origin": "https://letters.example"}).headers["set-cookie"]
