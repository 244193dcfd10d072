"""What providers say, in whatever order and however often, ends in the same truth."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outreach.db import new_id
from outreach.domain.letters import Reason, Verdict
from outreach.models import Address, Attempt, Letter, Receipt, table
from outreach.queue import QueueName
from outreach.services import deliver, evidence, ledger, polls, receipts
from outreach.settings import get_settings
from outreach.transports.base import ReceiptWord
from outreach.transports.email.bounces import ATTEMPT_FIELD, envelope_id, read_dsn, verp_address
from tests.services.helpers import COMMISSIONER, COPIES, COUNCIL, Desk, mail_of
from tests.transports.servers import Answer

NUMBER = "+14165550133"


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    return desk


def sent(desk: Desk, channel: str = "email") -> tuple[str, Any]:
    token = desk.write(channel=channel)
    desk.send(QueueName(channel))
    return token, next(a for a in desk.attempts() if a.letter_id == desk.letter(token).id)


def test_a_receipt_makes_a_sent_letter_delivered_once(unproved: Desk) -> None:
    token, attempt = sent(unproved, "fax")
    word = unproved.word(Verdict.DELIVERED, attempt, pages=2)
    assert [unproved.hear(word), unproved.hear(word), unproved.hear(word, word)] == [1, 0, 0]
    letter = unproved.letter(token)
    assert (letter.state, letter.delivered_at) == ("delivered", unproved.now)
    assert unproved.attempts()[0].pages == 2
    assert len(unproved.rows(Receipt)) == 1
    assert unproved.counts_agree()


def test_a_busy_line_puts_the_letter_back_in_line_with_the_line_free(unproved: Desk) -> None:
    token, attempt = sent(unproved, "fax")
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
    letter = unproved.letter(token)
    assert (letter.state, letter.reason) == ("queued", "busy")
    assert letter.not_before > unproved.now
    assert unproved.attempts()[0].line_until is None
    other = unproved.write(channel="fax")
    assert unproved.send(QueueName.FAX) == 0, "a line that was busy for one is busy for the next"
    unproved.later(hours=1)
    assert unproved.send(QueueName.FAX) == 1
    assert sorted([unproved.letter(token).state, unproved.letter(other).state]) == ["queued", "sent"]
    unproved.hear(unproved.word(Verdict.DELIVERED, unproved.attempts()[-1]))
    assert unproved.send(QueueName.FAX) == 1
    assert sorted([unproved.letter(token).state, unproved.letter(other).state]) == ["delivered", "sent"]


def test_what_a_receipt_says_of_the_line_holds_back_or_frees_its_lane(unproved: Desk) -> None:
    _, attempt = sent(unproved, "fax")
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
    lane = unproved.lane(NUMBER)
    assert (lane.setbacks, lane.backoff_until > unproved.now) == (1, True)
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
    assert unproved.lane(NUMBER).setbacks == 1, "the same call, told twice"
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt))
    assert (unproved.lane(NUMBER).setbacks, unproved.lane(NUMBER).backoff_until) == (0, None)
    _, attempt = sent(unproved, "fax")
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, reason=Reason.BAD_NUMBER))
    assert unproved.one(Address, table(Address).c.value == NUMBER).state == "suspect"


def test_a_line_that_is_always_busy_is_given_up_in_the_end(unproved: Desk) -> None:
    token = unproved.write(channel="fax")
    for _ in range(8):
        unproved.send(QueueName.FAX)
        for attempt in unproved.attempts():
            if attempt.verdict == "accepted":
                unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
        unproved.later(hours=3)
    assert (unproved.letter(token).state, unproved.letter(token).reason, len(unproved.attempts())) == ("failed", "too_many_tries", 6)


def test_a_late_bounce_of_a_delivered_letter_fails_it_and_sends_nothing(unproved: Desk) -> None:
    token, attempt = sent(unproved)
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt))
    unproved.later(days=1)
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, reason=Reason.NO_MAILBOX))
    assert (unproved.letter(token).state, unproved.letter(token).reason) == ("failed", "no_such_mailbox")
    unproved.later(days=1)
    unproved.sweep()
    assert unproved.send() == 0


def test_busy_said_after_delivered_sends_no_second_fax(unproved: Desk) -> None:
    token, attempt = sent(unproved, "fax")
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt), unproved.word(Verdict.BOUNCED, attempt, retryable=True))
    assert unproved.letter(token).state == "delivered"


def test_a_copys_receipt_does_not_speak_for_the_letter(unproved: Desk) -> None:
    token, attempt = sent(unproved)
    for verdict in (Verdict.DELIVERED, Verdict.BOUNCED):
        unproved.hear(unproved.word(verdict, attempt, recipient=COPIES))
    assert unproved.letter(token).state == "sent"
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt, recipient="<Commissioner@Transit.example>"))
    assert unproved.letter(token).state == "delivered"


def test_words_that_only_inform_change_nothing(unproved: Desk) -> None:
    token, attempt = sent(unproved)
    assert unproved.hear(unproved.word(None, attempt, reason=Reason.DEFERRED)) == 1
    assert unproved.letter(token).state == "sent"


def test_an_unknown_outcome_is_settled_by_a_receipt(unproved: Desk) -> None:
    for verdict, state in ((Verdict.ACCEPTED, "sent"), (Verdict.DELIVERED, "delivered"), (Verdict.BOUNCED, "failed")):
        unproved.sink.faults["dot"] = "close"
        token, attempt = sent(unproved)
        assert unproved.letter(token).state == "unknown"
        unproved.hear(unproved.word(verdict, attempt))
        assert unproved.letter(token).state == state


@pytest.mark.parametrize("how", ["attempt", "provider_ref", "message_id"])
def test_a_receipt_finds_its_letter_by_what_it_names(unproved: Desk, how: str) -> None:
    token, attempt = sent(unproved)
    names = {"attempt": {"attempt_id": attempt.id}, "provider_ref": {"provider_ref": attempt.provider_ref},
             "message_id": {"message_id": f"<{unproved.letter(token).id}@campaign.example>"}}[how]
    unproved.hear(replace(unproved.word(Verdict.DELIVERED, attempt), **{"attempt_id": None, **names}))
    assert unproved.letter(token).state == "delivered"


def test_a_receipt_of_an_unknown_letter_is_kept_and_matched_later(unproved: Desk) -> None:
    token = unproved.write(channel="fax")
    word = ReceiptWord("twilio", "e1", Verdict.DELIVERED, NUMBER, unproved.now, provider_ref="FX1")
    assert unproved.hear(word) == 1
    assert unproved.rows(Receipt)[0].applied_at is None
    unproved.sweep()
    assert unproved.letter(token).state == "queued"
    unproved.send(QueueName.FAX)  # its provider calls it FX1
    assert unproved.sweep()["orphans_matched"] == 1
    assert unproved.letter(token).state == "delivered"
    assert unproved.rows(Receipt)[0].letter_id == unproved.letter(token).id
    assert unproved.hear(word) == 0


def test_orphans_of_nobody_do_no_harm(unproved: Desk) -> None:
    for n, names in enumerate(({"attempt_id": new_id()}, {"attempt_id": "x" * 300}, {"provider_ref": "p" * 500}, {"message_id": "m" * 500},
                               {"message_id": "<>"}, {})):
        unproved.hear(ReceiptWord("sendgrid", f"e{n}", Verdict.DELIVERED, "r" * 500, unproved.now, detail="d" * 999, raw="{}", **names))
    assert len(unproved.rows(Receipt)) == 6
    assert "orphans_matched" not in unproved.sweep()


def test_a_receipt_with_odd_characters_is_taken(unproved: Desk) -> None:
    token, attempt = sent(unproved)
    assert unproved.hear(unproved.word(Verdict.DELIVERED, attempt, detail="nul \x00 and \ud800", raw='{"x": "\x00\ud800"}')) == 1
    assert unproved.letter(token).state == "delivered"


@pytest.mark.parametrize(("word", "own", "state"), [
    (Verdict.DELIVERED, "250 2.0.0 Ok: queued as 4ZQ1", "delivered"), (Verdict.DELIVERED, "close", "delivered"),
    (Verdict.BOUNCED, "250 2.0.0 Ok: queued as 4ZQ1", "failed"), (Verdict.DELIVERED, "451 4.3.0 later", "delivered")])
def test_a_receipt_may_come_before_our_own_commit(unproved: Desk, word: Verdict, own: str, state: str) -> None:
    token = unproved.write()
    unproved.sink.faults["dot"] = own
    real: Callable[..., Any] = ledger.commit

    def commit(terms: Any, done: Any, starts: Any, now: Any) -> Any:
        for d in done:
            unproved.hear(unproved.word(word, unproved.attempts()[0]))
            assert unproved.letter(token).state == state, d
        return real(terms, done, starts, now)

    unproved.patch.setattr(ledger, "commit", commit)
    unproved.send()
    assert unproved.letter(token).state == state
    unproved.later(days=1)
    assert unproved.send() == 0
    assert unproved.counts_agree()


def test_busy_may_come_before_our_own_commit_and_is_tried_again(unproved: Desk) -> None:
    token = unproved.write(channel="fax")
    real: Callable[..., Any] = ledger.commit

    def commit(terms: Any, done: Any, starts: Any, now: Any) -> Any:
        for d in done:
            unproved.hear(unproved.word(Verdict.BOUNCED, next(a for a in unproved.attempts() if a.id == d.started.attempt_id),
                                        retryable=True, reason=Reason.BUSY))
        return real(terms, done, starts, now)

    unproved.patch.setattr(ledger, "commit", commit)
    unproved.send(QueueName.FAX)
    unproved.patch.setattr(ledger, "commit", real)
    assert (unproved.letter(token).state, unproved.attempts()[0].provider_ref) == ("queued", "FX1")
    unproved.later(hours=1)
    unproved.send(QueueName.FAX)
    assert unproved.letter(token).state == "sent"


def test_a_withdrawn_letter_is_not_tried_again_whatever_is_said(unproved: Desk) -> None:
    from outreach.services import status

    token, attempt = sent(unproved, "fax")
    status.withdraw(unproved.mailed(token), now=unproved.now)
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
    assert unproved.letter(token).state == "failed"
    assert unproved.send(QueueName.FAX) == 0


def test_a_cancelled_letter_that_had_gone_after_all_is_told_as_it_is(unproved: Desk) -> None:
    """Withdrawn while a retry waited; then evidence comes that the first try had arrived."""
    from outreach.services import status

    token, attempt = sent(unproved, "fax")
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.CALL_DROPPED))
    status.withdraw(unproved.mailed(token), now=unproved.now)
    assert unproved.letter(token).state == "cancelled"
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt))
    assert (unproved.letter(token).state, unproved.letter(token).counts) == ("delivered", True)


def dsn(recipient: str, *, action: str = "failed", status: str = "4.4.7", to: str = "letters@campaign.example", envid: str = "",
        message_id: str = "", named: str = "") -> bytes:
    """A delivery report as anybody can write one."""
    whole = f"Original-Envelope-Id: {envid}\n" if envid else ""
    return (f"From: MAILER-DAEMON@mx.example\nTo: {to}\nMessage-ID: <{new_id()}@mx.example>\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
            f"Reporting-MTA: dns; mx.example\n{whole}\nFinal-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
            f"Diagnostic-Code: smtp; 550 said of {recipient}\n\n"
            f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{message_id}>\nTo: {recipient}\n"
            f"{f'{ATTEMPT_FIELD}: {named}' if named else 'X-Other: x'}\n\n--b--\n").encode()


def arrive(desk: Desk, raw: bytes) -> int:
    return desk.hear(*read_dsn(raw, key=get_settings().key(), now=desk.now))


@pytest.mark.parametrize("verp", ["true", "false"])
@pytest.mark.parametrize("action", ["failed", "delivered"])
@pytest.mark.parametrize("channel", ["email", "fax"])
def test_a_forged_delivery_report_changes_no_letter(unproved: Desk, channel: str, action: str, verp: str) -> None:
    unproved.set(verp=verp)
    token, attempt = sent(unproved, channel)
    address = NUMBER if channel == "fax" else "commissioner@transit.example"
    letter = unproved.letter(token)
    names: list[dict[str, str]] = [
        {"envid": attempt.id}, {"envid": f"{attempt.id}-aaaaaaaa"}, {"message_id": f"{letter.id}@campaign.example"},
        {"to": f"letters+b-{attempt.id}-aaaaaaaa@campaign.example", "envid": attempt.id}, {"named": attempt.id},
        {"named": f"{attempt.id}-aaaaaaaa"}, {}]
    for name in names:
        assert arrive(unproved, dsn(address, action=action, **name)) == 1
    assert unproved.letter(token) == letter
    assert unproved.attempts() == [attempt]
    assert all(r.applied_at for r in unproved.rows(Receipt)), "none is tried again"
    assert unproved.counts_agree()


def test_a_report_that_names_a_fax_never_speaks_for_it(unproved: Desk) -> None:
    token, attempt = sent(unproved, "fax")
    letter, key = unproved.letter(token), get_settings().key()
    arrive(unproved, dsn(NUMBER, envid=envelope_id(attempt.id, key), to=verp_address("letters@campaign.example", attempt.id, key)))
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt, provider="sendgrid"))
    assert unproved.letter(token) == letter


@pytest.mark.parametrize(("verp", "way"), [("true", "address"), ("false", "envelope id"), ("false", "returned header")])
def test_a_report_with_our_mac_counts(unproved: Desk, verp: str, way: str) -> None:
    unproved.set(verp=verp)
    token, attempt = sent(unproved)
    taken = unproved.sink.mails[-1]
    envid = next(w for c in unproved.sink.commands for w in c.split() if w.startswith("ENVID=")).removeprefix("ENVID=")
    signed = mail_of(taken)[ATTEMPT_FIELD]
    assert (signed is None) == (verp == "true"), "the address says it already"
    named = {"address": {"to": taken.sender}, "envelope id": {"envid": envid}, "returned header": {"named": str(signed)}}[way]
    arrive(unproved, dsn("commissioner@transit.example", action="delivered", status="2.0.0", **named))
    assert (unproved.letter(token).state, unproved.attempts()) != ("sent", [attempt])
    assert unproved.letter(token).state == "delivered"


def test_a_sender_too_long_for_an_address_of_its_own_signs_each_mail_in_a_header(unproved: Desk) -> None:
    unproved.set(mail_from="letters.of.the.night.bus.riders@campaign.example")
    token, _ = sent(unproved)
    taken = unproved.sink.mails[-1]
    assert taken.sender == "letters.of.the.night.bus.riders@campaign.example"
    arrive(unproved, dsn("commissioner@transit.example", status="5.1.1", named=str(mail_of(taken)[ATTEMPT_FIELD])))
    assert unproved.letter(token).state == "failed"


@pytest.mark.parametrize("way", ["dsn", "dsn by message-id", "sendgrid"])
def test_what_is_said_of_our_own_notices_is_settled_and_keeps_no_mailbox(desk: Desk, way: str) -> None:
    desk.campaign()
    desk.write(email="jane@people.example")
    desk.notify()
    (notice,) = desk.notices()
    if way == "sendgrid":
        desk.hear(ReceiptWord("sendgrid", "e1", Verdict.DELIVERED, "jane@people.example", desk.now, attempt_id=notice.id,
                              detail="jane@people.example", raw='{"email": "jane@people.example"}'))
    else:
        named = {"envid": envelope_id(notice.id, get_settings().key())} if way == "dsn" else {
            "message_id": f"n-{notice.id}@campaign.example"}
        arrive(desk, dsn("jane@people.example", **named))
    (receipt,) = desk.rows(Receipt)
    assert (receipt.applied_at, receipt.attempt_id, receipt.recipient) == (desk.now, notice.id, "")
    assert "jane" not in str(tuple(receipt))


def test_an_orphan_is_given_up_after_a_week(unproved: Desk) -> None:
    unproved.hear(ReceiptWord("twilio", "e1", Verdict.BOUNCED, NUMBER, unproved.now, provider_ref="FX1", reason=Reason.BUSY))
    unproved.later(days=6, hours=23)
    unproved.sweep()
    assert unproved.rows(Receipt)[0].applied_at is None
    unproved.later(hours=2)
    unproved.sweep()
    (receipt,) = unproved.rows(Receipt)
    assert (receipt.applied_at, receipt.reason, receipt.letter_id) == (unproved.now, "busy", None)
    token = unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    unproved.sweep()
    assert unproved.letter(token).state == "sent"


def test_the_oldest_orphans_are_tried_first(unproved: Desk) -> None:
    for n in range(3):
        unproved.hear(ReceiptWord("twilio", f"e{n}", Verdict.DELIVERED, NUMBER, unproved.now, provider_ref="FX1" if n == 0 else "none"))
        unproved.later(minutes=1)
    token = unproved.write(channel="fax")
    unproved.send(QueueName.FAX)
    assert receipts.retry_orphans(unproved.now, most=1) == 1
    assert unproved.letter(token).state == "delivered"


def test_a_fax_is_asked_about_only_where_it_was_handed_over(unproved: Desk) -> None:
    token, attempt = sent(unproved, "fax")
    unproved.change(Attempt, transport="telnyx")
    unproved.later(minutes=3)
    before = len(unproved.provider.asked)
    assert polls.poll(unproved.now) == 0
    assert len(unproved.provider.asked) == before
    assert not polls.due(unproved.now)
    unproved.change(Attempt, transport="twilio")
    unproved.later(minutes=3)
    unproved.provider.faults.append(Answer(200, {"sid": "FX1", "status": "delivered", "to": NUMBER, "num_pages": 1}))
    assert polls.poll(unproved.now) == 1
    assert unproved.letter(token).state == "delivered", attempt


def test_a_round_of_asking_ends_after_a_while(unproved: Desk) -> None:
    unproved.campaign(targets=tuple(replace(COMMISSIONER, id=f"t{n}", fax=(f"+1416555013{n}",)) for n in range(3)))
    unproved.write(channel="fax", targets=("t0", "t1", "t2"))
    assert unproved.send(QueueName.FAX) == 3
    unproved.patch.setattr(polls, "SECONDS", 0.2)
    unproved.later(minutes=3)
    before = len(unproved.provider.asked)
    unproved.provider.faults.append("hang")
    assert polls.poll(unproved.now) == 0
    assert len(unproved.provider.asked) == before + 1
    assert polls.due(unproved.now), "the others come next"


# words without a name

def nameless(desk: Desk, verdict: Verdict = Verdict.BOUNCED, **changes: Any) -> ReceiptWord:
    """An asynchronous bounce as SendGrid may tell it: recipient, time and nothing else."""
    desk.people += 1
    made = ReceiptWord("sendgrid", f"nameless-{desk.people}", verdict, "Commissioner@Transit.example", desk.now, reason=Reason.NO_MAILBOX)
    return replace(made, **changes)


@pytest.fixture
def by_sendgrid(unproved: Desk) -> Desk:
    """What is sent has gone by SendGrid."""
    _ = unproved.sink
    unproved.set(email_transport="sendgrid", sendgrid_api_key="SG.x", sendgrid_url=unproved.provider.url)
    unproved.provider.answer = lambda asked: Answer(202, headers={"X-Message-Id": new_id()})
    return unproved


def handed(desk: Desk, **written: Any) -> str:
    token = desk.write(**written)
    assert deliver.drain(QueueName.EMAIL, seconds=60, clock=desk.clock) == 1
    return token


def test_a_bounce_without_any_id_is_that_of_the_only_mail_to_its_recipient_lately(by_sendgrid: Desk) -> None:
    token = handed(by_sendgrid)
    handed(by_sendgrid, targets=("council",))
    by_sendgrid.later(hours=5)
    assert by_sendgrid.hear(nameless(by_sendgrid)) == 1
    assert (by_sendgrid.letter(token).state, by_sendgrid.letter(token).reason) == ("failed", "no_such_mailbox")
    assert by_sendgrid.rows(Receipt)[0].letter_id == by_sendgrid.letter(token).id
    assert by_sendgrid.states() == ["failed", "sent"]


def test_between_two_mails_to_one_recipient_a_bounce_without_any_id_names_none(by_sendgrid: Desk) -> None:
    tokens = [handed(by_sendgrid)]
    by_sendgrid.later(hours=2)
    tokens.append(handed(by_sendgrid))
    by_sendgrid.later(hours=2)
    by_sendgrid.hear(nameless(by_sendgrid))
    by_sendgrid.later(hours=1)
    by_sendgrid.sweep()
    assert [by_sendgrid.letter(t).state for t in tokens] == ["sent", "sent"]
    assert by_sendgrid.rows(Receipt)[0].applied_at is None, "whose it is may still be found"


@pytest.mark.parametrize("why", ["it began later", "long ago", "never taken", "by another provider", "another id", "another Message-ID",
                                 "a copy's", "no bounce"])
def test_a_bounce_without_any_id_is_not_that_of_a_mail_that_it_cannot_be_about(by_sendgrid: Desk, why: str) -> None:
    token = handed(by_sendgrid)
    changes: dict[str, Any] = {"it began later": {"at": by_sendgrid.now - timedelta(minutes=1)}, "another id": {"provider_ref": "another"},
                               "another Message-ID": {"message_id": "another@campaign.example"}, "a copy's": {"recipient": COPIES},
                               "no bounce": {"verdict": Verdict.DELIVERED}}.get(why, {})
    if why == "never taken":
        by_sendgrid.change(Attempt, verdict="void")
    if why == "by another provider":
        by_sendgrid.change(Attempt, transport="smtp")
    word = replace(nameless(by_sendgrid), **changes)
    by_sendgrid.later(days=4) if why == "long ago" else by_sendgrid.later(minutes=5)
    by_sendgrid.hear(word if why != "long ago" else replace(word, at=by_sendgrid.now))
    assert by_sendgrid.letter(token).state == "sent"


def test_a_bounce_without_any_id_that_was_a_receipt_before_it_was_a_letter_s_is_matched_in_whatever_order(by_sendgrid: Desk) -> None:
    """Whether its mail's own words come before or after changes nothing of the end."""
    ends = []
    for first in (True, False):
        token = handed(by_sendgrid, targets=("council",))
        attempt = by_sendgrid.attempts()[-1]
        by_sendgrid.later(hours=1)
        words = [nameless(by_sendgrid, recipient="council@city.example"),
                 by_sendgrid.word(Verdict.DELIVERED, attempt, provider="sendgrid", at=by_sendgrid.now - timedelta(minutes=50))]
        for word in words if first else words[::-1]:
            by_sendgrid.hear(word)
        letter = by_sendgrid.letter(token)
        ends.append((letter.state, letter.reason, letter.delivered_at))
        by_sendgrid.later(days=4)
    assert ends[0] == ends[1] == ("failed", "no_such_mailbox", None)


# times

def test_a_letter_is_stamped_with_the_time_that_its_receipt_speaks_of(unproved: Desk) -> None:
    """A provider's callback that was held up for hours says when the fax arrived, and so does its letter."""
    for channel in ("fax", "email"):
        token, attempt = sent(unproved, channel)
        at = unproved.now + timedelta(seconds=20)
        unproved.later(hours=5)
        unproved.hear(unproved.word(Verdict.DELIVERED, attempt, at=at))
        assert (unproved.letter(token).state, unproved.letter(token).delivered_at) == ("delivered", at)


def test_no_time_is_told_that_cannot_be(unproved: Desk) -> None:
    """Clocks of others are wrong: not before the hand-over began, not after we heard of it."""
    for hours, told in ((-3, 0), (9, 5)):
        token, attempt = sent(unproved, "fax")
        begun = unproved.now
        unproved.later(hours=5)
        unproved.hear(unproved.word(Verdict.DELIVERED, attempt, at=begun + timedelta(hours=hours)))
        assert unproved.letter(token).delivered_at == begun + timedelta(hours=told)


def test_what_proves_that_a_letter_went_says_when(unproved: Desk) -> None:
    unproved.sink.faults["dot"] = "close"
    token, attempt = sent(unproved)
    begun = unproved.now
    assert (unproved.letter(token).state, unproved.letter(token).sent_at) == ("unknown", None)
    unproved.later(hours=2)
    unproved.hear(unproved.word(Verdict.ACCEPTED, attempt, at=begun + timedelta(seconds=4)))
    assert (unproved.letter(token).state, unproved.letter(token).sent_at) == ("sent", begun + timedelta(seconds=4))
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt, at=begun + timedelta(seconds=2)))
    letter = unproved.letter(token)
    assert letter.sent_at == letter.delivered_at == begun + timedelta(seconds=2), "it cannot have arrived before it went"


def test_an_earlier_word_corrects_the_time_of_a_letter_and_of_its_whole_bundle(unproved: Desk) -> None:
    first, second = unproved.write(channel="fax"), unproved.write(channel="fax")
    carrier = unproved.letter(first)
    unproved.change(Letter, table(Letter).c.id == carrier.id, carries=True)
    unproved.change(Letter, table(Letter).c.id == unproved.letter(second).id, carried_by=carrier.id)
    unproved.send(QueueName.FAX)
    (attempt,), begun = unproved.attempts(), unproved.now
    unproved.later(hours=1)
    for seconds in (90, 60, 75):
        unproved.hear(unproved.word(Verdict.DELIVERED, attempt, at=begun + timedelta(seconds=seconds)))
    assert {x.delivered_at for x in unproved.letters()} == {begun + timedelta(seconds=60)}
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, reason=Reason.FAX_ERROR))
    assert {(x.state, x.delivered_at) for x in unproved.letters()} == {("failed", None)}, "what came back was not delivered"


# batches

def test_a_batch_is_taken_as_its_words_would_be_one_by_one(unproved: Desk) -> None:
    """Delivered, bounced, a copy's, an orphan's, a notice's and one that only informs, several of one attempt, all in one batch."""
    tokens = [unproved.write() for _ in range(4)]
    unproved.send()
    a, b, c, d = (next(t for t in unproved.attempts() if t.letter_id == unproved.letter(token).id) for token in tokens)
    words = [unproved.word(Verdict.DELIVERED, a, event_id="1"), unproved.word(Verdict.DELIVERED, b, event_id="2", recipient=COPIES),
             unproved.word(None, c, event_id="3"), unproved.word(Verdict.DELIVERED, c, event_id="4"),
             unproved.word(Verdict.BOUNCED, c, event_id="5", reason=Reason.MAILBOX_FULL), unproved.word(Verdict.ACCEPTED, d, event_id="6"),
             unproved.word(Verdict.DELIVERED, a, event_id="7", attempt_id=new_id()), unproved.word(Verdict.DELIVERED, a, event_id="1")]
    assert unproved.hear(*words) == 7
    assert [unproved.letter(t).state for t in tokens] == ["delivered", "sent", "failed", "sent"]
    assert unproved.counts_agree()
    assert unproved.hear(*words) == 0


def test_a_word_that_breaks_its_batch_loses_none_of_the_others(unproved: Desk) -> None:
    """Something of ours goes wrong with one letter: the others are settled, and that one when it works again."""
    tokens = [unproved.write() for _ in range(3)]
    unproved.send()
    attempts = {a.letter_id: a for a in unproved.attempts()}
    mine = [attempts[unproved.letter(t).id] for t in tokens]
    real = evidence._judged

    def broken(word: ReceiptWord, attempt: Any) -> Any:
        if attempt is not None and attempt.id == mine[1].id:
            raise RuntimeError("not today")
        return real(word, attempt)

    unproved.patch.setattr(evidence, "_judged", broken)
    assert unproved.hear(*(unproved.word(Verdict.DELIVERED, a) for a in mine)) == 3
    assert [unproved.letter(t).state for t in tokens] == ["delivered", "sent", "delivered"]
    unproved.sweep()
    assert unproved.letter(tokens[1]).state == "sent"
    unproved.patch.setattr(evidence, "_judged", real)
    unproved.later(hours=2)
    assert unproved.sweep()["orphans_matched"] == 1
    assert unproved.letter(tokens[1]).state == "delivered"
    assert unproved.counts_agree()


def test_a_number_that_no_database_takes_loses_none_of_the_others(unproved: Desk) -> None:
    token, attempt = sent(unproved)
    assert unproved.hear(unproved.word(Verdict.DELIVERED, attempt, pages=2**70), unproved.word(Verdict.ACCEPTED, attempt, pages=-1)) == 2
    assert (unproved.letter(token).state, unproved.attempts()[0].pages) == ("delivered", None)


def test_the_same_batch_taken_by_several_at_once_counts_once(unproved: Desk) -> None:
    """Providers post again what they believe lost; two web processes may have it at the same time, in different order."""
    tokens = [unproved.write() for _ in range(12)]
    unproved.send()
    words = [unproved.word(Verdict.DELIVERED, a) for a in unproved.attempts()]
    start, new = threading.Barrier(3), list[int]()

    def post(said: list[ReceiptWord]) -> None:
        start.wait(10)
        new.append(receipts.take(said, now=unproved.now))

    threads = [threading.Thread(target=post, args=(said,)) for said in (words, words[::-1], words[6:] + words[:6])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(new) == len(words) == len(unproved.rows(Receipt)) and len(new) == 3
    assert {unproved.letter(t).state for t in tokens} == {"delivered"}
    assert unproved.counts_agree()


def test_heaps_of_orphans_of_nobody_hold_up_no_others(unproved: Desk) -> None:
    """Far more than one round takes, all older than the one whose letter is there by now."""
    unproved.patch.setattr(receipts, "MOST", 5)
    token = unproved.write(channel="fax")
    for n in range(4):
        unproved.hear(*(ReceiptWord("twilio", f"e{n}-{k}", Verdict.DELIVERED, NUMBER, unproved.now, provider_ref="none") for k in range(5)))
        unproved.later(seconds=1)
    unproved.hear(ReceiptWord("twilio", "mine", Verdict.DELIVERED, NUMBER, unproved.now, provider_ref="FX1"))
    unproved.later(minutes=1)
    unproved.send(QueueName.FAX)
    rounds = 0
    while unproved.letter(token).state != "delivered":
        receipts.retry_orphans(unproved.now, most=5)
        unproved.later(seconds=1)
        rounds += 1
        assert rounds <= 6


def test_a_fax_heard_of_after_its_letter_went_on_by_mail_is_matched_to_its_call(unproved: Desk) -> None:
    """The letter is the same, its channel another: a word is judged by where its attempt went."""
    token, attempt = sent(unproved, "fax")
    email = unproved.one(Address, table(Address).c.value == "commissioner@transit.example")
    unproved.hear(unproved.word(Verdict.BOUNCED, attempt, retryable=True, reason=Reason.BUSY))
    unproved.change(Letter, table(Letter).c.id == attempt.letter_id, address_id=email.id, channel="email")
    unproved.hear(unproved.word(Verdict.DELIVERED, attempt))
    assert unproved.letter(token).state == "delivered"
