"""What storing a new version would do to letters that wait: told without locking any of them, or their lanes.

Up to `changes.AT_ONCE` of them are looked at one by one; more are counted from the counters, and told as they stand there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.letters import Channel, State
from outreach.queries import campaigns as queries
from outreach.queries import figures
from outreach.queries import forecast as place_queries
from outreach.queries import letters as letter_queries
from outreach.services import changes
from outreach.services.changes import AT_ONCE, Change, Tally, Waiting

MOST = 10_000
"""Letters at one address that are counted one by one."""


def letters(c: Connection, row: Any, spec: CampaignSpec, change: Change, *, waiting: Waiting, now: datetime) -> Iterator[str]:
    """In words, what would become of letters that are there."""
    back, asked = comes_back(c, row, spec, waiting=waiting, now=now) if change.deadline else (0, Tally())
    if back:
        yield came_back(back)
    ids, n = changes.concerned(c, row.id, change)
    looked_at = queries.waiting_letters(c, row.id, ids) if n <= AT_ONCE and change else None
    if waiting is Waiting.SEND:
        n = back + (n if looked_at is None else len(looked_at))
        if n:
            yield changes.as_written(n)
    elif looked_at is not None:
        yield from (changes.sort(looked_at, waiting)[1] + asked).words(waiting) if looked_at or asked else ()
    elif n:
        yield from (_counted(c, row.id, ids, n, waiting) + asked).words(waiting)
    if waiting is not Waiting.CANCEL and change.targets:
        yield from _moved(c, row.id, spec, change, looked_at)
    yield from earlier(row, spec, change)


def comes_back(c: Connection, row: Any, spec: CampaignSpec, *, waiting: Waiting, now: datetime) -> tuple[int, Tally]:
    """How many letters a deadline that is moved brings back, and what asking their writers again, where that is chosen, does with
    them."""
    if waiting is Waiting.CANCEL or not is_open(row, spec, now) or not _some_expired(c, row.id):
        return 0, Tally()
    found = letter_queries.count_ended_by_deadline(c, row.id)
    return found.n, Tally(asked=found.fresh, tried=found.n - found.fresh) if waiting is Waiting.ASK else Tally()


def _some_expired(c: Connection, campaign_id: int) -> bool:
    """As the counters have it: looking for them would mean looking through all letters."""
    return any(name == f"letter:{State.EXPIRED.value}" and n > 0 for (_, _, name), n in figures.counts(c, campaign_id).items())


def is_open(row: Any, spec: CampaignSpec, now: datetime) -> bool:
    """Whether letters of the campaign would still go."""
    return row.state not in ("stopped", "closed") and (spec.deadline is None or spec.deadline > now)


def came_back(n: int) -> str:
    """What is said of letters that an earlier deadline had ended."""
    return f"{changes.letters(n)} that the deadline had ended wait{'s' if n == 1 else ''} again"


def went_on(moved: int, ended: int) -> Iterator[str]:
    """What is said of letters whose address is gone."""
    if moved:
        yield f"{changes.letters(moved)} moved to another address of the same target"
    if ended:
        yield f"{changes.letters(ended)} ended: no address is left"


def earlier(row: Any, spec: CampaignSpec, change: Change) -> Iterator[str]:
    """What is said where the deadline comes sooner than before."""
    if change.deadline and spec.deadline is not None and (row.deadline is None or spec.deadline < row.deadline):
        yield "the deadline is earlier now: what has not gone by then expires"


def _counted(c: Connection, campaign_id: int, ids: Sequence[int] | None, n: int, waiting: Waiting) -> Tally:
    if waiting is Waiting.CANCEL:
        return Tally(cancelled=n)
    found = figures.counts(c, campaign_id)
    unconfirmed = sum(k for (target, _, name), k in found.items()
                      if name == f"letter:{State.UNCONFIRMED.value}" and (ids is None or target in ids))
    return Tally(asked=n - unconfirmed, unconfirmed=unconfirmed)


def _moved(c: Connection, campaign_id: int, spec: CampaignSpec, change: Change, looked_at: Sequence[Any] | None) -> Iterator[str]:
    """Letters at addresses that their target would not have any more."""
    after = {t.id: t for t in spec.targets if t.id in change.targets}
    gone = [p for p in place_queries.places_of(c, queries.target_ids(c, campaign_id, sorted(after)))
            if p.value not in _values(after[p.key], p.channel)]
    if looked_at is None:
        there = Counter(place_queries.queued_at(c, [(p.target_id, p.address_id) for p in gone], MOST))
    else:
        there = Counter((x.target_id, x.address_id) for x in looked_at)
    states = {place: row.state for place, row in queries.addresses(
        c, {(ch.value, v) for t in after.values() for ch in Channel for v in _values(t, ch.value)}).items()}
    moved = ended = 0
    for p in gone:
        n = there[p.target_id, p.address_id]
        channels = [ch.value for ch in Channel if ch.value == p.channel or spec.fall_back]
        if any(states.get((ch, v), "ok") in ("ok", "proposed") for ch in channels for v in _values(after[p.key], ch)):
            moved += n
        else:
            ended += n
    yield from went_on(moved, ended)


def _values(target: TargetSpec, channel: str) -> tuple[str, ...]:
    return target.fax if channel == Channel.FAX.value else target.email
