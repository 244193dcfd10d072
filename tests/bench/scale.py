"""What a million letters cost that a thousand do not: each release of a letter, statistics, `outreach doctor`, and a worker's memory."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import psutil
from sqlalchemy import Engine, insert, text, update

from outreach import db
from outreach.domain.letters import Reason, State
from outreach.models import Lane, Letter, Submission, table
from outreach.queue import QueueName
from outreach.services import campaigns, deliver, lanes, moves, stats
from outreach.settings import get_settings
from outreach.transports.base import Accepted, OutgoingMail
from tests.bench import campaign, delivery
from tests.bench.places import Place, place

FEW, MANY = 1_000, 1_000_000
PACE, BETWEEN = "20/hour", timedelta(minutes=4)
"""The ceiling as it is unless an operator sets another, and the time between two passes: each lane releases one letter in each pass."""
PASSES, LOOKS = 6, 15
MEMORY = 100_000
DOCTOR_SECONDS = 20
"""An operator who asks what is wrong waits no longer, whatever has been sent so far."""
_LETTERS, _SUBMISSIONS, _LANES = table(Letter), table(Submission), table(Lane)
Note = Callable[..., None]


def measure(here: Place, note: Note, suffix: str = "", admin: str = "") -> None:
    """Microseconds to release a letter from its lane, and milliseconds of a campaign's figures, in two databases in turns: a
    machine that is busy for a while is so for both. And seconds of `outreach doctor` over the large one."""
    campaign.load(here.folder, "bench-scale", targets=delivery.LANES)
    fill(MANY)
    many = db.engine()
    seconds, peak = _doctor(here)
    note(f"doctor_1m{suffix}", seconds, DOCTOR_SECONDS, "s", f"aim ≤ 1; peak {peak:.0f} MB")
    with place("few", admin) as there:
        campaign.load(there.folder, "bench-scale", targets=delivery.LANES)
        fill(FEW)
        both = (db.engine(), many)
        try:
            few, large = _stats(both)
            note(f"stats_1m_vs_1k{suffix}", large, few, "ms", "aim ≤ 1.5")
            with _paced():
                few, large = _releases(both, began := db.utcnow())
                note(f"claim_1m_vs_1k{suffix}", large, few, "us", "aim ≤ 1.3")
                for engine, letters in zip(both, (FEW, MANY), strict=True):
                    with _in(engine):
                        _put_off(letters // delivery.LANES, until=began + timedelta(days=1))
                few, large = _releases(both, began + PASSES * BETWEEN)
                note(f"claim_put_off_1m_vs_1k{suffix}", large, few, "us", "aim ≤ 1.3; half of each lane is put off")
        finally:
            many.dispose()


@contextmanager
def _in(engine: Engine) -> Iterator[None]:
    """All that is asked within is asked of this database."""
    with mock.patch.object(db, "engine", lambda: engine):
        yield


def fill(n: int) -> None:
    """Queue n letters: each person writes to all targets. Set-wise, in the database itself."""
    row, now = campaigns.get("bench-scale"), db.utcnow()
    targets = campaigns.targets_of(row.id)
    people = n // len(targets)
    submissions = [{
        "id": f"s{i:025}", "campaign_id": row.id, "version_id": row.version_id, "form_hash": f"{i:064}", "state": "accepted",
        "fingerprint": f"{i:032}", "channel": "email", "asked": [], "language": "en", "name": f"Person {i}",
        "email": f"person{i}@supporter.example", "street": "", "city": "Toronto", "postal_code": "M5V 2T6", "phone": "", "affiliation": "",
        "consent_version": "x", "updates": False, "public_name": False, "created_at": now, "confirmed_at": now} for i in range(people)]
    copied = text(
        "INSERT INTO letters (id, campaign_id, submission_id, target_id, address_id, channel, state, state_at, fingerprint, counts, "
        "submitted_at, created_at) SELECT 'l' || substr(s.id, 6) || (1000 + t.position), s.campaign_id, s.id, t.id, ta.address_id, "
        "'email', 'queued', s.created_at, s.fingerprint, :yes, s.created_at, s.created_at "
        "FROM submissions s JOIN targets t ON t.campaign_id = s.campaign_id JOIN target_addresses ta ON ta.target_id = t.id "
        "ORDER BY s.id, t.position")
    born = text("INSERT INTO letter_events (letter_id, at, after, why) SELECT id, created_at, state, :why FROM letters ORDER BY id")
    with db.unit_of_work() as c:
        c.execute(insert(_SUBMISSIONS), submissions)
        c.execute(copied, {"yes": True})
        c.execute(born, {"why": Reason.SUBMITTED.value})
        moves.count(c, [(row.id, t.id, "email", f"letter:{State.QUEUED.value}", people) for t in targets])
        moves.count(c, [(row.id, 0, "", "submissions", people)])
        lanes.mark(c, [t.addresses[0].id for t in targets], now)
    _counted()


def _counted() -> None:
    """Tables are as a server's own upkeep leaves them; on SQLite there is none."""
    if db.engine().dialect.name == "postgresql":
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("VACUUM ANALYZE")


def _doctor(here: Place) -> tuple[float, float]:
    """Seconds and peak memory (MB) of `outreach doctor`, which must find nothing."""
    with db.unit_of_work() as c:  # filling took its time, and nobody drains: else it would rightly ask for a worker
        c.execute(update(_LANES).values(next_wake_at=db.utcnow()))
    with delivery.broker(here) as url:
        began = time.perf_counter()
        process = here.python("-m", "outreach", "doctor", "--json", OUTREACH_REDIS_URL=url)
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
    assert process.returncode == 0 and json.loads(said)["ok"], said[-2000:]
    return seconds, used.ru_maxrss / 1024


class _Taker:
    """A provider that takes all at once, so that what is left of a release is ours."""

    name = "smtp"

    @contextmanager
    def connect(self) -> Iterator[_Taker]:
        yield self

    def hand_over(self, _letter: OutgoingMail) -> Accepted:
        return Accepted("")


@contextmanager
def _paced() -> Iterator[None]:
    """Drains hand over to `_Taker`, at most at `PACE`, and do not wait for more."""
    with (mock.patch.dict(os.environ, OUTREACH_MAX_EMAIL_RATE=PACE), mock.patch.object(deliver, "LINGER", 0.0),
          mock.patch.object(deliver, "mail_transport", lambda _settings: _Taker())):
        get_settings.cache_clear()
        try:
            yield
        finally:
            get_settings.cache_clear()


def _releases(engines: Sequence[Engine], now: datetime) -> list[float]:
    """For each database the median of what a real drain takes for one letter from each lane: it holds the lanes, loads their paces,
    chooses, renders, commits, records, looks when to look again, and lets go (µs a letter)."""
    took: list[list[float]] = [[] for _ in engines]
    for i in range(PASSES):
        at = now + i * BETWEEN
        for engine, times in zip(engines, took, strict=True):
            with _in(engine):
                began = time.perf_counter()
                released = deliver.drain(QueueName.EMAIL, seconds=600, clock=lambda at=at: at)  # type: ignore[misc]
                if i:  # the first compiles
                    times.append(time.perf_counter() - began)
                assert released == delivery.LANES, released
    return [statistics.median(times) / delivery.LANES * 1e6 for times in took]


def _put_off(people: int, *, until: datetime) -> None:
    """Half of what is left in each lane, and that in front, is not to go before then."""
    half = f"s{(PASSES + people) // 2:025}"
    with db.unit_of_work() as c:
        c.execute(update(_LETTERS).where(_LETTERS.c.state == State.QUEUED.value, _LETTERS.c.submission_id < half).values(not_before=until))
    _counted()


def _stats(engines: Sequence[Engine]) -> list[float]:
    """For each database the median of a campaign's figures, folded as the ticker folds them (ms)."""
    took: list[list[float]] = [[] for _ in engines]
    for i in range(LOOKS + 1):
        for engine, times in zip(engines, took, strict=True):
            with _in(engine):
                while stats.fold():
                    pass
                began = time.perf_counter()
                stats.stats("bench-scale")
                if i:  # the first look compiles
                    times.append(time.perf_counter() - began)
    return [statistics.median(times) * 1e3 for times in took]


def measure_memory(here: Place, note: Callable[..., None]) -> None:
    """Resident memory of a worker and its forks over the last tenth of its letters, beside that over the first."""
    campaign.load(here.folder, "bench-memory", targets=delivery.LANES)
    delivery.queue_letters("bench-memory", MEMORY)
    sizes: list[tuple[int, float]] = []

    def look(left: int, workers: list[Any]) -> None:
        try:
            family = [p for w in workers for p in [psutil.Process(w.pid), *psutil.Process(w.pid).children(recursive=True)]]
            sizes.append((left, max(p.memory_info().rss for p in family) / 1e6))
        except psutil.NoSuchProcess:
            pass

    with delivery.sink(here) as port, delivery.broker(here) as url:
        delivery.worker_run(here, port, url, MEMORY, look=look)
    first = max(mb for left, mb in sizes if left > MEMORY * 0.9)
    last = max(mb for left, mb in sizes if left < MEMORY * 0.1)
    note("worker_memory_100k", last, first, "MB", "aim ≤ 1.1 (flat)")
