"""Letters over time, put together from what changed and what is there now."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from outreach.domain import series
from outreach.domain.letters import State
from outreach.domain.series import GROUPS

MOVES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, *State]), st.sampled_from(list(State))), max_size=60)


def test_every_state_is_in_one_band() -> None:
    assert sorted(s for states in GROUPS.values() for s in states) == sorted(State)


@given(MOVES, st.integers(0, 9))
def test_whatever_moved_the_last_point_is_now_and_each_follows_from_the_one_before(
        moved: list[tuple[int, State | None, State]], first: int) -> None:
    changes = [(hour, f"letter:{s.value}", n) for hour, before, after in moved for s, n in ((before, -1), (after, 1)) if s is not None]
    now = {s.value: sum(n for _, name, n in changes if name == f"letter:{s.value}") for s in State}
    drawn = series.series([c for c in changes if c[0] >= first], now, first=first, last=9)
    last = drawn.points[-1]
    assert {name: getattr(last, name) for name in GROUPS} == {name: sum(now[s.value] for s in states) for name, states in GROUPS.items()}
    for older, newer in zip(drawn.points, drawn.points[1:], strict=False):
        assert newer.total - older.total == newer.written
        assert newer.arrived + newer.gone - older.arrived - older.gone == newer.left
    for point, hour in zip(drawn.points, range(first, 10), strict=True):  # a recount up to the end of that hour
        assert point.total == sum(n for h, _, n in changes if h <= hour)
        assert point.written == sum(n for h, _, n in changes if h == hour)


def test_days_begin_at_midnight_of_the_campaigns_own_clock() -> None:
    noon = datetime(2026, 11, 23, 17, tzinfo=UTC)  # in Toronto, five hours behind
    hour = series.hour_of(noon)
    day = (hour - 5) // 24
    [point] = series.series([(day, "letter:queued", 3)], {"queued": 3}, first=day, last=day, hours_each=24, shift=-5).points
    assert point.begins == datetime(2026, 11, 23, 5, tzinfo=UTC) and (point.written, point.waits) == (3, 3)
