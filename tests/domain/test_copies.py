"""An inbox's pace: no hour has more than its limit, and nothing waits longer than it must."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.copies import FREEMAIL, HOUR, Slots, digest_at, free_at, limit_of, one_by_one, used

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LOGS = st.lists(st.builds(Slots, st.integers(1, 12), st.integers(-7300, 20).map(lambda s: NOON + timedelta(seconds=s))), max_size=20)


def test_the_strictest_limit_holds() -> None:
    assert limit_of([], 60, freemail=False) == 60
    assert limit_of([0, 90, 40], 60, freemail=False) == 40
    assert limit_of([0, 90], 60, freemail=True) == FREEMAIL
    assert limit_of([5], 60, freemail=True) == 5


@given(st.integers(1, 10_000))
def test_a_place_is_always_left_for_a_digest(limit: int) -> None:
    assert 0 <= one_by_one(limit) < limit
    assert limit - one_by_one(limit) <= max(1, limit / 10)


@given(LOGS, st.integers(1, 30))
def test_the_next_may_start_as_soon_as_an_hour_has_room_and_not_before(log: list[Slots], most: int) -> None:
    at = free_at(log, most, NOON)
    assert at >= NOON and used(log, at) < most
    assert at == NOON or used(log, at - timedelta(microseconds=1)) >= most


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 6), st.integers(0, 30)), max_size=60), st.integers(1, 9))
def test_no_hour_of_blocks_taken_when_there_is_room_has_more_than_the_limit(steps: list[tuple[int, int, int]], most: int) -> None:
    """Each step some time passes, then up to n are taken, all to be used within so many seconds."""
    log: list[Slots] = []
    starts: list[datetime] = []
    now = NOON
    for wait, wanted, good_for in steps:
        now += timedelta(seconds=wait)
        n = min(wanted, most - used(log, now))
        if n > 0:
            log.append(Slots(n, now + timedelta(seconds=good_for)))
            starts += [now + timedelta(seconds=good_for) * i / n for i in range(n)]
    for t in starts:
        assert sum(t - HOUR < x <= t for x in starts) <= most


def test_a_digest_comes_after_an_hour_sooner_near_the_deadline_and_at_once_after_the_end() -> None:
    assert digest_at(NOON, None, ended=False) == NOON + HOUR
    assert digest_at(NOON, NOON + timedelta(days=2), ended=False) == NOON + HOUR
    assert digest_at(NOON, NOON + timedelta(hours=6), ended=False) == NOON + timedelta(minutes=15)
    assert digest_at(NOON, NOON - timedelta(hours=1), ended=False) == NOON + timedelta(minutes=15)
    assert digest_at(NOON, None, ended=True) == NOON
