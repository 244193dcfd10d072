"""The ticker: each second it has due lanes drained, every ten it sweeps. It decides nothing; SQL does."""

from __future__ import annotations

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
    last_sweep = last_bounces = 0.0
    while not stopping():
        began = time.monotonic()
        _guarded("tick", tick)
        if began - last_bounces >= BOUNCES_EVERY:
            last_bounces = began
            _guarded("bounces", bounces.collect)
        if began - last_sweep >= SWEEP_EVERY:
            last_sweep = began
            _guarded("sweep", sweep.sweep)
        time.sleep(max(0.05, TICK - (time.monotonic() - began)))


def _guarded(name: str, step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:  # the ticker outlives a database or Redis that is away for a while
        log.exception("ticker.round_failed", step=name)
