"""Between reading a letter and claiming it anything may happen: the ledger's one condition decides, not what was read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from outreach.domain.letters import Channel, Reason
from outreach.models import Attempt, Campaign, Lane, Letter, table
from outreach.queue import QueueName
from outreach.services import blocks, confirm, deliver, lanes, ledger, paces, pauses, status
from outreach.services.ledger import Started
from outreach.settings import get_settings
from tests.services.helpers import Desk, hold_up

_LETTERS = table(Letter)


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", window="1")
    desk.campaign()
    return desk


def _withdraw(desk: Desk) -> None:
    for token in {x.submission_id for x in desk.letters()}:
        from outreach import tokens
        status.withdraw(tokens.mail_token(token), now=desk.now)


MEANWHILE: dict[str, tuple[Callable[[Desk], object], str]] = {
    "paused": (lambda d: d.action("pause"), "queued"),
    "closed": (lambda d: d.action("close"), "queued"),
    "deadline": (lambda d: d.change(Campaign, deadline=d.now), "queued"),
    "withdrawn": (_withdraw, "cancelled"),
    "blocked": (lambda d: blocks.block_address("commissioner@transit.example", "asked us to", now=d.now), "failed"),
    "lane lost": (lambda d: d.change(Lane, holder="another"), "queued"),
    "lane freed": (lambda d: d.change(Lane, holder=None, next_wake_at=None), "queued"),
    "claimed by another": (lambda d: d.change(Letter, state="sending", lease_until=d.now + timedelta(minutes=2)), "sending"),
    "put off": (lambda d: d.change(Letter, not_before=d.now + timedelta(hours=1)), "queued"),
}


@pytest.mark.parametrize("name", MEANWHILE)
def test_what_happens_between_reading_and_claiming_stops_the_hand_over(unproved: Desk, name: str) -> None:
    for _ in range(3):
        unproved.write()
    meanwhile, state = MEANWHILE[name]
    hold_up(unproved.patch, lambda: meanwhile(unproved) and None)
    unproved.send()
    assert unproved.sink.mails == []
    assert unproved.attempts() == []
    assert unproved.states() == [state] * 3


def test_a_pause_stops_a_drain_in_the_middle_and_a_resume_goes_on(unproved: Desk) -> None:
    for _ in range(6):
        unproved.write()
    real, count = ledger.commit, [0]

    def commit(*args: object) -> object:
        count[0] += 1
        if count[0] == 3:
            unproved.action("pause")
        return real(*args)  # type: ignore[arg-type]

    unproved.patch.setattr(ledger, "commit", commit)
    unproved.send()
    assert unproved.states() == ["queued"] * 4 + ["sent"] * 2
    unproved.action("resume")
    unproved.send()
    assert unproved.states() == ["sent"] * 6
    assert unproved.counts_agree()


def test_a_drain_that_lost_its_lane_starts_nothing_more(unproved: Desk) -> None:
    for _ in range(4):
        unproved.write()
    assert unproved.sink
    slow = deliver.Drain(QueueName.EMAIL, get_settings(), unproved.clock, "slow")
    hold_up(unproved.patch, lambda: (unproved.later(minutes=10), unproved.sweep(), deliver.Drain(  # type: ignore[arg-type, return-value]
        QueueName.EMAIL, get_settings(), unproved.clock, "quick").run(5)))
    slow.run(1)
    assert unproved.states() == ["sent"] * 4
    assert {a.holder for a in unproved.attempts()} == {"quick"}
    assert len(unproved.sink.mails) == 4


def test_a_lane_is_held_by_one_drain_and_let_go_with_a_mark(unproved: Desk) -> None:
    unproved.write()
    first = lanes.hold(QueueName.EMAIL, "one", unproved.now, lease=timedelta(minutes=2))
    assert len(first.address_ids) == 2
    assert lanes.hold(QueueName.EMAIL, "two", unproved.now, lease=timedelta(minutes=2)).address_ids == ()
    lanes.wake(first.address_ids, unproved.now)
    assert lanes.hold(QueueName.EMAIL, "two", unproved.now, lease=timedelta(minutes=2)).address_ids == ()
    lanes.release(first, {a: unproved.now + timedelta(hours=1) for a in first.address_ids})
    lane = unproved.lane("commissioner@transit.example")
    assert (lane.holder, lane.next_wake_at) == (None, unproved.now)  # the mark set meanwhile is earlier and stays
    second = lanes.hold(QueueName.EMAIL, "two", unproved.now, lease=timedelta(minutes=2))
    lanes.release(first, {a: None for a in first.address_ids})  # late, and no longer the holder
    assert unproved.lane("commissioner@transit.example").holder == "two"
    assert lanes.hold(QueueName.EMAIL, "three", unproved.now + timedelta(minutes=3), lease=timedelta(minutes=2)).address_ids == ()
    lanes.wake(second.address_ids, unproved.now)
    lapsed = lanes.hold(QueueName.EMAIL, "three", unproved.now + timedelta(minutes=3), lease=timedelta(minutes=2))
    assert lapsed.address_ids == second.address_ids


def test_a_letter_that_comes_while_a_lane_is_let_go_is_not_forgotten(unproved: Desk) -> None:
    unproved.write()
    assert unproved.sink
    real = lanes.release

    def release(*args: object) -> None:
        unproved.patch.setattr(lanes, "release", real)
        unproved.write()
        real(*args)  # type: ignore[arg-type]

    unproved.patch.setattr(lanes, "release", release)
    unproved.send()
    unproved.send()
    assert unproved.states() == ["sent", "sent"]


def test_a_letter_confirmed_at_the_last_moment_does_not_break_the_limit(desk: Desk) -> None:
    """It was submitted before the one in hand, so it stands before it in line: the next look finds it."""
    desk.set(max_email_rate="1/hour")
    desk.campaign()
    early = desk.write()
    desk.later(minutes=1)
    desk.signed()
    real, seen = paces.Pace.may_start, [0]

    def may_start(self: paces.Pace, *args: object) -> int:
        seen[0] += 1
        if seen[0] == 2 and desk.letter(early).state == "unconfirmed":
            confirm.by_link(desk.mailed(early), now=desk.now)
        return real(self, *args)  # type: ignore[arg-type]

    desk.patch.setattr(paces.Pace, "may_start", may_start)
    desk.send()
    assert len(desk.sink.mails) == 1


def test_an_attempt_is_in_the_ledger_before_its_mail_server_hears_of_it(unproved: Desk) -> None:
    unproved.write()
    seen: list[tuple[str, str]] = []
    unproved.sink.fault = lambda stage: seen.extend(  # type: ignore[method-assign]
        [(a.verdict, x.state) for a in unproved.attempts() for x in unproved.letters()] if stage == "mail" else [])  # type: ignore[func-returns-value]
    unproved.send()
    assert seen == [("open", "sending")]


def test_a_worker_that_slept_over_its_lease_hands_nothing_over(unproved: Desk) -> None:
    token = unproved.write()
    real = ledger.commit

    def commit(*args: object) -> list[Started]:
        started = real(*args)  # type: ignore[arg-type]
        pauses.pause("everything", now=unproved.now)  # once is enough: the drain would try again for as long as it may
        return [Started(s.attempt_id, s.letter, s.started_at, time.monotonic() + 1) for s in started]

    unproved.patch.setattr(ledger, "commit", commit)
    unproved.send()
    assert unproved.sink.mails == []
    assert {a.verdict for a in unproved.attempts()} == {"void"}
    assert (unproved.letter(token).state, unproved.letter(token).tries) == ("queued", 0)


def test_an_attempt_is_good_until_its_lease_ends_by_the_monotonic_clock() -> None:
    started = Started("a", None, None, time.monotonic() + 10)  # type: ignore[arg-type]
    assert started.still_good(5)
    assert not started.still_good(11)


def test_one_letter_has_one_open_attempt_by_constraint(unproved: Desk) -> None:
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    from outreach.db import new_id, unit_of_work

    unproved.write()
    letter = unproved.letter()
    row = {"letter_id": letter.id, "campaign_id": letter.campaign_id, "address_id": letter.address_id, "transport": "smtp",
           "holder": "x", "verdict": "open", "started_at": unproved.now}
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)).values(id=new_id(), **row))
    with pytest.raises(IntegrityError), unit_of_work() as c:
        c.execute(insert(table(Attempt)).values(id=new_id(), **row))


def test_an_error_of_ours_before_a_byte_has_left_fails_that_letter_alone(unproved: Desk) -> None:
    from outreach.services import compose

    bad, good = unproved.write(email="one@supporter.example"), unproved.write(email="two@supporter.example")
    real, calls = compose.mail, list[str]()

    def broken_once(*args: Any) -> Any:
        calls.append("")
        if len(calls) == 1:
            raise RuntimeError("a defect")
        return real(*args)

    unproved.patch.setattr(compose, "mail", broken_once)
    unproved.send()
    ends = {(unproved.letter(t).state, unproved.letter(t).reason) for t in (bad, good)}
    assert ends == {("failed", Reason.CANNOT_RENDER.value), ("sent", Reason.ACCEPTED.value)}


def test_an_error_of_ours_in_the_middle_of_a_hand_over_is_unknown(unproved: Desk) -> None:
    from outreach.transports.email.smtp import SmtpSession

    token = unproved.write()

    def broken(*_args: object) -> None:
        raise RuntimeError("a defect")

    unproved.patch.setattr(SmtpSession, "_transaction", broken)
    unproved.send()
    assert unproved.letter(token).state == "unknown"
    assert Reason.OUTCOME_UNKNOWN.value == unproved.letter(token).reason
    assert Channel(unproved.letter(token).channel) is Channel.EMAIL


def test_what_was_handed_over_is_not_forgotten_when_the_database_refuses_once(unproved: Desk) -> None:
    tokens = [unproved.write(email=f"person{i}@supporter.example") for i in range(2)]
    real, refused = ledger.commit, list[int]()

    def refusing_once(terms: Any, done: Any, starts: Any, now: Any) -> Any:
        if done and not refused:
            refused.append(len(done))
            raise ledger.Unanswered
        return real(terms, done, starts, now)

    unproved.patch.setattr(ledger, "commit", refusing_once)
    unproved.send()
    assert refused
    assert [unproved.letter(t).state for t in tokens] == ["sent", "sent"]
    assert len(unproved.sink.mails) == 2


def test_a_letter_taken_for_handed_over_that_never_was_waits_again(unproved: Desk) -> None:
    from outreach.transports.base import NotStarted
    from outreach.transports.email.smtp import SmtpSession

    token = unproved.write()

    def slept(*_args: object) -> NotStarted:
        unproved.later(minutes=30)  # the lease is over and the sweep has been here
        unproved.sweep()
        assert unproved.letter(token).state == "unknown"
        return NotStarted("the connection was gone", down=False)

    with unproved.patch.context() as patch:
        patch.setattr(SmtpSession, "_transaction", slept)
        unproved.send()
    assert unproved.letter(token).state == "queued"
    unproved.later(minutes=1)
    unproved.sweep()
    unproved.send()
    assert unproved.letter(token).state == "sent"
    (mail,) = unproved.sink.mails
    assert len(mail.rcpts) == 2  # the inbox's copy was not taken for sent either


def test_a_commit_whose_answer_is_lost_leaves_nothing_unknown(unproved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts are in the ledger, the drain was told of an error, and nothing was handed over: then that is what is so."""
    unproved.set(window="4")
    for _ in range(3):
        unproved.write()
    real, pending = ledger.unit_of_work, [True]

    @contextmanager
    def cut_off() -> Iterator[Connection]:
        with real() as c:
            yield c
        if pending and pending.pop():
            raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(ledger, "unit_of_work", cut_off)
    unproved.send()
    unproved.later(minutes=1)
    unproved.send()
    assert unproved.states() == ["sent"] * 3 and len(unproved.sink.mails) == 3
    assert sorted(a.verdict for a in unproved.attempts()) == ["accepted"] * 3 + ["void"] * 3
    assert [x.tries for x in unproved.letters()] == [1] * 3
