"""What a lever changes in a campaign's file: limits, office hours, addresses, the deadline.

The file stays the truth. The change is written into it, the whole file is read again with all its checks, and what comes of it is
stored as a new version, just as if somebody had imported it; `services/campaign_import.py` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from outreach.campaign_files import read_text, write_campaign
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.errors import CampaignFileInvalid, Conflict, NotAllowed, NotFound
from outreach.services import campaigns, proposals
from outreach.services.campaign_import import ImportResult, store_campaign
from outreach.services.changes import Waiting
from outreach.settings import get_settings

Amend = Callable[[CampaignSpec], CampaignSpec]
_WHERE = re.compile(r"^campaign\.toml(?::\d+)?: \S+: ")
"""File, line and key, which nobody sees who sits at the desk."""


@dataclass(frozen=True, slots=True)
class Amended:
    """What a change did, or would do, and the addresses that an operator has to approve before letters go there."""

    result: ImportResult
    proposed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What the file's checks now warn of, and did not before."""


def amend(slug: str, change: Amend, *, now: datetime, who: str, version_id: int | None = None, waiting: Waiting = Waiting.SEND,
          approved: bool = False, dry_run: bool = False) -> Amended:
    """Store what `change` makes of a campaign, as a new version; with `dry_run` only say what would happen.

    `version_id` is the version that whoever asks has seen. New addresses are proposed unless `approved`. Raises NotFound, Conflict
    (somebody else changed the campaign meanwhile), NotAllowed with what is wrong, in the words of the file's own checks.
    """
    row = campaigns.get(slug)
    if version_id is not None and version_id != row.version_id:
        raise Conflict("somebody has changed this campaign since you opened the page; look at it again")
    if row.state in ("stopped", "closed"):
        raise Conflict(f"this campaign is {row.state}: nothing is sent for it any more")
    known = campaigns.spec_of_version(row.version_id)
    spec, notes = _checked(change(known), known.deadline, now)
    if spec.slug != slug:
        raise NotAllowed("a campaign's slug stays as it is: its links have it")
    new = [] if approved else proposals.new_places(spec)
    if new and not dry_run:
        proposals.propose(new, now=now, who=who)
    result = store_campaign(spec, now=now, who=who, waiting=waiting, dry_run=dry_run, over=row.version_id)
    before = set(_checked(known, known.deadline, now)[1]) if notes else set()
    return Amended(result, tuple(value for channel, value in new if channel != "phone"), tuple(n for n in notes if n not in before))


def limits(key: str, *, email: str | None = None, fax: str | None = None, hours: str | None = None) -> Amend:
    """A target's limit strings and its office hours; what is None stays, what is empty is taken out of the file."""
    def change(target: TargetSpec) -> TargetSpec:
        given = {channel: " ".join(text.split()) for channel, text in (("email", email), ("fax", fax)) if text is not None}
        merged = {channel: text for channel, text in (target.limits | given).items() if text}
        return replace(target, limits=merged, hours=target.hours if hours is None else " ".join(hours.split()))

    return _target(key, change)


def addresses(key: str, channel: str, values: list[str]) -> Amend:
    """All of a target's e-mail addresses or fax numbers, in order of preference."""
    kept = tuple(v.strip() for v in values if v.strip())

    def change(target: TargetSpec) -> TargetSpec:
        if channel == "email":
            return replace(target, email=kept)
        if channel == "fax":
            return replace(target, fax=kept)
        raise NotAllowed(f"{channel!r} is no channel that letters go by")

    return _target(key, change)


def deadline(at: datetime | None) -> Amend:
    """Another deadline, or none."""
    return lambda spec: replace(spec, deadline=at)


def _target(key: str, change: Callable[[TargetSpec], TargetSpec]) -> Amend:
    def whole(spec: CampaignSpec) -> CampaignSpec:
        if key not in {t.id for t in spec.targets}:
            raise NotFound(f"{spec.slug} has no target {key!r}")
        return replace(spec, targets=tuple(change(t) if t.id == key else t for t in spec.targets))

    return whole


def _checked(spec: CampaignSpec, known: datetime | None, now: datetime) -> tuple[CampaignSpec, list[str]]:
    """The campaign as its file reads. That the known deadline has passed is no mistake of whoever changes something else."""
    past = known if known is not None and known <= now and spec.deadline == known else None
    try:
        read, warnings = read_text(write_campaign(replace(spec, deadline=None) if past else spec), get_settings(), now)
    except CampaignFileInvalid as e:
        raise NotAllowed("; ".join(m.message for m in e.mistakes[:5])) from e
    return (replace(read, deadline=past) if past else read), [_WHERE.sub("", w) for w in warnings]
