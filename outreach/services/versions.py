"""A campaign's versions: who made which, when, and what differs, field by field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outreach.campaign_files import spec_from_json
from outreach.db import reading
from outreach.domain.campaign import CampaignSpec
from outreach.errors import NotFound
from outreach.queries import drafts as queries
from outreach.services.draft_files import Content, content_of_spec

_AROUND = 1
"""Unchanged lines shown on each side of changed ones."""
_LONG = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. `lines` are those of a longer text: added, removed, same or skipped, with their words."""

    where: str
    before: str
    after: str
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """added, removed or changed"""
        return "added" if not self.before else "removed" if not self.after else "changed"


def list_of(campaign_id: int) -> Sequence[Any]:
    """All versions, the newest first: id, number, created_at, who."""
    with reading() as c:
        return queries.versions(c, campaign_id)


def spec_of(campaign_id: int, number: int) -> CampaignSpec:
    """The campaign as one of its versions has it. Raises NotFound."""
    with reading() as c:
        row = queries.version(c, campaign_id, number)
    if row is None:
        raise NotFound(f"there is no version {number}")
    return spec_from_json(row.definition)


def number_of(version_id: int) -> int:
    """A version's number. Raises NotFound."""
    with reading() as c:
        found = queries.number_of(c, version_id)
    if found is None:
        raise NotFound("there is no such version")
    return found


def between(old: CampaignSpec | Content, new: CampaignSpec | Content) -> list[Difference]:
    """What differs, in the order of the file. Targets are compared by their ids."""
    before, after = dict(_fields(_content(old))), dict(_fields(_content(new)))
    return [_difference(where, before.get(where, ""), after.get(where, ""))
            for where in dict.fromkeys((*after, *before)) if before.get(where, "") != after.get(where, "")]


def _content(version: CampaignSpec | Content) -> Content:
    return content_of_spec(version) if isinstance(version, CampaignSpec) else version


def _fields(content: Content, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        where = f"{above}{key}"
        if isinstance(value, dict):
            yield from _fields(value, f"{where}, ")
        elif key == "target" and isinstance(value, list):
            yield "order of targets", "\n".join(_name(t) for t in value)
            for t in value:
                if isinstance(t, dict):
                    yield from _fields({k: v for k, v in t.items() if k != "id"}, f"target {_name(t)}, ")
        elif isinstance(value, list):
            yield where, "\n".join(str(v) for v in value)
        elif isinstance(value, bool):
            yield where, "yes" if value else "no"
        else:
            yield where, str(value)


def _name(target: Any) -> str:
    return str(target.get("id") or target.get("name") or "?") if isinstance(target, dict) else "?"


def _difference(where: str, before: str, after: str) -> Difference:
    if max(len(before), len(after)) <= _LONG and "\n" not in before + after:
        return Difference(where, before, after)
    return Difference(where, before, after, tuple(_lines(before.split("\n"), after.split("\n"))))


def _lines(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    for what, a, b, x, y in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            kept = before[a:b]
            if len(kept) <= 2 * _AROUND + 1:
                yield from (("same", line) for line in kept)
            else:
                yield from (("same", line) for line in kept[:_AROUND])
                yield "skipped", f"{len(kept) - 2 * _AROUND} lines are the same"
                yield from (("same", line) for line in kept[-_AROUND:])
        else:
            yield from (("removed", line) for line in before[a:b])
            yield from (("added", line) for line in after[x:y])
