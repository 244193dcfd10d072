"""A line that is played through in groups is foretold as the same line one by one, at a fraction of the price."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain import forecast, outlook
from outreach.domain.forecast import Lane, Party, Releases, misses, needed
from outreach.domain.hours import OfficeHours
from outreach.domain.opening import DAY
from outreach.domain.outlook import InGroups, foretell
from outreach.domain.pacing import NEVER, Rule, parse_rules

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TWO_WEEKS = MONDAY + timedelta(days=13, hours=19)
ALWAYS = OfficeHours.parse("always", "UTC")
OFFICE = OfficeHours.parse("Mon-Fri 08:00-18:00", "America/Toronto")
WAKING = OfficeHours.parse("08:00-21:00", "Europe/Berlin")
LIMITS = ["20/hour", "20/hour, 200/day", "6/hour, 40/day", "6/hour, 199/day", "200/day", "10/hour, 300/week",
          "3/second, 25/8 hours, 200/day"]


def lane(waiting: int, limits: str, hours: OfficeHours = OFFICE, others: tuple[int, ...] = ()) -> Lane:
    return Lane(MONDAY, Party(waiting, hours), tuple(Party(n, hours) for n in others), parse_rules(limits))


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("hours", [ALWAYS, OFFICE, WAKING], ids=["always", "office", "waking"])
@pytest.mark.parametrize("waiting", [150, 1500, 20_000])
def test_groups_say_what_one_by_one_says(limits: str, hours: OfficeHours, waiting: int) -> None:
    full = lane(waiting, limits, hours)
    exact, rough = Releases(full, exact=20_000), foretell(full, TWO_WEEKS, None, fine=200)
    whole = exact.empty_at() - MONDAY
    assert abs(rough.empty_at - exact.empty_at()) <= DAY + whole * 0.03
    late = waiting - exact.before(TWO_WEEKS)
    at_once = 200 if limits == "200/day" else 0  # a day's worth at one moment, which may be on either side
    assert abs(rough.misses - late) <= max(at_once, 3 + (waiting - late) * 0.03)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(LIMITS), st.integers(1, 3000), st.lists(st.integers(0, 900), max_size=2).map(tuple),
       st.lists(st.integers(1, 90_000), max_size=60))
def test_a_line_comes_out_in_its_order_and_no_start_is_before_now(limits: str, n: int, others: tuple[int, ...], before: list[int]) -> None:
    full = replace(lane(n, limits, OFFICE, others), starts=tuple(MONDAY - timedelta(seconds=s) for s in sorted(before, reverse=True)))
    line = InGroups(full, 100)
    found = [line.at(place) for place in range(1, n + 1)]
    assert found == sorted(found)
    assert found[0] >= MONDAY
    assert line.before(found[-1]) == sum(t < found[-1] for t in found)
    middle = found[n // 2]
    assert line.before(middle) == sum(t < middle for t in found)


def test_a_short_line_is_foretold_to_the_letter() -> None:
    full = lane(180, "10/hour")
    friday = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    told = foretell(full, friday, parse_rules("20/hour"), fine=200)
    assert (told.misses, told.empty_at) == (misses(full, friday), Releases(full).empty_at())
    assert told.needed == needed(full, friday, parse_rules("20/hour"))


def test_the_limit_that_is_told_is_the_lowest_that_would_do() -> None:
    full = lane(3000, "10/hour", ALWAYS)
    told = foretell(full, MONDAY + 10 * DAY, parse_rules("20/hour"), fine=200)
    exact = needed(full, MONDAY + 10 * DAY, parse_rules("20/hour"))
    assert told.needed is not None
    assert exact is not None
    assert abs(told.needed.count - exact.count) <= 1


def test_one_letter_needs_a_limit_of_one_not_of_none() -> None:
    assert needed(lane(1, "1/day"), MONDAY + timedelta(hours=2), parse_rules("20/hour")) == Rule(1, timedelta(hours=1))


def test_why_nothing_would_do() -> None:
    soon = MONDAY + timedelta(hours=2)
    assert foretell(lane(100, "10/hour"), soon, parse_rules("20/hour")).why == "ceiling"
    assert foretell(lane(100, "10/hour", OfficeHours.parse("22:00-23:30", "Europe/Berlin")), soon, parse_rules("20/hour")).why == "hours"
    assert foretell(lane(30, "20/total"), MONDAY + DAY, None).empty_at == NEVER


@pytest.mark.parametrize("limits", [*LIMITS, "none"])
def test_what_it_costs_does_not_grow_with_the_line(limits: str) -> None:
    played = []

    class Counted(Releases):
        def _play(self, *args: object) -> None:
            super()._play(*args)  # type: ignore[arg-type]
            played.append(len(self._slots))

    for module in (forecast, outlook):
        module.Releases = Counted  # type: ignore[attr-defined,misc]
    try:
        foretell(lane(20_000, limits, OFFICE, (5_000,)), TWO_WEEKS, parse_rules("20/hour"), fine=200)
        foretell(lane(900, limits, OFFICE), TWO_WEEKS, parse_rules("20/hour"), fine=200)
    finally:
        for module in (forecast, outlook):
            module.Releases = Releases  # type: ignore[attr-defined,misc]
    assert max(played) <= 400
    assert len(played) <= 16
