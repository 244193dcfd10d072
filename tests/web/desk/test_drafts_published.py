"""Drafts that come into force: from a circular or from nothing, as a campaign or its next version; and back off the net."""

from __future__ import annotations

import pytest

from outreach.db import reading
from outreach.domain.roles import Role
from outreach.models import Address, Draft, Organizer
from outreach.queries import campaigns as queries
from outreach.services import campaigns, foresight, terms
from outreach.web.desk import draft_check
from tests.web.desk.conftest import DeskSite
from tests.web.desk.drafting import CIRCULAR, TEN, began, form, on_one, person, published, saved, ticked


@on_one
def test_ten_fields_are_enough_to_publish(desk_site: DeskSite) -> None:
    assert desk_site.desk.sink and desk_site.desk.provider
    client = person(desk_site, operator=True)
    base = began(client)
    saved(client, base, "start", **TEN)
    assert "Not yet: Ask the person or family concerned" in client.post(
        f"{base}/publish", data=form(client, f"{base}/check", "/publish") | {"do": "online", "anyway": "yes"}).text
    ticked(client, base, "agreed")
    assert "It is online at" in published(client, base)
    row, spec = campaigns.get("keep-the-library"), campaigns.spec_of("keep-the-library")
    assert (row.state, spec.deadline and spec.deadline.isoformat()) == ("live", "2031-01-24T17:00:00-05:00")
    assert spec.letter.body == "Dear {{ target.salutation }},\n\nkeep it.\n\n{{ supporter.name }}"
    assert not desk_site.desk.rows(Draft)
    assert client.get("/c/keep-the-library").status_code == 200


def test_what_comes_of_a_circular_can_be_published_and_its_maker_owns_it(desk_site: DeskSite) -> None:
    assert desk_site.desk.sink and desk_site.desk.provider
    client = person(desk_site)
    base = began(client, "circular", text=CIRCULAR.read_text())
    found = client.get(f"{base}?part=circular").text
    assert "Line 17" in found and "is it minister@public-safety.example?" in found
    saved(client, base, "start", **{"deadline.date": "2031-01-24"})
    ticked(client, base, "agreed")
    assert "are taken and wait so long. The campaign can go online before" in client.get(f"{base}/check").text
    said = published(client, base)
    assert "It is online at" in said and "asked to approve" in said and "wait so long" in said
    assert {a.state for a in desk_site.desk.rows(Address) if a.value.endswith(("@public-safety.example", "133"))} == {"proposed"}
    assert "has still to approve the address of" in client.get("/c/stop-the-removal-of-irena-kolvan").text
    assert client.get("/o/c/stop-the-removal-of-irena-kolvan/versions").status_code == 200  # as its owner


def test_naming_an_address_as_an_inbox_first_approves_nothing(desk_site: DeskSite) -> None:
    assert desk_site.desk.sink and desk_site.desk.provider
    desk_site.desk.campaign()
    client = person(desk_site)
    for title, changes in (("First", {"inbox": "victim@home.example"}), ("Second", {"target[1].email": "victim@home.example"})):
        base = began(client)
        saved(client, base, "start", **TEN | {"title": title} | changes)
        ticked(client, base, "agreed")
        client.post(f"{base}/publish", data=form(client, f"{base}/check", "/publish") | {"do": "store"})
    assert [a.state for a in desk_site.desk.rows(Address) if a.value == "victim@home.example"] == ["proposed"]


def test_a_slug_is_never_taken_from_another_campaign(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = person(desk_site)
    base = began(client)
    saved(client, base, "start", **TEN | {"title": "Night bus"})
    ticked(client, base, "agreed")
    answer = client.post(f"{base}/publish", data=form(client, f"{base}/check", "/publish") | {"do": "online", "anyway": "yes"})
    assert answer.status_code == 409 and "/c/night-bus" in answer.text
    assert campaigns.spec_of("night-bus").title == "Keep the night bus"
    with reading() as c:
        assert not queries.addresses(c, {("email", "board@schools.example")})


def test_a_changed_campaign_shows_what_differs_and_what_becomes_of_letters(desk_site: DeskSite) -> None:
    desk = desk_site.desk
    desk.campaign()
    for _ in range(3):
        desk.signed()
    client = desk_site.signed_in(Role.OWNER)
    desk.change(Organizer, accepted_terms=terms.VERSION)
    edit = "/o/c/night-bus/edit"
    saved(client, edit, "letter", **{"letter.subject": "Keep the last bus"})
    page = client.get(f"{edit}/check").text
    assert "3 letters wait and will be sent as written" in page and "Keep the last bus" in page
    said = published(client, edit, do="store", waiting="cancel")
    assert "Version 2 is in force" in said and "3 letters cancelled" in said
    assert desk.states() == ["cancelled"] * 3
    version = client.get("/o/c/night-bus/versions/2").text
    assert "owner@night-bus.example" in version and "Keep the night bus" in version
    answer = client.post("/o/c/night-bus/versions/1/restore", data={})
    assert "Keep the night bus" in client.get(answer.headers["location"]).text
    assert "Version 3 is in force" in published(client, edit, do="store")
    assert campaigns.spec_of("night-bus").letter.subject == "Keep the night bus"


def test_a_multitude_of_letters_is_counted_and_not_held_up(desk_site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    desk_site.desk.campaign()
    for _ in range(3):
        desk_site.desk.signed()
    monkeypatch.setattr(foresight, "AT_ONCE", 2)
    monkeypatch.setattr(queries, "waiting_letters", lambda *_a, **_k: pytest.fail("the letters were looked at"))
    monkeypatch.setattr(queries, "lanes_locked", lambda *_a, **_k: pytest.fail("the lanes were locked"))
    client = desk_site.signed_in(Role.OWNER)
    saved(client, "/o/c/night-bus/edit", "letter", **{"letter.subject": "Keep the last bus"})
    assert "3 letters wait" in client.get("/o/c/night-bus/edit/check").text


def test_a_draft_does_not_undo_unseen_what_came_into_force_meanwhile(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    desk_site.desk.change(Organizer, accepted_terms=terms.VERSION)
    edit = "/o/c/night-bus/edit"
    saved(client, edit, "page", story="Told anew.")
    desk_site.desk.campaign(summary="Changed elsewhere.")
    fields = form(client, f"{edit}/check", "/publish")
    answer = client.post(f"{edit}/publish", data=fields | {"do": "store"})
    assert answer.status_code == 409 and campaigns.spec_of("night-bus").summary == "Changed elsewhere."
    seen = str(campaigns.get("night-bus").version_id)
    assert client.post(f"{edit}/publish", data=fields | {"do": "store", "over": seen}).status_code == 303
    assert campaigns.spec_of("night-bus").story == "Told anew."


@on_one
def test_off_the_net_and_back_with_one_tap(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.ORGANIZER)
    desk_site.desk.change(Organizer, accepted_terms=terms.VERSION)
    assert "Take it off the net" in client.get("/o/c/night-bus/edit").text
    client.post("/o/c/night-bus/unpublish")
    assert campaigns.get("night-bus").state == "paused"
    client.post("/o/c/night-bus/republish")
    assert campaigns.get("night-bus").state == "live"


@on_one
def test_the_check_list_asks_the_name_service_and_sends_a_test(desk_site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = desk_site.desk
    desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    edit = "/o/c/night-bus/edit"
    assert desk.sink and desk.provider
    asked: list[str] = []
    monkeypatch.setattr(draft_check, "resolver", lambda: lambda domain: asked.append(domain) or False)
    assert "is it spelt right?" in ticked(client, edit, "inbox")
    assert asked == ["nightbus.example"]
    assert "has taken it" in ticked(client, edit, "test")
    (mail,) = desk.sink.mails
    assert mail.rcpts == ["owner@night-bus.example"]
    assert "owner@night-bus.example has read it" in ticked(client, edit, "seen")
    saved(client, edit, "letter", **{"letter.subject": "Another text"})
    assert "owner@night-bus.example has read it" not in client.get(f"{edit}/check").text
