"""One thing changed by itself, and what the operator does by program: each as at the desk, with its line in the audit log."""

from __future__ import annotations

from datetime import timedelta

from outreach.domain.roles import Role
from outreach.models import Address, Alert, AuditEntry, table
from outreach.services import campaigns, pauses
from tests.web.api.conftest import Api
from tests.web.api.test_writes import AT, key

_ADDRESSES = table(Address)


def test_a_deadline_is_moved_and_the_rest_of_the_file_stays(api: Api) -> None:
    api.desk.campaign()
    client = api.program(Role.ORGANIZER)
    before = campaigns.spec_of("night-bus")
    later = {"deadline": "2031-01-24T17:00:00-05:00"}
    tried = client.put(f"{AT}/deadline?dry_run=true", json=later).json()
    assert (tried["stored"], campaigns.spec_of("night-bus")) == (False, before)
    moved = client.put(f"{AT}/deadline", json=later, headers=key("moved"))
    assert (moved.status_code, moved.json()["stored"], moved.json()["version"]) == (200, True, 2)
    assert client.put(f"{AT}/deadline", json=later, headers=key("moved")).headers["idempotency-replayed"] == "true"
    assert client.get(AT).json()["deadline"] == "2031-01-24T22:00:00+00:00"
    assert campaigns.spec_of("night-bus").letter == before.letter
    for wrong in ("2031-13-01T00:00:00Z", "2031-01-24T17:00", "soon", "2020-01-01T00:00:00Z"):
        answer = client.put(f"{AT}/deadline", json={"deadline": wrong})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wrong
    assert client.put(f"{AT}/deadline", json={"deadline": None}).json()["stored"] is True
    assert campaigns.get("night-bus").deadline is None


def test_one_address_is_fixed_and_a_new_one_waits_until_the_operator_approves_it_by_program(api: Api) -> None:
    api.desk.campaign()
    client, operator = api.program(Role.ORGANIZER), api.program(operator=True)
    at = f"{AT}/targets/commissioner/addresses/email"
    made = client.put(at, json={"values": ["front.desk@transit.example"]}).json()
    assert (made["stored"], made["proposed"]) == (True, ["front.desk@transit.example"])
    assert client.put(at, json={"values": ["no address"]}).status_code == 422
    (proposed,) = operator.get("/proposals").json()
    assert (proposed["value"], [u["campaign"] for u in proposed["uses"]]) == ("front.desk@transit.example", ["night-bus"])
    assert operator.post(f"/proposals/{proposed['id']}/approve").json() == {"value": "front.desk@transit.example", "state": "ok"}
    assert operator.post(f"/proposals/{proposed['id']}/refuse", json={}).status_code == 409
    assert operator.get("/proposals").json() == []
    assert operator.put(at, json={"values": ["other@transit.example"]}).json()["proposed"] == []
    assert {"address proposed", "address approved"} <= {e.what for e in api.desk.rows(AuditEntry)}


def test_everything_and_a_provider_are_paused_by_program(api: Api) -> None:
    api.desk.campaign()
    api.desk.set(confirm="none")
    operator = api.program(operator=True)
    token = api.desk.write()
    for what in ("everything", "smtp"):
        assert operator.put(f"/pauses/{what}", json={"why": "their certificate has run out"}).status_code == 204
        assert [(p["what"], p["why"]) for p in operator.get("/pauses").json()] == [(what, "their certificate has run out")]
        assert api.desk.send() == 0
        assert operator.delete(f"/pauses/{what}").status_code == 204
    assert operator.put("/pauses/nonsense", json={}).status_code == 422
    assert pauses.listed() == []
    api.desk.later(minutes=1)
    assert api.desk.send() == 1
    assert api.desk.letter(token).state == "sent"


def test_a_budget_is_read_by_all_and_set_by_who_steers(api: Api) -> None:
    api.desk.campaign()
    viewer, client = api.program(Role.VIEWER), api.program(Role.ORGANIZER)
    assert client.put(f"{AT}/budget", json={"cap": "12.50"}).json()["cap"] == "12.5"
    found = viewer.get(f"{AT}/budget").json()
    assert (found["cap"], found["spent"], found["providers"]) == ("12.5", "0", [])
    for wrong in ("-1", "1e9", "99999999", "12,50"):
        assert client.put(f"{AT}/budget", json={"cap": wrong}).status_code == 422
    assert client.put(f"{AT}/budget", json={"cap": None}).json()["cap"] is None


def test_members_are_the_owner_s_to_read_and_alerts_everybody_s(api: Api) -> None:
    campaign = api.desk.campaign()
    owner, viewer = api.program(), api.program(Role.VIEWER)
    assert {(m["email"], m["role"]) for m in owner.get(f"{AT}/members").json()} == {
        ("owner@night-bus.example", "owner"), ("viewer@night-bus.example", "viewer")}
    assert viewer.get(f"{AT}/alerts").json() == []
    campaigns.set_state("night-bus", "pause", now=api.desk.now, why="many were refused")
    from outreach.services import alerts

    alerts.look(api.desk.now)
    assert api.desk.rows(Alert)
    (alert,) = viewer.get(f"{AT}/alerts").json()
    assert (alert["closed_at"], alert["url"].startswith("http://testserver/o/c/night-bus")) == (None, True)
    assert api.program(operator=True).get("/alerts").json() == []
    assert campaign.slug == "night-bus"


def test_what_would_miss_the_deadline_goes_as_one_and_is_taken_apart(api: Api) -> None:
    desk = api.desk
    desk.set(confirm="none", max_email_rate="1/day")
    desk.campaign(deadline=desk.now + timedelta(hours=3))
    for n in range(4):
        desk.write(email=f"p{n}@people.example")
    client = api.program(Role.ORGANIZER)
    (plan,) = client.get(f"{AT}/bundle").json()
    assert plan["why_not"] is None and plan["letters"] > 1 and plan["lane"]["target"] == "commissioner"
    assert client.get(f"{AT}/bundle?target=nobody").status_code == 404
    assert [b["letters"] for b in client.post(f"{AT}/bundle", json={}).json()] == [plan["letters"]]
    assert client.post(f"{AT}/bundle", json={"target": "council"}).status_code == 409
    assert client.delete(f"{AT}/bundle").json()["letters"] >= plan["letters"]


def test_unknown_letters_are_resolved_and_held_ones_approved_together(api: Api) -> None:
    desk = api.desk
    desk.set(confirm="none")
    desk.campaign(moderation="edited")
    client = api.program(Role.ORGANIZER)
    for n in range(3):
        desk.write(email=f"p{n}@people.example", subject="Mine", body=f"Dear all,\n\nin my own words {n}.")
    assert desk.states() == ["held"] * 3
    assert client.post(f"{AT}/moderation/approve", json={}).status_code == 422
    assert client.post(f"{AT}/moderation/approve", json={"only": "changed", "until": "2020-01-01T00:00:00Z"}).json()["submissions"] == 0
    assert client.post(f"{AT}/moderation/approve", json={"only": "changed"}).json()["submissions"] == 3
    assert desk.states() == ["queued"] * 3
    assert client.post(f"{AT}/resolve", json={"outcome": "sent"}).json() == {"letters": 0, "left": 0, "more": False}
    assert client.post(f"{AT}/resolve", json={"outcome": "lost"}).status_code == 422
