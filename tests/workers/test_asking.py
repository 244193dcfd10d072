"""A fax worker dies in the middle of a hand-over; another one finds out from the provider what became of it."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest

from outreach import queue
from outreach.db import utcnow
from outreach.models import Attempt
from outreach.queue import QueueName
from outreach.services import privacy, sweep
from tests.conftest import eventually
from tests.services.faxes import FaxProvider
from tests.services.helpers import COMMISSIONER, Desk
from tests.transports.servers import HANG
from tests.workers.test_workers import process, waiting
from workers import ticker


@pytest.fixture
def at(desk: Desk) -> FaxProvider:
    desk.now = utcnow()
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign(targets=(COMMISSIONER,))
    return FaxProvider(desk)


def worked(at: FaxProvider) -> None:
    """The ticker finds that a provider should be asked, and a worker does so."""
    queue.redis().flushall()
    ticker.tick()
    assert waiting(QueueName.FAX) == 1
    assert process("worker", "fax", "--burst").wait(120) == 0


@pytest.mark.parametrize("kept", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_killed_in_the_middle_of_a_fax_is_followed_by_one_that_asks(at: FaxProvider, valkey: str, kept: bool) -> None:
    desk = at.desk
    desk.set(http_timeout="30")
    at.lost, at.keeps = [HANG], kept
    token = desk.write(channel="fax")
    ticker.tick()
    worker = process("worker", "fax")
    try:
        eventually(lambda: at.posts == 1)
        job = int(desk.one(Attempt).holder.rsplit("/", 2)[1])
    finally:
        worker.kill()
        worker.wait(120)
    os.kill(job, signal.SIGKILL)
    eventually(lambda: sweep.sweep() is not None and desk.letter(token).state == "unknown")
    ago = utcnow() - timedelta(minutes=10)
    desk.change(Attempt, started_at=ago, ended_at=ago)
    for fax in at.faxes:
        fax.created = ago + timedelta(seconds=1)
    worked(at)
    attempt = desk.attempts()[0]
    assert attempt.verdict == ("accepted" if kept else "void")
    assert desk.letter(token).state == ("sent" if kept else "queued")
    assert (at.posts, len(at.faxes)) == (1, int(kept))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_calls_back_what_was_withdrawn(at: FaxProvider, valkey: str) -> None:
    token = at.desk.write(channel="fax")
    at.desk.send(QueueName.FAX)
    privacy.withdraw(at.desk.mailed(token))
    worked(at)
    assert at.desk.letter(token).state == "cancelled"
