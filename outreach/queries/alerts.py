"""What is asked about matters that somebody should look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select, union_all

from outreach.domain.letters import State
from outreach.models import (
    Address,
    Alert,
    Breaker,
    Campaign,
    Counter,
    CounterDelta,
    Letter,
    Member,
    Notice,
    Organizer,
    Report,
    Target,
    TargetAddress,
    table,
)

A, C = table(Alert), table(Campaign)
M, PEOPLE, L, N = table(Member), table(Organizer), table(Letter), table(Notice)
COUNTERS, DELTAS = table(Counter), table(CounterDelta)
T, TA, ADDR, BREAKERS, REPORTS = table(Target), table(TargetAddress), table(Address), table(Breaker), table(Report)
AWAKE = ("live", "paused")


def open_ones(connection: Connection) -> Sequence[Any]:
    """Every alert that is not over, locked by id until this transaction ends."""
    return connection.execute(select(A).where(A.c.closed_at.is_(None)).order_by(A.c.id).with_for_update()).all()


def by_id(connection: Connection, alert_id: str) -> Any | None:
    """One alert."""
    return connection.execute(select(A).where(A.c.id == alert_id)).first()


def of_campaign(connection: Connection, campaign_id: int | None, most: int) -> Sequence[Any]:
    """A campaign's alerts (None: the operator's), open ones first, then the newest."""
    mine = A.c.campaign_id.is_(None) if campaign_id is None else A.c.campaign_id == campaign_id
    return connection.execute(select(A).where(mine).order_by(A.c.closed_at.is_not(None), A.c.opened_at.desc(), A.c.id).limit(most)).all()


def paused_themselves(connection: Connection) -> Sequence[Any]:
    """Campaigns that are paused for a reason: id, slug, title, paused_why."""
    return connection.execute(select(C.c.id, C.c.slug, C.c.title, C.c.paused_why).where(
        C.c.state == "paused", C.c.paused_why.is_not(None))).all()


def with_deadline(connection: Connection, now: datetime) -> Sequence[Any]:
    """Campaigns that are live and have a deadline ahead: id, slug, title."""
    return connection.execute(select(C.c.id, C.c.slug, C.c.title).where(C.c.state == "live", C.c.deadline > now)).all()


def unknown(connection: Connection, before: datetime) -> Sequence[Any]:
    """Campaigns with letters whose outcome has not been known since before this time: id, slug, title, n."""
    return connection.execute(
        select(C.c.id, C.c.slug, C.c.title, func.count().label("n")).join(L, L.c.campaign_id == C.c.id)
        .where(L.c.state == "unknown", L.c.state_at < before).group_by(C.c.id, C.c.slug, C.c.title)).all()


def suspect(connection: Connection) -> Sequence[Any]:
    """Suspect addresses with the campaigns that write to them: campaign_id, slug, title, address_id, value, state_reason, name."""
    return connection.execute(
        select(C.c.id.label("campaign_id"), C.c.slug, C.c.title, ADDR.c.id.label("address_id"), ADDR.c.value, ADDR.c.state_reason,
               func.min(T.c.name).label("name"))
        .join(TA, TA.c.address_id == ADDR.c.id).join(T, and_(T.c.id == TA.c.target_id, T.c.active)).join(C, C.c.id == T.c.campaign_id)
        .where(ADDR.c.state == "suspect", C.c.state.in_(AWAKE))
        .group_by(C.c.id, C.c.slug, C.c.title, ADDR.c.id, ADDR.c.value, ADDR.c.state_reason)).all()


def proposed(connection: Connection) -> Sequence[Any]:
    """Addresses that wait for the operator's approval: id, value, name and campaign (the first of those that name them)."""
    return connection.execute(
        select(ADDR.c.id, ADDR.c.value, func.min(T.c.name).label("name"), func.min(C.c.title).label("title"))
        .join(TA, TA.c.address_id == ADDR.c.id).join(T, T.c.id == TA.c.target_id).join(C, C.c.id == T.c.campaign_id)
        .where(ADDR.c.state == "proposed").group_by(ADDR.c.id, ADDR.c.value)).all()


def failing_providers(connection: Connection, since: datetime) -> Sequence[Any]:
    """Providers that have not been usable since before this time: transport, why, since."""
    return connection.execute(select(BREAKERS.c.transport, BREAKERS.c.why, BREAKERS.c.since).where(BREAKERS.c.since <= since)).all()


def waiting_for(connection: Connection, channel: str) -> Sequence[Any]:
    """Live campaigns of which letters on this channel are queued, as the counters have it: id, slug, title."""
    queued = f"letter:{State.QUEUED.value}"
    both = union_all(*(select(t.c.campaign_id, n.label("n")).where(t.c.name == queued, t.c.channel == channel)
                       for t, n in ((COUNTERS, COUNTERS.c.n), (DELTAS, DELTAS.c.delta)))).subquery()
    some = select(both.c.campaign_id).group_by(both.c.campaign_id).having(func.sum(both.c.n) > 0)
    return connection.execute(select(C.c.id, C.c.slug, C.c.title).where(C.c.state == "live", C.c.id.in_(some)).order_by(C.c.id)).all()


def not_mailed_yet(connection: Connection, alert_id: str) -> set[str]:
    """Who has not been mailed yet that an alert was opened: addresses. Nobody begins to mail them until this transaction ends."""
    return set(connection.execute(select(N.c.recipient).where(
        N.c.kind == "alert", N.c.ref.startswith(f"{alert_id}:", autoescape=True), N.c.state == "queued").with_for_update()).scalars())


def people(connection: Connection, campaign_id: int | None) -> list[Any]:
    """Who is told: a campaign's owners and organizers; the operators for what is no campaign's, or nobody's there. id, email."""
    able = select(PEOPLE.c.id, PEOPLE.c.email).where(PEOPLE.c.disabled_at.is_(None)).order_by(PEOPLE.c.id)
    found: list[Any] = []
    if campaign_id is not None:
        found = list(connection.execute(able.join(M, M.c.organizer_id == PEOPLE.c.id).where(
            M.c.campaign_id == campaign_id, M.c.role.in_(("owner", "organizer")))).all())
    return found or list(connection.execute(able.where(PEOPLE.c.operator)).all())


def slug_of(connection: Connection, campaign_id: int) -> str:
    """A campaign's slug."""
    return str(connection.execute(select(C.c.slug).where(C.c.id == campaign_id)).scalar_one())


def open_reports(connection: Connection) -> Sequence[Any]:
    """Reports about campaigns that nobody has looked into: id, campaign_id, title."""
    return connection.execute(select(REPORTS.c.id, REPORTS.c.campaign_id, C.c.title).join(C, C.c.id == REPORTS.c.campaign_id)
                              .where(REPORTS.c.closed_at.is_(None))).all()
