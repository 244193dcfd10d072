"""What is asked about pauses: the condition that every claim carries, and what is paused now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select

from outreach.models import Address, Budget, Campaign, Lane, Letter, Notice, Pause, Target, TargetAddress, table

P, L, T, TA, A, C, LANE, N = (table(Pause), table(Letter), table(Target), table(TargetAddress), table(Address), table(Campaign),
                              table(Lane), table(Notice))
B = table(Budget)
_PAUSED_CHANNELS = select(P.c.name).where(P.c.kind == "channel")
PAUSED_TARGETS = select(P.c.target_id).where(P.c.kind == "target")
"""A sub-select: the ids of targets to which nothing is sent for the time being."""

SPENT = select(B.c.campaign_id).where(B.c.full_at.is_not(None))
"""A sub-select: the ids of campaigns whose fax budget is used up."""
NOT_SPENT: ColumnElement[bool] = or_(L.c.channel != "fax", L.c.campaign_id.not_in(SPENT))
"""The condition on a letter under which there is money for it."""

# No part of this looks at the letter inside the sub-select: each is run once a statement, not once a letter.
NOT_PAUSED: ColumnElement[bool] = and_(
    ~select(P.c.kind).where(or_(P.c.kind == "everything", and_(P.c.kind == "provider", P.c.name == bindparam("transport", "")))).exists(),
    L.c.channel.not_in(_PAUSED_CHANNELS), L.c.target_id.not_in(PAUSED_TARGETS), NOT_SPENT)
"""The condition on a letter under which no pause holds it, and no budget that is used up. Takes the parameter `transport`, the name
of the transport that would take it ("smtp", "sendgrid", "twilio", "telnyx"); without it a provider's pause is not seen."""


NOTICE_NOT_HELD: ColumnElement[bool] = and_(
    ~select(P.c.kind).where(or_(P.c.kind == "everything", and_(P.c.kind == "channel", P.c.name == "email"),
                                and_(P.c.kind == "provider", P.c.name == bindparam("transport", "")))).exists(),
    or_(N.c.kind.not_in(("confirm", "remind", "ask")), N.c.campaign_id.not_in(select(C.c.id).where(C.c.state == "stopped"))))
"""The same for a mail of our own. While a campaign is stopped nobody is asked to confirm a letter to it."""


def every(connection: Connection) -> Sequence[Row[Any]]:
    """Whole rows of all pauses, the oldest first."""
    return connection.execute(select(P).order_by(P.c.at, P.c.kind, P.c.name)).all()


def listed(connection: Connection) -> Sequence[Any]:
    """All pauses with what is shown of them, the oldest first: kind, name, at, who, why, and of a target slug and key."""
    return connection.execute(
        select(P.c.kind, P.c.name, P.c.at, P.c.who, P.c.why, C.c.slug, T.c.key)
        .select_from(P.outerjoin(T, T.c.id == P.c.target_id).outerjoin(C, C.c.id == T.c.campaign_id))
        .order_by(P.c.at, P.c.kind, P.c.name)).all()


def target(connection: Connection, slug: str, key: str) -> Any | None:
    """A campaign's target by its id in the file: id, campaign_id."""
    return connection.execute(select(T.c.id, T.c.campaign_id).join(C, C.c.id == T.c.campaign_id)
                              .where(C.c.slug == slug, T.c.key == key)).first()


def lanes_of_target(connection: Connection, target_id: int) -> list[int]:
    """Address ids of the lanes in which letters to one target may wait, ascending."""
    return list(connection.execute(
        select(LANE.c.address_id).where(LANE.c.address_id.in_(select(TA.c.address_id).where(TA.c.target_id == target_id)))
        .order_by(LANE.c.address_id)).scalars())


def lanes_of_channel(connection: Connection, channel: str | None) -> list[int]:
    """Address ids of the lanes of a channel, of all channels for None, ascending."""
    chosen = select(LANE.c.address_id).order_by(LANE.c.address_id)
    return list(connection.execute(chosen if channel is None else chosen.where(LANE.c.queue == channel)).scalars())
