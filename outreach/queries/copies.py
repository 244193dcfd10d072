"""What is asked about the copies that a campaign's inbox gets, and about the pace of such an inbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, and_, func, literal_column, select, type_coerce

from outreach.domain.copies import Slots
from outreach.models import Attempt, Campaign, CampaignVersion, Copy, CopySlot, Letter, Notice, Submission, Target, table

CP, SLOT, L, S, T, AT = table(Copy), table(CopySlot), table(Letter), table(Submission), table(Target), table(Attempt)
C, V, N = table(Campaign), table(CampaignVersion), table(Notice)
WAITS = and_(CP.c.how == literal_column("'digest'"), CP.c.state == literal_column("'offered'"), CP.c.digest_id.is_(None))
"""A copy that no digest has taken yet. In the words of its index, since a database does not look for an index by parameters."""


def lock_inbox(connection: Connection, inbox: str) -> None:
    """Nobody else starts a mail to this inbox until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"inbox {inbox}", 0))))


def log(connection: Connection, inbox: str, after: datetime) -> list[Slots]:
    """The mails to an inbox of which one started, or may still start, after this time."""
    return [Slots(row.n, row.until) for row in connection.execute(
        select(SLOT.c.n, SLOT.c.until).where(SLOT.c.inbox == inbox, SLOT.c.until > after))]


def sharing(connection: Connection, inbox: str) -> list[int]:
    """The current versions' ids of live campaigns that copy to this inbox (as the JSON of their definitions has it)."""
    wanted = f'"inbox":{json.dumps(inbox)}'
    return list(connection.execute(select(V.c.id).join(C, C.c.version_id == V.c.id).where(
        C.c.state == "live", type_coerce(V.c.definition, Text).contains(wanted, autoescape=True))).scalars())


def queued_mails(connection: Connection, inbox: str) -> int:
    """How many copies of faxes wait to go to this inbox as mails of their own."""
    return connection.execute(select(func.count()).select_from(N).where(
        N.c.state == "queued", N.c.kind == "fax_copy", N.c.recipient == inbox)).scalar_one()


def may_have_copied(connection: Connection, inbox: str, attempt_ids: Sequence[str]) -> set[str]:
    """Those of these attempts whose holder had some of the inbox's allowance, so that a copy may have gone in Cc."""
    return set(connection.execute(
        select(AT.c.id).where(AT.c.id.in_(attempt_ids), select(SLOT.c.id).where(
            SLOT.c.inbox == inbox, SLOT.c.holder == AT.c.holder).exists())).scalars())


def waiting(connection: Connection) -> Sequence[Any]:
    """Where copies wait for a digest: campaign_id, inbox, and `oldest`, when the first of its letters went out."""
    return connection.execute(select(CP.c.campaign_id, CP.c.inbox, func.min(CP.c.at).label("oldest")).where(WAITS)
                              .group_by(CP.c.campaign_id, CP.c.inbox).order_by(CP.c.campaign_id, CP.c.inbox)).all()


def is_under_way(connection: Connection, campaign_id: int, inbox: str) -> bool:
    """Whether a digest of this campaign to this inbox waits to be sent or is being sent."""
    return connection.execute(select(N.c.id).where(
        N.c.kind == "digest", N.c.state.in_(("queued", "sending")), N.c.campaign_id == campaign_id, N.c.recipient == inbox)
        .limit(1)).first() is not None


def next_of(campaign_id: int, inbox: str, most: int) -> Any:
    """A sub-select: the ids of the letters that the next digest takes, in the order in which they went out."""
    return (select(CP.c.letter_id).where(WAITS, CP.c.campaign_id == campaign_id, CP.c.inbox == inbox)
            .order_by(CP.c.at, CP.c.letter_id).limit(most))


def listed(connection: Connection, digest_id: str) -> Sequence[Any]:
    """The letters of a digest as they went out: id, at, channel, state, target (its key), version_id, name, started_at, gone.

    `gone` says that their writer has taken them back or was erased.
    """
    gone = (L.c.withdrawn_at.is_not(None) | S.c.withdrawn_at.is_not(None) | S.c.erased_at.is_not(None)).label("gone")
    return connection.execute(
        select(L.c.id, CP.c.at, L.c.channel, L.c.state, T.c.key.label("target"), S.c.version_id, S.c.name, AT.c.started_at, gone)
        .select_from(CP.join(L, L.c.id == CP.c.letter_id).join(S, S.c.id == L.c.submission_id).join(T, T.c.id == L.c.target_id)
                     .join(AT, AT.c.id == CP.c.attempt_id, isouter=True))
        .where(CP.c.digest_id == digest_id).order_by(CP.c.at, L.c.id)).all()


def taken_back(connection: Connection, letter_id: str) -> bool:
    """Whether a letter's writer has taken it back or was erased."""
    return connection.execute(select(L.c.id).join(S, S.c.id == L.c.submission_id).where(
        L.c.id == letter_id, L.c.withdrawn_at.is_(None), S.c.withdrawn_at.is_(None), S.c.erased_at.is_(None))).first() is None
