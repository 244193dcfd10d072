"""What `outreach stats` foretells: from the counters, the address's log and the rules of all who share it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from outreach import cli
from outreach.models import Address, Letter, table
from outreach.queue import QueueName
from outreach.services import budgets, forecast, outlooks, pauses, stats, status
from outreach.services.forecast import LaneForecast, in_words
from outreach.web import status_words
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

OFFICE = replace(COMMISSIONER, limits={"email": "10/hour"}, hours="Mon-Fri 08:00-18:00")


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="20/hour", max_fax_rate="6/hour")
    return desk


def ahead(desk: Desk, slug: str = "night-bus") -> list[LaneForecast]:
    return forecast.of_campaign(slug, now=desk.now)


def write(desk: Desk, letters: int, slug: str = "night-bus", **changes: Any) -> None:
    for _ in range(letters):
        desk.write(slug, **changes)
        desk.later(microseconds=1)


def test_what_will_miss_the_deadline_and_what_limit_would_do(unproved: Desk) -> None:
    unproved.campaign(targets=(OFFICE,), deadline=unproved.now + timedelta(hours=2))
    write(unproved, 32)
    lane, = ahead(unproved)
    assert (lane.target, lane.channel, lane.address, lane.waiting) == ("commissioner", "email", "commissioner@transit.example", 32)
    assert 10 <= lane.misses <= 12
    assert lane.pace == "10/hour"
    assert lane.needed == "16/hour"
    assert lane.sentence(unproved.now) == f"{lane.misses} letters will miss Monday 12:00 at 10 an hour; 16 an hour would do"


def test_the_limit_that_would_do_does(unproved: Desk) -> None:
    deadline = unproved.now + timedelta(minutes=30)
    unproved.campaign(targets=(replace(OFFICE, limits={"email": "3/hour"}),), deadline=deadline)
    write(unproved, 5)
    limit = ahead(unproved)[0].needed
    assert limit is not None
    assert ahead(unproved)[0].misses >= 3
    unproved.campaign(targets=(replace(OFFICE, limits={"email": limit}),), deadline=deadline)
    lane, = ahead(unproved)
    assert lane.misses == 0
    assert lane.empty_at is not None
    for _ in range(10):  # and the drain keeps the word
        unproved.now = max(unproved.now, unproved.lane("commissioner@transit.example").next_wake_at or unproved.now)
        unproved.send()
    assert unproved.states() == ["sent"] * 5
    assert abs(max(a.started_at for a in unproved.attempts()) - lane.empty_at) <= timedelta(minutes=1)


def test_no_limit_does_where_the_ceiling_the_hours_or_a_pin_forbid_it(unproved: Desk) -> None:
    unproved.campaign(targets=(OFFICE,), deadline=unproved.now + timedelta(hours=1))
    write(unproved, 30)
    assert [(x.needed, x.why) for x in ahead(unproved)] == [(None, "ceiling")]
    assert "no limit would do: the operator’s ceiling" in ahead(unproved)[0].sentence(unproved.now)
    unproved.campaign(targets=(replace(OFFICE, hours="Sun 08:00-09:00"),), deadline=unproved.now + timedelta(hours=1))
    assert [(x.needed, x.why, x.misses) for x in ahead(unproved)] == [(None, "hours", 30)]
    unproved.campaign(targets=(OFFICE,), deadline=unproved.now + timedelta(hours=1))
    unproved.change(Address, table(Address).c.channel == "email", pinned="2/hour")
    assert [(x.needed, x.why, x.pace) for x in ahead(unproved)] == [(None, "pin", "2/hour")]


def test_who_shares_the_address_takes_turns(unproved: Desk) -> None:
    deadline = unproved.now + timedelta(hours=3)
    unproved.campaign(targets=(OFFICE,), deadline=deadline)
    write(unproved, 20)
    alone = ahead(unproved)[0]
    unproved.campaign("day-bus", targets=(OFFICE,), deadline=deadline)
    write(unproved, 20, "day-bus")
    both = ahead(unproved)[0], ahead(unproved, "day-bus")[0]
    assert alone.misses == 0
    assert all(4 <= x.misses <= 6 for x in both)  # 30 starts for 40 letters
    assert all(x.waiting == 20 for x in both)


def test_starts_made_already_are_counted(unproved: Desk) -> None:
    unproved.set(max_email_rate="none")
    unproved.campaign(targets=(replace(OFFICE, limits={"email": "10/day"}),), deadline=unproved.now + timedelta(hours=23))
    write(unproved, 4)
    unproved.send()
    assert len(unproved.attempts()) == 4
    write(unproved, 8)
    assert [(x.waiting, x.misses) for x in ahead(unproved)] == [(8, 2)]


def test_letters_that_wait_elsewhere_and_for_others_are_told_apart(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(OFFICE, email=("a@transit.example", "b@transit.example")), COUNCIL))
    write(unproved, 3, targets=("commissioner", "council"))
    write(unproved, 2, channel="fax")
    other = unproved.one(Address, table(Address).c.value == "b@transit.example").id
    first = unproved.one(Address, table(Address).c.value == "a@transit.example").id
    moved = next(x for x in unproved.letters() if x.address_id == first)
    unproved.change(Letter, table(Letter).c.id == moved.id, address_id=other)
    assert [(x.address, x.waiting) for x in ahead(unproved)] == [
        ("a@transit.example", 2), ("b@transit.example", 1), ("+14165550133", 2), ("council@city.example", 3)]


def test_what_is_held_up_is_said(unproved: Desk) -> None:
    unproved.campaign(targets=(OFFICE,))
    write(unproved, 2)
    unproved.action("pause")
    assert [(x.why, x.empty_at, x.misses) for x in ahead(unproved)] == [("paused", None, 2)]
    assert ahead(unproved)[0].sentence(unproved.now) == "2 letters wait; sending is paused"
    unproved.action("resume")
    pauses.pause_target("night-bus", "commissioner", now=unproved.now)
    assert [(x.why, x.misses) for x in ahead(unproved)] == [("paused", 2)]
    pauses.resume_target("night-bus", "commissioner", now=unproved.now)
    assert [(x.why, x.misses) for x in ahead(unproved)] == [("", 0)]
    unproved.change(Address, table(Address).c.channel == "email", state="suspect")
    assert [x.why for x in ahead(unproved)] == ["address"]


def test_stats_have_it_as_json_and_in_a_sentence(unproved: Desk) -> None:
    unproved.campaign(targets=(OFFICE,), deadline=unproved.now + timedelta(days=30))
    write(unproved, 2)
    row, = stats.stats("night-bus", now=unproved.now)["forecast"]
    assert set(row) >= {"target", "channel", "address", "waiting", "pace", "empty_at", "misses", "deadline", "needed"}
    assert (row["misses"], row["needed"], row["waiting"]) == (0, None, 2)
    said = CliRunner().invoke(cli.app, ["stats", "night-bus"]).output
    assert "Transit Commissioner at commissioner@transit.example: 2 letters wait" in said


def test_limits_in_words() -> None:
    assert in_words("10/hour, 200/day") == "10 an hour, 200 a day"
    assert in_words("none") == "any pace"
    assert in_words("25/8 hours, 1000/total") == "25 in 8 hours, 1000 in all"


@pytest.mark.parametrize(("limits", "said"), [
    ("2/hour, 20/hour", "2 an hour"), ("999999/second, 6/hour", "6 an hour"), ("20/hour, 2/day", "2 a day"),
    ("20/hour, 500/day", "20 an hour"), ("1/minute, 60/hour, 10/total", "1 a minute, 10 in all"),
    ("3/second, 25/8 hours, 200/day", "3 a second, 25 in 8 hours"), ("6/hour", "6 an hour"), ("0/hour, 0/day", "0 a day"),
])
def test_only_what_binds_is_said(limits: str, said: str) -> None:
    assert in_words(limits) == said


def test_faxes_wait_for_money_where_the_budget_is_used_up_and_mail_does_not(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(OFFICE, hours="always"),), deadline=unproved.now + timedelta(days=3))
    budgets.set_cap("night-bus", 0, now=unproved.now)
    token = unproved.write(channel="fax")
    letter = unproved.write()
    assert unproved.send(QueueName.FAX) == 0
    by_mail, by_fax = ahead(unproved)
    assert (by_mail.why, by_mail.misses) == ("", 0)
    assert (by_fax.why, by_fax.misses, by_fax.empty_at) == ("budget", 1, None)
    assert by_fax.sentence(unproved.now) == "1 letter waits; the campaign’s fax budget is used up"
    seen = status.view(token, now=unproved.now)
    card = status_words.told(seen.letters[0], seen, unproved.now)
    assert card.headline == "Waits: the campaign’s fax budget is used up." and "in a moment" not in card.then
    assert status_words.headline(seen, "en") == "Your letter waits"
    assert status.view(letter, now=unproved.now).letters[0].paused == ""
    budgets.set_cap("night-bus", None, now=unproved.now)
    assert status.view(token, now=unproved.now).letters[0].paused == ""
    assert [x.why for x in ahead(unproved)] == ["", ""]


def test_the_services_own_total_for_a_day_is_foretold_to_all_who_share_it(unproved: Desk) -> None:
    unproved.set(max_per_day="5", max_email_rate="none")
    deadline = unproved.now + timedelta(days=1)  # Tuesday, 15:00 UTC: what is left of today, and all of tomorrow
    unproved.campaign(targets=(COMMISSIONER,), deadline=deadline)
    unproved.campaign("day-bus", targets=(COUNCIL,), deadline=deadline)
    write(unproved, 8)
    write(unproved, 8, "day-bus", targets=("council",))
    lanes = [*ahead(unproved), *ahead(unproved, "day-bus")]
    assert [(x.misses, x.needed, x.why) for x in lanes] == [(3, None, "total")] * 2
    assert "no limit would do: the operator’s total for a day" in lanes[0].sentence(unproved.now)
    assert all(x.empty_at and x.empty_at.day == 26 for x in lanes)  # 5 today, 5 tomorrow, 5 on Wednesday, the last on Thursday
    unproved.set(max_per_day="8")
    assert [(x.misses, x.why) for x in (*ahead(unproved), *ahead(unproved, "day-bus"))] == [(0, "")] * 2


def test_the_providers_lines_are_foretold_too(unproved: Desk) -> None:
    offices = tuple(replace(COMMISSIONER, id=f"office-{i}", fax=(f"+1416555010{i}",), email=()) for i in range(4))
    unproved.set(fax_lines="1", max_fax_rate="none")
    unproved.campaign(targets=offices, deadline=unproved.now + timedelta(minutes=4))
    write(unproved, 2, channel="fax", targets=tuple(o.id for o in offices))
    assert [(x.misses, x.why) for x in ahead(unproved)] == [(1, "lines")] * 4


def test_an_outlook_stands_for_a_minute_while_nothing_changes_in_its_lane(unproved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    foretold = []
    foretell = outlooks.foretell
    monkeypatch.setattr(outlooks, "foretell", lambda *a, **k: foretold.append(1) or foretell(*a, **k))
    unproved.campaign(targets=(OFFICE,), deadline=unproved.now + timedelta(days=2))
    write(unproved, 12)
    first = ahead(unproved)
    unproved.later(seconds=20)
    assert ahead(unproved) == first
    assert len(foretold) == 1
    write(unproved, 1)
    assert ahead(unproved)[0].waiting == 13
    assert len(foretold) == 2, "one more waits"
    unproved.send()
    assert ahead(unproved)[0].waiting == 12
    assert len(foretold) == 3, "one has started"
    unproved.later(seconds=61)
    ahead(unproved)
    assert len(foretold) == 4, "a minute is over"
