"""The SendGrid-shaped server: what it takes, what it keeps, and the signed events it posts."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook

from outreach.sandbox import store
from outreach.sandbox.sendgrid import sendgrid_key, sendgrid_public_key
from outreach.settings import Settings
from tests.sandbox.conftest import Hook, Running, Service, until


def payload(to: str = "clerk@office.example", **more: Any) -> dict[str, Any]:
    return {"personalizations": [{"to": [{"email": to}], "cc": [{"email": "copies@nightbus.example"}], "custom_args": {"attempt": "a7"}}],
            "from": {"email": "letters@ours.example", "name": "Jane Doe via Night Bus"},
            "reply_to": {"email": "jane@home.example", "name": "Jane Doe"},
            "subject": "Gardez le bus", "headers": {"Message-ID": "<l7@ours.example>"},
            "content": [{"type": "text/plain", "value": "Dear clerk — merci\n"}, {"type": "text/html", "value": "<p>Dear clerk</p>"}],
            **more}


def post(sandbox: Running, body: Any, key: str | None = None) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{sandbox.ports.http}/v3/mail/send", json=body, trust_env=False, timeout=90,
                      headers={"Authorization": f"Bearer {key if key is not None else sendgrid_key(sandbox.settings)}"})


def events(service: Service, recipient: str) -> list[dict[str, Any]]:
    return [e for hook in service.hooks for e in json.loads(hook.body) if e["email"] == recipient]


def signed(hook: Hook, key: str, body: bytes | None = None) -> bool:
    return bool(EventWebhook(key).verify_signature(
        (body if body is not None else hook.body).decode(), hook.headers["x-twilio-email-event-webhook-signature"],
        hook.headers["x-twilio-email-event-webhook-timestamp"]))


def test_a_mail_is_taken_kept_and_reported_with_our_id(sandbox: Running, service: Service) -> None:
    answer = post(sandbox, payload())
    assert answer.status_code == 202
    (kept,) = store.outbox(sandbox.settings)
    assert (kept.to, kept.through, kept.attempt_id) == ("clerk@office.example", "sendgrid", "a7")
    assert (kept.subject, kept.reply_to) == ("Gardez le bus", "Jane Doe <jane@home.example>")
    assert kept.message_id == "l7@ours.example"
    assert kept.text == "Dear clerk — merci\n"
    assert kept.recipients == ("clerk@office.example", "copies@nightbus.example")
    until(lambda: len(events(service, "clerk@office.example")) == 2)
    processed, delivered = events(service, "clerk@office.example")
    assert (processed["event"], delivered["event"]) == ("processed", "delivered")
    assert delivered["attempt"] == "a7"
    assert delivered["smtp-id"] == "<l7@ours.example>"
    assert delivered["sg_message_id"].startswith(answer.headers["X-Message-Id"] + ".")
    assert processed["sg_event_id"] != delivered["sg_event_id"]
    assert {e["event"] for e in events(service, "copies@nightbus.example")} == {"processed", "delivered"}
    assert {hook.path for hook in service.hooks} == {"/hooks/sendgrid"}


@pytest.mark.parametrize(("to", "status"), [("bounce@office.example", "5.1.1"), ("full@office.example", "5.2.2"),
                                            ("refuse@office.example", "5.1.1")])
def test_magic_addresses_bounce(sandbox: Running, service: Service, to: str, status: str) -> None:
    assert post(sandbox, payload(to)).status_code == 202
    until(lambda: len(events(service, to)) == 2)
    bounce = events(service, to)[-1]
    assert (bounce["event"], bounce["type"], bounce["status"]) == ("bounce", "bounce", status)


def test_a_deferred_mail_is_delivered_in_the_end_and_a_quiet_one_tells_nothing(sandbox: Running, service: Service) -> None:
    post(sandbox, payload("quiet@office.example"))
    post(sandbox, payload("defer@office.example"))
    until(lambda: len(events(service, "defer@office.example")) == 4)
    assert [e["event"] for e in events(service, "defer@office.example")] == ["processed", "deferred", "deferred", "delivered"]
    assert events(service, "quiet@office.example") == []


def test_a_dropped_mail_is_kept_but_the_answer_does_not_say_so(sandbox: Running) -> None:
    assert post(sandbox, payload("drop@office.example")).status_code == 500
    assert [k.to for k in store.outbox(sandbox.settings)] == ["drop@office.example"]


def test_events_are_signed_with_the_key_that_the_service_can_read(sandbox: Running, service: Service) -> None:
    post(sandbox, payload())
    until(lambda: service.hooks)
    key = sendgrid_public_key(sandbox.settings)
    assert signed(service.hooks[0], key)
    assert not signed(service.hooks[0], key, service.hooks[0].body.replace(b"processed", b"delivered"))
    other = Settings(data_dir=sandbox.settings.data_dir / "other", _env_file=None)  # type: ignore[call-arg]
    assert not signed(service.hooks[0], sendgrid_public_key(other))
    assert sendgrid_public_key(sandbox.settings) == key, "it is kept"


@pytest.mark.parametrize(("wrong", "field"), [
    ({"personalizations": []}, "personalizations"), ({"from": {}}, "from.email"), ({"subject": ""}, "subject"),
    ({"content": []}, "content"), ({"personalizations": [7]}, "personalizations.0.to"),
    ({"personalizations": [{"to": [{"email": "no address"}]}]}, "personalizations.0.to"),
    ({"personalizations": [{"to": [{"email": "a@x.example"}], "cc": [{"email": "A@x.example"}]}]}, "personalizations.0"),
    ({"headers": {"Subject": "x"}}, "headers"), ({"headers": 7}, None), ({"custom_args": [1]}, None),
    ({"subject": "a\nBcc: b@x.example"}, None), ({"attachments": [{"filename": "a", "content": "x"}]}, None), ({"reply_to": "me"}, None)])
def test_what_sendgrid_would_refuse_is_refused(sandbox: Running, wrong: dict[str, Any], field: str | None) -> None:
    answer = post(sandbox, payload(**wrong))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert store.outbox(sandbox.settings) == []


def test_rubbish_and_wrong_keys_are_refused(sandbox: Running) -> None:
    assert post(sandbox, payload(), key="SG.").status_code == 401
    assert post(sandbox, payload(), key="SG.wrong").status_code == 401
    assert post(sandbox, ["no", "object"]).status_code == 400
    assert store.outbox(sandbox.settings) == []
