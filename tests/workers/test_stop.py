"""A stop and a pause over real workers: nothing new is started once the command has returned."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from outreach.db import utcnow
from outreach.models import Attempt
from outreach.services import pauses, stops
from tests.conftest import eventually
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.workers.test_workers import process
from workers import ticker

LETTERS = 200
PROMISED = timedelta(seconds=5)


@pytest.fixture
def busy(desk: Desk, valkey: str) -> Desk:
    """A desk at the real time with 200 letters in two lanes, and all limits lifted."""
    desk.now = utcnow()
    desk.set(confirm="none", max_email_rate="none", slice_seconds="3")
    assert desk.sink and desk.provider
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    for _ in range(LETTERS // 2):
        desk.write(targets=("commissioner", "council"))
    ticker.tick()
    return desk


def _look_again(desk: Desk) -> int:
    """Somebody looks at everything that is due; returns how many hand-overs were made."""
    desk.now = utcnow()
    return desk.send(seconds=60)


def test_once_the_stop_has_returned_nothing_is_started_and_after_ten_minutes_nothing_waits(busy: Desk) -> None:
    worker = process("worker", "email")
    try:
        eventually(lambda: len(busy.sink.mails) >= 12, seconds=240, every=0.01)
        stops.stop("night-bus", "won", "They kept it.", now=utcnow())
        asked, begun = utcnow(), len(busy.rows(Attempt))
        eventually(lambda: not [a for a in busy.attempts() if a.verdict == "open"], seconds=240)
        time.sleep(0.5)  # what a drain would still start, it would start now
    finally:
        worker.terminate()
        worker.wait(120)
    assert _look_again(busy) == 0
    assert begun < LETTERS
    assert len(busy.rows(Attempt)) == begun == len(busy.sink.mails)
    assert max(a.started_at for a in busy.attempts()) < asked + PROMISED
    waiting = LETTERS - begun
    assert busy.states() == ["queued"] * waiting + ["sent"] * begun
    busy.now = asked + stops.CAN_BE_UNDONE
    assert busy.sweep()["ended"] == waiting
    assert busy.states() == ["cancelled"] * waiting + ["sent"] * begun
    assert busy.counts_agree()


def test_an_undone_stop_sends_the_rest_once_each(busy: Desk) -> None:
    worker = process("worker", "email")
    try:
        eventually(lambda: len(busy.sink.mails) >= 12, seconds=240, every=0.01)
        stops.stop("night-bus", "won", "They kept it.", now=utcnow())
        eventually(lambda: not [a for a in busy.attempts() if a.verdict == "open"], seconds=240)
        stops.undo("night-bus", now=utcnow())
    finally:
        worker.terminate()
        worker.wait(120)
    _look_again(busy)
    assert busy.states() == ["sent"] * LETTERS
    assert len({m.raw[m.raw.index(b"Message-ID"):][:80] for m in busy.sink.mails}) == len(busy.sink.mails) == LETTERS


@pytest.mark.parametrize(("database", "what"), [("sqlite", "everything"), ("postgres", "email")], indirect=["database"])
def test_a_pause_holds_a_worker_in_the_middle_of_its_queue(busy: Desk, what: str) -> None:
    worker = process("worker", "email")
    try:
        eventually(lambda: len(busy.sink.mails) >= 12, seconds=240, every=0.01)
        pauses.pause(what, now=utcnow())
        asked = utcnow()
        eventually(lambda: busy.lane(COMMISSIONER.email[0]).holder is None and busy.lane(COUNCIL.email[0]).holder is None, seconds=240)
        began = len(busy.rows(Attempt))
    finally:
        worker.terminate()
        worker.wait(120)
    assert began < LETTERS
    assert max(a.started_at for a in busy.attempts()) < asked + PROMISED
    assert _look_again(busy) == 0
    assert len(busy.rows(Attempt)) == began
    pauses.resume(what, now=utcnow())
    _look_again(busy)
    assert busy.states() == ["sent"] * LETTERS
