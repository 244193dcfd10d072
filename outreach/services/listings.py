"""Lists of campaigns, letters and reviews for programs: page by page, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outreach.db import reading
from outreach.errors import NotFound
from outreach.queries import api as queries
from outreach.services import campaigns as campaign_rows
from outreach.services import pauses
from outreach.services.access import Visitor
from outreach.services.campaigns import CampaignRow
from outreach.settings import get_settings


def campaigns(visitor: Visitor, only: int | None, after: int, most: int) -> list[CampaignRow]:
    """The next campaigns, by number, that somebody has a part in (the operator: all); only one of them, if named."""
    with reading() as c:
        rows = queries.campaigns(c, after, most, of=None if visitor.operator else visitor.id, only=only)
    return [CampaignRow(**row._mapping) for row in rows]


def targets(slug: str) -> list[dict[str, Any]]:
    """A campaign's targets in the file's order, with addresses, limits and whether they are paused. Raises NotFound."""
    campaign = campaign_rows.get(slug)
    with reading() as c:
        held = pauses.held(c, get_settings()).targets
    return [{"id": t.key, "name": t.name, "timezone": t.timezone, "hours": t.hours, "paused": t.id in held, "addresses": [
        {"channel": a.channel, "value": a.value, "rank": a.rank, "limits": a.limits, "state": a.state} for a in t.addresses]}
        for t in campaign_rows.targets_of(campaign.id, campaign.revision)]


def letters(campaign_id: int, after: str, most: int, *, state: str | None, reason: str | None, channel: str | None,
            target: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """The next letters after this id that are so, and after which id the list goes on. Raises NotFound for a target that it has not."""
    wanted: dict[str, Any] = {k: v for k, v in (("state", state), ("reason", reason), ("channel", channel)) if v is not None}
    with reading() as c:
        if target is not None:
            found = queries.target(c, campaign_id, target)
            if found is None:
                raise NotFound(f"the campaign has no target {target!r}")
            wanted["target_id"] = found
        rows, following = queries.letters(c, campaign_id, after, most, wanted)
    return [plain(r._mapping) for r in rows], following


def letter(campaign_id: int, letter_id: str) -> dict[str, Any]:
    """One letter with its events, attempts and receipts. Raises NotFound for one of another campaign."""
    with reading() as c:
        row = queries.letter(c, campaign_id, letter_id)
        if row is None:
            raise NotFound("the campaign has no such letter")
        parts: dict[str, Sequence[Any]] = {"events": queries.events(c, letter_id), "attempts": queries.attempts(c, letter_id),
                                           "receipts": queries.receipts(c, letter_id)}
    return plain(row._mapping) | {name: [plain(r._mapping) for r in rows] for name, rows in parts.items()}


def reviews(campaign_id: int, after: str, most: int) -> list[dict[str, Any]]:
    """The next submissions that wait for a moderator."""
    with reading() as c:
        return [plain(r._mapping) for r in queries.reviews(c, campaign_id, after, most)]


def review(campaign_id: int, submission_id: str) -> dict[str, Any]:
    """What became of a submission that was held. Raises NotFound."""
    with reading() as c:
        row = queries.review(c, campaign_id, submission_id)
    if row is None:
        raise NotFound("nothing of this submission waits for a moderator")
    return {"submission": submission_id, **plain(row._mapping)}


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its moments as ISO 8601."""
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()}
