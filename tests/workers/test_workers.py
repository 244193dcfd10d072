"""RQ is the engine: real workers over a real Valkey drain what the database says, and nothing goes twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from outreach import queue
from outreach.db import utcnow
from outreach.queue import QueueName
from outreach.services import lanes
from tests.conftest import eventually
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk, mail_of
from workers import ticker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def office(desk: Desk) -> Desk:
    """A desk at the real time, as worker processes live in it; limits lifted."""
    desk.now = utcnow()
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none", slice_seconds="5")
    assert desk.sink and desk.provider
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    for name in (QueueName.EMAIL, QueueName.FAX):
        desk.send(name)  # publishing wakes all lanes; now they sleep
    return desk


def process(*args: str) -> subprocess.Popen[bytes]:
    """An `outreach` command over the same settings."""
    return subprocess.Popen([sys.executable, "-m", "outreach", *args], env={**os.environ, "PYTHONPATH": str(ROOT)},
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def waiting(name: QueueName) -> int:
    return int(queue.redis().llen(queue.queue(name).key))


def test_a_submit_rings_and_a_worker_in_burst_sends(office: Desk, valkey: str) -> None:
    office.set(slice_seconds="120")  # one ring is one drain, and nobody else is there to ring again
    tokens = [office.write(targets=("commissioner", "council")) for _ in range(5)]
    assert waiting(QueueName.EMAIL) == 1  # one ring, whatever the number of letters
    worker = process("worker", "email", "--burst")
    assert worker.wait(240) == 0
    assert {x.state for t in tokens for x in office.letters(t)} == {"sent"}
    assert len(office.sink.mails) == 10
    assert waiting(QueueName.EMAIL) == 0
    assert {a.holder.rsplit("/", 2)[1] for a in office.attempts()} != {str(worker.pid)}  # a fork of its own drained


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_workers_in_several_processes_send_each_letter_once(office: Desk, valkey: str) -> None:
    crowd = [process("worker", "email") for _ in range(2)]
    try:
        for _ in range(40):
            office.write(targets=("commissioner", "council"))
            queue.queue(QueueName.EMAIL).enqueue(queue.JOBS[QueueName.EMAIL], result_ttl=0, job_timeout=-1)
        eventually(lambda: office.states() == ["sent"] * 80, seconds=240)
    finally:
        for worker in crowd:
            worker.terminate()
        for worker in crowd:
            worker.wait(120)
    ids = [mail_of(m)["Message-ID"] for m in office.sink.mails]
    assert len(ids) == len(set(ids)) == 80
    assert office.counts_agree()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_each_queue_has_a_job_that_drains_it(office: Desk, valkey: str) -> None:
    office.set(confirm="email")
    office.write(targets=("council",))
    office.set(confirm="none")
    office.write(channel="fax")
    for name in ("notice", "fax"):
        assert process("worker", name, "--burst").wait(240) == 0
    assert [m.rcpts for m in office.sink.mails] == [[office.notices()[0].recipient]]
    assert len(office.provider.asked) == 1
    assert office.states() == ["sent", "unconfirmed"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_ticker_rings_for_what_is_due_and_for_nothing_else(office: Desk, valkey: str) -> None:
    office.write(channel="fax")
    office.write()
    queue.redis().flushall()  # all bells lost
    ticker.tick()
    assert [waiting(n) for n in QueueName] == [1, 1, 0]
    ticker.tick()
    assert [waiting(n) for n in QueueName] == [1, 1, 0]  # a bell that was rung is left alone
    queue.redis().flushall()
    held = lanes.hold(QueueName.EMAIL, "somebody", utcnow(), lease=timedelta(minutes=2))
    ticker.tick()
    assert [waiting(n) for n in QueueName] == [0, 1, 0]
    lanes.release(held, {a: utcnow() + timedelta(hours=1) for a in held.address_ids})
    queue.redis().flushall()
    ticker.tick()
    assert waiting(QueueName.EMAIL) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_ticker_outlives_a_redis_and_a_database_that_are_away(office: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "TICK", 0.05)
    monkeypatch.setattr(ticker, "SWEEP_EVERY", 0.1)
    monkeypatch.setattr(ticker, "BOUNCES_EVERY", 0.1)
    office.write()
    rounds = [0]

    def stopping() -> bool:
        rounds[0] += 1
        if rounds[0] == 2:
            office.set(database_url="sqlite:////proc/no/such.db")
            from outreach.db import engine
            engine.cache_clear()
        return rounds[0] > 4

    thread = threading.Thread(target=ticker.run, kwargs={"stopping": stopping})
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and rounds[0] == 5


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_drained_queue_leaves_no_jobs_behind_in_redis(office: Desk, valkey: str) -> None:
    office.write()
    assert process("worker", "email", "--burst").wait(240) == 0
    assert [k for k in queue.redis().keys("rq:job:*")] == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_told_to_stop_ends_its_slice_and_leaves_nothing_open(office: Desk, valkey: str) -> None:
    office.set(slice_seconds="1")
    for _ in range(200):
        office.write()
    worker = process("worker", "email")
    eventually(lambda: office.sink.mails, seconds=240, every=0.01)
    worker.send_signal(signal.SIGTERM)
    began = time.monotonic()
    worker.wait(120)
    assert time.monotonic() - began < 12
    assert {a.verdict for a in office.attempts()} == {"accepted"}
    assert all(lane.holder is None for lane in (office.lane("commissioner@transit.example"), office.lane("council@city.example")))
    assert len(office.sink.mails) == len(office.attempts())
