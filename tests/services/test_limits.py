"""Limits hold exactly, whatever happens: the slot is the attempt's row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from outreach.domain.letters import Verdict
from outreach.domain.pacing import JITTER
from outreach.models import Letter, table
from outreach.queue import QueueName
from outreach.services import deliver, lanes, polls
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.transports.servers import Answer

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    return desk


def most_in(starts: Sequence[datetime], period: timedelta) -> int:
    """The most starts in any (t - period, t]."""
    return max(sum(t - period < s <= t for s in starts) for t in starts)


def run(desk: Desk, *, hours: float, minutes: float, queue: QueueName = QueueName.EMAIL) -> list[datetime]:
    """Let time pass in steps, draining at each; returns when attempts started."""
    end = desk.now + timedelta(hours=hours)
    while desk.now < end:
        desk.send(queue)
        desk.later(minutes=minutes)
    return [a.started_at for a in desk.attempts()]


def test_a_campaigns_limit_holds_exactly_and_is_used_up(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "4/hour"}),))
    for _ in range(14):
        unproved.write()
    starts = run(unproved, hours=3.1, minutes=1)
    assert most_in(starts, timedelta(hours=1)) == 4
    assert len(starts) == 13  # the first, and then a full rate: starts are spread, and the spreading costs nothing
    assert min(b - a for a, b in pairwise(starts)) >= timedelta(minutes=15) * (1 - JITTER)
    assert unproved.states() == ["queued"] + ["sent"] * 13


def test_the_operators_ceiling_cannot_be_raised_by_a_campaign(unproved: Desk) -> None:
    unproved.set(max_email_rate="3/2 hours")
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "50/2 hours"}),))
    for _ in range(8):
        unproved.write()
    assert unproved.send() == 3
    unproved.later(minutes=119)
    assert unproved.send() == 0
    unproved.later(minutes=1, seconds=1)
    assert unproved.send() == 3


def test_campaigns_that_share_an_address_share_its_limit_and_the_strictest_holds(unproved: Desk) -> None:
    unproved.campaign("night-bus", targets=(replace(COMMISSIONER, limits={"email": "5/day"}),))
    unproved.campaign("day-bus", targets=(replace(COMMISSIONER, limits={"email": "3/day"}),))
    for _ in range(4):
        unproved.write("night-bus")
        unproved.write("day-bus")
        unproved.later(seconds=1)
    assert unproved.send() == 3
    assert {a.campaign_id for a in unproved.attempts()} == {1, 2}
    unproved.action("pause", "day-bus")
    unproved.later(seconds=1)
    assert unproved.send() == 2  # only the live campaigns' limits count: five in the day
    unproved.later(minutes=30)
    assert unproved.send() == 0


def test_every_retry_takes_a_slot_and_a_restart_forgets_nothing(unproved: Desk) -> None:
    from outreach.db import engine

    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "2/2 hours"}),))
    for _ in range(3):
        unproved.write()
        unproved.later(seconds=1)
    unproved.sink.faults["rcpt1"] = "450 4.2.0 later"
    assert unproved.send() == 2
    engine().dispose()
    engine.cache_clear()
    unproved.later(minutes=70)
    assert unproved.send() == 0
    unproved.later(minutes=50, seconds=1)
    assert unproved.send() == 2
    assert most_in([a.started_at for a in unproved.attempts()], timedelta(hours=2)) == 2


def test_a_clock_that_steps_back_spends_no_slot_twice(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "2/2 hours"}),))
    for _ in range(4):
        unproved.write()
    assert unproved.send() == 2
    unproved.later(minutes=-30)
    unproved.sweep()
    unproved.send()
    assert len(unproved.attempts()) == 2
    unproved.later(minutes=151)
    unproved.send()
    assert len(unproved.attempts()) == 4


def test_a_lifetime_total_is_never_exceeded(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "2/total"}),))
    for _ in range(3):
        unproved.write()
    run(unproved, hours=50, minutes=600)
    assert unproved.states() == ["queued", "sent", "sent"]


def test_a_raised_limit_works_on_letters_that_wait_already(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "1/day"}),))
    for _ in range(3):
        unproved.write()
    assert unproved.send() == 1
    unproved.later(seconds=5)
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "20/day"}),))
    assert unproved.send() == 2


def test_a_big_limit_is_kept_too(unproved: Desk) -> None:
    """Above a thousand, starts are counted instead of read."""
    from outreach.services import paces

    unproved.patch.setattr(paces, "EXACT", 2)
    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "5/hour"}),))
    for _ in range(9):
        unproved.write()
    starts = run(unproved, hours=2.2, minutes=2)
    assert most_in(starts, timedelta(hours=1)) <= 5
    assert unproved.states() == ["sent"] * 9


def test_letters_wait_for_office_hours_in_the_targets_own_time_zone(unproved: Desk) -> None:
    office = replace(COMMISSIONER, hours="Mon-Fri 09:00-17:00", timezone="America/Toronto")
    unproved.campaign(targets=(office, COUNCIL))
    unproved.now = datetime(2026, 11, 27, 21, 59, tzinfo=UTC)  # Friday, 16:59 there
    unproved.write()
    assert unproved.send() == 1
    unproved.later(minutes=1)
    late = unproved.write(targets=("commissioner", "council"))
    assert unproved.send() == 1
    assert sorted(x.state for x in unproved.letters(late)) == ["queued", "sent"]
    assert unproved.lane("commissioner@transit.example").next_wake_at <= datetime(2026, 11, 30, 14, 0, tzinfo=UTC)
    unproved.now = datetime(2026, 11, 30, 13, 59, 59, tzinfo=UTC)  # Monday, 08:59:59
    assert unproved.send() == 0
    unproved.later(seconds=1)
    assert unproved.send() == 1


def test_no_fax_rings_at_night_unless_a_target_says_always(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, hours=""),))
    unproved.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # three at night there
    unproved.write(channel="fax")
    mail = unproved.write()
    assert (unproved.send(QueueName.FAX), unproved.send()) == (0, 1)
    assert unproved.letter(mail).state == "sent"
    unproved.now = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    assert unproved.send(QueueName.FAX) == 1


def test_the_whole_service_hands_over_no_more_than_its_daily_total(unproved: Desk) -> None:
    unproved.set(max_per_day="5", window="4")
    unproved.campaign("night-bus")
    unproved.campaign("day-bus")
    for _ in range(4):
        unproved.write("night-bus", targets=("commissioner", "council"))
    unproved.write("day-bus", channel="fax")
    sent = unproved.send() + unproved.send(QueueName.FAX)
    assert sent == 5 == len(unproved.attempts())
    lane = unproved.lane("council@city.example")
    assert lane.next_wake_at is not None
    unproved.now = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
    assert unproved.send() + unproved.send(QueueName.FAX) == 4
    assert unproved.states() == ["sent"] * 9


def test_one_call_at_a_time_rings_at_a_number_until_its_final_receipt(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    for _ in range(3):
        unproved.write(channel="fax")
    assert unproved.send(QueueName.FAX) == 1
    for _ in range(3):
        unproved.later(minutes=1)
        assert unproved.send(QueueName.FAX) == 0
    (first,) = unproved.attempts()
    unproved.hear(unproved.word(None, first))  # "sending": the call is not over
    assert unproved.send(QueueName.FAX) == 0
    unproved.hear(unproved.word(Verdict.DELIVERED, first, pages=1))
    assert unproved.send(QueueName.FAX) == 1
    assert len(unproved.provider.asked) == 2


def test_campaigns_that_share_a_number_share_its_line(unproved: Desk) -> None:
    for slug in ("night-bus", "day-bus"):
        unproved.campaign(slug, targets=(COMMISSIONER,))
        unproved.write(slug, channel="fax")
    assert unproved.send(QueueName.FAX) == 1
    assert unproved.send(QueueName.FAX) == 0


def test_a_line_whose_receipt_stays_out_comes_free_when_the_provider_has_given_up(unproved: Desk) -> None:
    unproved.set(fax_ttl_minutes="30")
    unproved.campaign(targets=(COMMISSIONER,))
    for _ in range(2):
        unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    unproved.later(minutes=29)
    assert unproved.send(QueueName.FAX) == 0
    unproved.later(minutes=4)
    assert unproved.send(QueueName.FAX) == 1


def test_a_fax_of_unknown_outcome_holds_the_line_too(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    for _ in range(2):
        unproved.write(channel="fax")
    unproved.provider.faults.append(Answer(500, {}))
    unproved.send(QueueName.FAX)
    unproved.later(minutes=10)
    assert unproved.send(QueueName.FAX) == 0
    assert unproved.states() == ["queued", "unknown"]


def test_a_fax_whose_callback_stays_out_is_asked_about(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    token = unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    assert not polls.due(unproved.now)
    unproved.later(minutes=2)
    assert polls.due(unproved.now)
    unproved.provider.faults.append(Answer(200, {"sid": "FX1", "status": "sending", "to": "+14165550133"}))
    assert polls.poll(unproved.now) == 0
    assert not polls.due(unproved.now)  # asked a moment ago
    unproved.later(minutes=3)
    unproved.provider.faults.append(Answer(200, {"sid": "FX1", "status": "delivered", "to": "+14165550133", "num_pages": 1}))
    assert polls.poll(unproved.now) == 1
    assert unproved.letter(token).state == "delivered"
    assert unproved.provider.asked[-1].path == "/Faxes/FX1"
    assert not polls.due(unproved.later(minutes=10))


def test_a_provider_that_answers_rubbish_when_asked_changes_nothing(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    token = unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    for answer in (Answer(404, {}), Answer(200, b"<html>"), Answer(200, []), "close"):
        unproved.later(minutes=3)
        unproved.provider.faults.append(answer)
        assert polls.poll(unproved.now) == 0
    assert unproved.letter(token).state == "sent"


def test_two_drains_at_once_do_not_break_a_limit(unproved: Desk) -> None:
    import threading

    from outreach.settings import get_settings

    unproved.campaign(targets=(replace(COMMISSIONER, limits={"email": "5/day"}), replace(COUNCIL, limits={"email": "3/day"})))
    for _ in range(10):
        unproved.write(targets=("commissioner", "council"))
    assert unproved.sink
    crowd = [threading.Thread(target=lambda n=n: deliver.Drain(QueueName.EMAIL, get_settings(), unproved.clock, f"d{n}").run(5))
             for n in range(3)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(unproved.attempts()) == len(unproved.sink.mails) == 8


def test_a_daily_total_that_is_spent_is_no_error_for_the_drains_that_come_after(unproved: Desk) -> None:
    unproved.set(max_per_day="5", window="4")
    unproved.campaign(targets=(COMMISSIONER,))
    for _ in range(8):
        unproved.write()
    sent = []
    for _ in range(3):
        sent.append(unproved.send())
        unproved.later(minutes=2)
    assert sent == [5, 0, 0] and unproved.states() == ["queued"] * 3 + ["sent"] * 5
    unproved.now = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
    assert unproved.send() == 3


def test_shares_of_one_campaigns_offices_at_one_address_hold_both(unproved: Desk) -> None:
    offices = (replace(COMMISSIONER, share={"email": "1/day"}), replace(COUNCIL, email=COMMISSIONER.email, share={"email": "50/day"}))
    unproved.campaign(targets=offices)
    for _ in range(3):
        unproved.write(targets=("commissioner", "council"))
    assert unproved.send() == 1


def test_a_letter_that_waits_for_its_retry_is_not_forgotten_for_one_whose_share_is_spent(unproved: Desk) -> None:
    unproved.campaign("night-bus", targets=(replace(COMMISSIONER, share={"email": "1/day"}),))
    for _ in range(2):
        unproved.write("night-bus")
    assert unproved.send() == 1
    unproved.campaign("day-bus", targets=(COMMISSIONER,))
    unproved.sink.faults["rcpt1"] = "450 4.2.1 later"
    deferred = unproved.write("day-bus")
    unproved.send()
    letter = unproved.letter(deferred)
    assert letter.state == "queued" and letter.not_before > unproved.now
    assert unproved.lane(COMMISSIONER.email[0]).next_wake_at <= letter.not_before


def test_nothing_is_handed_over_after_the_office_has_closed_however_long_a_drain_takes(unproved: Desk) -> None:
    unproved.set(window="4")
    unproved.campaign(targets=(replace(COMMISSIONER, hours="Mon-Fri 09:00-17:00"),))
    for _ in range(30):
        unproved.write()
    closes = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    unproved.now = closes - timedelta(seconds=2)

    def ticking() -> datetime:
        return unproved.later(milliseconds=20)

    assert unproved.sink
    sent = deliver.drain(QueueName.EMAIL, seconds=60, clock=ticking)
    assert 0 < sent < 30 and unproved.now >= closes
    assert max(a.started_at for a in unproved.attempts()) < closes
    assert unproved.lane(COMMISSIONER.email[0]).next_wake_at is not None


def test_a_sleeping_lane_is_looked_at_now_and_then_in_case_a_wake_up_was_lost(unproved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    unproved.sink.faults["rcpt1"] = "450 4.2.1 later"
    first = unproved.write()
    unproved.send()
    unproved.change(Letter, table(Letter).c.id == unproved.letter(first).id, not_before=unproved.now + timedelta(hours=4))
    unproved.later(minutes=1)
    unproved.send()
    monkeypatch.setattr(lanes, "wake", lambda *_: None)  # the web process dies right after its commit
    second = unproved.write()
    unproved.later(minutes=10)
    assert unproved.send() == 1 and unproved.letter(second).state == "sent"
