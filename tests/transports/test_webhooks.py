"""Receipts by webhook: a forged, stale, tampered or senseless one changes nothing; a repeat is recognised by its event id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Forged, Malformed, NotFound
from outreach.settings import Settings
from outreach.transports.base import ReceiptWord, SignedRequest
from outreach.transports.fax.telnyx_words import FAILURES
from outreach.transports.registry import parse_webhook, sandbox_credentials
from tests.transports.letters import ATTEMPT

NOW = datetime(2026, 11, 20, 14, 10, tzinfo=UTC)
SG_KEY, TELNYX_KEY = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
PUBLIC = "https://letters.example"


def settings(**changes: Any) -> Settings:
    spki = SG_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    raw = TELNYX_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    values = {"public_url": PUBLIC, "secret_key": "a-test-key-that-is-long-enough-0123",
              "sendgrid_webhook_key": base64.b64encode(spki).decode(),
              "twilio_auth_token": "secret-token", "fax_transport": "twilio", "telnyx_public_key": base64.b64encode(raw).decode()}
    return Settings(_env_file=None, **{**values, **changes})  # type: ignore[call-arg]


def read(provider: str, request: SignedRequest, **changes: Any) -> list[ReceiptWord]:
    return parse_webhook(provider, request, settings(**changes), NOW)


def sendgrid(body: bytes, at: datetime = NOW, key: ec.EllipticCurvePrivateKey = SG_KEY) -> SignedRequest:
    stamp = str(int(at.timestamp()))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return SignedRequest(f"{PUBLIC}/hooks/sendgrid", {"x-twilio-email-event-webhook-signature": signature,
                                                      "x-twilio-email-event-webhook-timestamp": stamp}, body)


def telnyx(body: bytes, at: datetime = NOW) -> SignedRequest:
    stamp = str(int(at.timestamp()))
    return SignedRequest(f"{PUBLIC}/hooks/telnyx", {"telnyx-timestamp": stamp, "telnyx-signature-ed25519":
                         base64.b64encode(TELNYX_KEY.sign(f"{stamp}|".encode() + body)).decode()}, body)


def twilio(body: bytes, at: datetime = NOW, token: str = "secret-token", header: str = "x-twilio-signature") -> SignedRequest:
    path = f"/hooks/twilio?a={ATTEMPT}"
    text = PUBLIC + path + "".join(k + v for k, v in sorted(parse_qsl(body.decode(), keep_blank_values=True)))
    signature = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
    # The web server sees its own inner address; what was signed is the public one.
    return SignedRequest(f"http://127.0.0.1:8000{path}", {header: signature}, body)


def sg_event(**changes: Any) -> dict[str, Any]:
    return {"email": "commissioner@transit.example", "timestamp": 1795183500, "event": "delivered", "sg_event_id": "evt-1",
            "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
            "smtp-id": "<01k7zt5c9letter@nightbus.example>", "attempt": ATTEMPT, **changes}


def fax_form(**changes: Any) -> bytes:
    return urlencode({"FaxSid": "FX1", "AccountSid": "AC1", "From": "+14165550100", "To": "+14165550133",
                      "FaxStatus": "delivered",
                      "NumPages": "2", "RemoteStationId": "", "ApiVersion": "v1", **changes}).encode()


def telnyx_event(status: str = "delivered", **changes: Any) -> bytes:
    payload = {"fax_id": "fax-1", "to": "+14165550133", "from": "+14165550100", "status": status, "direction": "outbound",
               "client_state": base64.b64encode(ATTEMPT.encode()).decode(), "page_count": 2, **changes}
    return json.dumps({"data": {"event_type": f"fax.{status}", "id": "evt-9", "occurred_at": "2026-11-20T14:09:43.677850Z",
                                "record_type": "event", "payload": payload}, "meta": {"attempt": 1}}).encode()


@dataclass
class Kind:
    name: str
    sign: Callable[..., SignedRequest]
    body: bytes
    tampered: bytes
    key_setting: str
    stale_after: timedelta | None
    signature: str


KINDS = [
    Kind("sendgrid", sendgrid, json.dumps([sg_event()]).encode(), json.dumps([sg_event(email="other@transit.example")]).encode(),
         "sendgrid_webhook_key", timedelta(days=3), "x-twilio-email-event-webhook-signature"),
    Kind("twilio", twilio, fax_form(), fax_form(FaxStatus="busy"), "twilio_auth_token", None, "x-twilio-signature"),
    Kind("telnyx", telnyx, telnyx_event(), telnyx_event("failed"), "telnyx_public_key", timedelta(minutes=5),
         "telnyx-signature-ed25519"),
]
each = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)


@each
def test_a_signed_delivery_is_a_word_about_its_attempt(kind: Kind) -> None:
    [word] = read(kind.name, kind.sign(kind.body))
    assert (word.verdict, word.attempt_id) == (Verdict.DELIVERED, ATTEMPT)
    assert word.recipient == ("commissioner@transit.example" if kind.name == "sendgrid" else "+14165550133")
    assert word.pages == (None if kind.name == "sendgrid" else 2)
    assert word.at <= NOW and word.event_id and word.provider == kind.name


@each
def test_a_repeat_has_the_same_event_id(kind: Kind) -> None:
    first = read(kind.name, kind.sign(kind.body))
    again = read(kind.name, kind.sign(kind.body, NOW - timedelta(minutes=1)))
    assert [w.event_id for w in first] == [w.event_id for w in again]


@each
def test_a_tampered_body_is_forged(kind: Kind) -> None:
    with pytest.raises(Forged):
        read(kind.name, replace(kind.sign(kind.body), body=kind.tampered))


@each
@pytest.mark.parametrize("signature", ["", "====", "not base64 !", "é", "AAAA", "x" * 5000, base64.b64encode(b"0" * 64).decode()])
def test_a_made_up_signature_is_forged(kind: Kind, signature: str) -> None:
    request = kind.sign(kind.body)
    with pytest.raises(Forged):
        read(kind.name, replace(request, headers={**request.headers, kind.signature: signature}))
    with pytest.raises(Forged):
        read(kind.name, replace(request, headers={}))


@each
@pytest.mark.parametrize("stamp", ["", "-1", "1e9", "9" * 30, "٣٣", "soon"])
def test_a_senseless_time_stamp_is_forged(kind: Kind, stamp: str) -> None:
    request = kind.sign(kind.body)
    names = [n for n in request.headers if "timestamp" in n]
    for name in names:
        with pytest.raises(Forged):
            read(kind.name, replace(request, headers={**request.headers, name: stamp}))
    assert bool(names) is (kind.stale_after is not None)


@each
def test_a_stale_or_future_signature_is_forged_and_a_late_one_is_not(kind: Kind) -> None:
    if kind.stale_after is None:
        assert read(kind.name, kind.sign(kind.body)), "this shape signs no time; repeats are told by their event id"
        return
    assert read(kind.name, kind.sign(kind.body, NOW - kind.stale_after + timedelta(seconds=5)))
    for at in (NOW - kind.stale_after - timedelta(seconds=5), NOW + timedelta(minutes=11)):
        with pytest.raises(Forged):
            read(kind.name, kind.sign(kind.body, at))


@each
def test_without_a_key_everything_is_forged(kind: Kind) -> None:
    with pytest.raises(Forged):
        read(kind.name, kind.sign(kind.body), **{kind.key_setting: ""})


@each
@pytest.mark.parametrize("key", ["not a key", "AAAA", "é"])
def test_with_a_key_that_is_none_everything_is_forged(kind: Kind, key: str) -> None:
    with pytest.raises(Forged):
        read(kind.name, kind.sign(kind.body), **{kind.key_setting: key})


@each
@pytest.mark.parametrize("body", [b"", b"null", b"{", b"[" * 100_000, b"[1]", b'{"data": []}', b'{"data": {"payload": 1}}',
                                  b"\xff\xfe", b"a=1"])
def test_rubbish_under_a_good_signature_is_malformed_and_without_one_forged(kind: Kind, body: bytes) -> None:
    if kind.name == "twilio" and body == b"\xff\xfe":
        return  # no text, so that its signature cannot even be reckoned
    with pytest.raises((Malformed, Forged)) if body == b"\xff\xfe" else pytest.raises(Malformed):
        read(kind.name, kind.sign(body))
    with pytest.raises(Forged):
        read(kind.name, replace(kind.sign(kind.body), body=body))


def test_there_are_no_other_providers() -> None:
    with pytest.raises(NotFound):
        read("nobody", twilio(fax_form()))


# --- SendGrid's words


def sg(**changes: Any) -> ReceiptWord:
    [word] = read("sendgrid", sendgrid(json.dumps([sg_event(**changes)]).encode()))
    return word


def test_sendgrid_reference_is_the_message_id_it_gave_at_the_hand_over() -> None:
    assert sg().provider_ref == "LRzXl_NHStOGhQ4kofSm_A"
    assert sg(sg_message_id="14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0").provider_ref == "14c5d75ce93.dfd.64b469"
    assert sg().message_id == "01k7zt5c9letter@nightbus.example"


@pytest.mark.parametrize(("event", "verdict", "reason", "retryable"), [
    ({"event": "processed"}, None, None, False),
    ({"event": "deferred", "response": "450 4.2.0 later"}, None, Reason.DEFERRED, False),
    ({"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"}, Verdict.BOUNCED,
     Reason.NO_MAILBOX, False),
    ({"event": "bounce", "type": "bounce", "status": "5.2.2", "reason": "552 5.2.2 full"}, Verdict.BOUNCED, Reason.MAILBOX_FULL,
     True),
    ({"event": "bounce", "type": "bounce", "status": "5.0.0", "reason": "500 unknown",
      "bounce_classification": "Invalid Address"},
     Verdict.BOUNCED, Reason.NO_MAILBOX, False),
    ({"event": "bounce", "type": "bounce", "status": "4.4.1", "reason": "400 no connection"}, Verdict.BOUNCED, Reason.BOUNCED,
     True),
    ({"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 listed in a blocklist"}, Verdict.BOUNCED,
     Reason.SPAM, True),
    ({"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"}, Verdict.BOUNCED, Reason.NO_MAILBOX, False),
    ({"event": "dropped", "reason": "Spam Reporting Address"}, Verdict.BOUNCED, Reason.REJECTED_BY_PROVIDER, False),
    ({"event": "spamreport"}, None, Reason.SPAM, False),
    ({"event": "something_new"}, None, None, False),
])
def test_sendgrid_events_have_our_words(event: dict[str, Any], verdict: Verdict | None, reason: Reason | None,
                                        retryable: bool) -> None:
    word = sg(**event)
    assert (word.verdict, word.reason, word.retryable) == (verdict, reason, retryable)


def test_an_asynchronous_bounce_without_our_ids_still_says_whom_and_when() -> None:
    event = sg_event(event="bounce", reason="550 5.1.1 no", status="5.1.1")
    for name in ("attempt", "sg_message_id", "sg_event_id"):
        del event[name]
    [word] = read("sendgrid", sendgrid(json.dumps([event]).encode()))
    assert word.attempt_id is None and word.provider_ref is None
    assert word.message_id and word.recipient and word.event_id
    assert word.at == datetime.fromtimestamp(1795183500, UTC)


def test_one_event_without_sense_does_not_lose_the_others() -> None:
    events = [{}, {"event": 1, "email": None}, {"event": "open", "email": "x@y.example"},
              sg_event(timestamp="soon", attempt=7, **{"smtp-id": None})]
    [word] = read("sendgrid", sendgrid(json.dumps(events).encode()))
    assert word.verdict is Verdict.DELIVERED and word.attempt_id is None and word.at == NOW


def test_sendgrid_signs_the_raw_bytes_whatever_their_spacing() -> None:
    body = b' [ {"event" : "delivered", "email":"a@b.example" , "reason":"\xc3\xa9"}]\r\n'
    assert read("sendgrid", sendgrid(body))


# --- the shape of Twilio's fax


def tw(**changes: Any) -> ReceiptWord:
    [word] = read("twilio", twilio(fax_form(**changes)))
    return word


@pytest.mark.parametrize(("form", "verdict", "reason", "retryable"), [
    ({"FaxStatus": "queued"}, None, None, False),
    ({"FaxStatus": "processing"}, None, None, False),
    ({"FaxStatus": "sending"}, None, None, False),
    ({"FaxStatus": "busy"}, Verdict.BOUNCED, Reason.BUSY, True),
    ({"FaxStatus": "no-answer"}, Verdict.BOUNCED, Reason.NO_ANSWER, True),
    ({"FaxStatus": "canceled"}, Verdict.BOUNCED, Reason.REJECTED_BY_PROVIDER, False),
    ({"FaxStatus": "failed", "ErrorCode": "34000", "ErrorMessage": "failed"}, Verdict.BOUNCED, Reason.FAX_ERROR, True),
    ({"FaxStatus": "failed", "ErrorCode": "34002"}, Verdict.BOUNCED, Reason.BUSY, True),
    ({"FaxStatus": "failed", "ErrorMessage": "a human answered the call"}, Verdict.BOUNCED, Reason.VOICE, False),
    ({"FaxStatus": "failed", "ErrorMessage": "voice answer"}, Verdict.BOUNCED, Reason.VOICE, False),
    ({"FaxStatus": "failed", "ErrorCode": "21211", "ErrorMessage": "invalid number"}, Verdict.BOUNCED, Reason.BAD_NUMBER, False),
    ({"FaxStatus": "failed", "ErrorMessage": "call dropped in page 1"}, Verdict.BOUNCED, Reason.CALL_DROPPED, True),
])
def test_fax_statuses_have_our_words(form: dict[str, str], verdict: Verdict | None, reason: Reason | None,
                                     retryable: bool) -> None:
    word = tw(**form)
    assert (word.verdict, word.reason, word.retryable) == (verdict, reason, retryable)


def test_the_older_field_status_and_signalwires_header_and_name_do() -> None:
    body = fax_form(Status="busy").replace(b"FaxStatus=delivered&", b"")
    [word] = read("signalwire", twilio(body, header="x-signalwire-signature"))
    assert word.verdict is Verdict.BOUNCED and word.provider == "twilio"


def test_another_attempt_in_the_url_is_forged() -> None:
    request = twilio(fax_form())
    with pytest.raises(Forged):
        read("twilio", replace(request, url=request.url.replace(ATTEMPT, ATTEMPT[::-1])))


def test_statuses_of_one_fax_differ_in_their_event_id() -> None:
    assert len({tw(FaxStatus=s).event_id for s in ("queued", "sending", "busy", "delivered")}) == 4


def test_the_sandboxs_token_is_only_good_while_the_sandbox_is_in_use() -> None:
    sid, token = sandbox_credentials(settings())
    assert sid.startswith("AC") and len(sid) == 34 and len(token) == 32
    assert sandbox_credentials(settings()) == (sid, token)
    assert sandbox_credentials(settings(secret_key="another-test-key-also-long-enough")) != (sid, token)
    request = twilio(fax_form(), token=token)
    assert read("twilio", request, fax_transport="sandbox")
    with pytest.raises(Forged):
        read("twilio", request)


def test_a_fax_without_sid_or_status_is_malformed() -> None:
    for changes in ({"FaxSid": ""}, {"FaxStatus": ""}):
        with pytest.raises(Malformed):
            tw(**changes)


# --- Telnyx's words


@pytest.mark.parametrize("status", ["queued", "media.processed", "sending.started"])
def test_telnyx_progress_only_informs(status: str) -> None:
    [word] = read("telnyx", telnyx(telnyx_event(status)))
    assert word.verdict is None and word.attempt_id == ATTEMPT and word.event_id == "evt-9"


@pytest.mark.parametrize("failure", [*FAILURES, "something_new", ""])
def test_each_telnyx_failure_has_a_reason(failure: str) -> None:
    [word] = read("telnyx", telnyx(telnyx_event("failed", failure_reason=failure)))
    assert word.verdict is Verdict.BOUNCED
    assert (word.reason, word.retryable) == FAILURES.get(failure, (Reason.FAX_ERROR, True))


def test_a_voice_is_never_rung_again() -> None:
    assert all(not retryable for reason, retryable in FAILURES.values() if reason in (Reason.VOICE, Reason.BAD_NUMBER))


def test_the_event_counts_not_the_status_that_may_have_moved_on() -> None:
    body = telnyx_event("queued").replace(b'"status": "queued"', b'"status": "delivered"')
    [word] = read("telnyx", telnyx(body))
    assert word.verdict is None


def test_a_client_state_that_is_not_ours_names_no_attempt() -> None:
    for state in (None, "", "####", base64.b64encode(b"have a nice day").decode()):
        [word] = read("telnyx", telnyx(telnyx_event(client_state=state)))
        assert word.attempt_id is None and word.provider_ref == "fax-1"


def test_incoming_faxes_are_none_of_ours() -> None:
    assert read("telnyx", telnyx(telnyx_event(direction="inbound"))) == []
