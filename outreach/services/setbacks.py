"""What befalls an address as a whole: a busy line or a deferring server holds back its lane, a wrong number stops it.

What is about us is no set-back of the address: then the provider is left alone (`services/breakers.py`).

A letter's own retry schedule (`domain/retry.py`) is not enough: a line that was busy for one letter is busy for the next, and
each further call rings in the same office.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Channel, Reason, Verdict
from outreach.domain.retry import lane_delay, of_the_provider, wrong_at_once, wrong_if_repeated
from outreach.logs import get
from outreach.models import Lane, table
from outreach.queries import attempts
from outreach.queries import lanes as queries
from outreach.services import blocks, breakers

log = get()
_LANES = table(Lane)
ENOUGH = 8
"""Set-backs in a row after which a fax number is suspect: by then the line has been busy or silent for hours. A mail server that
defers everybody says nothing against one mailbox."""
REPEATED = 3
"""Letters in a row of which a server said that there is no such mailbox, after which that is believed."""


def concerns_all(channel: Channel, reason: Reason | None, *, retryable: bool) -> bool:
    """Whether an outcome says something about whatever else waits for the same address, or for any."""
    return reason is not None and (_is_wrong(channel, reason, retryable) or of_the_provider(channel, reason)
                                   or (retryable and lane_delay(channel, reason, 0) is not None))


def _is_wrong(channel: Channel, reason: Reason, retryable: bool) -> bool:
    return wrong_at_once(channel, reason) and not (retryable and reason is not Reason.VOICE)


def _is_repeated(address_id: int, channel: Channel, reason: Reason) -> bool:
    if not wrong_if_repeated(channel, reason):
        return False
    with reading() as c:
        return attempts.last_reasons(c, address_id, REPEATED) == [reason.value] * REPEATED


def after(address_id: int, channel: Channel, verdict: Verdict, reason: Reason | None, now: datetime, *, retryable: bool,
          retry_after: timedelta | None = None, transport: str = "") -> datetime | None:
    """Draw for an address, or for the provider that is named, what one outcome or receipt means. Returns until when its lane backs
    off, if it does.

    In transactions of its own, after the outcome's: lanes are locked before letters. If it is lost in between, the next
    outcome draws the same.
    """
    if verdict in (Verdict.ACCEPTED, Verdict.DELIVERED):
        if verdict is Verdict.DELIVERED or channel is Channel.EMAIL:  # an accepted fax has not been answered yet
            recovered([address_id])
        return None
    if reason is None:
        return None
    if of_the_provider(channel, reason):
        if transport:
            breakers.trip(transport, f"its receipts name a limit of our account ({reason.value})", now, by_receipt=True)
        return None
    if _is_wrong(channel, reason, retryable) or (not retryable and _is_repeated(address_id, channel, reason)):
        _suspect(address_id, reason, now)
        return None
    delay = lane_delay(channel, reason, 0) if retryable else None
    if delay is None:
        return None
    with unit_of_work() as c:
        row = queries.setbacks_locked(c, address_id)
        if row is None:
            return None
        if row.backoff_until is not None and row.backoff_until > now:
            known: datetime = row.backoff_until
            return known  # others of the same window met the same
        n = row.setbacks + 1
        until: datetime = now + max(lane_delay(channel, reason, row.setbacks) or delay, retry_after or timedelta(0))
        c.execute(update(_LANES).where(_LANES.c.address_id == address_id).values(setbacks=n, backoff_until=until))
    log.info("lane.backs_off", address=address_id, reason=reason.value, count=n)
    if n >= ENOUGH and channel is Channel.FAX:
        _suspect(address_id, reason, now)
    return until


def recovered(address_ids: list[int], transports: Collection[str] = ()) -> None:
    """Something went through: set-backs are forgotten, and what receipts said of these providers."""
    with unit_of_work() as c:
        breakers.proved(c, transports)
        queries.locked(c, address_ids)
        c.execute(update(_LANES).where(_LANES.c.address_id.in_(address_ids), _LANES.c.setbacks > 0)
                  .values(setbacks=0, backoff_until=None))


def _suspect(address_id: int, reason: Reason, now: datetime) -> None:
    if blocks.suspect_address(address_id, reason, now=now):
        log.warning("address.suspect", address=address_id, reason=reason.value)
