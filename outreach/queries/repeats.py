"""What is asked about the letters that were there before a repeat of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from outreach.domain.letters import Reason, State
from outreach.models import Attempt, Letter, Submission, Target, table

L, S, T, AT = table(Letter), table(Submission), table(Target), table(Attempt)

_PAGES = select(func.max(AT.c.pages)).where(AT.c.letter_id == L.c.id).scalar_subquery()
_HELD_A_PLACE = or_(
    L.c.counts, and_(L.c.state == State.UNCONFIRMED.value, S.c.asked_at.is_not(None)),
    and_(L.c.state.in_((State.CANCELLED.value, State.EXPIRED.value)),
         func.coalesce(L.c.reason, "").not_in((Reason.DUPLICATE.value, Reason.NOT_CONFIRMED.value))))
"""A letter that counts, or one that did and has gone back to its writer or come to its end."""


def firsts(connection: Connection, submission_id: str, campaign_id: int, fingerprint: str, targets: Sequence[int]) -> Sequence[Row[Any]]:
    """One person's letters to `targets` that another submission than this one has; for each target the one that counts comes first,
    then the latest. Whole rows with target (its name), timezone, position, pages, and its submission's asked_at."""
    return connection.execute(
        select(L, T.c.name.label("target"), T.c.timezone, T.c.position, _PAGES.label("pages"), S.c.asked_at)
        .select_from(L.join(T, T.c.id == L.c.target_id).join(S, S.c.id == L.c.submission_id))
        .where(L.c.campaign_id == campaign_id, L.c.target_id.in_(targets), L.c.fingerprint == fingerprint,
               L.c.submission_id != submission_id, _HELD_A_PLACE)
        .order_by(T.c.position, L.c.counts.desc(), L.c.state_at.desc())).all()
