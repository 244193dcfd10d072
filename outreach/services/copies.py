"""The campaign inbox's copies: one row a letter and inbox, so that a retry never repeats a copy.

Up to a number an hour the inbox stands in Cc of the letter's own transaction, or gets a fax as a mail of its own; what comes
beyond that waits for the next digest (`services/digests.py`). Whatever becomes of a copy, its letter goes (docs/decisions/0015).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, delete, or_, update
from sqlalchemy.exc import SQLAlchemyError

from outreach.db import dialect_insert, engine, new_id, reading, unit_of_work
from outreach.domain.campaign import CampaignSpec
from outreach.domain.copies import digest_at, stricter
from outreach.logs import get
from outreach.models import Copy, table
from outreach.queries import copies as queries
from outreach.queries import delivery
from outreach.queries.delivery import Waiting
from outreach.services import blocks, campaigns, inboxes, notices
from outreach.services.inboxes import Allowance
from outreach.transports.base import Accepted, Outcome, Unknown

log = get()
_COPIES = table(Copy)
LONGEST = 2000
"""Letters that one digest lists at the most."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the inbox gets of one letter: a place in Cc, a line in the next digest, or nothing when it is empty."""

    inbox: str = ""
    cc: bool = False


NO_COPY = Offer()


def offer(letter: Waiting, spec: CampaignSpec, allowance: Allowance, now: datetime) -> Offer:
    """How the copy of a letter goes whose hand-over starts at `now`. Never raises: a copy does not hold back its letter.

    Where the database gives no answer it waits for the digest, which asks everything again.
    """
    if not spec.inbox or letter.copied:
        return NO_COPY
    try:
        if not blocks.may_copy_to(spec.inbox):
            return NO_COPY
        alone = mode(letter.campaign_id, spec) == "each"
    except SQLAlchemyError as e:
        log.warning("copies.no_answer", error=type(e).__name__)
        alone = False
    return Offer(spec.inbox, alone and allowance.take(spec.inbox, now))


def mode(campaign_id: int, spec: CampaignSpec) -> str:
    """How much the inbox may see of a letter: what its writer's version of the campaign says, or what it says now if that is less.

    Asked for every letter, so what it says now is kept for some seconds.
    """
    return stricter(spec.copies, _mode_now(engine(), campaign_id, int(time.monotonic()) // 3))


@lru_cache(maxsize=256)
def _mode_now(_database: Engine, campaign_id: int, _seconds: int) -> str:
    return campaigns.spec_of_version(campaigns.by_id(campaign_id).version_id).copies


def row(offered: Offer, letter: Waiting, attempt_id: str, outcome: Outcome, at: datetime) -> dict[str, Any] | None:
    """The copy's row once its letter has gone or may have gone; None when there is nothing to note."""
    if not offered.inbox or not isinstance(outcome, Accepted | Unknown):
        return None
    if offered.cc:
        state = "unknown" if isinstance(outcome, Unknown) else "failed" if outcome.copy_refused else "sent"
    else:
        state = "offered"
    return {"letter_id": letter.id, "inbox": offered.inbox, "how": "cc" if offered.cc else "digest", "state": state,
            "attempt_id": attempt_id, "at": at, "campaign_id": letter.campaign_id}


def note(c: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write down copies, in the transaction that records what became of their letters."""
    if rows:
        c.execute(dialect_insert(c, _COPIES).on_conflict_do_nothing(), list(rows))


def note_lapsed(c: Connection, lapsed: Sequence[Any], now: datetime) -> None:
    """The copies of e-mails whose worker died: `lapsed` have id (of the letter), campaign_id, attempt_id.

    One that may have been in Cc is not known. Where the worker had no leave to copy to this inbox it certainly was not, and
    waits for the digest.
    """
    found = []
    for campaign_id in sorted({r.campaign_id for r in lapsed}):
        inbox = campaigns.inbox_of(campaign_id)
        own = [r for r in lapsed if r.campaign_id == campaign_id]
        in_cc = queries.may_have_copied(c, inbox, [r.attempt_id for r in own]) if inbox else set()
        for r in own if inbox else ():
            how, state = ("cc", "unknown") if r.attempt_id in in_cc else ("digest", "offered")
            found.append({"letter_id": r.id, "inbox": inbox, "how": how, "state": state, "attempt_id": r.attempt_id, "at": now,
                          "campaign_id": campaign_id})
    note(c, found)


def forget_unknown(c: Connection, letter_id: str) -> None:
    """The letter never left, and its copy with it: the next attempt may take it along. What a digest has told is told."""
    c.execute(delete(_COPIES).where(_COPIES.c.letter_id == letter_id, or_(
        (_COPIES.c.how == "cc") & (_COPIES.c.state == "unknown"), queries.WAITS)))


def offer_fax(c: Connection, letter_id: str, campaign_id: int, attempt_id: str, now: datetime) -> None:
    """Queue the mail that brings the inbox a fax that has gone out, or leave it to the digest; does nothing the second time."""
    inbox, letter = campaigns.inbox_of(campaign_id), delivery.letter(c, letter_id)
    if not inbox or letter is None or not blocks.may_copy_to(inbox):
        return
    alone = (mode(campaign_id, campaigns.spec_of_version(letter.version_id)) == "each"
             and inboxes.room(c, inbox, now) > queries.queued_mails(c, inbox))
    new = c.execute(dialect_insert(c, _COPIES).values(
        letter_id=letter_id, inbox=inbox, how="mail" if alone else "digest", state="offered", attempt_id=attempt_id, at=now,
        campaign_id=campaign_id).on_conflict_do_nothing().returning(_COPIES.c.letter_id)).scalar()
    if new and alone:
        notices.add(c, "fax_copy", letter_id, recipient=inbox, campaign_id=campaign_id, now=now)


def gather(now: datetime) -> int:
    """Queue the digests that are due: one at a time for each campaign and inbox. Returns how many.

    The digest's letters are fixed here, in one commit with its notice, before anything of it is sent.
    """
    with reading() as c:
        ripe = [w for w in queries.waiting(c) if _due_at(w) <= now]
    made = 0
    for w in ripe:
        with unit_of_work() as c:
            queries.lock_inbox(c, w.inbox)
            if queries.is_under_way(c, w.campaign_id, w.inbox):
                continue
            digest = new_id(now.timestamp())
            taken = c.execute(update(_COPIES).where(
                _COPIES.c.inbox == w.inbox, _COPIES.c.letter_id.in_(queries.next_of(w.campaign_id, w.inbox, LONGEST)), queries.WAITS)
                .values(digest_id=digest)).rowcount
            if taken:
                notices.add(c, "digest", digest, recipient=w.inbox, campaign_id=w.campaign_id, now=now)
                made += 1
    with unit_of_work() as c:
        inboxes.forget(c, now)
    if made:
        notices.ring_soon()
    return made


def _due_at(w: Any) -> datetime:
    campaign = campaigns.by_id(w.campaign_id)
    return digest_at(w.oldest, campaign.deadline, ended=campaign.state not in ("live", "paused"))
