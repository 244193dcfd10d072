"""A simulated month, rules that change under way, and the drain itself: no window is over its limit, and no capacity is wasted.

What is checked is counted here anew from the bare list of starts, not by the code under test.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.hours import OfficeHours
from outreach.domain.letters import Channel
from outreach.domain.pacing import NEVER, Rule, horizon, next_start, parse_rules, spread_until
from outreach.queue import QueueName
from outreach.services import deliver
from outreach.services.paces import Log, Pace
from tests.services.helpers import COMMISSIONER, Desk

START = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
"""A Monday; clocks go back in Europe on the 25th and in America on the first of November."""
EACH = 13
"""Letters of each campaign in the test of the drain: with 6 an hour and 30 a day, they take more than a day."""
ZONES = ("America/Toronto", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")


def assert_within(starts: list[datetime], rules: tuple[Rule, ...], since: datetime, until: datetime) -> None:
    """For each start in [since, until): together with what started before it, no rule is exceeded."""
    for i, at in enumerate(starts):
        if not since <= at < until:
            continue
        for rule in rules:
            first = 0 if rule.period is None else bisect_right(starts, at - rule.period)
            assert i + 1 - first <= rule.count, f"{i + 1 - first} in {rule} at {at}"


def greedy(rules_at: list[tuple[datetime, tuple[Rule, ...]]], hours: tuple[int, int], zone: str, until: datetime, most: int) -> int:
    """How many starts an ideal clerk makes who looks every ten seconds: open office, room under every rule, spread as ours."""
    starts: list[datetime] = []
    at, tick = START, timedelta(seconds=10)
    while at < until and len(starts) < most:
        rules = next(r for since, r in reversed(rules_at) if since <= at)
        local = at.astimezone(ZoneInfo(zone))
        if local.weekday() > 4 or not hours[0] <= local.hour < hours[1]:
            at += timedelta(minutes=10)  # opening hours begin on the hour or, in odd zones, on a multiple of ten minutes
            continue
        full = [starts[-r.count] + r.period for r in rules if r.period is not None and len(starts) >= r.count]
        waits = [w for w in full if w > at]
        if starts and spread_until(starts[-1], rules) > at:
            waits.append(spread_until(starts[-1], rules))
        if waits:
            at += max(tick, (max(waits) - at) // tick * tick)
            continue
        starts.append(at)
    return len(starts)


def test_a_simulated_month_of_five_campaigns_at_fifty_offices() -> None:
    """100,000 letters wait; the limits change twice. Windows, hours, fairness and throughput, address by address."""
    end = START + timedelta(days=28)
    laws = [(START, parse_rules("10/hour, 60/day")), (START + timedelta(days=9, hours=3), parse_rules("4/hour, 25/day")),
            (START + timedelta(days=17, hours=7), parse_rules("30/hour, 100/8 hours, 400/week"))]
    ours = ideal = 0
    for n in range(50):
        zone = ZONES[n % len(ZONES)]
        office = OfficeHours.parse("Mon-Fri 08:00-18:00", zone)
        pace = Pace(1, Channel.EMAIL, True, Log(laws[0][1], []), dict.fromkeys(range(5), office), {c: c for c in range(5)})
        left = [400] * 5
        had: list[tuple[datetime, int]] = []
        now, law = START, 0
        while now < end and any(left):
            if law + 1 < len(laws) and now >= laws[law + 1][0]:
                law += 1
                pace.log = Log(laws[law][1], _remembered([at for at, _ in had], laws[law][1], now))
            chosen = pace.choose(now, 50, lambda targets, most: [targets[0]] * min(most, left[targets[0]]))  # type: ignore[arg-type,misc,return-value]  # noqa: B023
            for campaign in chosen:
                pace.started(now, campaign)  # type: ignore[arg-type]
                had.append((now, campaign))  # type: ignore[arg-type]
                left[campaign] -= 1  # type: ignore[call-overload]
                now += timedelta(microseconds=1)
            wake = pace.next_at(now, [c for c in range(5) if left[c]]) or end
            if law + 1 < len(laws):
                wake = min(wake, laws[law + 1][0]) if now < laws[law + 1][0] else wake
            now = max(now, wake)
        starts = [at for at, _ in had]
        for i, (since, rules) in enumerate(laws):
            assert_within(starts, rules, since, laws[i + 1][0] if i + 1 < len(laws) else end)
        for at in starts:
            local = at.astimezone(ZoneInfo(zone))
            assert local.weekday() < 5 and 8 <= local.hour < 18
        counts: defaultdict[int, int] = defaultdict(int)
        for _, campaign in had:
            counts[campaign] += 1
            assert max(counts[c] for c in range(5)) - min(counts[c] for c in range(5)) <= 1
        ours += len(starts)
        if n < len(ZONES):
            ideal += greedy(laws, (8, 18), zone, end, 2000) * 10
    assert ours >= 0.97 * ideal, f"{ours} of {ideal}"
    assert ours > 20_000


def _remembered(starts: list[datetime], rules: tuple[Rule, ...], now: datetime) -> list[datetime]:
    """What a restarted process reads back: no more of the log than its rules look at."""
    count, period = horizon(rules)
    return [s for s in starts if period is None or s > now - period][-count:]


RULE = st.builds(Rule, st.integers(1, 6), st.one_of(st.none(), st.integers(1, 9000).map(lambda s: timedelta(seconds=s))))
DEEDS = st.lists(st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 4000)), st.tuples(st.just("rules"), st.lists(RULE, max_size=3)),
    st.tuples(st.just("restart"), st.none()), st.tuples(st.just("clock back"), st.integers(1, 3000)),
    st.tuples(st.just("stall"), st.integers(1, 2000))), max_size=60)


@settings(deadline=None)
@given(DEEDS, st.randoms(use_true_random=False))
def test_no_rule_in_force_is_exceeded_across_restarts_stalls_and_changes_of_rules(
        deeds: list[tuple[str, object]], dice: random.Random) -> None:
    """A stalled worker starts later than it was allowed to; a restarted one knows only what it reads back."""
    rules: tuple[Rule, ...] = parse_rules("3/minute")
    starts: list[datetime] = []
    log, now = Log(rules, []), START
    for what, value in deeds:
        granted = log.may_start(now, 3)
        if what == "wait":
            now += timedelta(seconds=int(value))  # type: ignore[call-overload]
        elif what == "rules":
            rules = tuple(value)  # type: ignore[arg-type]
            log = Log(rules, _remembered(starts, rules, now))
            granted = 0
        elif what == "restart":
            log = Log(rules, _remembered(starts, rules, now))
        elif what == "clock back":
            now -= timedelta(seconds=int(value))  # type: ignore[call-overload]
            granted = 0
        elif what == "stall":
            now += timedelta(seconds=int(value))  # type: ignore[call-overload]
        if not granted:
            granted = log.may_start(now, 3)
        for _ in range(dice.randint(0, granted)):
            starts.append(now)
            log.started(now)
            assert_within(starts, rules, now, now + timedelta(seconds=1))
            now += timedelta(microseconds=1)


@pytest.mark.parametrize("share", ["", "2/hour"])
def test_the_drain_itself_keeps_every_window_and_takes_turns(desk: Desk, share: str) -> None:
    """Three campaigns write to one office through the real drain, over a real mail server, woken as the lane asks."""
    desk.patch.setattr(deliver, "LINGER", 0.0)
    desk.set(confirm="none")
    office = replace(COMMISSIONER, hours="Mon-Fri 09:00-17:00", limits={"email": "6/hour, 30/day"})
    for slug in ("night-bus", "day-bus", "school-bus"):
        capped = share if slug == "school-bus" else ""
        desk.campaign(slug, targets=(replace(office, share={"email": capped} if capped else {}),))
        for _ in range(EACH):
            desk.write(slug)
    began = desk.now
    for _ in range(400):
        desk.send()
        at = desk.lane("commissioner@transit.example").next_wake_at
        if at is None:
            break
        desk.now = max(desk.now + timedelta(seconds=1), at)
    starts = sorted((a.started_at, a.campaign_id) for a in desk.attempts())
    assert desk.states() == ["sent"] * 3 * EACH and len(desk.sink.mails) == 3 * EACH
    assert_within([at for at, _ in starts], parse_rules("6/hour, 30/day"), began, desk.now + timedelta(days=1))
    for at, _ in starts:
        local = at.astimezone(ZoneInfo("America/Toronto"))
        assert local.weekday() < 5 and 9 <= local.hour < 17
    own = [at for at, campaign in starts if campaign == 3]
    counts: defaultdict[int, int] = defaultdict(int)
    for _, campaign in starts:
        counts[campaign] += 1
        waiting = [c for c in (1, 2, 3) if counts[c] < EACH]
        if len(waiting) == 3 and not share:
            assert max(counts[c] for c in waiting) - min(counts[c] for c in waiting) <= 1
    if share:
        assert_within(own, parse_rules(share), began, desk.now + timedelta(days=1))
        assert own[-1] > max(at for at, campaign in starts if campaign != 3)
    # As fast as an ideal clerk would have been, within a look's second for each letter.
    if not share:
        hours, log, ideal = OfficeHours.parse("Mon-Fri 09:00-17:00", "America/Toronto"), list[datetime](), began
        for _ in range(3 * EACH):
            ideal = next_start(ideal, log, parse_rules("6/hour, 30/day"), hours)
            assert ideal != NEVER
            log.append(ideal)
        assert starts[-1][0] - began <= (log[-1] - began) * 1.03


def test_a_pinned_limit_stands_in_the_place_of_all_others(desk: Desk) -> None:
    from outreach.services import blocks

    desk.set(confirm="none", max_email_rate="2/day")
    desk.campaign(targets=(replace(COMMISSIONER, limits={"email": "3/day"}),))
    for _ in range(9):
        desk.write()
    assert desk.send() == 2
    blocks.pin_limit("commissioner@transit.example", "5/day", now=desk.later(seconds=1))
    assert desk.send() == 3
    blocks.pin_limit("commissioner@transit.example", "none", now=desk.later(seconds=1))
    assert desk.send() == 4
    blocks.pin_limit("commissioner@transit.example", None, now=desk.later(seconds=1))
    desk.write()
    assert desk.send() == 0
    assert desk.send(QueueName.FAX) == 0
