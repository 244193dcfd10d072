"""The ticker: each second it has due lanes drained. It decides nothing; SQL does.

What may take longer than a second goes on beside it, in threads of its own: the sweep each ten seconds, the Maildir of bounces
each two, and the IMAP mailbox. They are as independent as the same things in several tickers, and take database connections of
their own from the engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from outreach.db import utcnow
from outreach.logs import get
from outreach.queue import QueueName, ring
from outreach.services import bounces, inquiries, lanes, notices, polls, recalls, sweep, webhook_posts

log = get()
TICK = 1.0
SWEEP_EVERY = 10.0
BOUNCES_EVERY = 2.0
PATIENCE = 8.0
"""Seconds that what goes on beside the ticks gets to finish; a transaction that is cut off is rolled back and made again."""


def tick() -> None:
    """Ring for every queue that has something due."""
    now = utcnow()
    names = set(lanes.due_queues(now))
    if notices.due(now) or webhook_posts.due(now):
        names.add(QueueName.NOTICE)
    if polls.due(now) or inquiries.due(now) or recalls.due(now):
        names.add(QueueName.FAX)
    ring(*sorted(names))


def run(*, stopping: Callable[[], bool]) -> None:
    """Tick until `stopping()`. An error in one round is logged; the next round tries again."""
    stop, imap = threading.Event(), bounces.ImapWatch()
    beside = [_beside("sweep", lambda: _repeat("sweep", sweep.sweep, SWEEP_EVERY, stop)),
              _beside("maildir", lambda: _repeat("bounces", bounces.collect, BOUNCES_EVERY, stop)),
              _beside("imap", imap.run)]
    try:
        while not stopping():
            began = time.monotonic()
            _guarded("tick", tick)
            time.sleep(max(0.05, TICK - (time.monotonic() - began)))
    finally:
        stop.set()
        imap.stop()
        end = time.monotonic() + PATIENCE
        for thread in beside:
            thread.join(max(0.0, end - time.monotonic()))


def _beside(name: str, work: Callable[[], None]) -> threading.Thread:
    """A thread that nobody waits for at the very end: it may hang in a mailbox's login."""
    thread = threading.Thread(target=work, name=f"ticker-{name}", daemon=True)
    thread.start()
    return thread


def _repeat(name: str, step: Callable[[], object], every: float, stop: threading.Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        _guarded(name, step)
        stop.wait(max(0.05, every - (time.monotonic() - began)))


def _guarded(name: str, step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:  # the ticker outlives a database or Redis that is away for a while
        log.exception("ticker.round_failed", step=name)
