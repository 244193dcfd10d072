"""Drafts: campaigns, and new versions of them, that somebody is writing at the desk. They may hold mistakes; nothing comes of them yet.

Each save says which revision it was made from, so that of two who write at once the second is told, and overwrites nothing unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, update

from outreach.db import dialect_insert, new_id, reading, unit_of_work
from outreach.domain.circular import Circular, slug_of
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.models import Draft, table
from outreach.queries import drafts as queries
from outreach.services import audit, campaigns
from outreach.services.access import Visitor
from outreach.services.campaigns import CampaignRow
from outreach.services.draft_files import MOST, Content, content_of, content_of_spec

_DRAFTS = table(Draft)
MOST_DRAFTS = 100
"""Unpublished drafts that one organizer may keep."""
EMPTY: Content = {"title": "", "letter": {"subject": "", "body": "", "editable": True}, "target": [{"name": ""}]}
LIMITS = {"email": "20/hour, 200/day", "fax": "6/hour, 40/day"}
"""What a target that somebody enters at the desk may take, unless they say otherwise."""


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as it is now. `id` is empty, and `revision` 0, for a campaign's that nobody has written to yet."""

    id: str
    campaign_id: int | None
    organizer_id: int
    content: Content
    source: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    revision: int = 0
    version_id: int | None = None
    ticks: dict[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None
    updated_by: str = ""

    @property
    def title(self) -> str:
        """What lists call it."""
        title = self.content.get("title")
        return title if isinstance(title, str) and title.strip() else "A campaign without a title"

    def targets(self) -> list[Content]:
        """Its targets, as far as they are tables."""
        found = self.content.get("target")
        return [t if isinstance(t, dict) else {} for t in found] if isinstance(found, list) else []

    def places(self, n: int) -> str:
        """The addresses of the target at place `n`, from 0, in words; whatever the file has there."""
        target = self.targets()[n]
        found = [(word, target.get(kind)) for kind, word in (("email", "e-mail"), ("fax", "fax"), ("phone", "telephone"))]
        return "; ".join(f"{word} {', '.join(map(str, v)) if isinstance(v, list) else v}" for word, v in found if v) or "no address yet"


def begin(content: Content, visitor: Visitor, *, now: datetime, source: str = "", circular: Circular | None = None) -> str:
    """A new draft; returns its id. Raises NotAllowed when somebody keeps too many."""
    findings = [{"kind": f.kind, "value": f.value, "line": f.line, "excerpt": f.excerpt, "check": f.check, "key": f.key}
                for f in (circular.findings[:500] if circular else ())]
    with unit_of_work() as c:
        if queries.count(c, visitor.id) >= MOST_DRAFTS:
            raise NotAllowed(f"you keep {MOST_DRAFTS} drafts already; throw one away first")
        draft_id = new_id()
        c.execute(insert(Draft).values(
            id=draft_id, campaign_id=None, organizer_id=visitor.id, content=content, source=source[:MOST], findings=findings, revision=1,
            ticks={}, created_at=now, updated_at=now, updated_by=visitor.email))
        audit.note(c, "draft begun", at=now, who=visitor.email, detail=str(content.get("title", ""))[:200])
    return draft_id


def of_circular(circular: Circular) -> Content:
    """A draft's content from what was read: with usual limits, and empty places for what the circular did not say."""
    read = circular.content
    title = str(read.get("title", ""))
    content: Content = {"slug": read.get("slug") or slug_of(title) if title else "", "title": title, **{
        k: v for k, v in read.items() if k not in ("slug", "title", "letter", "call", "target")}}
    content["letter"] = {"subject": "", "body": "", "editable": True, **read.get("letter", {})}
    if "call" in read:
        content["call"] = read["call"]
    content["target"] = [_with_limits({k: v for k, v in t.items() if v}) for t in read.get("target", ())] or [{"name": ""}]
    return content


def _with_limits(target: Content) -> Content:
    limits = {channel: text for channel, text in LIMITS.items() if target.get(channel)}
    return {**target, **({"limits": limits} if limits and "limits" not in target else {})}


def of_file(text: str, now: datetime) -> Content:
    """A draft's content from a campaign file. Raises CampaignFileInvalid if it is no TOML, NotAllowed if it is too long."""
    if len(text) > MOST:
        raise NotAllowed(f"a campaign file may have {MOST:,} characters here; import a longer one with `outreach campaign import`")
    return content_of(text, now)


def copy_of(slug: str, *, now: datetime) -> Content:
    """The content for another campaign like this one: without its name in addresses, and without a deadline that has passed."""
    spec = campaigns.spec_of(slug)
    content = content_of_spec(spec)
    content["title"] = f"{spec.title} (copy)"[:200]
    content["slug"] = _free(slug_of(spec.slug))
    if spec.deadline is not None and spec.deadline <= now:
        del content["deadline"]
    return content


def _free(slug: str) -> str:
    with reading() as c:
        return next(s for s in (f"{slug[:70].rstrip('-')}-{n}" for n in range(2, 10_000)) if not queries.slug_taken(c, s))


def get(draft_id: str, visitor: Visitor) -> DraftRow:
    """A draft of a campaign that is not there yet: its writer's own, and the operator's to look at. Raises NotFound."""
    with reading() as c:
        row = queries.by_id(c, draft_id[:26])
    if row is None or row.campaign_id is not None or (row.organizer_id != visitor.id and not visitor.operator):
        raise NotFound("there is no such draft")
    return _row(row)


def of_campaign(campaign: CampaignRow, visitor: Visitor) -> DraftRow:
    """The draft of a campaign's next version; the version in force, where nobody has written one."""
    with reading() as c:
        row = queries.of_campaign(c, campaign.id)
    if row is not None:
        return _row(row)
    content = content_of_spec(campaigns.spec_of_version(campaign.version_id))
    return DraftRow("", campaign.id, visitor.id, content, version_id=campaign.version_id)


def mine(visitor: Visitor) -> list[DraftRow]:
    """What somebody has begun, the newest first."""
    with reading() as c:
        return [_row(r) for r in queries.mine(c, visitor.id)]


def to_copy(visitor: Visitor) -> Sequence[Any]:
    """Campaigns that somebody may copy: slug and title."""
    with reading() as c:
        return queries.every_campaign(c) if visitor.operator else queries.open_to(c, visitor.id)


def save(draft: DraftRow, revision: int, *, who: str, now: datetime) -> DraftRow:
    """Store a draft's content and ticks. `revision` is that of the page it was written on. Raises Conflict when somebody was quicker."""
    with unit_of_work() as c:
        return _save(c, draft, revision, who=who, now=now)


def _save(c: Connection, draft: DraftRow, revision: int, *, who: str, now: datetime) -> DraftRow:
    values = {"content": draft.content, "ticks": draft.ticks, "updated_at": now, "updated_by": who, "revision": revision + 1}
    if revision == 0 and draft.campaign_id is not None:
        draft_id = new_id()
        done = c.execute(dialect_insert(c, _DRAFTS).values(
            id=draft_id, campaign_id=draft.campaign_id, organizer_id=draft.organizer_id, source="", findings=[], created_at=now,
            version_id=draft.version_id, **values).on_conflict_do_nothing(index_elements=["campaign_id"]).returning(_DRAFTS.c.id)).scalar()
    else:
        draft_id = draft.id
        done = c.execute(update(Draft).where(_DRAFTS.c.id == draft.id, _DRAFTS.c.revision == revision).values(**values)
                         .returning(_DRAFTS.c.id)).scalar()
    if done is None:
        row = queries.of_campaign(c, draft.campaign_id) if draft.campaign_id else queries.by_id(c, draft.id)
        raise Conflict("this draft is gone: it was published or thrown away" if row is None else
                       f"{row.updated_by} saved this draft at {row.updated_at:%H:%M} UTC, while you were writing. What you wrote is still "
                       "in the form below; look at their text in another window, then save yours over it, or leave this page")
    return replace(draft, id=draft_id, revision=revision + 1, updated_at=now, updated_by=who)


def discard(draft: DraftRow, *, who: str, now: datetime) -> None:
    """Throw a draft away."""
    with unit_of_work() as c:
        c.execute(delete(Draft).where(_DRAFTS.c.id == draft.id))
        audit.note(c, "draft thrown away", at=now, who=who, campaign_id=draft.campaign_id, detail=draft.title[:200])


def _row(row: Row[Any]) -> DraftRow:
    return DraftRow(row.id, row.campaign_id, row.organizer_id, row.content, row.source, tuple(row.findings or ()), row.revision,
                    row.version_id, row.ticks or {}, row.updated_at, row.updated_by)
