"""Time as an office has it: how long it is open between two moments, and when it has been open for so long."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from outreach.domain.hours import OfficeHours
from outreach.domain.pacing import NEVER

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
FAR = timedelta(days=36_500)
"""Farther ahead than this nothing is foretold."""
_SOME_DAY = datetime(2026, 1, 12, tzinfo=UTC)


def round_of(hours: OfficeHours) -> timedelta:
    """After how long office hours repeat themselves."""
    if not hours.spans:
        return timedelta(0)
    by_day = {d: [s[1:] for s in hours.spans if s[0] == d] for d in range(7)}
    return DAY if all(by_day[d] == by_day[0] for d in by_day) else WEEK


def shifted(at: datetime, by: timedelta, hours: OfficeHours) -> datetime:
    """`at` moved by whole days on the clock of the office's wall, by anything else in plain time."""
    if not hours.spans or by % DAY:
        return at + by
    zone = ZoneInfo(hours.zone)
    return (at.astimezone(zone).replace(tzinfo=None) + by).replace(tzinfo=zone).astimezone(UTC)


def span(at: datetime, hours: OfficeHours) -> tuple[datetime, datetime]:
    """The opening span, UTC, that holds `at` or comes next after it."""
    opens = hours.opening_at_or_after(at)
    zone = ZoneInfo(hours.zone)
    local = opens.astimezone(zone)
    closes = opens
    for weekday, start, end in hours.spans:
        if weekday == local.weekday() and datetime.combine(local.date(), start, zone) <= local:
            day = local.date() + DAY if end == time.max else local.date()
            until = datetime.combine(day, time.min if end == time.max else end, zone).astimezone(UTC)
            closes = max(closes, until)
    return opens, closes


def open_between(first: datetime, last: datetime, hours: OfficeHours) -> timedelta:
    """How long the office is open between two moments."""
    if not hours.spans:
        return last - first
    weeks = max(0, (last - first) // WEEK - 1)
    return weeks * open_a_week(hours) + _walked(first, shifted(last, -weeks * WEEK, hours), hours)


@lru_cache(maxsize=1000)
def open_a_week(hours: OfficeHours) -> timedelta:
    """How long the office is open in a week without a change of the clocks."""
    return _walked(_SOME_DAY, _SOME_DAY + WEEK, hours)


def _walked(first: datetime, last: datetime, hours: OfficeHours) -> timedelta:
    total, at = timedelta(0), first
    while True:
        opens, closes = span(at, hours)
        if opens >= last:
            return total
        total += min(closes, last) - opens
        at = max(closes, opens + timedelta(seconds=1))


def after_open_time(at: datetime, wait: timedelta, hours: OfficeHours) -> datetime:
    """The moment at which the office has been open for `wait` since `at`."""
    if not hours.spans:
        return NEVER if wait > FAR else at + wait
    weeks = wait // open_a_week(hours)
    if weeks * WEEK > FAR:
        return NEVER
    at, wait = shifted(at, weeks * WEEK, hours), wait - weeks * open_a_week(hours)
    while True:
        opens, closes = span(at, hours)
        if opens + wait < closes:
            return opens + wait
        wait -= closes - opens
        at = max(closes, opens + timedelta(seconds=1))
