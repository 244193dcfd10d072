"""Whatever died half-way is brought on, and nothing goes twice because of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from outreach import holders
from outreach.db import new_id, unit_of_work, utcnow
from outreach.domain.letters import Verdict
from outreach.errors import Conflict, FormInvalid
from outreach.models import Attempt, CounterDelta, Lane, Letter, LetterEvent, table
from outreach.services import receipts, stats, status, throttle
from tests.conftest import eventually
from tests.services.helpers import COPIES, Desk
from tests.transports.servers import HANG

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

ROOT = Path(__file__).parents[2]


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign()
    return desk


def worker_process(desk: Desk, code: str) -> subprocess.Popen[bytes]:
    """A process of its own over the same database and settings."""
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def test_a_worker_killed_in_the_middle_of_a_hand_over_leaves_it_unknown_at_once_and_its_lane_free(unproved: Desk) -> None:
    unproved.now = utcnow()
    unproved.campaign(deadline=utcnow() + timedelta(days=9))
    unproved.set(window="1")
    unproved.sink.faults["dot"] = HANG
    unproved.set(smtp_timeout="120")  # longer than a loaded machine takes to get to the kill
    first = unproved.write()
    unproved.later(microseconds=1)
    second = unproved.write()
    worker = worker_process(unproved, "from outreach.services.deliver import *; drain(QueueName.EMAIL, seconds=60)")
    try:
        eventually(lambda: unproved.sink.mails, seconds=240, every=0.02)
        assert unproved.letter(first).state == "sending"
        unproved.now = utcnow()
        assert unproved.sweep().get("lapsed_attempts") is None  # it lives
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    unproved.now = utcnow()
    done = unproved.sweep()
    assert done["lapsed_attempts"] == 1 and done["freed_lanes"] >= 1
    assert (unproved.letter(first).state, unproved.letter(first).reason) == ("unknown", "lease_expired")
    assert unproved.send() == 1
    assert (unproved.letter(first).state, unproved.letter(second).state) == ("unknown", "sent")
    assert len(unproved.sink.mails) == 2
    assert {c.letter_id: c.state for c in unproved.copies()} == {unproved.letter(first).id: "unknown", unproved.letter(second).id: "sent"}
    assert unproved.counts_agree()


def open_attempt(desk: Desk, token: str, holder: str) -> None:
    """What a worker of that name leaves that stopped in the middle."""
    letter = desk.letter(token)
    attempt = new_id()
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)).values(id=attempt, letter_id=letter.id, campaign_id=letter.campaign_id, transport="smtp",
                                                address_id=letter.address_id, holder=holder, verdict="open", started_at=desk.now))
    desk.change(Letter, table(Letter).c.id == letter.id, state="sending", lease_until=desk.now + timedelta(minutes=3), attempt_id=attempt)
    desk.change(Lane, table(Lane).c.address_id == letter.address_id, holder=holder, held_until=desk.now + timedelta(minutes=3),
                next_wake_at=None)


def test_on_another_host_only_the_lease_tells(unproved: Desk) -> None:
    token = unproved.write()
    open_attempt(unproved, token, "another-host/b007/1/77/12345.00")
    unproved.sweep()
    assert unproved.letter(token).state == "sending"
    unproved.later(minutes=3, seconds=1)
    done = unproved.sweep()
    assert (done["lapsed_attempts"], done["freed_lanes"]) == (1, 1)
    assert unproved.letter(token).state == "unknown"
    assert [(c.inbox, c.how, c.state) for c in unproved.copies()] == [(COPIES, "digest", "offered")]  # it had no leave to copy
    unproved.later(days=1)
    assert unproved.send() == 0


def test_a_living_process_is_never_called_dead_and_another_with_its_number_is() -> None:
    me = holders.me()
    assert not holders.is_dead(me)
    place, _, started = me.rpartition("/")
    assert holders.is_dead(f"{place}/{float(started) - 5:.2f}")
    assert holders.is_dead(f"{place.rpartition('/')[0]}/{2**22 - 3}/1.00")
    for other in ("", "x", "a/b/c", "elsewhere/boot/ns/1/1.00", me.replace("/", "-")):
        assert not holders.is_dead(other)


def test_a_late_outcome_of_a_lapsed_attempt_still_counts(unproved: Desk) -> None:
    token = unproved.write()
    open_attempt(unproved, token, "another-host/b007/1/77/12345.00")
    unproved.later(minutes=4)
    unproved.sweep()
    unproved.hear(unproved.word(Verdict.ACCEPTED))
    assert unproved.letter(token).state == "sent"


def test_a_lane_that_nobody_means_to_look_at_is_woken(unproved: Desk) -> None:
    token = unproved.write()
    unproved.change(Lane, next_wake_at=None)
    assert unproved.send() == 0
    assert unproved.sweep()["woken_lanes"] == 1
    assert unproved.send() == 1
    assert unproved.letter(token).state == "sent"
    assert "woken_lanes" not in unproved.sweep()


def test_letters_of_a_closed_campaign_leave_the_queue(unproved: Desk) -> None:
    unproved.write()
    gone = unproved.write(channel="fax")
    unproved.send()
    unproved.action("close")
    unproved.sweep()
    assert unproved.letter(gone).reason == "campaign_closed"
    assert unproved.states() == ["cancelled", "sent"]


def test_letters_past_their_deadline_expire_and_are_not_sent(unproved: Desk) -> None:
    unproved.campaign(deadline=unproved.now + timedelta(hours=1))
    token = unproved.write()
    unproved.later(hours=1)
    assert unproved.send() == 0
    assert unproved.sweep()["expired"] == 1
    assert (unproved.letter(token).state, unproved.letter(token).reason) == ("expired", "deadline_passed")
    assert unproved.send() == 0


def test_a_letter_requeued_after_its_withdrawal_leaves_the_queue(unproved: Desk) -> None:
    token = unproved.write()
    unproved.change(Letter, withdrawn_at=unproved.now)
    assert unproved.send() == 0
    assert unproved.sweep()["withdrawn"] == 1
    assert unproved.letter(token).state == "cancelled"


def test_a_paused_campaigns_letters_wait(unproved: Desk) -> None:
    unproved.write()
    unproved.action("pause")
    unproved.sweep()
    assert unproved.send() == 0
    assert unproved.states() == ["queued"]


def test_a_sweep_of_a_healthy_service_does_nothing_the_second_time(unproved: Desk) -> None:
    unproved.write()
    unproved.send()
    unproved.sweep()
    assert unproved.sweep() == {}


def test_folding_by_many_at_once_loses_no_count(unproved: Desk) -> None:
    import threading

    for _ in range(20):
        unproved.write()
    crowd = [threading.Thread(target=stats.fold, kwargs={"most": 7}) for _ in range(8)]
    for one in crowd:
        one.start()
    unproved.write()
    for one in crowd:
        one.join()
    stats.fold()
    assert unproved.rows(CounterDelta) == []
    assert unproved.stats()["letters"] == {"queued": 21}
    assert unproved.stats()["submissions"] == 21
    assert unproved.counts_agree()


def test_after_any_traffic_the_counters_equal_a_recount_and_every_state_has_its_event(desk: Desk) -> None:
    desk.set(max_email_rate="9/hour", max_fax_rate="9/hour")
    desk.campaign()
    dice, tokens = random.Random(7), [desk.write()]

    def provider_says() -> None:
        if attempts := desk.attempts():
            desk.hear(desk.word(dice.choice([Verdict.DELIVERED, Verdict.BOUNCED, Verdict.ACCEPTED]), dice.choice(attempts),
                                retryable=dice.random() < 0.5))

    deeds: list[Callable[[], Any]] = [
        lambda: tokens.append(desk.write(channel=dice.choice(["email", "email", "fax"]), email=f"p{dice.randrange(20)}@people.example")),
        lambda: desk.confirm(dice.choice(tokens)), lambda: desk.confirm(dice.choice(tokens)), desk.send, provider_says,
        lambda: status.withdraw(desk.mailed(dice.choice(tokens)), now=desk.now), desk.sweep, provider_says,
        lambda: desk.sink.faults.update({dice.choice(["rcpt1", "dot", "data"]): dice.choice(["450 4.2.0 x", "550 5.1.1 x", "close"])}),
        lambda: desk.later(hours=dice.randrange(5)), lambda: status.erase(desk.mailed(dice.choice(tokens)), now=desk.now)]
    for _ in range(90):
        with suppress(FormInvalid, Conflict):
            dice.choice(deeds)()
    last: dict[str, str] = {}
    for event in desk.rows(LetterEvent):
        assert last.get(event.letter_id) == event.before
        last[event.letter_id] = event.after
    assert last == {x.id: x.state for x in desk.letters()}
    assert desk.counts_agree()
    stats.fold()
    assert desk.counts_agree()
    assert len({m.raw.split(b"Message-ID: ", 1)[1].split(b"\r\n", 1)[0] for m in desk.sink.mails if b"Cc: copies" in m.raw}) == sum(
        b"Cc: copies" in m.raw for m in desk.sink.mails)


def test_a_repair_that_fails_stops_none_of_the_others_and_is_told(unproved: Desk) -> None:
    unproved.write()
    unproved.change(Lane, next_wake_at=None)

    def broken(_now: Any) -> int:
        raise RuntimeError("not today")

    unproved.patch.setattr(receipts, "retry_orphans", broken)
    unproved.patch.setattr(throttle, "forget", lambda _c, _now: broken(None))
    with pytest.raises(RuntimeError, match="not today"):
        unproved.sweep()
    assert all(lane.next_wake_at == unproved.now for lane in unproved.rows(Lane) if unproved.letters()[0].address_id == lane.address_id)
    assert unproved.rows(CounterDelta) == [], "folded all the same"
    assert unproved.send() == 1
