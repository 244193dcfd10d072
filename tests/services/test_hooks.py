"""Receipts as they come over HTTP: signed ones count, all others change nothing."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient
from twilio.request_validator import RequestValidator

from outreach.db import utcnow
from outreach.models import Receipt
from outreach.queue import QueueName
from tests.services.helpers import COMMISSIONER, COPIES, Desk

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(serialization.Encoding.DER,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
BASE = "https://letters.example"


@pytest.fixture
def faxed(desk: Desk) -> Iterator[tuple[Desk, TestClient]]:
    """A fax that its provider took, and the application."""
    from outreach.app import create_app

    desk.now = utcnow()
    desk.set(confirm="none", public_url=BASE, sendgrid_webhook_key=PUBLIC)
    desk.campaign(targets=(COMMISSIONER,))
    desk.write(channel="fax")
    desk.send(QueueName.FAX)
    with TestClient(create_app(), base_url=BASE, raise_server_exceptions=False) as client:
        yield desk, client


def call(client: TestClient, attempt: str, status: str, *, token: str = "token-of-a-test", **fields: str) -> int:
    """Post a status callback as the provider does."""
    form = {"FaxSid": "FX1", "FaxStatus": status, "To": "+14165550133", "NumPages": "1", **fields}
    path = f"/hooks/twilio?a={attempt}"
    signature = RequestValidator(token).compute_signature(BASE + path, form)
    return client.post(path, content=urlencode(form), headers={"content-type": "application/x-www-form-urlencoded",
                                                               "x-twilio-signature": signature}).status_code


def events(client: TestClient, *said: dict[str, Any], key: ec.EllipticCurvePrivateKey = KEY, at: float | None = None) -> int:
    """Post signed events as SendGrid does."""
    body, stamp = json.dumps(said).encode(), str(int(at or time.time()))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return client.post("/hooks/sendgrid", content=body, headers={"x-twilio-email-event-webhook-signature": signature,
                                                                 "x-twilio-email-event-webhook-timestamp": stamp}).status_code


def test_a_signed_callback_makes_the_fax_delivered_and_a_repeat_changes_nothing(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    attempt = desk.attempts()[0].id
    assert [call(client, attempt, s) for s in ("sending", "delivered", "delivered", "busy")] == [204] * 4
    assert desk.letter().state == "delivered"
    assert len(desk.rows(Receipt)) == 3


def test_a_forged_callback_changes_nothing(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    attempt = desk.attempts()[0].id
    assert call(client, attempt, "delivered", token="another") == 401
    form = urlencode({"FaxSid": "FX1", "FaxStatus": "delivered"})
    for headers in ({}, {"x-twilio-signature": ""}, {"x-twilio-signature": "AAAA"}):
        assert client.post(f"/hooks/twilio?a={attempt}", content=form, headers=headers).status_code == 401
    elsewhere = f"{BASE}/hooks/twilio?a=other"
    signature = RequestValidator("token-of-a-test").compute_signature(elsewhere, {"FaxSid": "FX1", "FaxStatus": "delivered"})
    assert client.post(f"/hooks/twilio?a={attempt}", content=form, headers={"x-twilio-signature": signature}).status_code == 401
    assert (desk.letter().state, desk.rows(Receipt)) == ("sent", [])


def test_what_cannot_be_read_is_answered_and_changes_nothing(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    attempt = desk.attempts()[0].id
    assert call(client, attempt, "") == 400
    assert client.post("/hooks/nobody", content=b"x").status_code == 404
    assert client.get("/hooks/twilio").status_code in (404, 405)
    assert client.post("/hooks/sendgrid", content=b"\xff\xfe").status_code == 401
    assert client.post("/hooks/telnyx", content=b"{}").status_code == 401
    assert desk.rows(Receipt) == []


@pytest.mark.parametrize(("status", "state"), [("busy", "queued"), ("no-answer", "queued"), ("failed", "queued"), ("canceled", "failed")])
def test_each_end_of_a_call_is_told(faxed: tuple[Desk, TestClient], status: str, state: str) -> None:
    desk, client = faxed
    assert call(client, desk.attempts()[0].id, status) == 204
    assert desk.letter().state == state
    assert desk.attempts()[0].line_until is None


def test_signed_events_settle_a_mail_and_forged_or_stale_ones_do_not(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    token = desk.write()
    desk.send()
    letter = desk.letter(token)
    attempt = next(a for a in desk.attempts() if a.letter_id == letter.id)
    said = {"event": "delivered", "email": "commissioner@transit.example", "attempt": attempt.id, "sg_event_id": "e1", "timestamp": 1}
    assert events(client, said, key=ec.generate_private_key(ec.SECP256R1())) == 401
    assert events(client, said, at=time.time() - 4 * 86400) == 401
    assert desk.letter(token).state == "sent"
    copy = {**said, "email": COPIES, "event": "bounce", "sg_event_id": "e0"}
    assert events(client, copy, {"event": "open", "email": "x@y.example"}) == 204
    assert desk.letter(token).state == "sent"
    assert events(client, said, said) == 204
    assert desk.letter(token).state == "delivered"
    assert events(client, {**said, "event": "bounce", "sg_event_id": "e2"}) == 204
    assert desk.letter(token).state == "failed"
    assert len(desk.rows(Receipt)) == 3


def test_a_batch_with_odd_events_loses_none_of_the_others(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    token = desk.write()
    desk.send()
    attempt = next(a for a in desk.attempts() if a.letter_id == desk.letter(token).id)
    good = {"event": "delivered", "email": "commissioner@transit.example", "attempt": attempt.id, "sg_event_id": "good"}
    odd = [{"event": 7}, {}, {**good, "sg_event_id": "x" * 999, "attempt": "y" * 999, "email": "nobody@x.example"},
           {**good, "sg_event_id": "nul\x00\ud800", "reason": "\ud800\x00", "email": "z\ud800@x.example", "attempt": "\x00" * 26}]
    assert events(client, *odd, good) == 204
    assert desk.letter(token).state == "delivered"


def test_the_pages_of_a_fax_are_fetched_as_signed_and_not_otherwise(faxed: tuple[Desk, TestClient]) -> None:
    desk, client = faxed
    form = dict(p.split("=", 1) for p in desk.provider.asked[0].body.decode().split("&"))
    from urllib.parse import unquote

    url = unquote(form["MediaUrl"])
    answer = client.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    for bad in (url + "x", url[:-14], url.replace("e=", "e=9"), url.split("?")[0], url.replace("/media/", "/media/x")):
        assert client.get(bad).status_code == 404
