"""A campaign's deadline: a moment with an offset, or so many days after the import."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EXAMPLE = "2027-01-22T17:00:00-05:00"
FURTHEST = timedelta(days=20 * 366)
_RELATIVE = re.compile(r"^\+(\d{1,4}) days? (\d{1,2}:\d{2}) (\S+)$")


def read_deadline(value: object, now: datetime) -> datetime:
    """`value` as TOML gave it, as an aware datetime.

    Text like "+8 days 17:00 America/Toronto" is counted from today in that time zone, for ready-made campaigns that must
    not be stale. Raises ValueError saying what to write: naive, passed, too far away, not a date.
    """
    if isinstance(value, str):
        moment = _relative(value, now)
    elif isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        raise ValueError(f"has no time of day; write it like {EXAMPLE}")
    else:
        raise ValueError(f"must be a date and time, like {EXAMPLE} (without quotes)")
    if moment.tzinfo is None:
        raise ValueError(f"has no offset from UTC; write it like {EXAMPLE}, so that nobody is an hour late")
    ahead = moment.replace(tzinfo=None) - now.astimezone(UTC).replace(tzinfo=None)  # to a day; at the ends of time UTC overflows
    if ahead > FURTHEST:
        raise ValueError("is more than 20 years ahead; is the year right?")
    if ahead < -timedelta(days=2) or moment <= now:
        raise ValueError(f"passed on {moment.isoformat(sep=' ', timespec='minutes')}; give one that is ahead")
    return moment


def _relative(text: str, now: datetime) -> datetime:
    found = _RELATIVE.match(text.strip())
    if not found:
        raise ValueError(f'must be a date and time without quotes, like {EXAMPLE}, or relative, like '
                         f'"+8 days 17:00 America/Toronto"; {text!r} is neither')
    try:
        zone = ZoneInfo(found[3])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{found[3]!r} is not a time zone; write one like America/Toronto") from None
    try:
        clock = time.fromisoformat(found[2].zfill(5))
    except ValueError:
        raise ValueError(f"{found[2]!r} is not a time of day; write it like 17:00") from None
    day = now.astimezone(zone).date() + timedelta(days=int(found[1]))
    # Through UTC and back, so that a time which the clocks skip becomes one that exists; then with a fixed offset.
    moment = datetime.combine(day, clock, zone).astimezone(UTC).astimezone(zone)
    return datetime.fromisoformat(moment.isoformat())
