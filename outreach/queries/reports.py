"""What a printed report asks beside the counters: when letters were written, went out and arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, String, cast, func, select

from outreach.models import Letter, table

L = table(Letter)


def per_quarter(connection: Connection, campaign_id: int, column: str) -> dict[datetime, int]:
    """How many of a campaign's letters have this moment (created_at, sent_at, delivered_at) in each quarter of an hour, by its start.

    In every time zone of today a day begins with such a quarter, so days of any zone can be added up from them.
    """
    hour, quarter = _parts(connection, L.c[column])
    rows = connection.execute(select(hour, quarter, func.count()).where(L.c.campaign_id == campaign_id, L.c[column].is_not(None))
                              .group_by(hour, quarter))
    return {datetime.fromisoformat(f"{h}:00").replace(minute=15 * int(q), tzinfo=UTC): int(n) for h, q, n in rows}


def _parts(connection: Connection, moment: Any) -> tuple[ColumnElement[Any], ColumnElement[int]]:
    """The UTC hour as "YYYY-MM-DD HH", and which quarter of it."""
    if connection.dialect.name == "postgresql":
        utc = func.timezone("UTC", moment)
        return func.to_char(utc, "YYYY-MM-DD HH24"), cast(func.floor(func.date_part("minute", utc) / 15), Integer)
    text = cast(moment, String)  # kept as text that begins with "YYYY-MM-DD HH:MM"
    return func.substr(text, 1, 13), cast(cast(func.substr(text, 15, 2), Integer).op("/")(15), Integer)
