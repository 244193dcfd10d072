"""What a printed report asks beside the counters: when letters were written, went out and arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, String, cast, func, select, text

from outreach.models import Letter, table

L = table(Letter)


def per_quarter(connection: Connection, campaign_id: int, column: str) -> dict[datetime, int]:
    """How many of a campaign's letters have this moment (created_at, sent_at, delivered_at) in each quarter of an hour, by its start.

    In every time zone of today a day begins with such a quarter, so days of any zone can be added up from them.
    """
    moment = L.c[column]
    if connection.dialect.name == "postgresql":
        start: ColumnElement[Any] = func.date_bin(text("interval '15 minutes'"), moment, text("timestamptz 'epoch'"), type_=moment.type)
    else:  # kept as text that begins with "YYYY-MM-DD HH:MM"
        said = cast(moment, String)
        start = func.substr(said, 1, 14).concat(func.substr("00153045", 1 + 2 * cast(func.substr(said, 15, 2), Integer).op("/")(15), 2))
    rows = connection.execute(select(start, func.count()).where(L.c.campaign_id == campaign_id, moment.is_not(None)).group_by(start))
    return {at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC): int(n) for at, n in rows}
