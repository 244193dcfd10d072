"""Faxes that wait at the provider and are not wanted any more: cancelled there, and here only when the provider says so.

That it was asked is committed before the asking: its callback may be quicker than its answer, and must not read as a failure.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Reason, State, Verdict
from outreach.errors import TransportDown
from outreach.logs import get
from outreach.models import Attempt, table
from outreach.queries import attempts as attempt_queries
from outreach.queries import inquiries as queries
from outreach.queries import letters as letter_queries
from outreach.services import lanes, settle
from outreach.settings import get_settings
from outreach.transports.registry import impatient_fax_transport

log = get()
_ATTEMPTS = table(Attempt)
AGAIN = timedelta(minutes=1)
MOST = 100
SECONDS = 5.0
"""A round's length, and the longest wait for one answer."""


def due(now: datetime) -> bool:
    """Whether some fax should be called back."""
    with reading() as c:
        return bool(queries.to_cancel(c, now, AGAIN, campaign_id=None, most=1))


def cancel_unwanted(now: datetime | None = None) -> int:
    """Cancel at the provider what was withdrawn, or whose campaign has come to an outcome. Returns how many it confirmed."""
    return _cancel(None, now or utcnow())


def cancel_waiting(campaign_id: int, now: datetime) -> int:
    """Cancel one campaign's faxes at the provider. Returns how many it confirmed; those that it could not be asked about, or
    was not certain of, are asked about again by the fax workers."""
    return _cancel(campaign_id, now)


def _cancel(campaign_id: int | None, now: datetime) -> int:
    with reading() as c:
        rows = queries.to_cancel(c, now, AGAIN, campaign_id=campaign_id, most=MOST)
    if not rows:
        return 0
    settings = get_settings()
    transport = impatient_fax_transport(settings, SECONDS)
    _asked([r.id for r in rows if r.transport != transport.name], now)
    end, confirmed = time.monotonic() + SECONDS, 0
    for row in (r for r in rows if r.transport == transport.name):
        if time.monotonic() >= end:
            break
        _asked([row.id], now)
        try:
            if transport.cancel(row.provider_ref):
                confirmed += _cancelled(row, now)
        except TransportDown as e:
            log.warning("fax.not_cancelled", attempt=row.id, error=str(e)[:200])
            break
    return confirmed


def _asked(attempt_ids: list[str], now: datetime) -> None:
    if attempt_ids:
        with unit_of_work() as c:
            c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_(attempt_ids)).values(cancel_asked_at=now))


def _cancelled(row: Any, now: datetime) -> bool:
    """The provider says that it is cancelled: as its callback would say, whichever comes first."""
    with unit_of_work() as c:
        if attempt_queries.by_id_locked(c, row.id).verdict == Verdict.ACCEPTED.value:
            c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id == row.id).values(
                verdict=Verdict.BOUNCED.value, retryable=False, reason=Reason.REJECTED_BY_PROVIDER.value, line_until=None))
        letter = letter_queries.by_id_locked(c, row.letter_id)
        state = settle.settle(c, row.letter_id, now, Reason.WITHDRAWN if letter.withdrawn_at else Reason.CAMPAIGN_ENDED)
    lanes.wake([row.address_id], now)
    log.info("fax.cancelled", letter=row.letter_id, attempt=row.id)
    return State.CANCELLED in (state, State(letter.state))
