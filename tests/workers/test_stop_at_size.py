"""A stop, undone and given again, while thousands of letters wait and two hundred are under way in several processes."""

from __future__ import annotations

import threading

import pytest

from outreach import queue
from outreach.db import utcnow
from outreach.domain.campaign import TargetSpec
from outreach.models import Attempt, table
from outreach.queue import QueueName
from outreach.services import stops
from outreach.services.deliver import CALLED_OFF
from tests.bench.delivery import queue_letters
from tests.conftest import eventually
from tests.services.helpers import Desk
from tests.services.test_stop import everything
from tests.transports.servers import SmtpServer
from tests.workers.test_workers import process

LETTERS, WORKERS, WINDOW = 5_000, 4, 50
OFFICES = tuple(TargetSpec(id=f"office{i}", name=f"Office {i}", hours="always", email=(f"office{i}@city.example",)) for i in range(20))
PATIENCE = 120


class Gated(SmtpServer):
    """It takes mails, and says so only when its gate is open."""

    def __init__(self) -> None:
        self.gate, self.held = threading.Event(), 0
        super().__init__()

    def fault(self, stage: str) -> str | None:
        if stage == "dot":
            self.held += 1
            self.gate.wait(PATIENCE)
        return super().fault(stage)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_stop_in_full_swing_can_be_undone_without_a_trace_and_holds_when_it_is_given_again(desk: Desk, valkey: str) -> None:
    server = Gated()
    desk.mail_server(server)
    desk.set(confirm="none", max_email_rate="none", window=str(WINDOW), slice_seconds=str(PATIENCE), smtp_timeout=str(PATIENCE))
    desk.now = utcnow()
    desk.campaign(targets=OFFICES, inbox="")
    queue_letters("night-bus", LETTERS)
    crowd = [process("worker", "email") for _ in range(WORKERS)]
    try:
        for n in range(WORKERS):  # one after another: each takes half of the lanes that are left
            queue.queue(QueueName.EMAIL).enqueue(queue.JOBS[QueueName.EMAIL], result_ttl=0, job_timeout=-1)
            eventually(lambda n=n: server.held == n + 1, seconds=PATIENCE)
        assert len(_open(desk)) == WORKERS * WINDOW
        # The server holds them all, so nothing moves by itself.
        before = everything()
        stops.stop("night-bus", "won", "They kept it.", now=utcnow())
        assert everything() != before
        stops.undo("night-bus", now=utcnow())
        assert everything() == before
        asked = utcnow()
        stops.stop("night-bus", "won", "They kept it.", now=asked)
        newest = max(a.started_at for a in _open(desk))
        eventually(lambda: utcnow() - newest > CALLED_OFF)
        server.gate.set()
        eventually(lambda: not _open(desk), seconds=PATIENCE)
    finally:
        server.gate.set()
        for worker in crowd:
            worker.terminate()
        for worker in crowd:
            worker.wait(PATIENCE)
    # What each had begun is finished; the rest of its window, two hundred in all, goes back, and nothing new has started.
    sent = len(server.mails)
    assert sent == WORKERS
    assert sorted(a.verdict for a in desk.attempts()) == ["accepted"] * sent + ["void"] * (WORKERS * WINDOW - sent)
    assert desk.states() == ["queued"] * (LETTERS - sent) + ["sent"] * sent
    desk.now = asked + stops.CAN_BE_UNDONE
    ended = 0
    while n := desk.sweep().get("ended", 0):
        ended += n
    assert ended == LETTERS - sent
    assert desk.states() == ["cancelled"] * ended + ["sent"] * sent
    assert desk.counts_agree()


def _open(desk: Desk) -> list[Attempt]:
    return desk.rows(Attempt, table(Attempt).c.verdict == "open")
