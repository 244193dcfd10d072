"""No trace of attempts exceeds any rule in any rolling window, and none waits longer than the rules ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.hours import OfficeHours
from outreach.domain.pacing import (
    JITTER,
    NEVER,
    Rule,
    format_rules,
    next_start,
    parse_rules,
    spread_until,
    take_turns,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULES = st.lists(st.builds(Rule, st.integers(1, 6), st.integers(1, 4000).map(lambda s: timedelta(seconds=s))), min_size=1, max_size=3)


def test_a_limit_string_is_read_whole() -> None:
    assert parse_rules("3/second, 25/8 hours, 200/day, 1000/total") == tuple(sorted([
        Rule(3, timedelta(seconds=1)), Rule(25, timedelta(hours=8)), Rule(200, timedelta(days=1)), Rule(1000, None)], key=str))


@pytest.mark.parametrize("text", ["", "20", "20/hour,", "20/hour 200/day", "20 per hour", "20/fortnight", "-1/hour", "5/0 hours",
                                  "20/hour, lots", "1.5/hour", "10/2 total", "20/900 days"])
def test_a_limit_string_half_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rules(text)


@given(RULES)
def test_rules_survive_being_written_down(rules: list[Rule]) -> None:
    assert set(parse_rules(format_rules(rules))) == set(rules)


@given(RULES, st.lists(st.integers(0, 900), min_size=1, max_size=60))
def test_no_rolling_window_is_ever_over_its_limit(rules: list[Rule], waits: list[int]) -> None:
    starts: list[datetime] = []
    now = NOON
    for wait in waits:
        now += timedelta(seconds=wait)
        if next_start(now, starts, rules) <= now:
            starts.append(now)
    for rule in rules:
        assert rule.period is not None
        for end in starts:
            inside = [s for s in starts if end - rule.period < s <= end]
            assert len(inside) <= rule.count


@given(RULES, st.integers(1, 40))
def test_the_log_is_greedy_every_start_is_as_early_as_a_rule_allows(rules: list[Rule], n: int) -> None:
    starts: list[datetime] = []
    for _ in range(n):
        at = next_start(NOON, starts, rules)
        tight = at == NOON or any(r.earliest(starts) == at for r in rules) or (starts and at == spread_until(starts[-1], rules))
        assert tight
        starts.append(at)


def test_a_clock_that_steps_back_does_not_reopen_a_window() -> None:
    rules = parse_rules("1/hour")
    assert next_start(NOON - timedelta(days=1), [NOON], rules) == NOON + timedelta(hours=1)


def test_a_total_that_is_spent_is_spent_for_good() -> None:
    assert next_start(NOON, [NOON - timedelta(days=900)], parse_rules("1/total")) == NEVER
    assert next_start(NOON, [], parse_rules("0/hour")) == NEVER


@given(RULES, st.integers(2, 40))
def test_starts_are_spread_and_the_full_rate_is_reached_all_the_same(rules: list[Rule], n: int) -> None:
    starts = [NOON]
    while len(starts) < n:
        starts.append(next_start(starts[-1], starts, rules))
    gap = max(r.gap for r in rules)
    for a, b in pairwise(starts):
        assert b - a >= gap * (1 - JITTER)
    # No later than evenly spread starts under the slowest rule alone would be.
    if len(rules) == 1 and rules[0].period is not None:
        assert starts[-1] - NOON <= rules[0].period * ((n - 1) / rules[0].count) + timedelta(microseconds=n)


def test_a_rule_of_more_than_an_hour_allows_a_burst() -> None:
    assert next_start(NOON, [NOON], parse_rules("200/day, 25/8 hours")) == NOON
    assert next_start(NOON, [NOON], parse_rules("10/hour")) >= NOON + timedelta(minutes=6) * (1 - JITTER)


WAITING = st.dictionaries(st.integers(1, 6), st.integers(0, 12), max_size=6)


@given(WAITING, st.dictionaries(st.integers(1, 6), st.integers(0, 50), max_size=6), st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_campaigns_that_share_an_address_take_turns_however_the_turns_are_cut(
        waiting: dict[int, int], last: dict[int, int], slices: list[int]) -> None:
    """Between any two campaigns that both still wait, the turns they had differ by one at the most."""
    left = {c: [(c, i) for i in range(n)] for c, n in waiting.items()}
    had = {c: NOON + timedelta(seconds=s) for c, s in last.items()}
    order: list[tuple[int, int]] = []
    now = NOON + timedelta(hours=1)
    for most in slices:
        chosen = take_turns(left, had, most)
        assert len(chosen) == min(most, sum(map(len, left.values())))
        for i, (c, place) in enumerate(chosen):
            assert left[c].pop(0) == (c, place)  # in its own order
            had[c] = now + timedelta(microseconds=i)
        now += timedelta(seconds=1)
        order += chosen
        counts = [sum(c == a for c, _ in order) for a, own in left.items() if own]
        assert max(counts, default=0) - min(counts, default=0) <= 1


TORONTO = OfficeHours.parse("Mon-Fri 08:00-18:00", "America/Toronto")


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))
def test_the_next_opening_is_open_and_nothing_before_it_is(at: datetime) -> None:
    opening = TORONTO.opening_at_or_after(at)
    assert opening >= at and TORONTO.is_open(opening)
    if opening > at:
        assert not TORONTO.is_open(at)
        assert not TORONTO.is_open(opening - timedelta(seconds=1))


def test_opening_follows_daylight_saving_both_ways() -> None:
    before = TORONTO.opening_at_or_after(datetime(2026, 3, 6, 23, 30, tzinfo=UTC))   # Friday evening, clocks go forward on Sunday
    assert before == datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
    after = TORONTO.opening_at_or_after(datetime(2026, 10, 30, 22, 30, tzinfo=UTC))  # and back on 1 November
    assert after == datetime(2026, 11, 2, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize("hours", ["Mon-Fri", "8-18", "Mon-Fri 18:00-08:00", "Mo-Fr 08:00-18:00", "Mon 25:00-26:00", ""])
def test_hours_half_understood_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        OfficeHours.parse(hours, "UTC")


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="America/Toronto"):
        OfficeHours.parse("always", "Toronto")
