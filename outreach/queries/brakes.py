"""What is asked to see whether a campaign's letters fail too often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, literal_column, or_, select

from outreach.domain.letters import Reason, State, Verdict
from outreach.models import Attempt, Campaign, Letter, Target, TargetAddress, table

C, AT, T, TA, L = table(Campaign), table(Attempt), table(Target), table(TargetAddress), table(Letter)
# Written out, not bound: SQLite takes the partial index only so.
_BAD = AT.c.verdict.in_((literal_column("'refused'"), literal_column("'bounced'")))
_SPENT = select(L.c.id).where(L.c.id == AT.c.letter_id, L.c.attempt_id == AT.c.id, L.c.state == State.FAILED.value,
                              L.c.reason == Reason.TOO_MANY_TRIES.value).exists()
"""Put off, and it was the letter's last try."""


class Failing(NamedTuple):
    """A campaign of whose hand-overs some failed for good."""

    id: int
    slug: str
    resumed_at: datetime | None
    failed: int
    reason: str | None


def failing(connection: Connection, since: datetime, least: int) -> Sequence[Failing]:
    """Live campaigns with at least `least` hand-overs that failed for good since then (or since they were resumed), also those that
    were a letter's last try in vain: id, slug, resumed_at, failed, and the most frequent reason."""
    bad = and_(AT.c.campaign_id == C.c.id, _BAD, or_(AT.c.retryable.is_(False), _SPENT),
               AT.c.ended_at > since, or_(C.c.resumed_at.is_(None), AT.c.ended_at > C.c.resumed_at))
    rows = connection.execute(
        select(C.c.id, C.c.slug, C.c.resumed_at, AT.c.reason, func.count().label("n")).select_from(C.join(AT, bad))
        .where(C.c.state == "live").group_by(C.c.id, C.c.slug, C.c.resumed_at, AT.c.reason).order_by(C.c.id, func.count().desc())).all()
    found: dict[int, Failing] = {}
    for row in rows:
        known = found.get(row.id)
        found[row.id] = Failing(row.id, row.slug, row.resumed_at, row.n + (known.failed if known else 0),
                                known.reason if known else row.reason)
    return [f for f in found.values() if f.failed >= least]


def ended_since(connection: Connection, campaign_id: int, since: datetime) -> int:
    """How many hand-overs of a campaign that started since then have come to something; what was only put off has not."""
    places = select(TA.c.address_id).join(T, T.c.id == TA.c.target_id).where(T.c.campaign_id == campaign_id)
    return connection.execute(select(func.count()).select_from(AT).where(
        AT.c.address_id.in_(places), AT.c.started_at >= since, AT.c.campaign_id == campaign_id,
        AT.c.verdict.not_in((Verdict.OPEN.value, Verdict.VOID.value)), or_(~_BAD, AT.c.retryable.is_(False), _SPENT))).scalar_one()
