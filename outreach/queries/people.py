"""What is asked about organizers, what lets them in, and what they are in campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from outreach.models import (
    ApiToken,
    AuditEntry,
    Campaign,
    LoginLink,
    Member,
    NetworkUse,
    Notice,
    Organizer,
    RecoveryCode,
    Session,
    table,
)

ORGANIZERS, SESSIONS, MEMBERS, LINKS = table(Organizer), table(Session), table(Member), table(LoginLink)
TOKENS, CODES, AUDIT, CAMPAIGNS, USE = table(ApiToken), table(RecoveryCode), table(AuditEntry), table(Campaign), table(NetworkUse)
NOTICES = table(Notice)


def organizer(connection: Connection, email: str) -> int:
    """The id of the organizer with this address, who must be there."""
    return int(connection.execute(select(ORGANIZERS.c.id).where(ORGANIZERS.c.email == email)).scalar_one())


def organizer_by_email(connection: Connection, email: str) -> Any | None:
    """The whole row of the organizer with this address (lower case)."""
    return connection.execute(select(ORGANIZERS).where(ORGANIZERS.c.email == email)).first()


def organizer_locked(connection: Connection, organizer_id: int) -> Any | None:
    """The whole row, and nobody else changes it until this transaction ends."""
    return connection.execute(select(ORGANIZERS).where(ORGANIZERS.c.id == organizer_id).with_for_update()).first()


def organizer_by_id(connection: Connection, organizer_id: int) -> Any | None:
    """The whole row."""
    return connection.execute(select(ORGANIZERS).where(ORGANIZERS.c.id == organizer_id)).first()


def organizers(connection: Connection) -> Sequence[Any]:
    """Every organizer by address, with how many campaigns they have a part in (`campaigns`) and when they were last seen (`seen_at`)."""
    parts = select(func.count()).where(MEMBERS.c.organizer_id == ORGANIZERS.c.id).scalar_subquery()
    seen = select(func.max(SESSIONS.c.seen_at)).where(SESSIONS.c.organizer_id == ORGANIZERS.c.id).scalar_subquery()
    return connection.execute(select(ORGANIZERS, parts.label("campaigns"), seen.label("seen_at")).order_by(ORGANIZERS.c.email)).all()


def anybody(connection: Connection) -> bool:
    """Whether there is any organizer."""
    return connection.execute(select(ORGANIZERS.c.id).limit(1)).first() is not None


def signed_in(connection: Connection, token_hash: str, now: datetime) -> Any | None:
    """The organizer whose full session this is, while it lasts: id, email, name, operator, password, totp_key, accepted_terms,
    session_id, seen_at."""
    o, s = ORGANIZERS, SESSIONS
    return connection.execute(
        select(o.c.id, o.c.email, o.c.name, o.c.operator, o.c.password, o.c.totp_key, o.c.accepted_terms, s.c.id.label("session_id"),
               s.c.seen_at)
        .join(s, s.c.organizer_id == o.c.id)
        .where(s.c.token_hash == token_hash, s.c.expires_at > now, s.c.stage == "full", o.c.disabled_at.is_(None))).first()


def half_signed_in(connection: Connection, token_hash: str, now: datetime) -> Any | None:
    """The organizer (whole row) whose session waits for the second factor, while it lasts."""
    return connection.execute(
        select(ORGANIZERS).join(SESSIONS, SESSIONS.c.organizer_id == ORGANIZERS.c.id)
        .where(SESSIONS.c.token_hash == token_hash, SESSIONS.c.expires_at > now, SESSIONS.c.stage == "password",
               ORGANIZERS.c.disabled_at.is_(None))).first()


def sessions(connection: Connection, organizer_id: int, now: datetime) -> Sequence[Any]:
    """An organizer's full sessions that last, the one seen last first."""
    return connection.execute(select(SESSIONS).where(
        SESSIONS.c.organizer_id == organizer_id, SESSIONS.c.expires_at > now, SESSIONS.c.stage == "full")
        .order_by(SESSIONS.c.seen_at.desc(), SESSIONS.c.id)).all()


def link(connection: Connection, token_hash: str, now: datetime) -> Any | None:
    """A one-time link that still works, with its organizer's email, name, password and totp_key."""
    o = ORGANIZERS
    return connection.execute(
        select(LINKS, o.c.email, o.c.name, o.c.password, o.c.totp_key).join(o, o.c.id == LINKS.c.organizer_id)
        .where(LINKS.c.token_hash == token_hash, LINKS.c.used_at.is_(None), LINKS.c.expires_at > now, o.c.disabled_at.is_(None))).first()


def asked_again(connection: Connection, email: str, notice_id: str) -> bool:
    """Whether a later mail with a link for a new password is queued for this address."""
    return connection.execute(select(NOTICES.c.id).where(
        NOTICES.c.state == "queued", NOTICES.c.kind == "reset", NOTICES.c.recipient == email, NOTICES.c.id > notice_id)
        .limit(1)).first() is not None


def codes_left(connection: Connection, organizer_id: int) -> int:
    """How many recovery codes an organizer still has."""
    return connection.execute(select(func.count()).where(CODES.c.organizer_id == organizer_id, CODES.c.used_at.is_(None))).scalar_one()


def tries(connection: Connection, key: str, after: datetime) -> int:
    """How often what `key` stands for was tried in the slots that began after `after`."""
    return int(connection.execute(select(func.coalesce(func.sum(USE.c.n), 0)).where(
        USE.c.network == key, USE.c.since > after)).scalar_one())


def role(connection: Connection, organizer_id: int, campaign_id: int) -> str | None:
    """What an organizer is in a campaign."""
    return connection.execute(select(MEMBERS.c.role).where(
        MEMBERS.c.organizer_id == organizer_id, MEMBERS.c.campaign_id == campaign_id)).scalar()


def members(connection: Connection, campaign_id: int) -> Sequence[Any]:
    """A campaign's members by address: id, email, name, role, at, whether they have begun (`begun`) and whether they may come at all."""
    o, m = ORGANIZERS, MEMBERS
    return connection.execute(
        select(o.c.id, o.c.email, o.c.name, o.c.disabled_at, o.c.proved_at, o.c.password.is_not(None).label("begun"), m.c.role, m.c.at)
        .join(m, m.c.organizer_id == o.c.id).where(m.c.campaign_id == campaign_id).order_by(o.c.email)).all()


def roles_locked(connection: Connection, campaign_id: int) -> dict[int, str]:
    """Role by organizer id; nobody else changes a campaign's members until this transaction ends."""
    connection.execute(select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id == campaign_id).with_for_update())
    return {r.organizer_id: r.role for r in connection.execute(
        select(MEMBERS.c.organizer_id, MEMBERS.c.role).where(MEMBERS.c.campaign_id == campaign_id))}


def parts(connection: Connection, organizer_id: int) -> Sequence[Any]:
    """The campaigns that an organizer has a part in, by title: id, slug, title, role."""
    return connection.execute(
        select(CAMPAIGNS.c.id, CAMPAIGNS.c.slug, CAMPAIGNS.c.title, MEMBERS.c.role)
        .join(MEMBERS, MEMBERS.c.campaign_id == CAMPAIGNS.c.id)
        .where(MEMBERS.c.organizer_id == organizer_id).order_by(CAMPAIGNS.c.title, CAMPAIGNS.c.id)).all()


def every_campaign(connection: Connection) -> Sequence[Any]:
    """All campaigns, by title: id, slug, title."""
    return connection.execute(select(CAMPAIGNS.c.id, CAMPAIGNS.c.slug, CAMPAIGNS.c.title).order_by(CAMPAIGNS.c.title, CAMPAIGNS.c.id)).all()


def invitation(connection: Connection, organizer_id: int, campaign_id: int) -> Any | None:
    """What a mail of invitation speaks of: email, name, password, slug, title, role; None once they have no part there."""
    return connection.execute(
        select(ORGANIZERS.c.email, ORGANIZERS.c.name, ORGANIZERS.c.password, CAMPAIGNS.c.slug, CAMPAIGNS.c.title, MEMBERS.c.role)
        .join(MEMBERS, MEMBERS.c.organizer_id == ORGANIZERS.c.id).join(CAMPAIGNS, CAMPAIGNS.c.id == MEMBERS.c.campaign_id)
        .where(ORGANIZERS.c.id == organizer_id, CAMPAIGNS.c.id == campaign_id, ORGANIZERS.c.disabled_at.is_(None))).first()


def api_token(connection: Connection, token_hash: str, now: datetime) -> Any | None:
    """A token of the API that is in force, with its owner: the token's columns, and email, name, operator, accepted_terms."""
    o, t = ORGANIZERS, TOKENS
    return connection.execute(
        select(t, o.c.email, o.c.name.label("owner_name"), o.c.operator, o.c.accepted_terms).join(o, o.c.id == t.c.organizer_id)
        .where(t.c.token_hash == token_hash, t.c.revoked_at.is_(None), t.c.expires_at.is_(None) | (t.c.expires_at > now),
               o.c.disabled_at.is_(None))).first()


def api_tokens(connection: Connection, organizer_id: int) -> Sequence[Any]:
    """An organizer's tokens that are not revoked, the newest first, each with its campaign's title (None for all campaigns)."""
    t = TOKENS
    return connection.execute(
        select(t, CAMPAIGNS.c.title).outerjoin(CAMPAIGNS, CAMPAIGNS.c.id == t.c.campaign_id)
        .where(t.c.organizer_id == organizer_id, t.c.revoked_at.is_(None)).order_by(t.c.id.desc())).all()


def audit_entries(connection: Connection, campaign_id: int | None, before: int | None, most: int, *, who: str = "",
                  what: str = "") -> Sequence[Any]:
    """The audit log of a campaign (None: all of it), the newest first, from the one before the id `before` on: the entry's columns,
    and slug and title of its campaign. `who` and `what` stand somewhere in those columns."""
    chosen = [AUDIT.c.campaign_id == campaign_id] if campaign_id is not None else []
    if before is not None:
        chosen.append(AUDIT.c.id < before)
    chosen += [column.icontains(text, autoescape=True) for column, text in ((AUDIT.c.who, who), (AUDIT.c.what, what)) if text]
    return connection.execute(
        select(AUDIT, CAMPAIGNS.c.slug, CAMPAIGNS.c.title).outerjoin(CAMPAIGNS, CAMPAIGNS.c.id == AUDIT.c.campaign_id)
        .where(*chosen).order_by(AUDIT.c.id.desc()).limit(most)).all()
