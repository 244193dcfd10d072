"""Ask the fax provider about faxes whose receipt stays out."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import update

from outreach.db import reading, unit_of_work, utcnow
from outreach.errors import TransportDown
from outreach.logs import get
from outreach.models import Attempt, table
from outreach.queries import delivery
from outreach.services import receipts
from outreach.settings import get_settings
from outreach.transports.registry import impatient_fax_transport

log = get()
_ATTEMPTS = table(Attempt)
AFTER = timedelta(seconds=90)
"""A callback usually comes within a minute or two of the call."""
AGAIN = timedelta(minutes=2)
MOST = 20
SECONDS = 5.0
"""A round's length, and the longest wait for one answer: the ticker that asks has other things to do."""


def due(now: datetime) -> bool:
    """Whether a fax has waited for its receipt long enough to be asked about."""
    with reading() as c:
        return bool(delivery.overdue_polls(c, now, after=AFTER, again=AGAIN, most=1))


def poll(now: datetime | None = None) -> int:
    """Ask about overdue faxes by the provider's id and take the answers as receipts. Returns how many answers were final."""
    now = now or utcnow()
    with reading() as c:
        rows = delivery.overdue_polls(c, now, after=AFTER, again=AGAIN, most=MOST)
    if not rows:
        return 0
    settings = get_settings()
    transport = impatient_fax_transport(settings, SECONDS)
    # Another provider than the one that is set would not know these; they are passed over until it is set again.
    _asked([r.id for r in rows if r.transport != transport.name], now)
    end, final = time.monotonic() + SECONDS, 0
    for row in (r for r in rows if r.transport == transport.name):
        if time.monotonic() >= end:
            break
        try:
            word = transport.poll(row.provider_ref)
        except TransportDown as e:
            log.warning("fax.not_polled", error=str(e)[:200])
            _asked([row.id], now)
            break
        if word is not None:
            final += receipts.take([word], now=now)
        _asked([row.id], now)
        log.info("fax.polled", attempt=row.id, verdict=word and word.verdict and word.verdict.value)
    return final


def _asked(attempt_ids: list[str], now: datetime) -> None:
    if attempt_ids:
        with unit_of_work() as c:
            c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_(attempt_ids)).values(polled_at=now))
