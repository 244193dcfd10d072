"""How long after `outreach campaign stop` the last hand-over starts: thousands wait, two hundred are under way, the server is slow."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from outreach import db
from outreach.models import Attempt, AuditEntry, Campaign, Letter, table
from tests.bench import campaign, delivery
from tests.bench.places import Place

LETTERS, WORKERS, WINDOW = 5_000, 4, 50
UNDER_WAY = WORKERS * WINDOW
SLOW = 0.2
"""Seconds that the mail server takes for each mail: a window lasts ten, longer than the promise."""
PROMISED = 5.0
PATIENCE = 120.0
_LETTERS, _ATTEMPTS, _CAMPAIGNS, _LOG = table(Letter), table(Attempt), table(Campaign), table(AuditEntry)


def measure(here: Place, note: Callable[..., None]) -> None:
    """Seconds from the moment at which the command asks for the stop to the last hand-over's text, and how long the command takes, most
    of which is Python's start; then that nothing was lost, and that nothing waits once the time to undo it is over."""
    campaign.load(here.folder, "bench-stop", targets=delivery.LANES)
    delivery.queue_letters("bench-stop", LETTERS)
    with _slow_sink(here) as port, delivery.broker(here) as url:
        with _sending(here, port, url):
            _until(lambda: _open() >= UNDER_WAY, f"{UNDER_WAY} hand-overs under way")
            began = time.monotonic()
            here.cli("campaign", "stop", "bench-stop", "--outcome", "won", "--message", "They kept it.")
            command = time.monotonic() - began
            _until(lambda: _open() == 0, "no hand-over under way")
            time.sleep(2 * SLOW)
            said = delivery.taken(port)
            time.sleep(2)  # two ticks: whatever would still start, starts now
        after = delivery.taken(port)
    states = _states()
    assert after["count"] == 0, after
    assert states == {"sent": said["count"], "queued": LETTERS - said["count"]}, (states, said["count"])
    with db.unit_of_work() as c:
        c.execute(update(_CAMPAIGNS).values(final_at=db.utcnow() - timedelta(seconds=1)))
    for _ in range(LETTERS // 500):  # a sweep cancels for two seconds at the most
        here.cli("sweep")
        if "queued" not in _states():
            break
    assert _states() == {"sent": said["count"], "cancelled": LETTERS - said["count"]}, _states()
    note("stop_seconds", max(0.0, said["last"] - _asked_at()), PROMISED, "s", "aim ≤ 1")
    note("stop_command_seconds", command, None, "s")


@contextmanager
def _slow_sink(here: Place) -> Iterator[int]:
    process = here.python("-m", "tests.bench.sink", str(SLOW))
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _sending(here: Place, port: int, url: str) -> Iterator[None]:
    env = {"OUTREACH_EMAIL_TRANSPORT": "smtp", "OUTREACH_SMTP_URL": f"smtp://127.0.0.1:{port}", "OUTREACH_REDIS_URL": url,
           "OUTREACH_WORKERS_EMAIL": str(WORKERS), "OUTREACH_WINDOW": str(WINDOW), "OUTREACH_SLICE_SECONDS": "60"}
    started: list[subprocess.Popen[bytes]] = [here.python("-m", "outreach", "ticker", **env)]
    try:
        started += [here.python("-m", "outreach", "worker", "email", **env) for _ in range(WORKERS)]
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _until(so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


def _open() -> int:
    with db.reading() as c:
        n: int = c.execute(select(func.count()).select_from(_ATTEMPTS).where(_ATTEMPTS.c.verdict == "open")).scalar_one()
        return n


def _asked_at() -> float:
    with db.reading() as c:
        at: datetime = c.execute(select(_LOG.c.at).where(_LOG.c.what == "campaign: stop")).scalar_one()
        return at.timestamp()


def _states() -> dict[str, int]:
    with db.reading() as c:
        return {state: n for state, n in c.execute(select(_LETTERS.c.state, func.count()).group_by(_LETTERS.c.state))}
