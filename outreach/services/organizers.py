"""Organizers as the operator sees them: made, listed, disabled, let in anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.addresses import normal_address
from outreach.errors import Malformed, NotFound
from outreach.models import ApiToken, Member, Organizer, table
from outreach.queries import people
from outreach.services import audit, second_factor, sessions

_ORGANIZERS, _MEMBERS, _TOKENS = table(Organizer), table(Member), table(ApiToken)


def normal(email: str) -> str:
    """An organizer's address as it is kept. Raises Malformed."""
    try:
        return normal_address(email).lower()
    except ValueError as e:
        raise Malformed(f"{email.strip()[:320]!r} is no e-mail address") from e


def known_or_new(c: Connection, email: str, *, operator: bool = False, now: datetime) -> Any:
    """The organizer with this address (normal form), locked; made if new, an operator from now on if `operator`."""
    c.execute(dialect_insert(c, _ORGANIZERS).values(email=email, operator=operator, created_at=now).on_conflict_do_nothing())
    row = people.organizer_locked(c, people.organizer(c, email))
    assert row is not None  # noqa: S101  # organizers are never deleted
    if operator and not row.operator:
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == row.id).values(operator=True))
    return row


def set_role(c: Connection, campaign_id: int, organizer_id: int, role: str, *, now: datetime) -> None:
    """Make somebody a member of a campaign, or another kind of member."""
    row = dialect_insert(c, _MEMBERS).values(campaign_id=campaign_id, organizer_id=organizer_id, role=role, at=now)
    c.execute(row.on_conflict_do_update(index_elements=["campaign_id", "organizer_id"], set_={"role": role}))


def list_all() -> Sequence[Any]:
    """Every organizer by address; also `campaigns` (how many they have a part in) and `seen_at`."""
    with reading() as c:
        return people.organizers(c)


def disable(email: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> None:
    """Shut somebody out at once, from the API too; nothing of theirs is lost. Raises NotFound."""
    with unit_of_work() as c:
        row = _known(c, email)
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == row.id).values(disabled_at=row.disabled_at or now))
        sessions.end_all(c, row.id)
        audit.note(c, "organizer disabled", at=now, who=who, detail=row.email)


def enable(email: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> None:
    """Let somebody sign in again. Raises NotFound."""
    with unit_of_work() as c:
        row = _known(c, email)
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == row.id).values(disabled_at=None))
        audit.note(c, "organizer enabled", at=now, who=who, detail=row.email)


def reset(email: str, *, now: datetime, who: str = audit.COMMAND_LINE) -> int:
    """For somebody who lost everything: password, second factor, sessions and API tokens are forgotten. Returns their id.

    Raises NotFound.
    """
    with unit_of_work() as c:
        row = _known(c, email)
        begin_anew(c, row.id, now=now)
        audit.note(c, "organizer reset", at=now, who=who, detail=row.email)
    return int(row.id)


def begin_anew(c: Connection, organizer_id: int, *, now: datetime) -> None:
    """Forget password and second factor, end all sessions and API tokens: whoever comes next has to come by a link."""
    c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == organizer_id).values(password=None))
    c.execute(update(_TOKENS).where(_TOKENS.c.organizer_id == organizer_id, _TOKENS.c.revoked_at.is_(None)).values(revoked_at=now))
    second_factor.forget(c, organizer_id)
    sessions.end_all(c, organizer_id)


def _known(c: Connection, email: str) -> Any:
    row = people.organizer_by_email(c, normal(email))
    if row is None:
        raise NotFound(f"there is no organizer {email!r}; `outreach organizer list` shows them all")
    return row
