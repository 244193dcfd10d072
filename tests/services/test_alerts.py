"""One alert a matter, told once to those who can do something, and once more when it is over."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from outreach.db import unit_of_work
from outreach.models import Address, Alert, Breaker, Campaign, Letter, Member, Notice, Organizer, WebhookDelivery, table
from outreach.services import access, alerts, budgets, campaigns, webhooks
from outreach.services import desk as desk_look
from tests.services.helpers import Desk, mail_of, text_of

MEMBERS, ORGANIZERS, BREAKERS = table(Member), table(Organizer), table(Breaker)


def organizer(desk: Desk, email: str, role: str | None, *, operator: bool = False, slug: str = "night-bus") -> None:
    access.invite(email, now=desk.now)
    with unit_of_work() as c:
        c.execute(update(ORGANIZERS).where(ORGANIZERS.c.email == email).values(operator=operator))
        if role:
            who = next(o.id for o in desk.rows(Organizer) if o.email == email)
            c.execute(insert(MEMBERS).values(campaign_id=campaigns.get(slug).id, organizer_id=who, role=role, at=desk.now))


@pytest.fixture
def watched(desk: Desk) -> Desk:
    desk.set(confirm="none")
    _ = desk.sink, desk.provider
    desk.campaign()
    organizer(desk, "boss@letters.example", None, operator=True)
    organizer(desk, "owner@night-bus.example", "owner")
    organizer(desk, "viewer@night-bus.example", "viewer")
    return desk


def told(desk: Desk) -> list[tuple[str, str]]:
    return sorted((n.kind, n.recipient) for n in desk.notices() if n.kind.startswith("alert"))


def test_a_campaign_that_paused_itself_is_told_once_and_again_when_it_is_over(watched: Desk) -> None:
    campaigns.set_state("night-bus", "pause", now=watched.now, why="most of it failed")
    assert alerts.look(watched.now) == 1
    assert alerts.look(watched.later(minutes=1)) == 0
    assert told(watched) == [("alert", "owner@night-bus.example")]
    mail = text_of(watched.notify()[0])
    assert "most of it failed" in mail and "/o/c/night-bus/levers" in mail
    campaigns.set_state("night-bus", "resume", now=watched.now)
    assert alerts.look(watched.now) == 0, "it may come back"
    assert alerts.look(watched.later(minutes=4)) == 0
    assert alerts.look(watched.later(minutes=1)) == 1
    assert told(watched)[1:] == [("alert_over", "owner@night-bus.example")]
    assert "Over:" in text_of(watched.notify()[0])
    assert watched.one(Alert).closed_at == watched.now


def test_what_comes_and_goes_is_one_alert(watched: Desk) -> None:
    for _ in range(5):
        campaigns.set_state("night-bus", "pause", now=watched.now, why="x")
        alerts.look(watched.later(minutes=1))
        campaigns.set_state("night-bus", "resume", now=watched.now)
        alerts.look(watched.later(minutes=1))
    assert len(watched.rows(Alert)) == 1
    assert told(watched) == [("alert", "owner@night-bus.example")]


def test_the_operator_hears_of_a_provider_that_stays_away(watched: Desk) -> None:
    with unit_of_work() as c:
        c.execute(insert(BREAKERS).values(transport="smtp", until=watched.now, trips=1, since=watched.now, why="535 go away"))
    assert alerts.look(watched.later(minutes=1)) == 0
    assert alerts.look(watched.later(minutes=1)) == 1
    assert told(watched) == [("alert", "boss@letters.example")]
    assert alerts.of_campaign(None)[0].kind == "provider_failing"


def test_letters_nobody_knows_of_a_wrong_address_and_a_proposed_one(watched: Desk) -> None:
    watched.write()
    watched.change(Letter, state="unknown", state_at=watched.now)
    watched.change(Address, table(Address).c.value == "council@city.example", state="suspect", state_reason="no such user")
    watched.change(Address, table(Address).c.value == "+14165550133", state="proposed")
    alerts.look(watched.later(minutes=16))
    assert sorted(a.kind for a in watched.rows(Alert)) == ["address_proposed", "address_suspect", "unknown"]
    by_kind = {a.kind: a for a in watched.rows(Alert)}
    assert by_kind["address_proposed"].campaign_id is None
    assert "no such user" in by_kind["address_suspect"].detail


def test_a_budget_at_eighty_percent_and_a_deadline_that_will_be_missed(watched: Desk) -> None:
    _ = watched.sink, watched.provider
    watched.set(max_email_rate="1/hour")
    watched.campaign(deadline=watched.now + timedelta(hours=3))
    for _ in range(8):
        watched.write()
    watched.write(channel="fax")
    budgets.set_cap("night-bus", 80_000, now=watched.now)
    from outreach.queue import QueueName

    watched.send(QueueName.FAX)
    alerts.look(watched.now, forecasts=False)
    assert [a.kind for a in watched.rows(Alert)] == ["budget"]
    alerts.look(watched.now)
    found = {a.kind: a.detail for a in watched.rows(Alert)}
    assert "will miss" in found["deadline"] and "$0.07 of $0.08" in found["budget"]
    watched.change(Campaign, deadline=None)
    alerts.look(watched.later(minutes=1), forecasts=False)
    alerts.look(watched.later(minutes=6), forecasts=False)
    assert all(a.closed_at is None for a in watched.rows(Alert)), "who did not look does not know that it is over"


def test_nobody_is_told_of_another_campaign(watched: Desk) -> None:
    watched.campaign("day-bus")
    organizer(watched, "owner@day-bus.example", "owner", slug="day-bus")
    campaigns.set_state("day-bus", "pause", now=watched.now, why="x")
    alerts.look(watched.now)
    assert told(watched) == [("alert", "owner@day-bus.example")]
    assert [a.kind for a in alerts.of_campaign("night-bus")] == []
    assert watched.rows(Notice)


def test_the_operator_is_told_of_a_campaign_that_has_nobody(desk: Desk) -> None:
    _ = desk.sink, desk.provider
    desk.campaign()
    organizer(desk, "boss@letters.example", None, operator=True)
    campaigns.set_state("night-bus", "pause", now=desk.now, why="x")
    alerts.look(desk.now)
    assert told(desk) == [("alert", "boss@letters.example")]


def breaker(desk: Desk, transport: str = "smtp") -> None:
    with unit_of_work() as c:
        c.execute(insert(BREAKERS).values(transport=transport, until=desk.now, trips=1, since=desk.now, why="535 go away"))


def test_a_mail_that_could_not_go_before_its_matter_was_over_says_both_at_once(watched: Desk) -> None:
    """The provider that fails is the one that would have carried it."""
    breaker(watched)
    alerts.look(watched.later(minutes=3))
    with unit_of_work() as c:
        c.execute(delete(BREAKERS))
    alerts.look(watched.later(minutes=1))
    alerts.look(watched.later(minutes=6))
    (mail,) = watched.notify()
    text = text_of(mail)
    assert "535 go away" in text and "over" in text and "You will hear" not in text
    assert str(mail_of(mail)["subject"]).startswith("Over: ")


def test_campaigns_whose_letters_wait_for_it_see_that_a_provider_fails(watched: Desk) -> None:
    watched.campaign("day-bus")  # nothing of it waits
    watched.campaign("fax-bus")
    watched.write("fax-bus", channel="fax")
    watched.write()
    breaker(watched)
    alerts.look(watched.later(minutes=3))
    (seen,) = alerts.of_campaign("night-bus")
    assert (seen.kind, seen.path) == ("provider_failing", "/o/c/night-bus/") and "535 go away" in seen.detail
    assert alerts.of_campaign("day-bus") == alerts.of_campaign("fax-bus") == []
    assert told(watched) == [("alert", "boss@letters.example")], "its organizers can mend nothing; they see it"
    assert desk_look.take(campaigns.get("night-bus").id, watched.now).alerts == 1
    with unit_of_work() as c:
        c.execute(delete(BREAKERS))
    alerts.look(watched.now)
    alerts.look(watched.later(minutes=6))
    assert alerts.of_campaign("night-bus")[0].closed_at == watched.now
    assert {kind for kind, to in told(watched) if to != "boss@letters.example"} == set()


def test_a_failing_provider_is_posted_to_the_campaigns_programs_and_once_to_the_operators(watched: Desk) -> None:
    watched.write()
    mine, _ = webhooks.add("night-bus", "https://hooks.example/mine", ["alert.opened", "alert.closed"], now=watched.now, who="x")
    theirs, _ = webhooks.add(None, "https://hooks.example/ops", ["alert.opened", "alert.closed"], now=watched.now, who="x")
    breaker(watched)
    alerts.look(watched.later(minutes=3))
    with unit_of_work() as c:
        c.execute(delete(BREAKERS))
    alerts.look(watched.now)
    alerts.look(watched.later(minutes=6))
    posts = [(d.webhook_id, d.kind, json.loads(d.body)["data"][0]["campaign"]) for d in watched.rows(WebhookDelivery)]
    assert sorted(posts) == sorted([(mine, "alert.opened", "night-bus"), (mine, "alert.closed", "night-bus"),
                                    (theirs, "alert.opened", None), (theirs, "alert.closed", None)])


def test_a_look_at_deadlines_ends_in_time_and_the_next_goes_on_with_the_others(watched: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.set(max_email_rate="1/hour")
    for slug in ("night-bus", "day-bus", "school-bus"):
        watched.campaign(slug, deadline=watched.now + timedelta(hours=3))
        for _ in range(8):
            watched.write(slug)
    monkeypatch.setattr(alerts, "FORETOLD_FOR", 0.0)
    for looks in (1, 2, 3):
        alerts.look(watched.later(seconds=10))
        assert len([a for a in watched.rows(Alert) if a.kind == "deadline"]) == looks, "one campaign at a time, those not looked at next"
    alerts.look(watched.later(minutes=20))
    assert all(a.calm_since is None for a in watched.rows(Alert)), "what there was no time for stays as it is"
