"""What is foretold of lanes is kept while it holds: a lever and many letters show at once, a few in their turn, and its time is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from outreach.services import outlooks, stats
from outreach.services.forecast import LaneForecast, of_campaign
from tests.services.helpers import COUNCIL, Desk

LANES, EACH, USUAL = 5, 30, outlooks.IN_TURN
OFFICES = tuple(replace(COUNCIL, id=f"office-{i}", name=f"Office {i}", email=(f"office{i}@city.example",), limits={"email": "4/hour"})
                for i in range(LANES))


@pytest.fixture
def busy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Five lanes of which two are foretold anew in their turn, thirty letters in each; at four an hour some miss the deadline."""
    monkeypatch.setattr(outlooks, "IN_TURN", 2 * EACH)
    desk.set(confirm="none", proof_of_work="off")
    desk.campaign(targets=OFFICES, deadline=desk.now + timedelta(hours=4))
    write(desk, EACH)
    return desk


def write(desk: Desk, people: int) -> None:
    for _ in range(people):
        desk.write(targets=tuple(t.id for t in OFFICES))
        desk.later(microseconds=1)


def ahead(desk: Desk) -> list[LaneForecast]:
    return of_campaign("night-bus", now=desk.now)


def test_of_lanes_in_which_little_has_changed_the_oldest_outlooks_are_made_anew_first(busy: Desk) -> None:
    before = ahead(busy)
    assert len(before) == LANES and all(x.as_of == busy.now and 0 < x.misses < EACH for x in before)
    write(busy, 1)
    fresh = []
    for look in range(1, 4):
        busy.later(seconds=1)
        seen = ahead(busy)
        assert [x.waiting for x in seen] == [EACH + 1] * LANES, "how many wait is never old"
        fresh.append({x.target for x in seen if x.as_of == busy.now})
        assert sum(x.misses == before[0].misses + 1 for x in seen) == min(2 * look, LANES)
    assert [len(x) for x in fresh] == [2, 2, 1] and set.union(*fresh) == {t.id for t in OFFICES}
    busy.later(seconds=1)
    assert ahead(busy) == seen, "nothing has changed"


def test_where_one_in_ten_has_come_or_gone_all_is_foretold_anew(busy: Desk) -> None:
    before = ahead(busy)[0].misses
    write(busy, EACH // outlooks.MUCH)
    assert {(x.misses, x.as_of) for x in ahead(busy)} == {(before + EACH // outlooks.MUCH, busy.now)}


def test_a_lever_shows_at_once_in_every_lane(busy: Desk) -> None:
    assert {x.pace for x in ahead(busy)} == {"4/hour"}
    busy.later(seconds=1)
    busy.campaign(targets=tuple(replace(t, limits={"email": "12/hour"}) for t in OFFICES), deadline=busy.now + timedelta(hours=4))
    assert {(x.pace, x.misses, x.as_of) for x in ahead(busy)} == {("12/hour", 0, busy.now)}


def test_near_the_deadline_and_after_a_minute_outlooks_have_their_turn_though_nothing_changed(busy: Desk) -> None:
    ahead(busy)
    for wait in (timedelta(seconds=61), timedelta(hours=3, minutes=1)):
        busy.later(seconds=wait.total_seconds())
        assert sum(x.as_of == busy.now for x in ahead(busy)) == 2
    busy.later(seconds=1)
    assert sum(x.as_of == busy.now for x in ahead(busy)) == 2


def test_what_acts_on_a_forecast_has_it_made_anew(busy: Desk) -> None:
    ahead(busy)
    write(busy, 1)
    busy.later(seconds=1)
    assert {x.as_of for x in of_campaign("night-bus", now=busy.now, anew=True)} == {busy.now}


def test_no_more_are_late_than_wait(busy: Desk) -> None:
    busy.campaign(targets=tuple(replace(t, limits={"email": "0/hour"}) for t in OFFICES), deadline=busy.now + timedelta(hours=4))
    assert {(x.misses, x.waiting) for x in ahead(busy)} == {(EACH, EACH)}
    write(busy, 1)
    assert {(x.misses, x.waiting) for x in ahead(busy)} == {(EACH + 1, EACH + 1)}


def test_statistics_say_of_when_a_forecast_is(busy: Desk) -> None:
    assert {row["as_of"] for row in stats.stats("night-bus", now=busy.now)["forecast"]} == {busy.now.isoformat()}
    busy.action("pause")
    assert {row["as_of"] for row in stats.stats("night-bus", now=busy.now)["forecast"]} == {None}


def test_where_few_letters_wait_every_outlook_is_as_new_as_the_look(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlooks, "IN_TURN", USUAL)
    ahead(busy)
    write(busy, 1)
    busy.later(seconds=1)
    assert {x.as_of for x in ahead(busy)} == {busy.now}
