"""Letters that were there before: until when a repeat's page shows what a first one's would, and which letters it stands for.

What differs between a first one and a repeat is told by mail only (docs/decisions/0005 and 0023).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, update

from outreach.domain.letters import Reason, State
from outreach.models import Submission, table
from outreach.queries import campaigns as campaign_queries
from outreach.queries import moderation, submissions
from outreach.queries import repeats as queries
from outreach.services import notices, reviews, waits
from outreach.settings import get_settings

_SUBMISSIONS = table(Submission)
_CLOSELY = timedelta(seconds=3)
"""What a hand-over takes after a letter's turn has come."""


def note(c: Connection, submission: Mapping[str, Any], addresses: Iterable[int], now: datetime) -> None:
    """Write down until when the page of a submission, some of whose letters are second ones (to these addresses), shows fresh ones."""
    campaign_id = submission["campaign_id"]
    reveal = max(_would_start(c, submission, address, now) for address in addresses)
    if reviews.would_hold(moderation.policy(c, campaign_id), submission):
        reveal = max(reveal, now + reviews.USUAL)
    reveal += _CLOSELY
    deadline = campaign_queries.standing(c, campaign_id).deadline
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == submission["id"]).values(
        reveal_at=min(reveal, deadline) if deadline else reveal))


def tell(c: Connection, submission_id: str, now: datetime) -> None:
    """Queue the mail that says so, if all letters of a submission turned out to be second ones."""
    s = submissions.by_id(c, submission_id)
    if s is not None and s.state == "duplicate":
        notices.add(c, "duplicate", s.id, recipient=s.email, campaign_id=s.campaign_id, submission_id=s.id, now=now)


def fresh(s: Any, address_id: int) -> Any:
    """A letter of this submission that stands in a lane with the others, for `waits.wait_of`."""
    return SimpleNamespace(id=s.id, address_id=address_id, campaign_id=s.campaign_id, submitted_at=s.created_at, not_before=None)


def seconds(s: Any, own: Sequence[Any]) -> list[int]:
    """Ids of the targets to which this submission's letter would have been a second one; `own` are its letters."""
    mine = {x.target_id for x in own if not (x.state == State.CANCELLED.value and x.reason == Reason.DUPLICATE.value)}
    return [] if s.state == "unconfirmed" else [t for t in s.asked if t not in mine]


def firsts(c: Connection, s: Any, own: Sequence[Any]) -> dict[int, Any]:
    """Target id to the first letter, for each of `seconds` whose first one has not been erased since."""
    found: dict[int, Any] = {}
    if not (second := seconds(s, own)):
        return found
    for x in queries.firsts(c, s.id, s.campaign_id, s.fingerprint, second):
        found.setdefault(x.target_id, x)
    return found


def _would_start(c: Connection, submission: Mapping[str, Any], address_id: int, now: datetime) -> datetime:
    wait = waits.wait_of(c, fresh(SimpleNamespace(**submission), address_id), now, get_settings())
    return wait.likely_at if wait and wait.likely_at else now + reviews.USUAL
