"""The pace of a campaign inbox: every mail of ours to it takes its place in an exact rolling log before it starts.

The inbox is one mailbox, whichever campaigns copy to it: the strictest of them holds, and the operator's ceiling. A worker that
sends letters takes leave for several copies at once (a block), so that a letter costs no question of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import SQLAlchemyError

from outreach import holders
from outreach.db import new_id, unit_of_work
from outreach.domain import copies as rules
from outreach.domain.addresses import is_freemail
from outreach.logs import get
from outreach.models import CopySlot, table
from outreach.queries import copies as queries
from outreach.services import campaigns
from outreach.settings import get_settings

log = get()
_SLOTS = table(CopySlot)
BLOCK = timedelta(seconds=10)
"""How long a block may be used: a change of limit takes effect within it, and a killed worker's counts an hour from its end."""
LARGEST = 100
"""Copies in one block at the most, however many an hour there may be: a worker that dies takes its block's rest with it for that hour."""
LOOK = timedelta(seconds=5)
"""How long a worker that found no room does not ask again: somebody may give back, or a limit may change."""
KEPT = timedelta(hours=24)
"""How long the log is kept: it tells whether a worker that died could have copied."""


def limit(c: Connection, inbox: str) -> int:
    """Mails an hour to this inbox, as its live campaigns and the operator have it now."""
    asked = (campaigns.spec_of_version(v).copies_per_hour for v in queries.sharing(c, inbox))
    return rules.limit_of(asked, get_settings().copies_per_hour, freemail=is_freemail(inbox))


def room(c: Connection, inbox: str, now: datetime) -> int:
    """How many copies may go to the inbox one by one now. Only a hint unless the inbox is locked."""
    return rules.one_by_one(limit(c, inbox)) - rules.used(queries.log(c, inbox, now - rules.HOUR), now)


def start(c: Connection, inbox: str, now: datetime, *, digest: bool) -> datetime | None:
    """Take leave for one mail that starts now, in this transaction. None if it may; else when to ask again.

    Digests have places of their own, which single copies leave them.
    """
    queries.lock_inbox(c, inbox)
    most = limit(c, inbox)
    found = queries.log(c, inbox, now - rules.HOUR)
    at = rules.free_at(found, most if digest else rules.one_by_one(most), now)
    if at > now:
        return at
    _take(c, inbox, 1, now, None)
    return None


def forget(c: Connection, now: datetime) -> int:
    """Drop what no hour reaches back to any more."""
    return c.execute(delete(_SLOTS).where(_SLOTS.c.until < now - KEPT)).rowcount


def _take(c: Connection, inbox: str, n: int, until: datetime, holder: str | None) -> str:
    made = new_id()
    c.execute(insert(_SLOTS).values(id=made, inbox=inbox, n=n, until=until, holder=holder))
    return made


@dataclass(slots=True)
class _Block:
    id: str
    n: int
    until: datetime
    ends: float
    """Monotonic seconds: a worker that was stopped wakes up with an old idea of the time."""
    used: int = 0
    last: datetime | None = None


@dataclass(slots=True)
class Allowance:
    """The leave that one worker has for copies in Cc. Use as a context: what it has not used is given back at the end."""

    holder: str = field(default_factory=holders.me)
    _blocks: dict[str, _Block] = field(default_factory=dict)
    _full: dict[str, datetime] = field(default_factory=dict)
    """Inboxes without room, and when to look again."""

    def __enter__(self) -> Allowance:
        return self

    def __exit__(self, *_error: object) -> None:
        blocks = [b for b in self._blocks.values() if b.used < b.n]
        self._blocks, self._full = {}, {}
        if blocks:
            try:
                with unit_of_work() as c:
                    _give_back(c, blocks)
            except SQLAlchemyError as e:  # they lapse by themselves
                log.warning("copies.not_given_back", error=type(e).__name__)

    def take(self, inbox: str, now: datetime) -> bool:
        """Whether one more copy may start at `now`. Never raises: without an answer the copy waits for the digest."""
        block = self._blocks.get(inbox)
        if block is None or block.used >= block.n or now >= block.until or time.monotonic() >= block.ends:
            if self._full.get(inbox, now) > now:
                return False
            block = self._refill(inbox, now)
            if block is None:
                return False
        block.used += 1
        block.last = now if block.last is None else max(block.last, now)
        return True

    def _refill(self, inbox: str, now: datetime) -> _Block | None:
        old = self._blocks.pop(inbox, None)
        ends = time.monotonic() + BLOCK.total_seconds()
        try:
            with unit_of_work() as c:
                queries.lock_inbox(c, inbox)
                if old:
                    _give_back(c, [old])
                most = rules.one_by_one(limit(c, inbox))
                found = queries.log(c, inbox, now - rules.HOUR)
                if (left := most - rules.used(found, now)) > 0:
                    n = min(left, LARGEST, max(1, most // 6))
                    block = _Block(_take(c, inbox, n, now + BLOCK, self.holder), n, now + BLOCK, ends)
                    self._blocks[inbox] = block
                    return block
                self._full[inbox] = min(rules.free_at(found, most, now), now + LOOK)
        except SQLAlchemyError as e:
            self._blocks.pop(inbox, None)
            self._full[inbox] = now + LOOK
            log.warning("copies.no_answer", error=type(e).__name__)
        return None


def _give_back(c: Connection, blocks: Iterable[_Block]) -> None:
    for b in sorted(blocks, key=lambda b: b.id):
        if b.last is None:
            c.execute(delete(_SLOTS).where(_SLOTS.c.id == b.id))
        else:
            c.execute(update(_SLOTS).where(_SLOTS.c.id == b.id).values(n=b.used, until=b.last))
