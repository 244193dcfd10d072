"""What SendGrid is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from outreach.domain.letters import Reason
from outreach.transports.base import Accepted, Attachment, Mailbox, Outcome, Refused
from outreach.transports.email.sendgrid import SendGridTransport
from outreach.transports.http import read_retry_after
from tests.transports.letters import ATTEMPT, NOW, mail
from tests.transports.servers import Answer, HttpServer, running


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with running(HttpServer(lambda asked: Answer(202, headers={"X-Message-Id": "ref"}))) as s:
        yield s


def send(server: HttpServer, **changes: Any) -> Outcome:
    with SendGridTransport("SG.key", server.url, 2).connect() as session:
        return session.hand_over(mail(**changes))


def sent(server: HttpServer) -> Any:
    return json.loads(server.asked[-1].body)


def test_the_mail_with_its_copy_and_our_id_and_nothing_tracked(server: HttpServer) -> None:
    send(server, headers=(("Auto-Submitted", "auto-generated"),))
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/v3/mail/send", "Bearer SG.key")
    got = sent(server)
    [person] = got.pop("personalizations")
    assert person == {"to": [{"email": "commissioner@transit.example", "name": "Commissioner"}],
                      "cc": [{"email": "copies@nightbus.example"}],
                      "custom_args": {"attempt": ATTEMPT}}
    assert got["from"] == {"email": "letters@nightbus.example", "name": "Jane Doe via Night Bus"}
    assert got["reply_to"] == {"email": "jane@people.example", "name": "Jane Doe"}
    assert [c["type"] for c in got["content"]] == ["text/plain", "text/html"]
    assert got["headers"] == {"Message-ID": "<01k7zt5c9letter@nightbus.example>", "Content-Language": "en",
                              "Auto-Submitted": "auto-generated"}
    assert got["tracking_settings"]["click_tracking"] == {"enable": False, "enable_text": False}
    assert not any(got["tracking_settings"][k]["enable"] for k in ("open_tracking", "subscription_tracking", "ganalytics"))
    assert "categories" not in got


def test_what_is_absent_is_left_out_and_no_address_is_named_twice(server: HttpServer) -> None:
    send(server, cc="Commissioner@transit.example", reply_to=None, html="")
    got = sent(server)
    assert "cc" not in got["personalizations"][0] and "reply_to" not in got
    assert [c["type"] for c in got["content"]] == ["text/plain"]


def test_a_letter_is_not_lost_over_an_address_for_answers_that_sendgrid_cannot_take(server: HttpServer) -> None:
    assert isinstance(send(server, reply_to=Mailbox("jörg@people.example", "Jörg")), Accepted)
    assert "reply_to" not in sent(server)


def test_any_unicode_and_attachments(server: HttpServer) -> None:
    send(server, subject="Автобус 👩‍👩‍👧", to=Mailbox("info@bücher.example", "Бюро"),
         attachments=(Attachment("ф.pdf", "application/pdf", b"\x00"),))
    got = sent(server)
    assert got["subject"] == "Автобус 👩‍👩‍👧"
    assert got["personalizations"][0]["to"] == [{"email": "info@xn--bcher-kva.example", "name": "Бюро"}]
    assert got["attachments"] == [{"content": base64.b64encode(b"\x00").decode(), "type": "application/pdf", "filename": "ф.pdf",
                                   "disposition": "attachment"}]


def test_what_cannot_stand_in_a_mail_is_refused_before_anybody_is_asked(server: HttpServer) -> None:
    for changes in ({"subject": "a\r\nBcc: x@people.example"}, {"sender": Mailbox("letters@nightbus.example", "a\nb")},
                    {"text": "\ud800"}):
        outcome = send(server, **changes)
        assert isinstance(outcome, Refused) and outcome.reason is Reason.CANNOT_RENDER
    assert not server.asked


def test_its_own_words_on_a_refusal_are_kept(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(413, {"errors": [{"message": "too large", "field": None}]})
    outcome = send(server)
    assert isinstance(outcome, Refused) and outcome.permanent and outcome.detail == "413 too large"


@pytest.mark.parametrize(("value", "wait"), [
    ("0", 0), ("90", 90), (" 7 ", 7), ("Fri, 20 Nov 2026 14:06:09 GMT", 60), ("Fri, 20 Nov 2026 13:00:00 GMT", 0), ("9" * 12,
                                                                                                                    86400),
    ("", None), (None, None), ("soon", None), ("-5", None), ("٣", 3)])
def test_retry_after_is_seconds_or_a_date(value: str | None, wait: int | None) -> None:
    assert read_retry_after(value, NOW) == (None if wait is None else timedelta(seconds=wait))
