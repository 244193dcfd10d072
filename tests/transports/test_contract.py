"""What every transport promises, whichever provider it speaks to: the sorting of failures, and one hand-over is one try."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from outreach.domain.letters import Channel, Reason
from outreach.errors import TransportDown
from outreach.transports.base import Accepted, NotStarted, Outcome, Refused, Unknown
from outreach.transports.email.sendgrid import SendGridTransport
from outreach.transports.email.smtp import SmtpTransport
from outreach.transports.email.smtp_server import SmtpServer as Server
from outreach.transports.fax.telnyx import TelnyxFaxTransport
from outreach.transports.fax.twilio import TwilioFaxTransport
from tests.transports.letters import fax, mail
from tests.transports.servers import CLOSE, DRIBBLE, HANG, TRICKLE, Answer, HttpServer, SmtpServer, free_port, running

SHORT = 1.0
HTTP_FAULTS: dict[str, Answer | str] = {
    "closes after the body": CLOSE,
    "hangs after the body": HANG,
    "answers drop by drop": DRIBBLE,
    "answers at once and its text drop by drop": TRICKLE,
    "answers without end": Answer(200, b"x" * 9_000_000),
    "server error": Answer(500, {"message": "internal"}),
    "bad gateway": Answer(502, b"<html>bad gateway"),
    "request time-out": Answer(408),
    "redirect": Answer(302, headers={"Location": "/elsewhere"}),
    "later": Answer(429, {"message": "slow down"}, {"Retry-After": "120"}),
    "credentials refused": Answer(401, {"code": 20003, "message": "Authenticate"}),
    "forbidden": Answer(403, {"message": "no"}),
    "refused": Answer(400, {"code": 21620, "message": "no", "errors": [{"message": "no", "code": "10015", "detail": "no"}]}),
    "rubbish": Answer(200, b"<html>Welcome to the hotel's network"),
}
SMTP_FAULTS = {
    "closes after the body": {"dot": CLOSE},
    "hangs after the body": {"dot": HANG},
    "answers drop by drop": {"dot": DRIBBLE},
    "answers at once and its text drop by drop": {"dot": DRIBBLE},
    "answers without end": {"dot": "250-more\r\n" * 9_000},
    "server error": {"dot": "451 4.3.0 internal"},
    "bad gateway": {"dot": "452 4.3.1 disk full"},
    "request time-out": {"mail*": HANG},
    "redirect": {"data": "251 2.1.5 elsewhere"},
    "later": {"rcpt1": "450 4.7.28 rate limit"},
    "credentials refused": {"mail": "530 5.7.0 log in first"},
    "forbidden": {"mail": "554 5.7.1 <x>: Relay access denied"},
    "refused": {"rcpt1": "550 5.7.1 not wanted"},
    "rubbish": {"dot": "999 what"},
}


@dataclass
class Rig:
    """One provider's server, our transport for it, and how to hand over one sample letter."""

    name: str
    channel: Channel
    server: Any
    transport: Any
    nobody: Any
    letter: Callable[[], Any]
    tries: Callable[[], int]
    ref: str

    def go_wrong(self, fault: str) -> None:
        if self.name == "smtp":
            self.server.faults.update(SMTP_FAULTS[fault])
        else:
            self.server.faults.append(HTTP_FAULTS[fault])

    def go_well(self) -> None:
        self.server.faults.clear()


def http_rig(name: str, make: Callable[[str], Any], answer: Answer, ref: str, stack: ExitStack) -> Rig:
    server = stack.enter_context(running(HttpServer(lambda asked: answer)))
    channel, letter = (Channel.EMAIL, mail) if name == "sendgrid" else (Channel.FAX, fax)
    return Rig(name, channel, server, make(server.url), make(f"http://127.0.0.1:{free_port()}"), letter,
               lambda: len(server.asked), ref)


def smtp_rig(stack: ExitStack) -> Rig:
    server = stack.enter_context(running(SmtpServer()))

    def make(url: str) -> SmtpTransport:
        return SmtpTransport(Server.from_url(url, helo="nightbus.example", timeout=SHORT))

    return Rig("smtp", Channel.EMAIL, server, make(server.url), make(f"smtp://127.0.0.1:{free_port()}"), mail,
               lambda: sum(c.startswith("MAIL") for c in server.commands), "4ZQ1")


@pytest.fixture(params=["smtp", "sendgrid", "twilio", "telnyx"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield {
            "smtp": lambda: smtp_rig(stack),
            "sendgrid": lambda: http_rig("sendgrid", lambda url: SendGridTransport("SG.key", url, SHORT),
                                         Answer(202, headers={"X-Message-Id": "ref-1"}), "ref-1", stack),
            "twilio": lambda: http_rig("twilio", lambda url: TwilioFaxTransport(f"{url}/v1/Faxes", "AC1", "token", SHORT),
                                       Answer(201, {"sid": "FX1", "status": "queued"}), "FX1", stack),
            "telnyx": lambda: http_rig("telnyx", lambda url: TelnyxFaxTransport("KEY", url, "conn-1", SHORT),
                                       Answer(202, {"data": {"id": "fax-1", "status": "queued"}}), "fax-1", stack),
        }[request.param]()


def hand_over(rig: Rig, fault: str) -> Outcome:
    rig.go_wrong(fault)
    with rig.transport.connect() as session:
        outcome: Outcome = session.hand_over(rig.letter())
    return outcome


def test_it_says_who_it_is(rig: Rig) -> None:
    assert (rig.transport.name, rig.transport.channel) == (rig.name, rig.channel)


def test_an_accepted_letter_has_the_providers_reference(rig: Rig) -> None:
    with rig.transport.connect() as session:
        assert session.hand_over(rig.letter()) == Accepted(rig.ref)
    assert rig.tries() == 1


def test_one_connection_carries_many_letters(rig: Rig) -> None:
    with rig.transport.connect() as session:
        assert all(isinstance(session.hand_over(rig.letter()), Accepted) for _ in range(5))
    assert rig.server.connections == 1


def test_without_a_connection_nothing_was_started(rig: Rig) -> None:
    try:
        with rig.nobody.connect() as session:
            outcome = session.hand_over(rig.letter())
    except TransportDown as e:
        assert not e.auth
    else:
        assert isinstance(outcome, NotStarted) and outcome.down and not outcome.auth


@pytest.mark.parametrize("fault", ["closes after the body", "hangs after the body", "rubbish"])
def test_a_body_without_a_clear_answer_is_unknown_and_never_sent_again(rig: Rig, fault: str) -> None:
    outcome = hand_over(rig, fault)
    assert isinstance(outcome, Unknown), outcome
    assert rig.tries() == 1


@pytest.mark.parametrize("fault", ["answers drop by drop", "answers at once and its text drop by drop", "answers without end"])
def test_an_answer_that_does_not_end_holds_nobody_up(rig: Rig, fault: str) -> None:
    """A time-out for each read is none for the whole: each byte comes in time."""
    began = time.monotonic()
    outcome = hand_over(rig, fault)
    assert isinstance(outcome, Unknown), outcome
    assert time.monotonic() - began < 2 * SHORT + 2
    assert rig.tries() == 1


def test_a_servers_own_error_is_never_final(rig: Rig) -> None:
    for fault in ("server error", "bad gateway"):
        outcome = hand_over(rig, fault)
        # SMTP's 4yz is a clear "not taken"; HTTP's 5xx says nothing about what was done before it broke.
        assert isinstance(outcome, Unknown) if rig.name != "smtp" else outcome == Refused(Reason.DEFERRED, False, outcome.detail)


def test_a_time_out_or_redirect_is_not_success(rig: Rig) -> None:
    for fault in ("request time-out", "redirect"):
        assert isinstance(hand_over(rig, fault), NotStarted if rig.name == "smtp" else Unknown)
        rig.go_well()


def test_later_is_later(rig: Rig) -> None:
    outcome = hand_over(rig, "later")
    if rig.name == "smtp":  # a mail server says so of one recipient
        assert isinstance(outcome, Refused)
        assert (outcome.reason, outcome.permanent, outcome.retry_after) == (Reason.RATE_LIMITED, False, None)
    else:  # a provider's API of our account, whomever the letter is for
        assert isinstance(outcome, NotStarted)
        assert (outcome.down, outcome.auth, outcome.limited, outcome.retry_after) == (True, False, True, timedelta(minutes=2))


@pytest.mark.parametrize("fault", ["credentials refused", "forbidden"])
def test_a_provider_that_refuses_us_is_not_the_letters_fault(rig: Rig, fault: str) -> None:
    outcome = hand_over(rig, fault)
    assert isinstance(outcome, NotStarted) and outcome.auth and outcome.down


def test_a_plain_no_is_final(rig: Rig) -> None:
    outcome = hand_over(rig, "refused")
    assert isinstance(outcome, Refused) and outcome.permanent and outcome.detail
    assert rig.tries() == 1


@pytest.mark.parametrize("fault", list(HTTP_FAULTS))
def test_the_session_goes_on_after_any_failure(rig: Rig, fault: str) -> None:
    with rig.transport.connect() as session:
        rig.go_wrong(fault)
        assert not isinstance(session.hand_over(rig.letter()), Accepted)
        rig.go_well()
        assert isinstance(session.hand_over(rig.letter()), Accepted)


def test_a_provider_that_went_away_between_two_letters_is_not_started(rig: Rig) -> None:
    with rig.transport.connect() as session:
        assert isinstance(session.hand_over(rig.letter()), Accepted)
        rig.server.shutdown()
        rig.server.server_close()
        if rig.name == "smtp":
            rig.server.faults["mail*"] = CLOSE
        else:
            rig.server.faults.append(CLOSE)
        outcome = session.hand_over(rig.letter())
    # The kept HTTP connection still takes the body and then closes: that is not known.
    assert isinstance(outcome, NotStarted if rig.name == "smtp" else Unknown)
