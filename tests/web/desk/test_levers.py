"""The levers as an organizer pulls them: each page says what it will do, the deed is done once, and nothing typed is lost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from outreach.db import unit_of_work, utcnow
from outreach.domain.letters import Reason
from outreach.domain.roles import Role
from outreach.models import Attempt, Campaign, Letter, table
from outreach.services import campaigns, settle
from tests.services.helpers import COMMISSIONER, COUNCIL
from tests.web.desk.conftest import DeskSite

BASE = "/o/c/night-bus/levers"

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # their services are tried on both


@pytest.fixture
def at(desk_site: DeskSite) -> DeskSite:
    """A live campaign with three letters to the commissioner and one to the council; the clock is everybody's."""
    desk_site.desk.now = utcnow()
    desk_site.desk.set(confirm="none", max_email_rate="20/hour")
    desk_site.desk.campaign(targets=(replace(COMMISSIONER, fax=()), COUNCIL))
    for target in ("commissioner", "commissioner", "commissioner", "council"):
        desk_site.desk.write(targets=(target,))
    return desk_site


def send(at: DeskSite) -> int:
    """Drain what is due by now: the pages have their own clock."""
    at.desk.now = utcnow()
    return at.desk.send()


def said(client: object, answer: object) -> str:
    """What the page after a deed says was done."""
    assert answer.status_code == 303, answer.text  # type: ignore[attr-defined]
    page = client.get(answer.headers["location"])  # type: ignore[attr-defined]
    found = re.search(r'class="said[^"]*" role="status">([^<]*)<', page.text)
    return found[1] if found else ""


def test_every_lever_says_beforehand_how_much_it_moves(at: DeskSite) -> None:
    page = at.signed_in(Role.ORGANIZER).get(BASE)
    assert page.status_code == 200
    for words in ("Pause the campaign: 4 letters wait", "Pause<span class=\"sr\"> Transit Commissioner</span>: 3 letters",
                  "Cancel all 4 that wait", "then 4 letters that wait are cancelled", "No letter has failed"):
        assert words in page.text
    assert at.signed_in(Role.VIEWER).get(BASE).status_code == 403
    assert at.signed_in(None, email="else@where.example").get(BASE).status_code == 404


def test_pause_and_resume_of_campaign_and_target(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    assert said(client, client.post(f"{BASE}/pause")) == "Paused. 4 letters wait; the page takes no new ones."
    assert campaigns.get("night-bus").state == "paused"
    assert "Resume: 4 letters go on" in client.get(BASE).text
    client.post(f"{BASE}/resume")
    told = said(client, client.post(f"{BASE}/pause", data={"target": "commissioner", "why": "holiday", "from": "target"}))
    assert told == "Paused: 3 letters wait. The page goes on taking letters."
    assert "holiday" in client.get(f"{BASE}/targets/commissioner").text
    assert send(at) == 1
    assert said(client, client.post(f"{BASE}/resume", data={"target": "commissioner"})).startswith("Resumed.")


def test_a_limit_is_shown_before_and_after_and_holds_once_it_is_set(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    page = client.get(f"{BASE}/targets/commissioner").text
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    form = {"version": version[1], "email": "2/day", "hours": "always"}
    look = client.post(f"{BASE}/targets/commissioner/limits", data=form)
    assert (look.status_code, campaigns.get("night-bus").version_id) == (200, int(version[1]))
    assert "20 an hour" in look.text and "<b>2 a day</b>" in look.text
    told = said(client, client.post(f"{BASE}/targets/commissioner/limits", data=form | {"sure": "yes"}))
    assert told.startswith("Done: version 2")
    assert "2/day" in campaigns.export("night-bus")
    wrong = client.post(f"{BASE}/targets/commissioner/limits", data={"email": "often", "hours": "always"})
    assert wrong.status_code == 422
    assert 'value="often"' in wrong.text and "is not a limit" in wrong.text


def test_the_red_stop_asks_for_words_stops_and_can_be_undone(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    assert "Stop now: 4 letters will not go" in client.get(f"{BASE}/stop").text
    missing = client.post(f"{BASE}/stop", data={"outcome": "won", "message": " "})
    assert (missing.status_code, campaigns.get("night-bus").state) == (422, "live")
    assert 'value="won" checked' in missing.text
    told = said(client, client.post(f"{BASE}/stop", data={"outcome": "won", "message": "They keep the bus."}))
    assert told.startswith("Stopped. Nothing more is handed over.")
    assert send(at) == 0
    assert "Undo the stop: 4 letters go on" in client.get(BASE).text
    assert said(client, client.post(f"{BASE}/undo")).startswith("Undone. The campaign is live again")
    assert send(at) >= 1


def test_cancelling_needs_a_reason_and_moves_only_what_was_meant(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    assert "3 letters that wait in line will not be sent" in client.get(f"{BASE}/cancel?target=commissioner").text
    assert client.post(f"{BASE}/cancel", data={"target": "commissioner", "why": ""}).status_code == 422
    assert said(client, client.post(f"{BASE}/cancel", data={"target": "commissioner", "why": "moved"})) == "3 letters cancelled."
    assert at.desk.states() == ["cancelled"] * 3 + ["queued"]


def test_failed_letters_go_again_by_reason_and_one_by_itself(at: DeskSite) -> None:
    client, ids = at.signed_in(Role.ORGANIZER), [x.id for x in at.desk.letters()]
    at.desk.change(Letter, table(Letter).c.id.in_(ids[:2]), state="failed", reason=Reason.MAILBOX_FULL.value)
    assert "the mailbox was full" in client.get(BASE).text
    assert said(client, client.post(f"/o/c/night-bus/letters/{ids[0]}/retry")) == "Queued again, with all its tries before it."
    assert said(client, client.post(f"{BASE}/retry", data={"reason": "mailbox_full"})) == "1 letter queued again."
    assert client.post(f"{BASE}/retry", data={"reason": "because"}).status_code == 303
    assert at.desk.states() == ["queued"] * 4
    at.desk.campaign("other")
    stranger = at.signed_in(Role.OWNER, "other")
    assert stranger.post(f"/o/c/other/letters/{ids[0]}/cancel", data={"why": "x"}).status_code == 404
    assert at.desk.states() == ["queued"] * 4


def test_a_proposed_address_waits_for_one_tap_of_an_operator(at: DeskSite) -> None:
    client, operator = at.signed_in(Role.ORGANIZER), at.signed_in(operator=True)
    form = {"channel": "email", "addresses": "front.desk@transit.example\n"}
    look = client.post(f"{BASE}/targets/commissioner/addresses", data=form)
    assert "3 letters moved to another address" in look.text
    assert "until an operator has approved it" in look.text
    told = said(client, client.post(f"{BASE}/targets/commissioner/addresses", data=form | {"sure": "yes"}))
    assert "an operator must approve this" in told
    page = operator.get("/o/operator").text
    assert "front.desk@transit.example" in page and "3 letters wait for it" in page
    path = re.search(r'action="(/o/operator/addresses/\d+/approve)"', page)
    assert path is not None
    assert client.post(path[1]).status_code == 404, "an organizer is not told that there is such a page"
    assert "is approved" in said(operator, operator.post(path[1]))
    assert send(at) >= 1


def test_one_letter_is_cancelled_only_with_a_reason_and_moved_in_its_line(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    first, second, _third = sorted((x for x in at.desk.letters()), key=lambda x: x.submitted_at)[:3]
    page = f"/o/c/night-bus/letters/{first.id}"
    asked = client.post(f"{page}/cancel")
    assert (asked.status_code, "Cancel the letter" in asked.text) == (200, True)
    assert client.post(f"{page}/cancel", data={"why": ""}).status_code == 422
    assert client.post(f"{page}/place", data={"where": "sideways"}).status_code == 303
    client.post(f"/o/c/night-bus/letters/{second.id}/place", data={"where": "front"})
    assert min(at.desk.letters(), key=lambda x: x.submitted_at).id == second.id
    assert client.post(f"{page}/cancel", data={"why": "by telephone"}).status_code == 303
    assert at.desk.states() == ["cancelled", "queued", "queued", "queued"]


def test_unknown_letters_show_what_is_known_and_are_resolved(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    send(at)
    sent = [x for x in at.desk.letters() if x.state == "sent"]
    for x in sent:
        at.desk.change(Attempt, table(Attempt).c.letter_id == x.id, verdict="unknown", detail="no answer after the final dot")
        with unit_of_work() as c:
            settle.settle(c, x.id, at.desk.now, Reason.OUTCOME_UNKNOWN)
    page = client.get(f"{BASE}/unknown").text
    assert "no answer after the final dot" in page and "commissioner@transit.example" in page
    one, *_rest = sent
    resolved = client.post(f"/o/c/night-bus/letters/{one.id}/resolve", data={"outcome": "sent", "from": "unknown"})
    assert said(client, resolved) == "Marked as sent."
    assert client.post(f"{BASE}/unknown", data={"outcome": "resend", "seen": "yesterday"}).status_code == 303
    client.post(f"{BASE}/unknown", data={"outcome": "resend", "seen": utcnow().isoformat()})
    assert "unknown" not in at.desk.states()
    assert at.desk.states().count("sent") == 1


def test_an_unknown_fax_says_why_its_campaigns_rule_does_not_send_it_again(at: DeskSite) -> None:
    client = at.signed_in(Role.ORGANIZER)
    send(at)
    one = next(x for x in at.desk.letters() if x.state == "sent")
    listed = "the provider lists 2 faxes to this number since then"
    at.desk.change(Attempt, table(Attempt).c.letter_id == one.id, verdict="unknown", transport="twilio", inquiry=listed)
    with unit_of_work() as c:
        settle.settle(c, one.id, at.desk.now, Reason.OUTCOME_UNKNOWN)
    page = f"/o/c/night-bus/letters/{one.id}"
    assert "rule sends it again" not in client.get(page).text
    at.desk.change(Campaign, on_unknown="resend")
    assert f"only once the provider’s own list shows that it is not there. So far: {listed}." in client.get(page).text


def test_with_many_late_lanes_a_bundle_is_planned_for_one_target_at_a_time(desk_site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from outreach.services import bundling
    from outreach.web.desk import actions

    desk = desk_site.desk
    desk.now = utcnow()
    desk.set(confirm="none", max_email_rate="1/hour")
    desk.campaign(targets=(COMMISSIONER, COUNCIL), deadline=desk.now + timedelta(hours=2))
    for _ in range(5):
        desk.write(targets=("commissioner", "council"))
    monkeypatch.setattr(actions, "PLANNED", 1)
    planned: list[str] = []
    plans = bundling.plans
    monkeypatch.setattr(bundling, "plans", lambda slug, **how: planned.append(how["target"]) or plans(slug, **how))
    client = desk_site.signed_in(Role.OWNER)
    page = client.get("/o/c/night-bus/levers/bundle").text
    assert not planned
    assert "Transit Commissioner" in page and "City Council" in page and "/bundle?target=council" in page
    one = client.get("/o/c/night-bus/levers/bundle?target=council").text
    assert planned == ["council"]
    assert "together</button>" in one and "/bundle?target=commissioner" in one
