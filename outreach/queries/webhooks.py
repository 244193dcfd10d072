"""What is asked about the programs that are told of events, and about what waits to be posted to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, or_, select

from outreach.models import Campaign, Letter, LetterEvent, Target, Webhook, WebhookDelivery, table

W, D, C, L, E, T = table(Webhook), table(WebhookDelivery), table(Campaign), table(Letter), table(LetterEvent), table(Target)


def of_campaign(connection: Connection, campaign_id: int | None) -> Sequence[Row[Any]]:
    """A campaign's webhooks (None: the operator's), the oldest first."""
    mine = W.c.campaign_id.is_(None) if campaign_id is None else W.c.campaign_id == campaign_id
    return connection.execute(select(W).where(mine).order_by(W.c.id)).all()


def one(connection: Connection, webhook_id: str) -> Row[Any] | None:
    """One webhook."""
    return connection.execute(select(W).where(W.c.id == webhook_id)).first()


def listeners(connection: Connection, campaign_id: int | None, *, operators: bool = True) -> Sequence[Row[Any]]:
    """Webhooks in use that hear of this campaign: its own and (unless `operators` is False) the operator's."""
    heard: list[ColumnElement[bool]] = [W.c.campaign_id.is_(None)] if operators else [false()]
    if campaign_id is not None:
        heard.append(W.c.campaign_id == campaign_id)
    return connection.execute(select(W).where(W.c.disabled_at.is_(None), or_(*heard)).order_by(W.c.id)).all()


def behind(connection: Connection) -> Sequence[Row[Any]]:
    """Webhooks in use, the one whose reading of letter events is the furthest behind first."""
    return connection.execute(select(W).where(W.c.disabled_at.is_(None)).order_by(W.c.since_event, W.c.id)).all()


# letter events

def newest_event(connection: Connection) -> int:
    """The id of the newest letter event; 0 without any."""
    return int(connection.execute(select(func.coalesce(func.max(E.c.id), 0))).scalar_one())


def settled(connection: Connection, after: int, most: int, young: datetime) -> tuple[int | None, bool]:
    """Of the next `most` events after the id `after`: the last before the first that is not older than `young`, and whether all of
    them are older. None where there is none.

    A later number may carry an earlier time, so what comes after a young one is not looked at.
    """
    window = select(E.c.id, E.c.at).where(E.c.id > after).order_by(E.c.id).limit(most).cte("next_events")
    first_young = select(func.min(window.c.id)).where(window.c.at >= young).scalar_subquery()
    last, n = connection.execute(select(func.max(window.c.id), func.count()).where(
        or_(first_young.is_(None), window.c.id < first_young))).one()
    return last, n == most


def events(connection: Connection, after: int, last: int, states: Collection[str], *, campaign_id: int | None) -> Sequence[Any]:
    """A campaign's letter events (None: of all) into these states with ids in (after, last], in order:
    id, letter_id, at, before, after, why, slug, target (its key), channel."""
    mine = [] if campaign_id is None else [L.c.campaign_id == campaign_id]
    return connection.execute(
        select(E.c.id, E.c.letter_id, E.c.at, E.c.before, E.c.after, E.c.why, C.c.slug, T.c.key.label("target"), L.c.channel)
        .join(L, L.c.id == E.c.letter_id).join(C, C.c.id == L.c.campaign_id).join(T, T.c.id == L.c.target_id)
        .where(E.c.id > after, E.c.id <= last, E.c.after.in_(states), *mine).order_by(E.c.id)).all()


# deliveries

def _due(now: datetime) -> ColumnElement[bool]:
    return or_(and_(D.c.state == "queued", D.c.not_before <= now), and_(D.c.state == "sending", D.c.lease_until <= now))


def _with_something_due(now: datetime) -> Select[Any]:
    waits = select(D.c.id).where(D.c.webhook_id == W.c.id, D.c.state.in_(("queued", "sending")), _due(now))
    return select(W).where(W.c.disabled_at.is_(None), W.c.not_before <= now, waits.exists()).order_by(
        ~waits.where(D.c.rank == 0).exists(), W.c.turn_at, W.c.id).limit(1)


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether something waits to be posted now, to a webhook that does not rest."""
    return connection.execute(_with_something_due(now)).first() is not None


def next_webhook(connection: Connection, now: datetime) -> Row[Any] | None:
    """The webhook whose turn it is, locked (one that somebody else has locked is left out): those with an alert due first, then
    the one whose last turn is the longest ago."""
    return connection.execute(_with_something_due(now).with_for_update(skip_locked=True)).first()


def next_delivery(webhook_id: str, now: datetime) -> Select[Any]:
    """A sub-select: what to post next to a webhook, alerts before letters, the oldest first."""
    return select(D.c.id).where(D.c.webhook_id == webhook_id, D.c.state.in_(("queued", "sending")), _due(now)).order_by(
        D.c.rank, D.c.id).limit(1)


def ended(before: datetime, older: str, most: int) -> Select[Any]:
    """A sub-select: deliveries that ended before a time, and whose ids are below `older` (ids grow with time)."""
    return select(D.c.id).where(D.c.id < older, D.c.ended_at < before).order_by(D.c.id).limit(most)
