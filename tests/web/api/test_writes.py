"""Writes: once for each idempotency key, problems in one shape, and what each lever does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from outreach.domain.campaign import LetterText
from outreach.domain.letters import Channel
from outreach.domain.roles import Right, Role
from outreach.errors import Conflict
from outreach.models import AuditEntry, CampaignVersion, IdempotencyKey, Submission
from outreach.services import campaigns, once, partners, throttle
from outreach.services.forms import CONSENT_VERSION
from tests.web.api.conftest import Api

FORM = {"name": "Jane Doe", "email": "jane@people.example", "channel": "email", "targets": ["commissioner"], "city": "Toronto",
        "consent_version": CONSENT_VERSION}
AT = "/campaigns/night-bus"
TOML = {"content-type": "application/toml"}


def key(name: str) -> dict[str, str]:
    return {"idempotency-key": name}


def test_the_same_key_is_answered_alike_and_done_once(api: Api) -> None:
    api.desk.campaign()
    client = api.program()
    first = client.post(f"{AT}/submissions", json=FORM, headers=key("one"))
    again = client.post(f"{AT}/submissions", json=FORM, headers=key("one"))
    assert (first.status_code, first.json()) == (201, again.json())
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert len(api.desk.rows(Submission)) == 1
    other = client.post(f"{AT}/submissions", json={**FORM, "name": "John Doe"}, headers=key("one"))
    assert (other.status_code, other.json()["type"]) == (422, "urn:outreach:problem:idempotency-key-reused")
    mistaken = [client.post(f"{AT}/submissions", json={**FORM, "name": ""}, headers=key("two")) for _ in range(2)]
    assert [m.status_code for m in mistaken] == [422, 422]
    assert mistaken[0].json() == mistaken[1].json()
    assert mistaken[1].headers["content-type"] == "application/problem+json"
    assert client.post(f"{AT}/submissions", json=FORM, headers=key("x" * 81)).status_code == 422
    assert api.program(Role.ORGANIZER).post(f"{AT}/pause", headers=key("one")).status_code == 200  # keys are a token's own
    kept = api.desk.rows(IdempotencyKey)
    assert first.json()["status_url"] not in "".join(str(k.body) for k in kept)


def test_what_is_under_way_is_not_begun_again_until_its_process_must_be_dead(api: Api) -> None:
    api.desk.campaign()
    now = api.desk.now
    assert once.begin("t", "k", "d", now=now) is None
    with pytest.raises(Conflict):
        once.begin("t", "k", "d", now=now + timedelta(minutes=1))
    assert once.begin("t", "k", "d", now=now + once.TAKEN_OVER) is None
    once.finish("t", "k", once.Answer(200, "{}"))
    assert once.begin("t", "k", "d", now=now + timedelta(hours=1)) == once.Answer(200, "{}")
    once.drop("t", "k")  # only what has no answer yet
    assert once.begin("t", "k", "d", now=now + timedelta(hours=1)) == once.Answer(200, "{}")
    assert once.begin("t", "k", "another", now=now + timedelta(days=2)) is None


def test_of_many_at_once_one_begins(api: Api) -> None:
    api.desk.campaign()

    def begin(_n: int) -> bool:
        try:
            return once.begin("t", "k", "d", now=api.desk.now) is None
        except once.InFlight:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(begin, range(8))) == [False] * 7 + [True]


def test_what_broke_may_be_sent_again_under_its_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.desk.campaign()
    client = api.program()

    def broken(*_args: Any, **_kwargs: Any) -> str:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(partners, "submit_for", broken)
        answer = client.post(f"{AT}/submissions", json=FORM, headers=key("k"))
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:outreach:problem:defect")
    assert client.post(f"{AT}/submissions", json=FORM, headers=key("k")).status_code == 201


def test_another_site_s_page_cannot_use_it(api: Api) -> None:
    api.desk.campaign()
    answer = api.program().post(f"{AT}/pause", headers={"sec-fetch-site": "cross-site", "origin": "https://evil.example"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert campaigns.get("night-bus").state == "live"
    assert "access-control-allow-origin" not in answer.headers


def test_problems_have_one_shape_wherever_they_come_from(api: Api) -> None:
    api.desk.campaign(state="draft")
    client = api.program()
    for answer, status in (
            (client.get("/nothing"), 404), (client.get("/campaigns/"), 404), (client.get("/campaigns/x%0Ay"), 422),
            (client.delete("/campaigns"), 405), (client.get("/campaigns/no-such"), 404), (client.post(f"{AT}/pause"), 409),
            (client.post(f"{AT}/stop", content=b"{", headers={"content-type": "application/json"}), 422),
            (client.post(f"{AT}/stop", json={"outcome": "won", "message": "x", "more": 1}), 422),
            (client.post(f"{AT}/stop", json={"outcome": "won", "message": "\0"}), 422),
            (client.post(f"{AT}/stop", json={"outcome": "won", "message": "x" * 1_000_001}), 413),
            (client.get(f"{AT}/letters?limit=0"), 422), (client.get(f"{AT}/letters?target=nobody"), 404),
            (client.put(f"{AT}/definition", content=b"\xff", headers={**TOML, "if-match": "*"}), 400),
            (client.put(f"{AT}/definition", json={}, headers={"if-match": "*"}), 415)):
        told = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.url
        assert told["status"] == status
        assert told["type"].startswith("urn:outreach:problem:")
        assert told["title"]
        assert told["detail"]


def test_what_was_sent_is_not_repeated_in_a_problem(api: Api) -> None:
    api.desk.campaign()
    answer = api.program().post(f"{AT}/submissions", json={**FORM, "name": 7, "email": "secret@people.example", "street": ["my street"]})
    assert answer.status_code == 422
    assert "secret" not in answer.text
    assert "my street" not in answer.text
    assert {e["where"] for e in answer.json()["errors"]} == {"body.name", "body.street"}


def test_a_partner_s_letter_is_taken_as_the_form_takes_it(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    client = api.program(scopes={Right.SUBMIT})
    taken = client.post(f"{AT}/submissions", json=FORM)
    assert desk.one(Submission).state == "unconfirmed"  # the mailbox is asked first, here too
    with TestClient(api.app) as browser:
        assert browser.get(taken.json()["status_url"]).status_code == 200
    for changes, where in (({"email": "nobody"}, "body.email"), ({"consent_version": "old"}, "body.consent_version"),
                           ({"targets": ["nobody"]}, "body.targets"), ({"email": "commissioner@transit.example"}, "body.email"),
                           ({"client_ip": "x"}, "body.client_ip"), ({"name": "www.buy.example"}, "body.name")):
        answer = client.post(f"{AT}/submissions", json={**FORM, **changes})
        assert (answer.status_code, [e["where"] for e in answer.json()["errors"]]) == (422, [where])
    desk.action("pause")
    assert client.post(f"{AT}/submissions", json=FORM).status_code == 409


def test_a_partner_s_supporters_share_their_own_network_s_allowance(api: Api) -> None:
    api.desk.campaign()
    api.desk.set(max_per_network="2")
    client = api.program()

    def send(n: int, ip: str) -> int:
        return int(client.post(f"{AT}/submissions", json={**FORM, "email": f"p{n}@people.example", "client_ip": ip}).status_code)

    assert [send(n, "203.0.113.7") for n in range(3)] == [201, 201, 429]
    assert send(4, "198.51.100.7") == 201
    assert throttle.prefix("203.0.113.7") not in str(api.desk.rows(Submission))


def test_a_campaign_is_steered_from_draft_to_thanks(api: Api) -> None:
    api.desk.campaign(state="draft")
    client = api.program()
    for action, state in (("publish", "live"), ("pause", "paused"), ("pause", "paused"), ("resume", "live")):
        answer = client.post(f"{AT}/{action}", json={"agreed": True} if action == "publish" else None)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    stopped = client.post(f"{AT}/stop", json={"outcome": "won", "message": "Thank you."}).json()
    assert (stopped["state"], stopped["outcome"], stopped["undo_until"] is None) == ("stopped", "won", False)
    assert client.post(f"{AT}/undo").json()["state"] == "live"
    assert client.post(f"{AT}/close").json()["state"] == "closed"
    told = [e for e in api.desk.rows(AuditEntry) if e.who.startswith("owner@night-bus.example (API token ")]
    assert [e.what for e in told] == ["campaign: publish", "person concerned agrees", "campaign: pause", "campaign: resume",
                                      "campaign: stop", "campaign: stop undone", "campaign: close"]


def test_publishing_needs_somebody_s_word_for_the_person_concerned(api: Api) -> None:
    api.desk.campaign(state="draft")
    client = api.program()
    refused = client.post(f"{AT}/publish", json={"agreed": False})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:outreach:problem:not-agreed")
    nothing = client.post(f"{AT}/publish")
    assert (nothing.status_code, nothing.headers["content-type"]) == (422, "application/problem+json")
    assert campaigns.get("night-bus").state == "draft"
    assert client.post(f"{AT}/publish", json={"agreed": True}).json()["state"] == "live"
    said = next(e for e in api.desk.rows(AuditEntry) if e.what == "person concerned agrees")
    assert said.who.startswith("owner@night-bus.example (API token ")


def test_who_only_sees_writes_no_letters_and_reads_no_file(api: Api) -> None:
    api.desk.campaign()
    for role in (Role.VIEWER, Role.MODERATOR):
        client = api.program(role)
        refused = client.post(f"{AT}/submissions", json=FORM)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:outreach:problem:missing-right")
        assert client.get(f"{AT}/definition").status_code == 403
    assert not api.desk.rows(Submission)
    partner = api.program(scopes={Right.SUBMIT})
    assert [partner.post(f"{AT}/submissions", json={**FORM, "email": f"{x}@people.example"}).status_code for x in "ab"] == [201, 201]
    told = [e for e in api.desk.rows(AuditEntry) if e.what == "letters passed on by program"]
    assert [e.who.partition(" ")[0] for e in told] == ["owner@night-bus.example"], "once an hour, not for each"


def test_a_definition_written_back_changes_nothing_and_an_outdated_one_is_refused(api: Api) -> None:
    api.desk.campaign()
    client = api.program()
    read = client.get(f"{AT}/definition")
    mark = read.headers["etag"]
    assert client.get(f"{AT}/definition", headers={"if-none-match": mark}).status_code == 304
    same = client.put(f"{AT}/definition", content=read.content, headers={**TOML, "if-match": mark})
    assert (same.status_code, same.json()["stored"], same.headers["etag"]) == (200, False, mark)
    changed = read.text.replace("please keep the bus", "please keep this bus")
    assert client.put(f"{AT}/definition", content=changed, headers=TOML).status_code == 428
    tried = client.put(f"{AT}/definition?dry_run=true", content=changed, headers={**TOML, "if-match": mark})
    assert (tried.json()["stored"], len(api.desk.rows(CampaignVersion))) == (False, 1)
    stored = client.put(f"{AT}/definition", content=changed, headers={**TOML, "if-match": mark})
    assert (stored.json()["stored"], stored.json()["version"]) == (True, 2)
    assert campaigns.spec_of("night-bus").letter == LetterText("Keep the night bus", campaigns.spec_of("night-bus").letter.body)
    late = client.put(f"{AT}/definition", content=read.content, headers={**TOML, "if-match": mark})
    assert (late.status_code, late.json()["type"]) == (412, "urn:outreach:problem:outdated")
    wrong = client.put(f"{AT}/definition", content='slug = "night-bus"\ncolour = 1', headers={**TOML, "if-match": "*"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:outreach:problem:campaign-file")
    assert {"colour"} <= {e["where"] for e in wrong.json()["errors"]}
    renamed = client.put(f"{AT}/definition", content=changed.replace('"night-bus"', '"other-bus"'), headers={**TOML, "if-match": "*"})
    assert renamed.status_code == 422


def test_a_campaign_is_made_from_a_file_and_its_addresses_wait_for_the_operator(api: Api) -> None:
    api.desk.campaign()
    file = api.program().get(f"{AT}/definition").text.replace('"night-bus"', '"early-bus"').replace("council@city", "mayor@city")
    client = api.program(email="maker@people.example")
    made = client.post("/campaigns", content=file, headers=TOML | key("made"))
    assert (made.status_code, made.json()["slug"], made.json()["proposed"]) == (201, "early-bus", ["mayor@city.example"])
    assert client.post("/campaigns", content=file, headers=TOML | key("made")).json() == made.json()
    assert client.post("/campaigns", content=file, headers=TOML).status_code == 409
    assert client.get("/campaigns/early-bus").json()["state"] == "draft"
    states = {a["value"]: a["state"] for t in client.get("/campaigns/early-bus/targets").json()["items"] for a in t["addresses"]}
    assert (states["mayor@city.example"], states["commissioner@transit.example"]) == ("proposed", "ok")
    for other in (api.program(scopes={Right.SEE, Right.STEER}), api.program(only="night-bus")):
        assert other.post("/campaigns", content=file, headers=TOML).status_code == 403
    assert api.program(Role.MODERATOR).get("/campaigns/early-bus").status_code == 404


def test_a_target_s_pace_and_pauses(api: Api) -> None:
    api.desk.campaign()
    client = api.program(Role.ORGANIZER)
    at = f"{AT}/targets/commissioner"

    def limits(answer: Any) -> dict[str, str]:
        return {a["channel"]: a["limits"] for a in answer.json()["addresses"]}

    assert limits(client.patch(at, json={"fax": "6/hour", "email": "20/hour, 200/day"})) == {"fax": "6/hour", "email": "20/hour, 200/day"}
    slower = client.patch(at, json={"fax": None, "hours": "Mon-Fri 08:00-18:00"})
    assert (limits(slower), slower.json()["hours"]) == ({"fax": "", "email": "20/hour, 200/day"}, "Mon-Fri 08:00-18:00")
    assert client.patch(at, json={"fax": "as fast as it can"}).status_code == 422
    assert client.patch(f"{AT}/targets/nobody", json={"fax": "1/hour"}).status_code == 404
    assert client.post(f"{at}/pause").json()["paused"] is True
    assert [t["paused"] for t in client.get(f"{AT}/targets").json()["items"]] == [True, False]
    assert client.post(f"{at}/resume").json()["paused"] is False
    assert campaigns.spec_of("night-bus").target("commissioner").limits == {Channel.EMAIL.value: "20/hour, 200/day"}
