"""What is asked about drafts and about a campaign's versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from outreach.models import Address, Campaign, CampaignVersion, Draft, Lane, Member, table

D, V, C, M = table(Draft), table(CampaignVersion), table(Campaign), table(Member)
A, LANE = table(Address), table(Lane)


def by_id(connection: Connection, draft_id: str) -> Row[Any] | None:
    """One draft, whole."""
    return connection.execute(select(D).where(D.c.id == draft_id)).first()


def of_campaign(connection: Connection, campaign_id: int) -> Row[Any] | None:
    """The draft of a campaign's next version."""
    return connection.execute(select(D).where(D.c.campaign_id == campaign_id)).first()


def mine(connection: Connection, organizer_id: int) -> Sequence[Row[Any]]:
    """What somebody has begun and no campaign has come of yet, the newest first."""
    return connection.execute(select(D).where(D.c.organizer_id == organizer_id, D.c.campaign_id.is_(None))
                              .order_by(D.c.updated_at.desc()).limit(100)).all()


def count(connection: Connection, organizer_id: int) -> int:
    """How many of these there are; at most 101."""
    return len(mine(connection, organizer_id))


def versions(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """A campaign's versions without their content, the newest first."""
    return connection.execute(select(V.c.id, V.c.number, V.c.created_at, V.c.who).where(V.c.campaign_id == campaign_id)
                              .order_by(V.c.number.desc())).all()


def version(connection: Connection, campaign_id: int, number: int) -> Row[Any] | None:
    """One version of a campaign with its content."""
    return connection.execute(select(V).where(V.c.campaign_id == campaign_id, V.c.number == number)).first()


def number_of(connection: Connection, version_id: int) -> int | None:
    """A version's number in its campaign."""
    return connection.execute(select(V.c.number).where(V.c.id == version_id)).scalar()


def slug_taken(connection: Connection, slug: str) -> bool:
    """Whether some campaign has it."""
    return connection.execute(select(C.c.id).where(C.c.slug == slug)).first() is not None


def open_to(connection: Connection, organizer_id: int) -> Sequence[Any]:
    """Campaigns whose content somebody may read: slug and title, the newest first."""
    return connection.execute(select(C.c.slug, C.c.title).join(M, M.c.campaign_id == C.c.id).where(M.c.organizer_id == organizer_id)
                              .order_by(C.c.id.desc()).limit(200)).all()


def every_campaign(connection: Connection) -> Sequence[Any]:
    """The same for the operator."""
    return connection.execute(select(C.c.slug, C.c.title).order_by(C.c.id.desc()).limit(200)).all()


def never_targets(connection: Connection, values: Sequence[str]) -> list[str]:
    """Those of these e-mail addresses that are known only as some campaign's inbox, which nobody approves: no lane leads there."""
    return list(connection.execute(select(A.c.value).where(
        A.c.channel == "email", A.c.state == "ok", A.c.value.in_(values), A.c.id.not_in(select(LANE.c.address_id)))).scalars())
