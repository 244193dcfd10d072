"""A campaign's versions: who made which, when, and what differs, field by field."""

from __future__ import annotations

import difflib
from collections import Counter
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
_MOST_WORK = 4_000_000
"""Comparisons of lines that one call makes at most, all fields together: about a second. Texts that would take more are shown as
taken out and put in whole, but for the lines that they begin and end with."""


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
    lines = _Lines()
    return [_difference(lines, where, before.get(where, ""), after.get(where, ""))
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


def _difference(lines: _Lines, where: str, before: str, after: str) -> Difference:
    if max(len(before), len(after)) <= _LONG and "\n" not in before + after:
        return Difference(where, before, after)
    return Difference(where, before, after, tuple(_shown(lines.steps(before.split("\n"), after.split("\n")))))


class _Lines:
    """Compares texts line by line, until it has worked enough."""

    def __init__(self) -> None:
        self._left = _MOST_WORK

    def steps(self, before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str], bool]]:
        """Runs of lines before and after, and whether they are the same."""
        head = _alike(before, after)
        tail = _alike(before[head:][::-1], after[head:][::-1])
        old, new = before[head:len(before) - tail], after[head:len(after) - tail]
        yield before[:head], after[:head], True
        there = Counter(new)
        # At worst each line that is kept costs a walk over all pairs of lines that are the same.
        work = sum(n * there[line] for line, n in Counter(old).items()) * min(len(old), len(new))
        if work <= self._left:
            self._left -= work
            for what, a, b, x, y in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
                yield old[a:b], new[x:y], what == "equal"
        else:
            yield old, new, False
        yield before[len(before) - tail:], after[len(after) - tail:], True


def _alike(before: list[str], after: list[str]) -> int:
    """How many lines both begin with."""
    return next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))


def _shown(steps: Iterator[tuple[list[str], list[str], bool]]) -> Iterator[tuple[str, str]]:
    kept: list[str] = []
    for old, new, same in steps:
        if same:
            kept += old
        elif old or new:
            yield from _same(kept)
            kept = []
            yield from (("removed", line) for line in old)
            yield from (("added", line) for line in new)
    yield from _same(kept)


def _same(kept: list[str]) -> Iterator[tuple[str, str]]:
    if len(kept) <= 2 * _AROUND + 1:
        yield from (("same", line) for line in kept)
    else:
        yield from (("same", line) for line in kept[:_AROUND])
        yield "skipped", f"{len(kept) - 2 * _AROUND} lines are the same"
        yield from (("same", line) for line in kept[-_AROUND:])
