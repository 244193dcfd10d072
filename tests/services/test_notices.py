"""The mails of ours: few, once each, and nothing in them that the form's sender typed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from outreach.domain.letters import Verdict
from outreach.errors import FormInvalid
from outreach.models import Notice, table
from outreach.queue import QueueName
from outreach.services import confirm, notice_mails, notices, reports
from tests.services.helpers import COMMISSIONER, COPIES, Desk, mail_of, text_of
from tests.transports.servers import CLOSE

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

_N = table(Notice)


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.campaign()
    return desk


def test_a_mail_to_an_unproved_mailbox_repeats_nothing_that_was_typed(asked: Desk) -> None:
    asked.write(email="victim@people.example", name="Plantedname", street="Plantedstreet 1", city="Plantedcity", postal_code="PLANTED1",
                phone="+1 416 555 0177", affiliation="Plantedclub", subject="Plantedsubject", body="Plantedbody [your name]")
    mails = asked.notify()
    asked.later(days=1, minutes=1)
    asked.sweep()
    mails += asked.notify()
    assert len(mails) == 2  # the first and the reminder
    for taken in mails:
        text = text_of(taken)
        assert "planted" not in text.lower() + taken.sender.lower()
        assert "555 0177" not in text
        assert taken.rcpts == ["victim@people.example"]
        assert mail_of(taken)["Auto-Submitted"] == "auto-generated"
        assert mail_of(taken)["Reply-To"] is None


def test_one_reminder_goes_after_a_day(asked: Desk) -> None:
    asked.write()
    assert len(asked.notify()) == 1
    for hours, mails in ((23.9, 0), (0.2, 1), (24, 0), (48, 0)):
        asked.later(hours=hours)
        asked.sweep()
        assert len(asked.notify()) == mails


def test_the_reminder_comes_sooner_when_the_deadline_is_near(asked: Desk) -> None:
    asked.campaign("soon", deadline=asked.now + timedelta(hours=3))
    asked.write("soon")
    asked.notify()
    asked.later(minutes=59)
    asked.sweep()
    assert asked.notify() == []
    asked.later(minutes=2)
    asked.sweep()
    assert len(asked.notify()) == 1


def test_nobody_is_reminded_who_has_confirmed_or_can_no_longer(asked: Desk) -> None:
    asked.signed()
    asked.campaign("soon", deadline=asked.now + timedelta(hours=1))
    asked.write("soon")
    asked.campaign("shut")
    asked.write("shut")
    asked.action("close", "shut")
    asked.later(days=2)
    asked.sweep()
    assert {n.kind for n in asked.notices()} == {"confirm"}


def test_a_notice_is_not_repeated_by_two_workers(asked: Desk) -> None:
    for _ in range(6):
        asked.write()
    assert asked.sink
    crowd = [threading.Thread(target=notices.drain, kwargs={"seconds": 0.6, "clock": asked.clock}) for _ in range(3)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sorted(m.rcpts[0] for m in asked.sink.mails) == sorted(n.recipient for n in asked.notices())


def test_a_notice_whose_sender_died_is_not_repeated(asked: Desk) -> None:
    asked.write()
    asked.change(Notice, _N.c.state == "queued", state="sending", lease_until=asked.now + timedelta(minutes=2),
                 holder="elsewhere/b/1/7/1.00")
    asked.sweep()
    assert asked.notices()[0].state == "sending"  # another host: not known yet
    asked.later(minutes=3)
    asked.sweep()
    assert (asked.notices()[0].state, asked.notices()[0].reason) == ("unknown", "lease_expired")
    assert asked.notify() == []


def while_it_is_handed_over(desk: Desk, step: Callable[[], object]) -> None:
    """Have `step` happen between the claim of the next notice and its hand-over, once."""
    real, pending = notice_mails.compose, [step]

    def compose(*args: Any) -> Any:
        if pending:
            pending.pop()()
        return real(*args)

    desk.patch.setattr(notice_mails, "compose", compose)


def test_a_server_may_take_as_long_as_its_time_outs_allow(asked: Desk) -> None:
    assert asked.sink
    asked.set(smtp_timeout="60")
    asked.write()
    asked.sink.faults["rcpt1"] = "451 4.3.0 not now"
    while_it_is_handed_over(asked, lambda: (asked.later(seconds=5 * 60 + 14), asked.sweep()))
    assert asked.notify() == []
    assert [n.state for n in asked.notices()] == ["queued"]
    asked.later(minutes=1)
    assert len(asked.notify()) == 1


@pytest.mark.parametrize("answer", ["451 4.3.0 not now", CLOSE])
def test_an_answer_that_comes_after_the_lease_still_counts(asked: Desk, answer: str) -> None:
    asked.write()
    asked.sink.faults["rcpt1"] = answer
    while_it_is_handed_over(asked, lambda: (asked.later(hours=1), asked.sweep()))
    assert asked.notify() == []
    assert [n.state for n in asked.notices()] == ["queued"], "it had been given up, and certainly not gone"
    asked.later(minutes=1)
    assert len(asked.notify()) == 1
    assert [n.state for n in asked.notices()] == ["sent"]


def test_a_copy_whose_mail_is_known_late_not_to_have_gone_waits_again(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    desk.write(channel="fax")
    desk.send(QueueName.FAX)
    desk.sink.faults["rcpt2"] = "451 4.3.0 not now"
    while_it_is_handed_over(desk, lambda: (desk.later(hours=1), desk.sweep()))
    desk.notify()
    assert [c.state for c in desk.copies()] == ["offered"]
    desk.later(minutes=1)
    assert len(desk.notify()) == 1
    assert [c.state for c in desk.copies()] == ["sent"]


def test_a_drop_after_the_final_dot_is_not_repeated(asked: Desk) -> None:
    asked.write()
    asked.sink.faults["dot"] = CLOSE
    asked.notify()
    asked.later(hours=1)
    assert asked.notify() == []
    assert [n.state for n in asked.notices()] == ["unknown"]
    assert len(asked.sink.mails) == 1


def test_a_mailbox_that_is_full_for_now_is_tried_again_and_one_that_is_none_is_not(asked: Desk) -> None:
    asked.write()
    asked.sink.faults["rcpt1"] = "452 4.2.2 mailbox full"
    assert asked.notify() == []
    asked.later(minutes=1)
    assert len(asked.notify()) == 1
    asked.write()
    asked.sink.faults["rcpt1"] = "550 5.1.1 no such mailbox"
    assert asked.notify() == []
    asked.later(days=1)
    assert asked.notify() == []
    assert sorted(n.state for n in asked.notices()) == ["failed", "sent"]


def test_a_confirmation_that_has_become_pointless_is_not_sent(asked: Desk) -> None:
    token = asked.write()
    confirm.by_link(asked.mailed(token), now=asked.now)
    assert asked.notify() == []


def test_the_inbox_gets_its_copy_of_a_fax_once_with_the_pages(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    desk.write(channel="fax")
    desk.send(QueueName.FAX)
    attempt = desk.attempts()[0]
    desk.hear(desk.word(Verdict.BOUNCED, attempt, retryable=True))
    desk.later(minutes=5)
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, desk.attempts()[1]))
    (taken,) = desk.notify()
    assert taken.rcpts == [COPIES]
    (pdf,) = [p for p in mail_of(taken).iter_attachments()]
    assert pdf.get_content_type() == "application/pdf"
    assert [(c.how, c.state) for c in desk.copies()] == [("mail", "sent")]


def test_a_report_reaches_the_operator_and_an_empty_one_is_refused(asked: Desk) -> None:
    reports.report("night-bus", "It is not true.\u202e\x00", now=asked.now)
    with pytest.raises(FormInvalid):
        reports.report("night-bus", " \u202e ", now=asked.now)
    (taken,) = asked.notify()
    assert taken.rcpts == ["operator@letters.example"]
    assert "It is not true." in text_of(taken)
