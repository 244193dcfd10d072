"""What the ticker costs while a hundred thousand letters wait in a thousand lanes: its share of one core."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tests.bench import campaign, delivery
from tests.bench.places import Place

LANES, LETTERS = 1_000, 100_000
SHARE = 0.05
SETTLED, WATCHED = 12.0, 20.0
"""Seconds until its first sweep is over, which folds all that was counted, and seconds that it is then watched for: two sweeps."""


def measure(here: Place, note: Callable[..., None]) -> None:
    """CPU seconds of the real ticker in a second. All lanes are due and nobody drains them, and each letter
    has a writer of its own: it has the most to look at."""
    campaign.load(here.folder, "bench-ticker", targets=LANES)
    delivery.queue_letters("bench-ticker", LETTERS)
    with delivery.broker(here) as url:
        ticker = here.python("-m", "outreach", "ticker", OUTREACH_REDIS_URL=url)
        try:
            process = psutil.Process(ticker.pid)
            time.sleep(SETTLED)
            used, began = _used(process), time.monotonic()
            time.sleep(WATCHED)
            share = (_used(process) - used) / (time.monotonic() - began)
        finally:
            ticker.terminate()
            ticker.wait()
    note("ticker_share", share, SHARE, "of a core", "aim ≤ 1")


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
