"""Reading: lists page by page, a letter's life, figures as on the command line, files streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from outreach.domain.letters import Verdict
from outreach.domain.roles import Right, Role
from outreach.models import AuditEntry, Letter, Review
from outreach.queries import api as queries
from outreach.services import exports, stats
from tests.web.api.conftest import Api, Program

AT = "/campaigns/night-bus"


def walked(client: Program, path: str) -> list[Any]:
    """All of a list, page by page by its Link headers."""
    found, pages = [], 0
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        link = answer.headers.get("link", "")
        assert ('rel="next"' in link) is (answer.json()["next"] is not None)
        path = link.partition(">")[0].removeprefix("</api/v1")
        pages += 1
        assert pages < 50
    return found


def test_lists_are_whole_and_nothing_is_there_twice(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = api.desk
    desk.campaign()
    for n in range(7):
        desk.signed(targets=("commissioner", "council") if n % 2 else ("council",))
    every = [x.id for x in desk.rows(Letter)]
    client = api.program()
    assert [x["id"] for x in walked(client, f"{AT}/letters?limit=3")] == every
    monkeypatch.setattr(queries, "SCAN", 4)  # so that rare letters are found only by going on
    council = {x.id for x in desk.rows(Letter) if x.target_id == desk.letters()[-1].target_id}
    assert {x["id"] for x in walked(client, f"{AT}/letters?limit=2&target=council&state=queued")} in (council, set(every) - council)
    assert walked(client, f"{AT}/letters?limit=2&state=failed") == []
    assert [t["id"] for t in walked(client, f"{AT}/targets?limit=1")] == ["commissioner", "council"]
    for slug in ("a-bus", "b-bus", "c-bus"):
        desk.campaign(slug)
    assert [c["slug"] for c in walked(api.program(operator=True), "/campaigns?limit=2")] == ["night-bus", "a-bus", "b-bus", "c-bus"]


def test_a_letter_s_life(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    desk.signed(name="Jane Doe")
    desk.send()
    desk.hear(desk.word(Verdict.BOUNCED, detail="mailbox unknown"))
    client = api.program(Role.MODERATOR)
    letter = client.get(f"{AT}/letters/{desk.letter().id}").json()
    assert (letter["state"], letter["target"]) == (desk.letter().state, "commissioner")
    assert [e["after"] for e in letter["events"]][-2:] == ["sent", "failed"]
    assert [a["verdict"] for a in letter["attempts"]] == ["bounced"]
    assert [r["detail"] for r in letter["receipts"]] == ["mailbox unknown"]
    again = api.program(Role.ORGANIZER).post(f"{AT}/retry", json={})
    assert again.json() == {"queued": 1, "left": 0, "more": False}
    assert desk.letter().state == "queued"


def test_one_letter_in_line_is_moved_cancelled_and_one_that_failed_tried_again(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    first, second = desk.letter(desk.signed()).id, desk.letter(desk.signed()).id
    client = api.program(Role.ORGANIZER)
    assert client.post(f"{AT}/letters/{second}/place", json={"where": "front"}).status_code == 200
    assert min(desk.letters(), key=lambda x: x.submitted_at).id == second
    assert client.post(f"{AT}/letters/{first}/retry").status_code == 409  # it has not failed
    assert client.post(f"{AT}/letters/{first}/cancel", json={"why": " "}).status_code == 403
    assert client.post(f"{AT}/letters/{first}/cancel", json={"why": "wrong office"}).json()["state"] == "cancelled"
    desk.send()
    desk.hear(desk.word(Verdict.BOUNCED))
    assert client.post(f"{AT}/letters/{second}/retry").json()["state"] == "queued"
    assert client.post(f"{AT}/cancel", json={"why": "enough", "target": "commissioner"}).json() == {"letters": 1, "more": False}


def test_an_unknown_letter_is_resolved(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    desk.signed()
    desk.send()
    from outreach.models import Attempt

    desk.change(Attempt, verdict="unknown")
    desk.change(Letter, state="unknown")
    at = f"{AT}/letters/{desk.letter().id}/resolve"
    client = api.program()
    assert client.post(at, json={"outcome": "maybe"}).status_code == 422
    answer = client.post(at, json={"outcome": "sent"})
    assert (answer.status_code, answer.json()["state"]) == (200, "sent")
    assert client.post(at, json={"outcome": "sent"}).status_code == 409


def test_figures_are_those_of_the_command_line(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    for _ in range(3):
        desk.signed()
    client = api.program(Role.VIEWER)
    told = client.get(f"{AT}/statistics").json()
    assert {**told, "forecast": []} == {**json.loads(json.dumps(stats.stats("night-bus"))), "forecast": []}
    assert [(x["target"], x["waiting"]) for x in client.get(f"{AT}/forecast").json()] == [("commissioner", 3)]
    assert client.get(f"{AT}/report").content.startswith(b"%PDF")


def test_exports_hold_personal_data_only_for_who_may_read_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = api.desk
    desk.campaign()
    for n in range(7):
        desk.signed(name=f"Jane {'abcdefg'[n]}", city="Gotham")
    monkeypatch.setattr(exports, "PAGE", 3)
    whole, cut = api.program(), api.program(scopes={Right.EXPORT})
    for kind, n in (("letters", 7), ("submissions", 7), ("receipts", 0)):
        rows = [json.loads(line) for line in whole.get(f"{AT}/exports/{kind}").text.splitlines()]
        assert len({r["id"] for r in rows}) == len(rows) == n
        text = cut.get(f"{AT}/exports/{kind}?format=csv").text
        assert len(text.splitlines()) == n + 1
        for word in ("Jane", "people.example", "Gotham"):
            assert word not in text
        assert n == 0 or "Jane a" in whole.get(f"{AT}/exports/{kind}?format=csv").text
    assert cut.get(f"{AT}/exports/faxes").status_code == 403
    assert "submissions as csv, without personal data" in [e.detail for e in desk.rows(AuditEntry)]


def test_what_waits_for_a_moderator_is_listed(api: Api) -> None:
    desk = api.desk
    desk.campaign()
    token = desk.write(name="Jane Doe", body="My own words.")
    with_id = desk.submission(token).id
    from sqlalchemy import insert

    from outreach.db import unit_of_work

    with unit_of_work() as c:
        c.execute(insert(Review).values(submission_id=with_id, campaign_id=desk.submission(token).campaign_id, state="waiting",
                                        reasons=["changed_text"], created_at=desk.now))
    client = api.program(Role.MODERATOR)
    held = walked(client, f"{AT}/moderation?limit=1")
    assert [(h["submission"], h["name"], h["reasons"]) for h in held] == [(with_id, "Jane Doe", ["changed_text"])]
    assert client.get(f"{AT}/moderation/{with_id}").json()["state"] == "waiting"
    assert "jane" not in json.dumps(held).replace("Jane Doe", "")  # no mailbox: a moderator reads what an office will read
