"""What the logs of many lanes say, in as many statements as there are different limits, however many lanes there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true

from outreach.models import Address, Attempt, table
from outreach.queries.delivery import EVER, TURNS

A, AT = table(Address), table(Attempt)


def starts(connection: Connection, address_ids: Sequence[int], count: int, since: datetime | None, *,
           campaign_id: int | None = None) -> dict[int, list[datetime]]:
    """`delivery.starts` of each of these addresses, those without any left out."""
    found: defaultdict[int, list[datetime]] = defaultdict(list)
    x, joined = newest(connection, count, AT.c.started_at > (since or EVER),
                       *(() if campaign_id is None else (AT.c.campaign_id == campaign_id,)))
    rows = connection.execute(select(A.c.id, x.c.started_at).select_from(joined).where(A.c.id.in_(address_ids))
                              .order_by(A.c.id, x.c.started_at))
    for address_id, at in rows.all():
        found[address_id].append(at)
    return found


def started_within(connection: Connection, address_ids: Sequence[int], most: int, since: datetime | None, *,
                   campaign_id: int | None = None) -> dict[int, int]:
    """How many attempts (of one campaign, if named) started since then at each of these addresses, counted up to `most`."""
    x, joined = newest(connection, most, AT.c.started_at > (since or EVER),
                       *(() if campaign_id is None else (AT.c.campaign_id == campaign_id,)))
    rows = connection.execute(select(A.c.id, func.count(x.c.started_at)).select_from(joined)
                              .where(A.c.id.in_(address_ids)).group_by(A.c.id))
    return {address_id: n for address_id, n in rows}


def last_turns(connection: Connection, address_ids: Sequence[int]) -> dict[int, dict[int, datetime]]:
    """`delivery.last_turns` of each of these addresses."""
    found: defaultdict[int, dict[int, datetime]] = defaultdict(dict)
    x, joined = newest(connection, TURNS)
    rows = connection.execute(select(A.c.id, x.c.campaign_id, func.max(x.c.started_at)).select_from(joined)
                              .where(A.c.id.in_(address_ids)).group_by(A.c.id, x.c.campaign_id))
    for address_id, campaign_id, at in rows:
        found[address_id][campaign_id] = at
    return found


def lines_busy_until(connection: Connection, address_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """`delivery.line_busy_until` of each of these fax numbers, free ones left out."""
    rows = connection.execute(select(AT.c.address_id, func.max(AT.c.line_until)).where(
        AT.c.address_id.in_(address_ids), AT.c.line_until > now).group_by(AT.c.address_id))
    return {address_id: until for address_id, until in rows}


def newest(connection: Connection, most: int, *where: ColumnElement[bool]) -> tuple[Any, Any]:
    """Addresses joined to their newest `most` attempts: the attempts, and the join."""
    if connection.dialect.name == "postgresql":
        chosen: Select[Any] = select(AT.c.started_at, AT.c.campaign_id)
        found = chosen.where(AT.c.address_id == A.c.id, *where).order_by(AT.c.started_at.desc()).limit(most).lateral()
        return found, A.join(found, true())
    x = AT.alias("newest")  # SQLite knows no lateral, but a list for each row
    ids = select(AT.c.id).where(AT.c.address_id == A.c.id, *where).order_by(AT.c.started_at.desc()).limit(most).correlate(A)
    return x, A.join(x, and_(x.c.id.in_(ids)))
