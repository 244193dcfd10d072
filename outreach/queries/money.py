"""What is asked about costs and budgets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from outreach.domain.letters import Verdict
from outreach.models import Attempt, Budget, Campaign, Cost, table

B, COST, AT, C = table(Budget), table(Cost), table(Attempt), table(Campaign)
ENDED = (Verdict.DELIVERED.value, Verdict.BOUNCED.value, Verdict.REFUSED.value, Verdict.VOID.value)


def purse(connection: Connection, campaign_id: int) -> Any | None:
    """A campaign's budget: cap, spent, full_at; None before its first fax and its first cap."""
    return connection.execute(select(B.c.cap, B.c.spent, B.c.full_at).where(B.c.campaign_id == campaign_id)).first()


def locked(connection: Connection, campaign_ids: Sequence[int]) -> None:
    """Lock these budgets in the order of their campaigns; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(B.c.campaign_id).where(B.c.campaign_id.in_(campaign_ids)).order_by(B.c.campaign_id)
                           .with_for_update()).all()


def capped(connection: Connection, campaign_ids: Sequence[int]) -> set[int]:
    """Those of these campaigns that have a cap."""
    return set(connection.execute(select(B.c.campaign_id).where(B.c.campaign_id.in_(campaign_ids), B.c.cap.is_not(None))).scalars())


def nearly_spent(connection: Connection, percent: int) -> Sequence[Any]:
    """Budgets of campaigns that still send, spent to so many percent or more: campaign_id, slug, title, cap, spent, full_at."""
    return connection.execute(
        select(B.c.campaign_id, C.c.slug, C.c.title, B.c.cap, B.c.spent, B.c.full_at).join(C, C.c.id == B.c.campaign_id)
        .where(C.c.state.in_(("live", "paused")), B.c.cap.is_not(None),
               or_(B.c.full_at.is_not(None), B.c.spent * 100 >= B.c.cap * percent))).all()


def to_settle(connection: Connection, before: datetime, price: int, most: int) -> Sequence[Any]:
    """Open costs that are older than `before`, or whose attempt has arrived, or ended at another cost than is written down:
    attempt_id, campaign_id, amount, at, verdict, pages."""
    ended = and_(AT.c.verdict.in_(ENDED), COST.c.amount != func.coalesce(AT.c.pages, 0) * price)
    return connection.execute(
        select(COST.c.attempt_id, COST.c.campaign_id, COST.c.amount, COST.c.at, AT.c.verdict, AT.c.pages)
        .join(AT, AT.c.id == COST.c.attempt_id)
        .where(~COST.c.final, or_(AT.c.verdict == Verdict.DELIVERED.value, ended, COST.c.at < before))
        .order_by(COST.c.attempt_id).limit(most)).all()


def full(connection: Connection, campaign_ids: Sequence[int]) -> list[int]:
    """Those of these campaigns whose budget is full."""
    return list(connection.execute(select(B.c.campaign_id).where(B.c.campaign_id.in_(campaign_ids), B.c.full_at.is_not(None))).scalars())


def by_provider(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """By provider: faxes, pages, amount, and of the amount what is still an estimate."""
    return connection.execute(
        select(COST.c.provider, func.count().label("faxes"), func.coalesce(func.sum(COST.c.pages), 0).label("pages"),
               func.coalesce(func.sum(COST.c.amount), 0).label("amount"),
               func.coalesce(func.sum(COST.c.amount).filter(~COST.c.final), 0).label("estimated"))
        .where(COST.c.campaign_id == campaign_id).group_by(COST.c.provider).order_by(COST.c.provider)).all()


def average(connection: Connection, campaign_id: int) -> int | None:
    """What a fax that arrived cost on average; None before the first."""
    found = connection.execute(select(func.avg(COST.c.amount)).where(
        and_(COST.c.campaign_id == campaign_id, COST.c.final, COST.c.amount > 0))).scalar()
    return None if found is None else round(found)


def total(connection: Connection, campaign_id: int) -> int:
    """The sum of all costs: what `spent` must be."""
    return int(connection.execute(select(func.coalesce(func.sum(COST.c.amount), 0)).where(COST.c.campaign_id == campaign_id)).scalar_one())
