"""Every mail of ours that is no letter: confirmation, reminder, repeat, report, copy of a fax, digest.

The same attempt protocol as letters: the row is claimed under a lease in a commit before the hand-over, so that none goes
twice; one that may have gone stays `unknown` and is not repeated. Capped per recipient over the whole service: supporters by
`services/mailboxes.py`, a campaign's inbox by its own pace. A supporter waits in front of a screen, so theirs go first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, update
from sqlalchemy.exc import SQLAlchemyError

from outreach import holders
from outreach.db import dialect_insert, new_id, reading, unit_of_work, utcnow
from outreach.domain.dedupe import mailbox_hash
from outreach.domain.letters import Channel, Reason
from outreach.domain.retry import SCHEDULES
from outreach.errors import TransportDown
from outreach.logs import get
from outreach.models import Notice, Suppression, table
from outreach.queries import notices as queries
from outreach.queue import QueueName, ring
from outreach.services import breakers, inboxes, leases, mailboxes, notice_mails
from outreach.services.mailboxes import CAPPED
from outreach.settings import Settings, get_settings
from outreach.transports.base import Accepted, MailSession, NotStarted, Outcome, Refused, Unknown
from outreach.transports.registry import mail_transport, transport_name

log = get()
_NOTICES, _SUPPRESSED = table(Notice), table(Suppression)
TO_INBOX = ("fax_copy", "digest")
"""Mails to a campaign's inbox: they keep its pace (`services/inboxes.py`)."""
POINTLESS = Refused(Reason.WITHDRAWN, permanent=True)
"""What it was about is gone, or settled."""


def add(c: Connection, kind: str, ref: str, *, recipient: str, now: datetime, campaign_id: int | None = None,
        submission_id: str | None = None, at: datetime | None = None) -> None:
    """Queue one notice, once for each (kind, ref). One to a mailbox that wants none is kept as `dropped`."""
    mailbox = mailbox_hash(get_settings().key(), recipient) if kind in CAPPED else None
    unwanted = mailbox is not None and queries.wants_none(c, mailbox)
    c.execute(dialect_insert(c, _NOTICES).values(
        id=new_id(now.timestamp()), kind=kind, ref=ref, submission_id=submission_id, campaign_id=campaign_id, recipient=recipient,
        mailbox=mailbox, state="dropped" if unwanted else "queued", reason=Reason.WITHDRAWN.value if unwanted else None,
        not_before=at or now, created_at=now).on_conflict_do_nothing(index_elements=["kind", "ref"]))


def ring_soon() -> None:
    """Ask the notice workers to look; called after the commit that queued something."""
    ring(QueueName.NOTICE)


def suppress(c: Connection, email: str, now: datetime) -> None:
    """Never write to this mailbox again, whatever the campaign; what waits for it is dropped."""
    mailbox = mailbox_hash(get_settings().key(), email)
    c.execute(dialect_insert(c, _SUPPRESSED).values(mailbox=mailbox, at=now).on_conflict_do_nothing())
    c.execute(update(_NOTICES).where(_NOTICES.c.mailbox == mailbox, _NOTICES.c.state == "queued")
              .values(state="dropped", reason=Reason.WITHDRAWN.value))


def due(now: datetime) -> bool:
    """Whether a notice waits to be sent now."""
    with reading() as c:
        return queries.is_due(c, now, transport_name(Channel.EMAIL, get_settings()))


def drain(*, seconds: float | None = None, clock: Callable[[], datetime] = utcnow) -> int:
    """Send due notices for about `seconds`. Returns how many hand-overs were made."""
    settings = get_settings()
    provider = transport_name(Channel.EMAIL, settings)
    end = time.monotonic() + (settings.slice_seconds if seconds is None else seconds)
    sent, idle_since = 0, time.monotonic()
    resting, troubled = breakers.open_until(provider, clock())
    if resting is not None:
        return 0
    try:
        while time.monotonic() < end:
            if not due(clock()):
                if time.monotonic() - idle_since > 0.3:
                    break
                time.sleep(0.02)
                continue
            with mail_transport(settings).connect() as session:
                while time.monotonic() < end and (row := _claim(began := clock())) is not None:
                    outcome = _hand_over(session, row, settings, clock())
                    _record(row, outcome, clock(), began)
                    sent += 1
                    if isinstance(outcome, NotStarted) and outcome.down:
                        if outcome.limited:  # it counts letters and mails of our own together
                            breakers.trip(provider, outcome.why, clock(), retry_after=outcome.retry_after)
                        return sent
                    if troubled and isinstance(outcome, Accepted):
                        breakers.mend(provider)
                        troubled = False
            idle_since = time.monotonic()
    except TransportDown as e:
        log.warning("transport.down", queue="notice", auth=e.auth, error=str(e)[:200])
        time.sleep(1)
    return sent


def _claim(now: datetime) -> Any:
    return _claim_to_person(now) or _claim_to_inbox(now)


def _claim_to_person(now: datetime) -> Any:
    """The next mail to somebody; a supporter's only if their mailbox has a place for it today, else it is put off."""
    while True:
        with unit_of_work() as c:
            row = _claimed(c, now, to_inbox=False)
            if row is None or row.mailbox is None:
                return row
            values: dict[str, Any] = {"state": "dropped", "reason": Reason.WITHDRAWN.value}
            if not queries.wants_none(c, row.mailbox):
                later = None if row.tries > 1 else mailboxes.start(c, row, now)  # one that is tried again has its place
                if later is None:
                    return row
                values["reason"] = Reason.RATE_LIMITED.value
                if row.created_at >= later - mailboxes.WAITS:
                    values |= {"state": "queued", "not_before": later, "tries": 0}
            c.execute(update(_NOTICES).where(_NOTICES.c.id == row.id).values(lease_until=None, holder=None, **values))


def _claimed(c: Connection, now: datetime, *, to_inbox: bool) -> Any:
    settings = get_settings()
    first = queries.next_due(now, TO_INBOX, among=to_inbox).scalar_subquery()
    return c.execute(update(_NOTICES).where(_NOTICES.c.id == first, _NOTICES.c.state == "queued")
                     .values(state="sending", lease_until=now + leases.lease(Channel.EMAIL, settings), holder=holders.me(),
                             tries=_NOTICES.c.tries + 1)
                     .returning(*_NOTICES.c), {"transport": transport_name(Channel.EMAIL, settings)}).first()


def _claim_to_inbox(now: datetime) -> Any:
    """The next mail to an inbox that its pace lets start; what must wait is put off, a fax's copy to the next digest."""
    while True:
        with unit_of_work() as c:
            row = _claimed(c, now, to_inbox=True)
            if row is None:
                return None
            later = inboxes.start(c, row.recipient, now, digest=row.kind == "digest")
            if later is None:
                return row
            if row.kind == "fax_copy":
                notice_mails.leave_to_digest(c, row)
                values: dict[str, Any] = {"state": "dropped", "reason": Reason.RATE_LIMITED.value}
            else:
                values = {"state": "queued", "not_before": later, "tries": row.tries - 1}
            c.execute(update(_NOTICES).where(_NOTICES.c.id == row.id).values(lease_until=None, holder=None, **values))


def _hand_over(session: MailSession, row: Any, settings: Settings, now: datetime) -> Outcome:
    try:
        mail = notice_mails.compose(row, settings, now)
    except SQLAlchemyError as e:
        log.warning("notice.no_answer", notice=row.id, kind=row.kind, error=type(e).__name__)
        return NotStarted("the database gave no answer", down=False)
    except Exception:  # ours, and the same the next time
        log.exception("notice.cannot_be_composed", notice=row.id, kind=row.kind)
        return Refused(Reason.CANNOT_RENDER, permanent=True)
    if mail is None:
        return POINTLESS
    try:
        return session.hand_over(mail)
    except Exception as e:
        log.exception("notice.broke", notice=row.id, kind=row.kind)
        return Unknown(f"our own error: {type(e).__name__}")


def _record(row: Any, outcome: Outcome, now: datetime, began: datetime) -> None:
    values: dict[str, Any] = {"lease_until": None, "holder": None}
    if isinstance(outcome, Accepted):
        values |= {"state": "sent", "sent_at": now, "reason": None}
    elif isinstance(outcome, Unknown):
        values |= {"state": "unknown", "reason": Reason.OUTCOME_UNKNOWN.value}
    elif isinstance(outcome, NotStarted):
        values |= {"state": "queued", "not_before": now + timedelta(seconds=5), "tries": row.tries - 1}
    elif outcome == POINTLESS and row.kind in CAPPED:
        values |= {"state": "dropped", "reason": outcome.reason.value}
    else:
        delay = None if outcome.permanent else SCHEDULES[Channel.EMAIL].delay(row.tries, random.random())  # noqa: S311
        values |= ({"state": "failed", "reason": outcome.reason.value} if delay is None else
                   {"state": "queued", "reason": outcome.reason.value, "not_before": now + delay})
    log.info("notice", notice=row.id, kind=row.kind, outcome=type(outcome).__name__)
    with unit_of_work() as c:
        # The sweep may have given it up for unknown: nobody else has tried it since, so what became of it is known now.
        mine = _NOTICES.c.state.in_(("sending", "unknown"))
        if not c.execute(update(_NOTICES).where(_NOTICES.c.id == row.id, mine).values(**values)).rowcount:
            return
        if row.kind in TO_INBOX:
            notice_mails.note_copies(c, [row], values["state"], now)
        if row.mailbox is not None and row.tries == 1 and (outcome == POINTLESS or isinstance(outcome, NotStarted)):
            mailboxes.give_back(c, row.mailbox, began)
            if outcome == POINTLESS:
                mailboxes.offer_again(c, row.mailbox, now)


def close_lapsed(now: datetime, dead: list[str]) -> int:
    """Notices whose sender died or stalled may have gone: they are not repeated. Returns how many."""
    with unit_of_work() as c:
        lapsed = c.execute(update(_NOTICES).where(
            _NOTICES.c.state == "sending", or_(_NOTICES.c.lease_until < now, _NOTICES.c.holder.in_(dead)))
            .values(state="unknown", reason=Reason.LEASE_EXPIRED.value, lease_until=None, holder=None)
            .returning(_NOTICES.c.kind, _NOTICES.c.ref, _NOTICES.c.recipient)).all()
        notice_mails.note_copies(c, [r for r in lapsed if r.kind in TO_INBOX], "unknown", now)
        return len(lapsed)
