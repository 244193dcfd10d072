"""The moderator's room without JavaScript, and what it does not show."""

from __future__ import annotations

import re
from html import unescape

import pytest

from outreach.db import utcnow
from outreach.domain.roles import Role
from outreach.models import Review
from outreach.services import moderation
from tests.web.desk.conftest import DeskSite

ROOM = "/o/c/night-bus/moderation"
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def full(desk_site: DeskSite) -> list[str]:
    """Three changed letters wait, the last with the same text as the first; their submissions' ids."""
    desk = desk_site.desk
    desk.now = utcnow()
    desk.later(minutes=-5)
    desk.campaign(moderation="edited", banned_words=("idiot",))
    for body in ("Keep it <b>now</b>.", "Keep it, idiot!", "Keep it <b>now</b>."):
        desk.signed(body=f"{body}\n[your name]", street="7 Hidden Lane", phone="+1 416 555 0177")
        desk.later(seconds=1)
    return [r.submission_id for r in desk.rows(Review)]


def states(site: DeskSite) -> list[str]:
    return [r.state for r in site.desk.rows(Review)]


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return unescape(found[1])


def test_letters_are_decided_one_after_the_other_and_a_decision_is_taken_back(desk_site: DeskSite, full: list[str]) -> None:
    client = desk_site.signed_in(Role.MODERATOR)
    page = client.get(ROOM).text
    assert "3 people’s letters wait to be read" in page
    assert f'action="{ROOM}/{full[0]}/approve"' in page
    assert "&lt;b&gt;now&lt;/b&gt;" in page
    for secret in ("Hidden Lane", "0177", "jane1@", "jane2@", "jane3@"):
        assert secret not in page
    assert client.post(f"{ROOM}/{full[0]}/approve").headers["location"] == f"{ROOM}/{full[1]}"
    refused = client.post(f"{ROOM}/{full[1]}/reject", data={"words": "  "})
    assert refused.status_code == 422
    assert "Say why" in refused.text
    assert client.post(f"{ROOM}/{full[1]}/reject", data={"note": "1", "words": ""}).headers["location"] == f"{ROOM}/{full[2]}"
    assert states(desk_site) == ["approved", "rejected", "waiting"]
    assert [r.note for r in desk_site.desk.rows(Review)] == [None, moderation.NOTES[1], None]
    page = client.get(ROOM).text
    assert "You rejected Jane Doe’s letter" in page
    client.post(f"{ROOM}/undo", data={"at": hidden(page, "at")})
    assert states(desk_site) == ["approved", "waiting", "waiting"]
    desk_site.desk.send()
    client.post(f"{ROOM}/undo", data={"at": hidden(client.get(ROOM).text, "at")})
    assert "Not taken back: it is on its way already" in client.get(ROOM).text
    assert client.get(f"{ROOM}/{full[0]}").status_code == 200, "a decided letter can still be read"


def test_a_second_moderator_is_told_who_was_quicker(desk_site: DeskSite, full: list[str]) -> None:
    moderation.approve("night-bus", full[0], now=utcnow(), who="omar@night-bus.example")
    client = desk_site.signed_in(Role.MODERATOR)
    answer = client.post(f"{ROOM}/{full[0]}/reject", data={"words": "No."})
    assert answer.headers["location"] == f"{ROOM}/{full[1]}"
    assert "Somebody was quicker: omar@night-bus.example approved this letter." in client.get(answer.headers["location"]).text
    assert states(desk_site) == ["approved", "waiting", "waiting"]


def test_the_banned_word_is_marked_and_an_own_reason_ends_with_a_full_stop(desk_site: DeskSite, full: list[str]) -> None:
    client = desk_site.signed_in(Role.MODERATOR)
    page = re.sub(r'<span class="sr"[^>]*>[^<]*</span>', "", client.get(f"{ROOM}/{full[1]}").text)
    assert re.search(r"<div class=\"mod-body\">.*<mark>idiot</mark>!", page, re.S)
    assert "<mark>" not in client.get(f"{ROOM}/{full[0]}").text
    client.post(f"{ROOM}/{full[1]}/reject", data={"words": "It calls somebody names"})
    client.post(f"{ROOM}/{full[2]}/reject", data={"words": "Is that all you have to say?"})
    assert [r.note for r in desk_site.desk.rows(Review)] == [None, "It calls somebody names.", "Is that all you have to say?"]


def test_approving_together_takes_what_was_there_when_it_was_asked(desk_site: DeskSite, full: list[str]) -> None:
    client = desk_site.signed_in(Role.MODERATOR)
    assert f"{ROOM}/bulk?like={full[0]}" in client.get(ROOM).text
    page = client.get(f"{ROOM}/bulk?like={full[0]}").text
    assert "Approve all 2" in page
    desk_site.desk.now = utcnow()
    desk_site.desk.signed(body="Keep it <b>now</b>.\n[your name]")
    fields = {name: hidden(page, name) for name in ("only", "like", "until")}
    client.post(f"{ROOM}/bulk", data=fields)
    assert states(desk_site) == ["approved", "waiting", "approved", "waiting"]
    assert "Approved together: the letters of 2 people" in client.get(ROOM).text
    for bad in ({**fields, "until": "yesterday"}, {**fields, "until": "2026-01-01T00:00"}, {**fields, "like": "x"}, {"only": "x"}):
        assert client.post(f"{ROOM}/bulk", data=bad).status_code == 404
    assert client.get(f"{ROOM}/bulk?only=burst").status_code == 303
