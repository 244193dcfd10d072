"""The forecast is what a lane would really do: exact while it is played through, and close to it where it is reckoned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.forecast import Lane, Party, Releases, misses, needed
from outreach.domain.hours import OfficeHours
from outreach.domain.opening import DAY, HOUR, WEEK
from outreach.domain.pacing import EPOCH, NEVER, TICK, Rule, next_start, parse_rules, take_turns

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
ALWAYS = OfficeHours.parse("always", "UTC")
OFFICE = OfficeHours.parse("Mon-Fri 08:00-18:00", "America/Toronto")
HOURS = st.sampled_from([ALWAYS, OFFICE, OfficeHours.parse("09:00-12:00, Sat 14:00-24:00", "Asia/Kolkata"),
                         OfficeHours.parse("22:00-23:30", "Europe/Berlin")])
PERIODS = st.sampled_from([timedelta(minutes=1), timedelta(minutes=20), HOUR, timedelta(hours=8), DAY])
RULES = st.lists(st.builds(Rule, st.integers(1, 12), PERIODS), min_size=1, max_size=3).map(tuple)


def lane(waiting: int, limits: str = "10/hour", hours: OfficeHours = ALWAYS, others: tuple[int, ...] = (), **more: object) -> Lane:
    made = Lane(MONDAY, Party(waiting, hours), tuple(Party(n, hours) for n in others), parse_rules(limits))
    return replace(made, **more)  # type: ignore[arg-type]


def brute(of: Lane) -> list[datetime]:
    """Every start of the own letters, one after the other: the drain's own rules, nothing reckoned."""
    log, own = list(of.starts), []
    waiting: dict[int, list[int]] = {n: [n] * p.waiting for n, p in enumerate((*of.others, of.own))}
    last: dict[int, datetime] = {n: p.last_turn for n, p in enumerate((*of.others, of.own)) if p.last_turn != EPOCH}
    me = len(of.others)
    while waiting[me]:
        at = next_start(of.now, log, of.rules, of.own.hours)
        if at == NEVER:
            break
        who = take_turns(waiting, last, 1)[0]
        waiting[who].pop()
        log.append(at)
        last[who] = at + TICK
        own += [at] if who == me else []
    return own


def test_the_sentence_of_the_design_ten_an_hour_until_friday() -> None:
    friday = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)  # 17:00 in Toronto
    full = lane(800, "10/hour", OFFICE)
    late = misses(full, friday)
    assert late == 800 - len([t for t in brute(full) if t < friday]) > 300
    rule = needed(full, friday, parse_rules("20/hour"))
    assert rule is not None
    assert misses(replace(full, rules=(rule,)), friday) == 0
    assert misses(replace(full, rules=(Rule(rule.count - 1, HOUR),)), friday) > 0


def test_a_guess_finds_the_same_limit_and_the_right_one_sooner() -> None:
    played: list[Lane] = []

    def late(of: Lane, deadline: datetime, exact: int) -> int:
        played.append(of)
        return misses(of, deadline, exact)

    soon, ceiling = MONDAY + timedelta(hours=10), parse_rules("20/hour")
    alone = needed(lane(170), soon, ceiling, late=late)
    assert alone is not None and 2 < alone.count < 20
    for guess in (1, alone.count - 1, alone.count, alone.count + 1, 400):
        played.clear()
        assert needed(lane(170), soon, ceiling, late=late, guess=Rule(guess, HOUR)) == alone
        assert guess != alone.count or len(played) == 3, "no limit at all, this one, and one less"


def test_letters_that_go_one_at_a_time_wait_for_their_whole_period() -> None:
    """Whatever their jitter would be."""
    full = lane(40, "1/10 minutes, 5/hour", OFFICE)
    assert [Releases(full).at(n) for n in range(1, 41)] == brute(full)


def test_what_makes_the_deadline_needs_no_other_limit() -> None:
    assert misses(lane(50), MONDAY + timedelta(hours=6)) == 0


def test_the_ceiling_stays_and_so_do_the_office_hours() -> None:
    soon = MONDAY + timedelta(hours=2)
    assert needed(lane(100), soon, parse_rules("20/hour")) is None
    assert needed(lane(100), soon, ()) is not None
    night = OfficeHours.parse("22:00-23:30", "Europe/Berlin")
    assert needed(lane(1, hours=night), soon, ()) is None


def test_a_deadline_that_is_over_or_now_is_missed_by_all() -> None:
    assert misses(lane(7), MONDAY) == 7
    assert needed(lane(7), MONDAY, ()) is None


def test_a_lifetime_total_ends_it() -> None:
    full = lane(30, "10/hour, 20/total", starts=(MONDAY - timedelta(days=3),) * 5)
    at = Releases(full)
    assert at.at(15) < NEVER
    assert at.at(16) == at.empty_at() == NEVER
    assert misses(full, MONDAY + timedelta(days=300)) == 15


def test_others_in_the_same_lane_take_turns() -> None:
    alone, shared = Releases(lane(40)), Releases(lane(40, others=(40, 10)))
    assert shared.at(10) == alone.at(30)  # three take turns
    assert shared.at(40) == Releases(lane(90)).at(90)


def test_a_share_of_ones_own_slows_only_oneself() -> None:
    full = lane(20, "10/hour", others=(20,))
    capped = replace(full, own=replace(full.own, share=parse_rules("2/hour")))
    hour = [t for t in (Releases(capped).at(n) for n in range(1, 21)) if t < MONDAY + HOUR]
    assert len(hour) == 2
    assert Releases(replace(full, own=replace(full.own, share=parse_rules("9/hour")))).at(5) < MONDAY + HOUR


def test_rules_too_big_to_be_played_through_hold_too() -> None:
    at = Releases(Lane(MONDAY, Party(20_000, ALWAYS), rules=parse_rules("100/hour"), budgets={Rule(5000, WEEK): 1000}))
    assert at.at(1000) < MONDAY + timedelta(hours=11)
    assert at.at(1001) >= MONDAY + WEEK  # when the other 4,000 leave the window is not known
    assert at.at(6001) >= at.at(1001) + WEEK - HOUR
    assert at.at(20_000) < MONDAY + 5 * WEEK


@settings(max_examples=60, deadline=None, derandomize=True)
@given(RULES, HOURS, st.integers(1, 90), st.lists(st.integers(0, 30), max_size=2).map(tuple), st.lists(st.integers(1, 5000), max_size=15))
def test_what_is_played_through_is_what_the_drain_would_do(rules: tuple[Rule, ...], hours: OfficeHours, n: int, others: tuple[int, ...],
                                                           before: list[int]) -> None:
    starts = tuple(MONDAY - timedelta(seconds=s) for s in sorted(before, reverse=True))
    full = lane(n, "none", hours, others, rules=rules, starts=starts)
    expected = brute(full)
    at = Releases(full, exact=10**6)
    found = [at.at(place) for place in range(1, n + 1)]
    gap = max(r.gap for r in rules) + timedelta(seconds=1)
    assert all(abs(a - b) <= gap for a, b in zip(found, expected, strict=True))
    middle = expected[n // 2]
    assert abs(at.before(middle) - sum(t < middle for t in expected)) <= max(r.count for r in rules)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(RULES, HOURS, st.integers(200, 600), st.lists(st.integers(0, 150), max_size=2).map(tuple))
def test_what_is_reckoned_is_right_to_within_the_longest_rule(rules: tuple[Rule, ...], hours: OfficeHours, n: int,
                                                              others: tuple[int, ...]) -> None:
    full = lane(n, "none", hours, others, rules=rules)
    expected, at = brute(full), Releases(full, exact=120)
    longest = max(r.period for r in rules if r.period is not None)
    slack = max(longest, DAY if hours.spans else HOUR) * (2 if others else 1)
    whole = expected[-1] - MONDAY
    assert abs(at.empty_at() - expected[-1]) <= slack + whole * 0.12
    assert [at.at(k) for k in range(1, n + 1)] == sorted(at.at(k) for k in range(1, n + 1))


@pytest.mark.parametrize("limits", ["20/hour", "20/hour, 200/day", "6/hour, 40/day", "3/second, 25/8 hours, 200/day", "none"])
@pytest.mark.parametrize("hours", [ALWAYS, OFFICE], ids=["always", "office"])
def test_a_hundred_thousand_letters_cost_no_more_than_a_few_thousand(limits: str, hours: OfficeHours) -> None:
    full = lane(100_000, limits, hours, (50_000,))
    asked = 0

    class Counted(Releases):
        def _slot(self, k: int) -> datetime:
            nonlocal asked
            asked += 1
            return super()._slot(k)

    at = Counted(full)
    at.before(MONDAY + 52 * WEEK)
    assert at.empty_at() > MONDAY or limits == "none"
    assert len(at._slots) <= 2000
    assert asked < 60


def test_a_long_reckoning_stays_near_the_brute_one() -> None:
    full = lane(6000, "20/hour, 150/day", OFFICE)
    real, at = brute(full), Releases(full)
    assert at.at(6000 - 150) <= real[-1]  # to within what goes in a day
    assert real[-1 - 150] <= at.empty_at()
