"""When a target's office is open: weekly hours in its own time zone, across daylight saving."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(r"^(?:(?P<a>[A-Z][a-z]{2})(?:-(?P<b>[A-Z][a-z]{2}))?\s+)?(?P<f>\d{1,2}:\d{2})-(?P<t>\d{1,2}:\d{2})$")
WAKING = "08:00-21:00"
"""A fax rings where people sleep; used for fax targets that state no hours."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """Weekly opening spans, as (weekday 0-6, from, to) in local wall time of `zone`; no spans means always open.

    `to` is exclusive; 24:00 is spelled `time.max`.
    """

    spans: tuple[tuple[int, time, time], ...]
    zone: str

    @classmethod
    def parse(cls, text: str, zone: str) -> OfficeHours:
        """Read "always", "08:00-18:00" or "Mon-Fri 08:00-18:00, Sat 09:00-12:00".

        Raises ValueError naming the part that was not understood, or the time zone that does not exist.
        """
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as e:
            raise ValueError(f"{zone!r} is not a time zone; write one like America/Toronto") from e
        if text.strip() == "always":
            return cls((), zone)
        spans: list[tuple[int, time, time]] = []
        for part in text.split(","):
            spans.extend(_span(part.strip()))
        return cls(tuple(sorted(spans)), zone)

    def is_open(self, at: datetime) -> bool:
        """Whether the office is open at `at` (aware)."""
        return self.opening_at_or_after(at) == at

    def opening_at_or_after(self, at: datetime) -> datetime:
        """The first moment, UTC, not before `at` at which the office is open."""
        if not self.spans:
            return at.astimezone(UTC)
        zone = ZoneInfo(self.zone)
        local = at.astimezone(zone)
        for ahead in range(9):
            day = (local + timedelta(days=ahead)).date()
            for weekday, start, end in self.spans:
                if day.weekday() != weekday:
                    continue
                opens = datetime.combine(day, start, zone).astimezone(UTC)
                closes = _end(day, end, zone)
                if at < closes:
                    return max(opens, at.astimezone(UTC))
        raise AssertionError("a week without its opening hours")  # parse() leaves at least one span


def _end(day: date, end: time, zone: ZoneInfo) -> datetime:
    if end == time.max:
        return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    return datetime.combine(day, end, zone).astimezone(UTC)


def _span(part: str) -> list[tuple[int, time, time]]:
    found = _SPAN.match(part)
    if not found:
        raise ValueError(f"{part!r} is not understood; write hours like 'Mon-Fri 08:00-18:00' or 'always'")
    first, last = found["a"], found["b"]
    for name in (first, last):
        if name and name not in DAYS:
            raise ValueError(f"{name!r} is not a weekday; use {', '.join(DAYS)}")
    start, end = _clock(found["f"]), _clock(found["t"])
    if start >= end:
        raise ValueError(f"{part!r} closes before it opens")
    if not first:
        days = list(range(7))
    else:
        a = DAYS.index(first)
        b = DAYS.index(last) if last else a
        days = [(a + i) % 7 for i in range((b - a) % 7 + 1)]
    return [(d, start, end) for d in days]


def _clock(text: str) -> time:
    if text == "24:00":
        return time.max
    try:
        return time.fromisoformat(text.zfill(5))
    except ValueError as e:
        raise ValueError(f"{text!r} is not a time of day") from e
