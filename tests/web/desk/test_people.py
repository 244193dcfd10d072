"""The account's page and the campaign's people, as they are used."""

from __future__ import annotations

import csv
import io
import re

import pytest

from outreach.db import unit_of_work, utcnow
from outreach.domain.roles import Right, Role
from outreach.models import ApiToken, Organizer, table
from outreach.services import accounts, api_tokens, audit, passwords, sessions
from outreach.services.access import Visitor
from outreach.web.desk.guard import COOKIE
from tests.web.desk.conftest import DeskSite

PEOPLE = "/o/c/night-bus/people"
GOOD, BETTER = "violet anchors swim northward", "seven lanterns under gravel"


def organizer_id(site: DeskSite, email: str) -> int:
    return int(site.desk.one(Organizer, table(Organizer).c.email == email).id)


def test_an_owner_invites_changes_and_removes_and_each_is_in_the_log(desk_site: DeskSite) -> None:
    campaign = desk_site.desk.campaign()
    owner, viewer = desk_site.signed_in(), desk_site.signed_in(Role.VIEWER)
    answer = owner.post(f"{PEOPLE}/invite", data={"email": "Bea@Riders.example", "role": "moderator"})
    link = re.search(r'id="url">http://testserver(/o/login/[^<]+)<', answer.text)
    assert answer.status_code == 200 and link and desk_site.stranger().get(link[1]).status_code == 200
    assert "has not begun" in owner.get(PEOPLE).text
    for data, why in (({"email": "bea@riders.example", "role": "owner"}, "already"),
                      ({"email": "bea", "role": "owner"}, "no e-mail address"),
                      ({"email": "c@riders.example", "role": "king"}, "Choose what")):
        assert owner.post(f"{PEOPLE}/invite", data=data).status_code == 422
        assert why in owner.post(f"{PEOPLE}/invite", data=data).text
    assert viewer.get(PEOPLE).status_code == 403
    whom = {"organizer": str(organizer_id(desk_site, "viewer@night-bus.example"))}
    owner.post(f"{PEOPLE}/role", data=whom | {"role": "owner"})
    assert viewer.get(PEOPLE).status_code == 200, "at once"
    owner.post(f"{PEOPLE}/remove", data=whom)
    assert viewer.get(PEOPLE).status_code == 404
    last = {"organizer": str(organizer_id(desk_site, "owner@night-bus.example"))}
    owner.post(f"{PEOPLE}/remove", data=last)
    assert "last owner" in owner.get(PEOPLE).text
    with unit_of_work() as c:
        audit.note(c, "formula", at=utcnow(), who="=cmd()", campaign_id=campaign.id, detail="+1")
    assert "member removed" in owner.get(f"{PEOPLE}/log").text
    file = owner.post(f"{PEOPLE}/log.csv")
    rows = list(csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert [r["what"] for r in rows[:4]] == ["audit log exported", "formula", "member removed", "role changed"]
    assert (rows[1]["who"], rows[1]["detail"]) == ("'=cmd()", "'+1")


def test_the_log_is_read_page_by_page(desk_site: DeskSite) -> None:
    campaign = desk_site.desk.campaign()
    with unit_of_work() as c:
        for n in range(120):
            audit.note(c, f"thing {n}", at=utcnow(), campaign_id=campaign.id)
    owner, path, seen = desk_site.signed_in(), f"{PEOPLE}/log", []
    for _ in range(9):
        page = owner.get(path).text
        seen += re.findall(r"<b>thing (\d+)</b>", page)
        onward = re.search(r'href="([^"]+before=\d+)"', page)
        if onward is None:
            break
        path = onward[1]
    assert seen == [str(n) for n in reversed(range(120))]


def test_an_account_is_its_owners_to_change(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    desk_site.desk.set(require_totp="false")
    client = desk_site.signed_in()
    me = organizer_id(desk_site, "owner@night-bus.example")
    desk_site.desk.change(Organizer, table(Organizer).c.id == me, password=passwords.hashed(GOOD), totp_key=None)
    other = desk_site.stranger()
    other.post("/o/login", data={"email": "owner@night-bus.example", "password": GOOD})
    assert other.get("/o/account").status_code == 200
    assert client.post("/o/account/name", data={"name": "  Ann   <b> "}).status_code == 303
    page = client.get("/o/account").text
    assert "Ann &lt;b&gt;" in page and page.count(">End<") == 1
    one = next(s for s in sessions.list_of(me, now=utcnow()) if s.id in page and f'value="{s.id}"' in page)
    client.post("/o/account/sessions", data={"end": one.id})
    assert other.get("/o/account").status_code == 303, "at once"
    wrong = client.post("/o/account/password", data={"old": "no", "password": BETTER, "again": BETTER})
    assert wrong.status_code == 422 and "This is not your password" in wrong.text
    before = client.cookies.get(COOKIE, domain="testserver.local", path="/o/")
    token = accounts.make_token(Visitor(me, "", "", False, "", False), GOOD, "x", scopes=frozenset({Right.SEE}), campaign_id=None,
                                expires_at=None, now=utcnow())
    assert 'name="revoke" value="yes" checked' in client.get("/o/account").text
    right = client.post("/o/account/password", data={"old": GOOD, "password": BETTER, "again": BETTER, "revoke": "yes"})
    assert api_tokens.holder_of(token, now=utcnow()) is None
    assert right.status_code == 303 and client.cookies.get(COOKIE, domain="testserver.local", path="/o/") != before
    assert "Your password is changed" in client.get("/o/account").text


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER])
def test_a_token_is_shown_once_and_carries_what_its_maker_may(desk_site: DeskSite, role: Role) -> None:
    campaign = desk_site.desk.campaign()
    client = desk_site.signed_in(role)
    desk_site.desk.change(Organizer, password=passwords.hashed(GOOD))
    asked = {"token-name": "checker", "campaign": str(campaign.id), "expires": "30", "scope": ["see", "steer"], "token-password": GOOD}
    without = client.post("/o/account/tokens", data=asked | {"token-password": ""})
    assert without.status_code == 422 and "This is not your password" in without.text and not desk_site.desk.rows(ApiToken)
    answer = client.post("/o/account/tokens", data=asked)
    if role is Role.VIEWER:
        assert answer.status_code == 422 and "only rights that you have" in answer.text
        return
    token = re.search(r'id="token">([^<]+)<', answer.text)
    assert token and api_tokens.holder_of(token[1], now=utcnow())
    page = client.get("/o/account").text
    assert "checker" in page and token[1] not in page
    listed = re.search(r'name="token" value="([^"]+)"', page)
    assert listed and client.post("/o/account/tokens/revoke", data={"token": listed[1]}).status_code == 303
    assert api_tokens.holder_of(token[1], now=utcnow()) is None
    for bad in ({"token-name": ""}, {"scope": []}, {"expires": "9"}, {"campaign": "x"}, {"campaign": "99999"}):
        assert client.post("/o/account/tokens", data=asked | bad).status_code == 422, bad
