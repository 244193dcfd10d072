"""Ask the fax provider about faxes whose receipt stays out."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, update

from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Reason, State, Verdict
from outreach.errors import TransportDown
from outreach.logs import get
from outreach.models import Attempt, Letter, table
from outreach.queries import inquiries as queries
from outreach.services import receipts
from outreach.settings import get_settings
from outreach.transports.registry import impatient_fax_transport

log = get()
_ATTEMPTS, _LETTERS = table(Attempt), table(Letter)
AFTER = timedelta(seconds=90)
"""A callback usually comes within a minute or two of the call."""
AGAIN = timedelta(minutes=2)
YOUNG, RARELY, UNTIL = timedelta(hours=1), timedelta(minutes=20), timedelta(days=2)
"""From that age on a fax is asked about rarely, and from that one no more: its provider no longer knows, or never will say."""
MOST, GIVEN_UP_AT_ONCE = 20, 200
SECONDS = 5.0
"""A round's length, and the longest wait for one answer: the ticker that asks has other things to do."""


def due(now: datetime) -> bool:
    """Whether a fax has waited for its receipt long enough to be asked about, or too long."""
    with reading() as c:
        return bool(_to_ask(c, now, 1) or queries.calls_given_up(c, now - UNTIL, 1))


def poll(now: datetime | None = None) -> int:
    """Ask about overdue faxes by the provider's id and take the answers as receipts. Returns how many answers were final."""
    now = now or utcnow()
    _give_up(now)
    with reading() as c:
        rows = _to_ask(c, now, MOST)
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


def _to_ask(c: Connection, now: datetime, most: int) -> list[Any]:
    return queries.calls_to_ask_about(c, now, after=AFTER, again=AGAIN, young=YOUNG, rarely=RARELY, until=UNTIL, most=most)


def _give_up(now: datetime) -> None:
    """Faxes that nobody said a last word about stay `sent`, with the reason that no receipt came; one that still comes is believed."""
    with reading() as c:
        if not queries.calls_given_up(c, now - UNTIL, 1):
            return
    with unit_of_work() as c:
        calls = queries.calls_given_up(c, now - UNTIL, GIVEN_UP_AT_ONCE, locked=True)
        still = _ATTEMPTS.c.verdict == Verdict.ACCEPTED.value
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_([x.id for x in calls]), still).values(
            line_until=None, reason=Reason.NO_RECEIPT.value))
        letters = [x.letter_id for x in calls]
        c.execute(update(_LETTERS).where(
            or_(_LETTERS.c.id.in_(letters), _LETTERS.c.carried_by.in_(letters)), _LETTERS.c.state == State.SENT.value)
            .values(reason=Reason.NO_RECEIPT.value))
    log.info("fax.no_receipt", count=len(calls))


def _asked(attempt_ids: list[str], now: datetime) -> None:
    if attempt_ids:
        with unit_of_work() as c:
            c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id.in_(attempt_ids)).values(polled_at=now))
