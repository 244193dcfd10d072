"""Receipts: the raw word is stored first, once; then applied by its weight within its attempt.

They come twice, late, in any order, before our own commit, or for a letter we cannot find. What cannot be matched is kept
and tried again by the sweep, for a week. A delivery report comes as a mail that anybody may have written: it counts only where
`read_dsn` found our MAC, which sets its attempt; otherwise it informs. What a word proves is in `evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError

from outreach.db import dialect_insert, reading, unit_of_work, utcnow
from outreach.domain.letters import Channel, Reason, Verdict
from outreach.logs import get
from outreach.models import Receipt, table
from outreach.prepared import Prepared
from outreach.queries import attempts
from outreach.services import evidence, lanes, setbacks
from outreach.services.evidence import Effects, Match
from outreach.transports.base import ReceiptWord

log = get()
ID_LENGTH = 26
MOST = 500
"""Words that one transaction takes."""
ORPHANS_FOR = timedelta(days=7)
"""How long the sweep looks for an orphan's letter."""
SELDOM = timedelta(hours=1)
"""The longest time between two looks for it."""
_LONGEST = (200, 320, 200, 300, 200, 20_000)
MANY = 100_000
"""No fax has so many pages: a number like that is a mistake."""
_RECEIPTS = table(Receipt)
_SETTLED = ("applied_at", "look_at", "attempt_id", "letter_id", "recipient", "raw", "detail")
_SETTLE = update(_RECEIPTS).where(_RECEIPTS.c.id == bindparam("receipt")).values(
    {name: bindparam(f"new_{name}", type_=_RECEIPTS.c[name].type) for name in _SETTLED})
_KEPT = ("provider", "event_id", "verdict", "retryable", "reason", "provider_ref", "message_id", "pages", "at", "received_at", *_SETTLED)
_KEEP = Prepared(sqlite.insert(_RECEIPTS).values({name: bindparam(name, type_=_RECEIPTS.c[name].type) for name in _KEPT})
                 .on_conflict_do_nothing(index_elements=["provider", "event_id"]))


def take(words: Sequence[ReceiptWord], *, now: datetime | None = None) -> int:
    """Store and apply receipts; a word told before changes nothing. Returns how many were new.

    By the batch, in one transaction; where that fails one by one, so that an odd word loses none of the others.
    Raises DBAPIError when the database takes nothing at all.
    """
    now = now or utcnow()
    fresh: dict[tuple[str, str], ReceiptWord] = {}
    for word in map(_fitting, words):
        fresh.setdefault((word.provider, word.event_id), word)
    ordered = list(fresh.values())
    new = 0
    for some in (ordered[i:i + MOST] for i in range(0, len(ordered), MOST)):
        try:
            n, effects = _take(some, now)
        except Exception as e:
            log.warning("receipts.one_by_one", provider=some[0].provider, count=len(some), error=type(e).__name__)
            n, effects = _one_by_one(some, now)
        new += n
        _follow(effects, now)
    return new


def _take(words: Sequence[ReceiptWord], now: datetime) -> tuple[int, Effects]:
    with unit_of_work() as c:
        matches = evidence.match(c, words)
        fresh = _store(c, words, matches, now)
        said = [(w, m) for w, m in zip(words, matches, strict=True) if (w.provider, w.event_id) in fresh]
        effects = evidence.apply(c, said, now)
    log.info("receipts.taken", provider=words[0].provider, count=len(said), orphans=sum(m.orphan for _, m in said))
    return len(said), effects


def _one_by_one(words: Sequence[ReceiptWord], now: datetime) -> tuple[int, Effects]:
    """What cannot be applied now is kept as an orphan, which the sweep tries again."""
    new, effects = 0, Effects()
    for word in words:
        try:
            n, found = _take([word], now)
        except Exception:
            log.exception("receipt.not_applied", provider=word.provider, attempt=word.attempt_id)
            n, found = _kept(word, now), Effects()
        new += n
        effects.lanes |= found.lanes
        effects.turns += found.turns
    return new, effects


def _follow(effects: Effects, now: datetime) -> None:
    """What words mean for their addresses, in transactions of its own: receipts lock no lane."""
    if well := [t for t in effects.turns if t.verdict is Verdict.DELIVERED]:
        setbacks.recovered(sorted({t.address_id for t in well}), {t.transport for t in well if t.channel is Channel.FAX})
    for t in effects.turns:
        if setbacks.concerns_all(t.channel, t.reason, retryable=t.retryable):
            setbacks.after(t.address_id, t.channel, t.verdict, t.reason, now, retryable=t.retryable, transport=t.transport)
    lanes.wake(effects.lanes, now)


def _kept(word: ReceiptWord, now: datetime) -> int:
    try:
        with unit_of_work() as c:
            return len(_store(c, [word], [evidence.ORPHAN], now))
    except (DataError, OverflowError):  # no database takes it, now or later: the provider need not repeat it, and the others with it
        log.exception("receipt.not_kept", provider=word.provider, attempt=word.attempt_id)
        return 0


def retry_orphans(now: datetime, *, most: int = MOST) -> int:
    """Look for the letters of orphans whose turn it is; after a week no more. Returns how many were found.

    The older an orphan, the more seldom its turn comes: heaps of orphans of nobody hold up no others.
    """
    with reading() as c:
        due = attempts.due_orphans(c, now, most)
    if not due:
        return 0
    try:
        found, effects = _retry(due, now)
    except Exception as e:
        log.warning("orphans.one_by_one", count=len(due), error=type(e).__name__)
        return sum(_retry_one(receipt_id, now) for receipt_id in due)
    _follow(effects, now)
    return found


def _retry_one(receipt_id: int, now: datetime) -> int:
    try:
        found, effects = _retry([receipt_id], now)
    except Exception:
        log.exception("orphan.not_applied", receipt=receipt_id)
        with unit_of_work() as c:
            c.execute(update(_RECEIPTS).where(_RECEIPTS.c.id == receipt_id, _RECEIPTS.c.applied_at.is_(None)).values(look_at=now + SELDOM))
        return 0
    _follow(effects, now)
    return found


def _retry(receipt_ids: Sequence[int], now: datetime) -> tuple[int, Effects]:
    with unit_of_work() as c:
        rows = attempts.orphans_locked(c, receipt_ids)
        words = [ReceiptWord(r.provider, r.event_id, Verdict(r.verdict) if r.verdict else None, r.recipient, r.at, r.attempt_id,
                             r.provider_ref, r.message_id, Reason(r.reason) if r.reason else None, r.retryable, r.pages,
                             r.detail or "", r.raw or "") for r in rows]
        matches = evidence.match(c, words)
        if rows:
            c.execute(_SETTLE, [{"receipt": r.id, **{f"new_{name}": value for name, value in _standing(w, m, r.received_at, now).items()}}
                                for r, w, m in zip(rows, words, matches, strict=True)])
        return sum(m.attempt is not None for m in matches), evidence.apply(c, zip(words, matches, strict=True), now)


def _standing(word: ReceiptWord, m: Match, received_at: datetime, now: datetime) -> dict[str, Any]:
    """What is kept of a word, once it is known whose it is, or that nobody is found yet."""
    kept: dict[str, Any] = {"applied_at": now, "look_at": None, "attempt_id": word.attempt_id, "letter_id": None,
                            "recipient": word.recipient, "raw": word.raw, "detail": word.detail}
    if m.notice_id:  # its recipient is a supporter, and nobody asks for it again
        return kept | {"attempt_id": m.notice_id, "recipient": "", "raw": None, "detail": None}
    if m.attempt:
        kept |= {"attempt_id": m.attempt.id, "letter_id": m.attempt.letter_id}
        return kept | {"raw": None, "detail": None} if m.attempt.erased else kept
    if m.dismissed:
        return kept | {"attempt_id": None}
    age = now - received_at
    return kept if age >= ORPHANS_FOR else kept | {"applied_at": None, "look_at": now + min(age / 4, SELDOM)}


def _store(c: Connection, words: Sequence[ReceiptWord], matches: Sequence[Match], now: datetime) -> set[tuple[str, str]]:
    """Keep words that are not kept yet; returns those by provider and event id. All in one order, as others may keep the same."""
    rows = [{"provider": w.provider, "event_id": w.event_id, "verdict": w.verdict and w.verdict.value, "retryable": w.retryable,
             "reason": w.reason and w.reason.value, "provider_ref": w.provider_ref, "message_id": w.message_id, "pages": w.pages,
             "at": w.at, "received_at": now, **_standing(w, m, now, now)} for w, m in zip(words, matches, strict=True)]
    rows.sort(key=lambda row: (row["provider"], row["event_id"]))
    if c.dialect.name == "sqlite":  # past SQLAlchemy: there its way to the driver is what costs
        return {(row["provider"], row["event_id"]) for row, new in zip(rows, _KEEP.run_each(c, rows), strict=True) if new}
    kept = c.execute(dialect_insert(c, _RECEIPTS).on_conflict_do_nothing(index_elements=["provider", "event_id"])
                     .returning(_RECEIPTS.c.provider, _RECEIPTS.c.event_id), rows)
    return {(row.provider, row.event_id) for row in kept}


def fetched(c: Connection, attempt_id: str, now: datetime) -> None:
    """The provider came for the pages of an attempt whose outcome is unknown: then it has taken the fax."""
    if (taken := evidence.taken(c, attempt_id, now)) is not None:
        log.info("media.proves", letter=taken[0], attempt=attempt_id, state=taken[1])


def _fitting(word: ReceiptWord) -> ReceiptWord:
    """The word with each text as long as its column, without NULs, lone surrogates and numbers that no database takes."""
    texts = (word.event_id, word.recipient, word.provider_ref, word.detail, word.message_id, word.raw)
    ours = word.attempt_id is None or (len(word.attempt_id) == ID_LENGTH and word.attempt_id.isascii() and word.attempt_id.isalnum())
    possible = word.pages is None or 0 <= word.pages < MANY
    if ours and possible and _all_fit(texts):
        return word
    event_id, recipient, provider_ref, detail, message_id, raw = (t and _fit(t, most) for t, most in zip(texts, _LONGEST, strict=True))
    return replace(word, attempt_id=word.attempt_id if ours else None, event_id=event_id or "", recipient=recipient or "",
                   provider_ref=provider_ref, detail=detail or "", message_id=message_id, raw=raw or "",
                   pages=word.pages if possible else None)


def _all_fit(texts: Sequence[str | None]) -> bool:
    for text, most in zip(texts, _LONGEST, strict=True):
        if text and (len(text) > most or not text.isascii() or "\0" in text):
            return False
    return True


def _fit(text: str, most: int) -> str:
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")[:most]
