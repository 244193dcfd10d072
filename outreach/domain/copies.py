"""How many copies an inbox gets one by one, and when the rest comes as a digest.

An inbox's limit is an exact rolling log: fewer than so many mails of ours (copies in Cc, copies of faxes, digests) may have been
started in (now - 1 hour, now] when the next one starts (docs/decisions/0015).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
FREEMAIL = 20
"""Mails an hour to a mailbox at a provider where anybody gets one; such providers take many alike for a flood."""
MODES = ("each", "digest", "counts")
"""What a campaign may choose for its inbox, from the most that it tells to the least."""
NEAR = timedelta(hours=6)
"""So long before a campaign's deadline its digests come more often."""
OFTEN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Slots:
    """Mails to an inbox: `n` of them, the last of which started, or may still start, at `until`."""

    n: int
    until: datetime


def limit_of(asked: Iterable[int], ceiling: int, *, freemail: bool) -> int:
    """Mails an hour to an inbox: the strictest of what its campaigns ask (0 asks nothing) and the operator's ceiling."""
    return min([ceiling, *([FREEMAIL] if freemail else []), *(n for n in asked if n)])


def stricter(one: str, other: str) -> str:
    """Of two modes the one that tells less: what a campaign has promised its writers holds, and so does what it asks now."""
    return max(one, other, key=MODES.index)


def one_by_one(limit: int) -> int:
    """How many of an inbox's `limit` single copies may take: a tenth, at least one, is left for digests."""
    return limit - max(1, limit // 10)


def used(log: Iterable[Slots], now: datetime) -> int:
    """How many of an inbox's log count in the hour up to `now`."""
    return sum(s.n for s in log if s.until > now - HOUR)


def free_at(log: Sequence[Slots], most: int, now: datetime) -> datetime:
    """When one more mail may start under `most` an hour, not before `now`; with `most` 0 an hour from now, to look again."""
    if most < 1:
        return now + HOUR
    at, total = now, used(log, now)
    for slots in sorted(log, key=lambda s: s.until):
        if total < most:
            break
        if slots.until > now - HOUR:
            total -= slots.n
            at = slots.until + HOUR
    return at


def digest_at(oldest: datetime, deadline: datetime | None, *, ended: bool) -> datetime:
    """When a digest is due whose oldest letter went out at `oldest`: an hour later, sooner near the deadline, at once when a
    campaign has ended."""
    if ended:
        return oldest
    near = deadline is not None and oldest + HOUR > deadline - NEAR
    return oldest + (OFTEN if near else HOUR)
