"""The acceptable-use text: which one is in force, and who has accepted it. It stands in templates/organizer/terms.html."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from outreach.db import unit_of_work
from outreach.models import Organizer, table
from outreach.services import audit
from outreach.services.access import Visitor

_ORGANIZERS = table(Organizer)
VERSION = "2026-11"
"""Of the text in force. A change of what it asks is a new version, and everybody is asked again."""


def accepted(visitor: Visitor) -> bool:
    """Whether they have accepted the text in force: needed to make a campaign and to publish one."""
    return visitor.accepted_terms == VERSION


def accept(organizer_id: int, version: str, *, now: datetime, who: str) -> bool:
    """Write down that an organizer accepts the text. False if it is not the one in force any more: they read another one."""
    if version != VERSION:
        return False
    with unit_of_work() as c:
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == organizer_id).values(accepted_terms=VERSION))
        audit.note(c, "acceptable use accepted", at=now, who=who, detail=VERSION)
    return True
