"""What is asked about submissions, one at a time; what the sweep asks about many is in `upkeep`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from outreach.models import NetworkUse, Submission, table

S, USE = table(Submission), table(NetworkUse)

# Built once: this stands on the way of every form.
_FORMS_OF_NETWORK = select(func.coalesce(func.sum(USE.c.n), 0)).where(
    USE.c.network == bindparam("network"), USE.c.since > bindparam("after"))


def by_id(connection: Connection, submission_id: str | None) -> Row[Any] | None:
    """The whole row of one submission."""
    return connection.execute(select(S).where(S.c.id == submission_id)).first()


def by_id_locked(connection: Connection, submission_id: str) -> Row[Any] | None:
    """The same, and nobody else changes it until this transaction ends."""
    return connection.execute(select(S).where(S.c.id == submission_id).with_for_update()).first()


def by_form(connection: Connection, form_hash: str) -> Row[Any] | None:
    """The submission that a form's token, hashed, led to."""
    return connection.execute(select(S).where(S.c.form_hash == form_hash)).first()


def by_form_locked(connection: Connection, form_hash: str) -> Row[Any] | None:
    """The same, and nobody else changes it until this transaction ends."""
    return connection.execute(select(S).where(S.c.form_hash == form_hash).with_for_update()).first()


def of_person(connection: Connection, campaign_id: int, fingerprint: str) -> list[str]:
    """Ids of one person's submissions in a campaign that are not erased yet."""
    return list(connection.execute(select(S.c.id).where(
        S.c.campaign_id == campaign_id, S.c.fingerprint == fingerprint, S.c.erased_at.is_(None))).scalars())


def forms_of_network(connection: Connection, network: str, after: datetime) -> int:
    """How many forms a network (its keyed hash) has sent in the slots that began after `after`."""
    return int(connection.execute(_FORMS_OF_NETWORK, {"network": network, "after": after}).scalar_one())
