"""What reaches mail servers and fax providers: each letter once, its copy once, whatever the other side answers."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

import pytest

from outreach import tokens
from outreach.domain.campaign import LetterText
from outreach.domain.retry import SCHEDULES, Channel
from outreach.models import Letter, Submission, table
from outreach.queue import QueueName
from outreach.services import campaigns, deliver
from outreach.settings import get_settings
from outreach.transports.email.verp import attempt_of_verp
from tests.services.helpers import COMMISSIONER, COPIES, COUNCIL, Desk, mail_of, text_of
from tests.transports.servers import CLOSE, Answer, SmtpServer, free_port

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none")
    desk.campaign()
    return desk


def test_each_letter_is_one_mail_to_its_target_with_a_visible_copy(unproved: Desk) -> None:
    unproved.write(targets=("commissioner", "council"))
    unproved.write()
    assert unproved.send() == 3
    assert unproved.send() == 0
    assert sorted(m.rcpts[0] for m in unproved.sink.mails) == ["commissioner@transit.example"] * 2 + ["council@city.example"]
    assert all(m.rcpts[1:] == [COPIES] and mail_of(m)["Cc"] == COPIES for m in unproved.sink.mails)
    assert unproved.states() == ["sent"] * 3
    assert [(c.how, c.state) for c in unproved.copies()] == [("cc", "sent")] * 3
    assert unproved.sink.connections == 1  # kept
    assert unproved.counts_agree()


def test_the_headers_name_who_writes_through_whom(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed(name="Zoë Đặng", email="zoe@people.example")
    desk.send()
    (taken,) = desk.sink.mails
    mail, letter, (attempt,) = mail_of(taken), desk.letter(token), desk.attempts()
    assert parseaddr(str(mail["From"])) == ("Zoë Đặng via Open Letters Desk", "letters@campaign.example")
    assert parseaddr(str(mail["To"]))[1] == "commissioner@transit.example"
    assert parseaddr(str(mail["Reply-To"])) == ("Zoë Đặng", "zoe@people.example")
    assert mail["Message-ID"] == f"<{letter.id}@campaign.example>"
    assert mail["Subject"] == "Keep the night bus"
    assert attempt_of_verp(taken.sender, get_settings().key()) == attempt.id
    assert any(f"ENVID={attempt.id}" in c for c in desk.sink.commands)
    assert "not verified" not in text_of(taken)
    verify = re.search(r"/v/([0-9a-z]+)-([\w-]+)", text_of(taken))
    assert verify and verify[1] == letter.id
    tokens.check("verify", letter.id, verify[2], length=tokens.VERIFY)
    assert attempt.provider_ref


def test_an_address_for_answers_that_the_mail_server_cannot_take_loses_no_letter(desk: Desk) -> None:
    """The form refuses such addresses; one that is there all the same is told in the text."""
    desk.campaign()
    desk.signed(name="Jörg Doe")
    desk.change(Submission, email="jörg@people.example")
    desk.send()
    (taken,) = desk.sink.mails
    assert mail_of(taken)["Reply-To"] is None
    assert "Answers reach the writer at jörg@people.example." in text_of(taken)
    assert desk.states() == ["sent"]


def test_without_confirmation_there_is_no_reply_to_and_the_letter_says_so(unproved: Desk) -> None:
    unproved.write(email="jane@people.example")
    unproved.send()
    (taken,) = unproved.sink.mails
    assert mail_of(taken)["Reply-To"] is None
    assert "not verified" in text_of(taken)
    assert "jane@people.example" not in str(mail_of(taken)["From"])


def test_a_refused_target_gets_no_data_and_its_letter_fails_with_the_reason(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["rcpt1"] = "550 5.1.1 no such mailbox"
    unproved.send()
    assert unproved.sink.mails == []
    assert (unproved.letter(token).state, unproved.letter(token).reason) == ("failed", "no_such_mailbox")
    assert unproved.copies() == []
    unproved.later(days=2)
    assert unproved.send() == 0


def test_a_refused_inbox_does_not_hold_the_letter_and_its_copy_is_recorded_failed(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["rcpt2"] = "550 5.1.1 no such mailbox"
    unproved.send()
    assert [m.rcpts for m in unproved.sink.mails] == [["commissioner@transit.example"]]
    assert unproved.letter(token).state == "sent"
    assert [(c.inbox, c.state) for c in unproved.copies()] == [(COPIES, "failed")]


def test_a_server_that_says_later_is_tried_again_later_with_the_same_message_id(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["dot"] = "451 4.3.0 try again"
    unproved.send()
    letter = unproved.letter(token)
    assert (letter.state, letter.reason, letter.tries) == ("queued", "deferred", 1)
    first = SCHEDULES[Channel.EMAIL].first
    assert unproved.now + first <= letter.not_before <= unproved.now + first * 1.25
    unproved.later(seconds=19)
    assert unproved.send() == 0
    unproved.later(seconds=7)
    assert unproved.send() == 1
    assert unproved.letter(token).state == "sent"
    (taken,) = unproved.sink.mails
    assert mail_of(taken)["Message-ID"] == f"<{letter.id}@campaign.example>"
    assert [a.verdict for a in unproved.attempts()] == ["refused", "accepted"]
    assert len({a.id for a in unproved.attempts()}) == 2
    assert [c.state for c in unproved.copies()] == ["sent"]


def test_a_server_that_always_says_later_is_given_up_in_the_end(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["rcpt1*"] = "450 4.2.0 not now"
    for _ in range(SCHEDULES[Channel.EMAIL].tries + 2):
        unproved.send()
        unproved.later(hours=6)
    assert (unproved.letter(token).state, unproved.letter(token).reason) == ("failed", "too_many_tries")
    assert len(unproved.attempts()) == SCHEDULES[Channel.EMAIL].tries


def test_a_drop_after_the_final_dot_is_unknown_and_neither_letter_nor_copy_goes_again(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["dot"] = CLOSE
    unproved.send()
    assert unproved.letter(token).state == "unknown"
    assert [c.state for c in unproved.copies()] == ["unknown"]
    for _ in range(4):
        unproved.later(hours=8)
        unproved.sweep()
        assert unproved.send() == 0
    assert len(unproved.sink.mails) == 1


def test_a_copy_that_may_have_gone_is_not_repeated_by_an_organizers_retry(unproved: Desk) -> None:
    """Whoever says that the letter did not go says nothing about its copy."""
    token = unproved.write()
    unproved.sink.faults["dot"] = CLOSE
    unproved.send()
    unproved.change(Letter, state="queued")  # what an organizer's "send again" comes down to
    unproved.later(minutes=1)
    unproved.sweep()
    unproved.send()
    assert unproved.letter(token).state == "sent"
    assert [m.rcpts for m in unproved.sink.mails] == [["commissioner@transit.example", COPIES], ["commissioner@transit.example"]]
    assert mail_of(unproved.sink.mails[1])["Cc"] is None


def test_a_drop_before_the_final_dot_is_tried_again(unproved: Desk) -> None:
    token = unproved.write()
    unproved.sink.faults["data"] = CLOSE
    unproved.send()
    assert unproved.letter(token).state == "queued"
    assert unproved.copies() == []
    unproved.later(seconds=30)
    unproved.send()
    assert unproved.letter(token).state == "sent"
    assert [m.rcpts for m in unproved.sink.mails] == [["commissioner@transit.example", COPIES]]


def test_a_mail_server_that_is_away_costs_nothing_and_is_looked_for_again(unproved: Desk) -> None:
    unproved.set(email_transport="smtp", smtp_url=f"smtp://127.0.0.1:{free_port()}")
    token = unproved.write()
    assert deliver.drain(QueueName.EMAIL, seconds=60, clock=unproved.clock) == 0
    assert unproved.attempts() == []
    assert (unproved.letter(token).state, unproved.letter(token).tries) == ("queued", 0)
    lane = unproved.lane("commissioner@transit.example")
    assert unproved.now < lane.next_wake_at <= unproved.now + timedelta(minutes=1)
    assert lane.holder is None
    unproved.later(minutes=1)
    unproved.send()
    assert unproved.letter(token).state == "sent"


def test_a_fax_provider_that_is_away_is_looked_for_again_within_a_minute(unproved: Desk) -> None:
    token = unproved.write(channel="fax")
    unproved.set(fax_transport="twilio", twilio_fax_url=f"http://127.0.0.1:{free_port()}/Faxes", twilio_account_sid="AC1",
                 twilio_auth_token="token-of-a-test")
    deliver.drain(QueueName.FAX, seconds=60, clock=unproved.clock)
    assert (unproved.letter(token).state, unproved.letter(token).tries) == ("queued", 0)
    assert unproved.lane("+14165550133").next_wake_at <= unproved.now + timedelta(minutes=1)


def test_a_mail_server_that_refuses_our_login_costs_nothing(unproved: Desk) -> None:
    unproved.mail_server(SmtpServer(login="c2VjcmV0"))
    port = unproved.sink.server_address[1]
    unproved.set(smtp_url=f"smtp://me:wrong@127.0.0.1:{port}")
    unproved.write()
    assert unproved.send() == 0
    assert (unproved.states(), unproved.attempts()) == (["queued"], [])


class Choosy(SmtpServer):
    """Hangs up on the text of mails to one recipient, each time."""

    def fault(self, stage: str) -> str | None:
        if stage == "data" and any(c.startswith("RCPT TO:<commissioner") for c in self.commands[-4:]):
            return CLOSE
        return super().fault(stage)


def test_a_letter_at_which_the_server_always_hangs_up_does_not_hold_up_the_others(unproved: Desk) -> None:
    unproved.mail_server(Choosy())
    unproved.write()
    good = unproved.write(targets=("council",))
    for _ in range(6):
        unproved.send()
        unproved.later(seconds=20)
    assert unproved.letter(good).state == "sent"
    assert [m.rcpts[0] for m in unproved.sink.mails] == ["council@city.example"]


def test_a_letter_that_cannot_be_rendered_fails_alone(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(letter=LetterText("{% if supporter.affiliation %} {% else %}Keep it{% endif %}", "Please. {{ supporter.name }}"))
    bad = desk.write(affiliation="Riders' Union")
    good = [desk.write() for _ in range(3)]
    desk.send()
    assert (desk.letter(bad).state, desk.letter(bad).reason) == ("failed", "cannot_be_rendered")
    assert {desk.letter(t).state for t in good} == {"sent"}
    assert [a.letter_id for a in desk.attempts() if a.letter_id == desk.letter(bad).id] == []
    assert desk.counts_agree()


def test_a_letter_keeps_the_text_it_was_submitted_with(unproved: Desk) -> None:
    unproved.write()
    unproved.campaign(letter=LetterText("Another subject", "Other words. {{ supporter.name }}"), targets=(COMMISSIONER,))
    unproved.later(seconds=1)
    unproved.write()
    unproved.send()
    assert [mail_of(m)["Subject"] for m in unproved.sink.mails] == ["Keep the night bus", "Another subject"]


def test_a_thousand_small_things_at_once_send_each_letter_once(unproved: Desk) -> None:
    """Four drains at the same time, in threads; what processes do is in tests/workers."""
    unproved.set(max_email_rate="none", window="3")
    unproved.campaign(targets=(COMMISSIONER, COUNCIL))
    for _ in range(30):
        unproved.write(targets=("commissioner", "council"))
    assert unproved.sink
    crowd = [threading.Thread(target=lambda n=n: deliver.Drain(QueueName.EMAIL, get_settings(), unproved.clock, f"drain-{n}").run(8))
             for n in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert unproved.states() == ["sent"] * 60
    ids = [mail_of(m)["Message-ID"] for m in unproved.sink.mails]
    assert len(ids) == len(set(ids)) == 60
    assert unproved.counts_agree()


# faxes

def test_a_fax_is_handed_over_with_media_and_callback_that_name_the_attempt(unproved: Desk) -> None:
    token = unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    (asked,), (attempt,) = unproved.provider.asked, unproved.attempts()
    form = dict(p.split("=", 1) for p in asked.body.decode().split("&"))
    assert form["To"] == "%2B14165550133"
    assert f"hooks%2Ftwilio%3Fa%3D{attempt.id}" in form["StatusCallback"]
    assert f"media%2F{attempt.id}.pdf" in form["MediaUrl"]
    assert (unproved.letter(token).state, attempt.provider_ref, attempt.transport) == ("sent", "FX1", "twilio")


@pytest.mark.parametrize(("answer", "state", "verdict"), [
    (Answer(429, {"code": 20429}), "queued", "void"), (Answer(400, {"code": 13224}), "failed", "refused"),
    (Answer(500, {}), "unknown", "unknown"), (Answer(408, {}), "unknown", "unknown"), (Answer(200, b"<html>"), "unknown", "unknown"),
    (CLOSE, "unknown", "unknown")], ids=["429", "bad number", "500", "408", "rubbish", "hang up"])
def test_each_answer_of_a_fax_provider_is_sorted(unproved: Desk, answer: Any, state: str, verdict: str) -> None:
    token = unproved.write(channel="fax")
    unproved.provider.faults.append(answer)
    unproved.send(QueueName.FAX)
    assert (unproved.letter(token).state, unproved.attempts()[0].verdict) == (state, verdict)
    unproved.later(hours=3)
    unproved.sweep()
    unproved.send(QueueName.FAX)
    assert len(unproved.provider.asked) == (2 if state == "queued" else 1)


def test_a_refused_fax_does_not_keep_the_line_from_the_next(unproved: Desk) -> None:
    bad = unproved.write(channel="fax")
    unproved.later(seconds=1)
    good = unproved.write(channel="fax")
    unproved.provider.faults.append(Answer(400, {"code": 21610, "message": "no"}))
    for _ in range(3):
        unproved.send(QueueName.FAX)
        unproved.later(minutes=1)
    assert (unproved.letter(bad).state, unproved.letter(good).state) == ("failed", "sent")


def test_a_campaigns_revision_is_seen_by_the_next_letter(unproved: Desk) -> None:
    """The inbox is read when the letter goes."""
    unproved.write()
    campaign = campaigns.get("night-bus")
    assert campaigns.inbox_of(campaign.id) == COPIES
    assert unproved.rows(Letter, table(Letter).c.campaign_id == campaign.id)
