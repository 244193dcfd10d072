"""Dates of mail headers (RFC 5322, 3.3), read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc5322(at: datetime) -> str:
    """`at` (aware) in UTC. Raises ValueError for a naive one: a header must not guess the zone."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime has no place in a mail")
    at = at.astimezone(UTC)
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} +0000"


def read_date(text: object, default: datetime) -> datetime:
    """The date of a header that others wrote, in UTC and not after `default` (their clocks may be wrong)."""
    try:
        at = parsedate_to_datetime(str(text))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return default
    return min(at, default)
