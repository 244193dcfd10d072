"""A busy line, a deferring server, a wrong number, a provider that is down: each holds back what it concerns, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Channel, Reason, Verdict
from outreach.domain.retry import SCHEDULES
from outreach.models import Address, Attempt, Breaker, Lane, Letter, table
from outreach.queue import QueueName
from outreach.services import breakers, campaigns, deliver, notices, settle
from outreach.settings import get_settings
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.transports.servers import Answer, HttpServer, free_port, running

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence
TWO_MAILBOXES = replace(COMMISSIONER, email=("first@transit.example", "second@transit.example"), fax=())
TWO_FAXES = replace(COMMISSIONER, hours="always", email=("commissioner@transit.example",), fax=("+14165550133", "+14165550134"))


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", window="1")
    return desk


def address(desk: Desk, value: str) -> Address:
    return next(a for a in desk.rows(Address) if a.value == value and a.channel != "phone")


def test_a_mailbox_whose_server_says_later_holds_back_its_lane_and_no_other(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER, COUNCIL))
    for _ in range(3):
        unproved.write(targets=("commissioner",))
    unproved.sink.faults["rcpt1"] = "450 4.2.0 greylisted, come back later"
    assert unproved.send() == 1
    other = unproved.write(targets=("council",))
    assert unproved.send() == 1
    assert unproved.letter(other).state == "sent"
    lane = unproved.lane("commissioner@transit.example")
    assert lane.backoff_until == unproved.now + timedelta(seconds=20)
    unproved.write(targets=("commissioner",))  # a new letter does not wake it sooner
    assert unproved.send() == 0
    unproved.later(seconds=30)
    assert unproved.send() == 4
    assert unproved.lane("commissioner@transit.example").setbacks == 0
    assert unproved.states() == ["sent"] * 5


def test_a_lane_backs_off_longer_each_time_and_starts_afresh_once_something_went_through(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    for _ in range(2):
        unproved.write()
    unproved.sink.faults["rcpt1*"] = "450 4.2.0 later"
    waits = []
    for _ in range(4):
        unproved.send()
        until = unproved.lane("commissioner@transit.example").backoff_until
        assert until is not None
        waits.append(until - unproved.now)
        unproved.now = until
    assert waits == [timedelta(seconds=20 * 2 ** n) for n in range(4)]
    unproved.sink.faults.clear()
    unproved.later(hours=1)
    unproved.send()
    assert unproved.lane("commissioner@transit.example").setbacks == 0


def test_a_refusal_of_one_letters_text_holds_back_nobody(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_MAILBOXES,))
    for _ in range(3):
        unproved.write()
    unproved.sink.faults["dot"] = "554 5.7.1 looks like spam"
    assert unproved.send() == 3
    assert unproved.states() == ["failed", "sent", "sent"]
    assert {a.state for a in unproved.rows(Address)} == {"ok"}


def test_a_mailbox_that_does_not_exist_is_suspect_and_the_next_one_takes_over_with_the_same_letter(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_MAILBOXES,))
    tokens = []
    for _ in range(3):
        assert address(unproved, "first@transit.example").state == "ok"
        tokens.append(unproved.write())
        unproved.sink.faults["rcpt1"] = "550 5.1.1 no such user"
        unproved.send()
        unproved.later(seconds=1)
    assert address(unproved, "first@transit.example").state == "suspect"
    tokens.append(unproved.write())
    unproved.sweep()
    unproved.send()
    assert [unproved.letter(t).state for t in tokens] == ["sent"] * 4
    assert len(unproved.letters()) == 4
    assert len(unproved.sink.mails) == 4
    assert {m.rcpts[0] for m in unproved.sink.mails} == {"second@transit.example"}
    assert unproved.counts_agree()


def test_a_server_that_knows_no_such_mailbox_for_one_letter_and_takes_the_next_stops_no_lane(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(TWO_MAILBOXES, email=("first@transit.example",)),))
    for refused in (True, True, False, True, True):
        unproved.write()
        if refused:
            unproved.sink.faults["rcpt1"] = "550 5.1.1 no such user"
        unproved.send()
        unproved.later(seconds=1)
    assert unproved.states() == ["failed"] * 4 + ["sent"]
    assert address(unproved, "first@transit.example").state == "ok"


def test_with_no_other_address_the_letter_fails_and_the_others_wait_until_somebody_has_looked(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(TWO_MAILBOXES, email=("first@transit.example",)),))
    unproved.set(window="1")
    for _ in range(6):
        unproved.write()
    unproved.sink.faults["rcpt1*"] = "550 5.1.1 no such user"
    unproved.send()
    unproved.sweep()
    assert unproved.send() == 0
    assert unproved.states() == ["failed"] * 4 + ["queued"] * 2  # the fourth was started by the commit that had the third's answer
    del unproved.sink.faults["rcpt1*"]
    campaigns.unblock_address("first@transit.example", now=unproved.now)
    assert unproved.send() == 2
    assert unproved.states() == ["failed"] * 4 + ["sent"] * 2


def test_a_wrong_number_is_rung_once_and_the_next_number_takes_over(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_FAXES,))
    for _ in range(2):
        unproved.write(channel="fax")
    unproved.provider.faults.append(Answer(400, {"code": 13223, "message": "not a valid phone number"}))
    unproved.send(QueueName.FAX)
    assert address(unproved, "+14165550133").state == "suspect"
    unproved.sweep()
    unproved.send(QueueName.FAX)
    assert {x.address_id for x in unproved.letters()} == {address(unproved, "+14165550134").id}
    assert sorted(unproved.states()) == ["queued", "sent"]  # one call at a time at the next number too


def test_a_campaign_that_allows_it_goes_by_mail_where_no_number_works(unproved: Desk) -> None:
    one = replace(TWO_FAXES, fax=("+14165550133",))
    unproved.campaign(targets=(one,), fall_back=True)
    tokens = [unproved.write(channel="fax") for _ in range(2)]
    unproved.provider.faults.append(Answer(400, {"code": 21211, "message": "not a valid phone number"}))
    unproved.send(QueueName.FAX)
    assert address(unproved, "+14165550133").state == "suspect"
    unproved.sweep()
    unproved.send()
    assert [(unproved.letter(t).state, unproved.letter(t).channel) for t in tokens] == [("sent", "email")] * 2
    assert len(unproved.sink.mails) == 2
    assert unproved.counts_agree()


def test_a_provider_that_is_down_is_left_alone_by_everybody_longer_each_time(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    token = unproved.write()
    port = free_port()
    unproved.set(email_transport="smtp", smtp_url=f"smtp://127.0.0.1:{port}")
    waits = []
    for _ in range(4):
        assert deliver.drain(QueueName.EMAIL, clock=unproved.clock) == 0
        (breaker,) = unproved.rows(Breaker)
        waits.append(breaker.until - unproved.now)
        unproved.later(seconds=1)
        deliver.drain(QueueName.EMAIL, clock=unproved.clock)  # still open: nobody tries
        assert unproved.rows(Breaker)[0].trips == breaker.trips
        unproved.now = breaker.until
    assert waits == [timedelta(seconds=5 * 2 ** n) for n in range(4)]
    assert (unproved.letter(token).state, unproved.letter(token).tries) == ("queued", 0)
    with reading() as c:
        assert breakers.down(c, get_settings(), breaker.since + timedelta(seconds=100)) == frozenset()
        assert breakers.down(c, get_settings(), breaker.since + timedelta(seconds=130)) == {"email"}
    unproved.set(email_transport="smtp", smtp_url=unproved.sink.url)
    unproved.later(minutes=1)
    assert deliver.drain(QueueName.EMAIL, clock=unproved.clock) == 1
    assert unproved.rows(Breaker) == []
    assert unproved.letter(token).state == "sent"


def test_no_more_calls_are_under_way_than_the_provider_has_lines(unproved: Desk) -> None:
    unproved.set(fax_lines="2", window="4")
    offices = tuple(replace(COMMISSIONER, id=f"office-{n}", hours="always", email=(), fax=(f"+1416555011{n}",)) for n in range(5))
    unproved.campaign(targets=offices)
    unproved.write(channel="fax", targets=tuple(o.id for o in offices))
    assert unproved.send(QueueName.FAX) == 2
    assert unproved.send(QueueName.FAX) == 0
    first = unproved.attempts()[0]
    unproved.hear(unproved.word(Verdict.DELIVERED, first, pages=1))
    assert unproved.send(QueueName.FAX) == 1
    assert unproved.states() == ["delivered", "queued", "queued", "sent", "sent"]


def test_a_campaign_whose_letters_fail_pauses_itself_and_says_why(unproved: Desk) -> None:
    unproved.set(window="4")
    unproved.campaign(targets=(COUNCIL,))
    unproved.campaign("day-bus", targets=(COMMISSIONER,))
    unproved.later(minutes=1)
    for _ in range(40):
        unproved.write(targets=("council",))
    unproved.sink.faults["dot*"] = "554 5.7.1 this text is spam"
    unproved.send()
    unproved.sink.faults.clear()
    unproved.sweep()
    row = campaigns.get("night-bus")
    assert row.state == "paused"
    assert row.paused_why == "40 of 40 hand-overs within an hour failed for good, most often: rejected_as_spam"
    assert campaigns.get("day-bus").state == "live"
    unproved.later(minutes=5)
    unproved.action("resume")
    unproved.sweep()  # what failed before counts no longer
    assert campaigns.get("night-bus").state == "live"
    assert campaigns.get("night-bus").paused_why is None


def test_a_few_failures_among_many_letters_pause_nobody(unproved: Desk) -> None:
    unproved.set(window="4", pause_at_failures="60")
    unproved.campaign(targets=(COUNCIL,))
    unproved.later(minutes=1)
    for _ in range(22):
        unproved.write(targets=("council",))
    unproved.sink.faults["dot*"] = "554 5.7.1 this text is spam"
    unproved.send()
    unproved.sink.faults.clear()
    for _ in range(18):
        unproved.write(targets=("council",))
    unproved.send()
    unproved.sweep()
    assert campaigns.get("night-bus").state == "live"
    unproved.set(pause_at_failures="50")
    unproved.sweep()
    assert campaigns.get("night-bus").state == "paused"


def test_what_cannot_be_drawn_from_an_outcome_does_not_keep_the_next_letter_from_going(unproved: Desk) -> None:
    """The commit that records an outcome has opened the next attempts: whatever fails behind it, those are handed over."""
    def broken(*_given: object, **_more: object) -> None:
        raise RuntimeError("the database is locked")

    unproved.campaign(targets=(COUNCIL,))
    for _ in range(3):
        unproved.write(targets=("council",))
    unproved.patch.setattr("outreach.services.setbacks.after", broken)
    unproved.sink.faults["dot"] = "554 5.7.1 spam"
    assert unproved.send() == 3
    assert unproved.states() == ["failed", "sent", "sent"]


def test_a_letter_that_never_began_at_its_next_address_is_not_failed_for_the_first_one(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_FAXES,))
    token = unproved.write(channel="fax")
    unproved.provider.faults += [Answer(400, {"code": 13223, "message": "not a valid phone number"}), Answer(500, {})]
    unproved.send(QueueName.FAX)
    unproved.later(seconds=5)
    unproved.sweep()
    unproved.send(QueueName.FAX)
    assert unproved.letter(token).state == "unknown"
    last = unproved.attempts()[-1]
    unproved.change(Attempt, table(Attempt).c.id == last.id, verdict="void")  # as once the provider has been asked in vain
    with unit_of_work() as c:
        settle.settle(c, unproved.letter(token).id, unproved.now, Reason.NOT_STARTED)
    assert unproved.letter(token).state == "queued"
    assert unproved.letter(token).address_id == address(unproved, "+14165550134").id


# what a provider will not take from us says nothing of the office

SLOW_DOWN = Answer(429, {"code": 20429, "message": "Too many requests"})
EIGHT = tuple(replace(COMMISSIONER, id=f"office-{n}", hours="always", email=(), fax=(f"+1416555011{n}",)) for n in range(8))


def breaker_of(desk: Desk) -> Any:
    (found,) = desk.rows(Breaker)
    return found


def test_a_provider_that_asks_us_to_slow_down_is_left_alone_and_no_office_suffers(unproved: Desk) -> None:
    unproved.campaign(targets=EIGHT)
    unproved.write(channel="fax", targets=tuple(o.id for o in EIGHT))
    unproved.provider.faults += [SLOW_DOWN] * 1000
    for _ in range(24):
        unproved.send(QueueName.FAX)
        unproved.later(minutes=10)
        unproved.sweep()
    assert {(a.state, a.state_reason) for a in unproved.rows(Address)} == {("ok", None)}
    assert {(x.state, x.tries) for x in unproved.letters()} == {("queued", 0)}
    assert {(lane.setbacks, lane.backoff_until) for lane in unproved.rows(Lane)} == {(0, None)}
    assert breaker_of(unproved).why.startswith("429")
    assert len(unproved.provider.asked) <= 24, "one hand-over finds it for all"
    unproved.provider.faults.clear()
    for _ in range(3):
        unproved.send(QueueName.FAX)
        unproved.later(minutes=10)
    assert unproved.states() == ["sent"] * 8
    assert unproved.rows(Breaker) == []
    assert unproved.counts_agree()


def test_while_a_provider_is_in_trouble_one_letter_finds_out_for_all(unproved: Desk) -> None:
    unproved.set(confirm="none", window="4")
    unproved.campaign(targets=EIGHT)
    unproved.write(channel="fax", targets=tuple(o.id for o in EIGHT))
    unproved.provider.faults += [SLOW_DOWN] * 3
    for spent in (4, 5, 6):  # the first found it out with a whole window in hand; each later look spends one place in the pace
        unproved.send(QueueName.FAX)
        assert len(unproved.attempts()) == spent
        unproved.now = breaker_of(unproved).until
    unproved.send(QueueName.FAX)
    assert unproved.rows(Breaker) == []
    assert "sent" in unproved.states()


@pytest.mark.parametrize(("asked", "waits"), [("", 5), ("120", 120), ("2", 5), ("86400", 3600)])
def test_it_is_asked_again_when_it_said_and_after_an_hour_at_the_latest(unproved: Desk, asked: str, waits: int) -> None:
    unproved.campaign(targets=EIGHT[:1])
    unproved.write(channel="fax", targets=("office-0",))
    unproved.provider.faults.append(Answer(429, {}, {"Retry-After": asked} if asked else {}))
    unproved.send(QueueName.FAX)
    assert breaker_of(unproved).until == unproved.now + timedelta(seconds=waits)


def test_a_letter_that_meets_a_limit_each_time_while_others_pass_is_not_to_blame(unproved: Desk) -> None:
    unproved.campaign(targets=EIGHT[:2])
    for _ in range(6):
        unproved.write(channel="fax", targets=("office-0",))
        unproved.provider.faults.append(SLOW_DOWN)
        unproved.send(QueueName.FAX)
        unproved.later(minutes=6)
        unproved.write(channel="fax", targets=("office-1",))
        unproved.send(QueueName.FAX)
        unproved.later(minutes=40)
    assert {x.reason for x in unproved.letters()} <= {"accepted", "rate_limited"}
    assert {a.reason for a in unproved.attempts() if a.verdict == "void"} == {"rate_limited"}


def test_a_mail_provider_s_limit_is_the_provider_s_too(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER, COUNCIL))
    token = unproved.write()
    with running(HttpServer(lambda _: Answer(429, {"errors": [{"message": "too many requests"}]}))) as sendgrid:
        unproved.set(email_transport="sendgrid", sendgrid_api_key="SG.key", sendgrid_url=sendgrid.url)
        deliver.drain(QueueName.EMAIL, clock=unproved.clock)
    assert (unproved.letter(token).state, unproved.letter(token).tries) == ("queued", 0)
    assert unproved.lane("commissioner@transit.example").setbacks == 0
    assert breaker_of(unproved).transport == "sendgrid"


def limited(desk: Desk) -> None:
    """The provider's receipt for the last call: our account has no more room."""
    desk.hear(desk.word(Verdict.BOUNCED, desk.attempts()[-1], reason=Reason.RATE_LIMITED, retryable=True,
                        detail="failed outbound_profile_daily_spend_limit_exceeded"))


def test_a_receipt_of_our_account_s_limit_costs_no_try_and_suspects_no_number(unproved: Desk) -> None:
    unproved.campaign(targets=EIGHT[:1])
    token = unproved.write(channel="fax", targets=("office-0",))
    waits = []
    for _ in range(10):
        assert unproved.send(QueueName.FAX) == 1
        limited(unproved)
        letter = unproved.letter(token)
        assert (letter.state, letter.reason, letter.tries) == ("queued", "rate_limited", 0)
        waits.append(int((breaker_of(unproved).until - unproved.now).total_seconds()))
        unproved.send(QueueName.FAX)  # left alone
        unproved.now = breaker_of(unproved).until
    assert waits == [60, 120, 240, *[300] * 7], "that the next call was accepted proves nothing"
    assert len(unproved.attempts()) == 10
    assert [a.state for a in unproved.rows(Address) if a.channel == "fax"] == ["ok"]
    assert unproved.lane("+14165550110").setbacks == 0
    assert unproved.send(QueueName.FAX) == 1
    unproved.hear(unproved.word(Verdict.DELIVERED, unproved.attempts()[-1], pages=1))
    assert (unproved.letter(token).state, unproved.rows(Breaker)) == ("delivered", [])
    assert unproved.counts_agree()


# a campaign whose letters are never taken


def deferred_for_good(desk: Desk, n: int) -> None:
    """So many letters to the council whose server says "later" until their tries are spent, the last of them now."""
    for _ in range(n):
        desk.write(targets=("council",))
    desk.sink.faults["rcpt1*"] = "450 4.2.0 come back later"
    tries = SCHEDULES[Channel.EMAIL].tries
    council = address(desk, "council@city.example").id
    desk.change(Letter, table(Letter).c.address_id == council, tries=tries - 1)
    for _ in range(n):
        desk.change(Lane, backoff_until=None, next_wake_at=desk.now)
        desk.send()
        desk.later(seconds=1)
    desk.sink.faults.clear()


def test_a_campaign_whose_letters_all_run_out_of_tries_pauses_itself(unproved: Desk) -> None:
    unproved.campaign(targets=(COUNCIL,))
    unproved.later(minutes=1)
    deferred_for_good(unproved, 20)
    assert {(x.state, x.reason) for x in unproved.letters()} == {("failed", "too_many_tries")}
    unproved.sweep()
    row = campaigns.get("night-bus")
    assert (row.state, row.paused_why) == ("paused", "20 of 20 hand-overs within an hour failed for good, most often: deferred")
    unproved.later(minutes=5)
    unproved.action("resume")
    unproved.sweep()
    assert campaigns.get("night-bus").state == "live", "what failed before counts no longer"


def test_letters_that_are_only_put_off_are_neither_failures_nor_the_rest(unproved: Desk) -> None:
    """Each letter is refused many times before it is given up: those refusals must not hide that nothing gets through."""
    unproved.campaign(targets=(COUNCIL,))
    unproved.campaign("day-bus", targets=(COMMISSIONER,))
    unproved.later(minutes=1)
    for _ in range(60):
        unproved.write(targets=("council",))
    unproved.sink.faults["rcpt1*"] = "450 4.2.0 come back later"
    for _ in range(60):
        unproved.change(Lane, backoff_until=None, next_wake_at=unproved.now)
        unproved.send()
    unproved.sweep()
    assert campaigns.get("night-bus").state == "live", "they may get through yet"
    deferred_for_good(unproved, 20)
    unproved.sweep()
    assert campaigns.get("night-bus").state == "paused"
    assert campaigns.get("day-bus").state == "live"


def test_what_gets_through_counts_against_what_ran_out_of_tries(unproved: Desk) -> None:
    unproved.set(window="4")
    unproved.campaign(targets=(COUNCIL,))
    unproved.later(minutes=1)
    deferred_for_good(unproved, 20)
    for _ in range(50):
        unproved.write(targets=("council",))
    unproved.later(seconds=30)
    unproved.change(Lane, backoff_until=None, next_wake_at=unproved.now)
    unproved.send()
    unproved.sweep()
    assert campaigns.get("night-bus").state == "live"


def test_our_own_mails_rest_with_the_provider_that_asked_for_it(desk: Desk) -> None:
    desk.campaign(targets=(COUNCIL,))
    desk.write(targets=("council",))  # whose writer is asked to confirm
    with running(HttpServer(lambda _: Answer(202, None, {"X-Message-Id": "m"}))) as sendgrid:
        desk.set(email_transport="sendgrid", sendgrid_api_key="SG.key", sendgrid_url=sendgrid.url)
        sendgrid.faults.append(Answer(429, {}, {"Retry-After": "120"}))
        for _ in range(10):
            notices.drain(seconds=5, clock=desk.clock)
            desk.later(seconds=10)
        assert len(sendgrid.asked) == 1
        assert [(n.state, n.tries) for n in desk.notices()] == [("queued", 0)]
        desk.later(seconds=30)
        notices.drain(seconds=5, clock=desk.clock)
    assert ([n.state for n in desk.notices()], desk.rows(Breaker)) == (["sent"], [])
