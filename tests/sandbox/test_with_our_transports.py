"""The service's own transports against the sandbox: each hand-over's outcome, and what the receipts then say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outreach.domain.letters import Reason, Verdict
from outreach.sandbox import box, store
from outreach.sandbox.sendgrid import sendgrid_key, sendgrid_public_key
from outreach.settings import Settings
from outreach.transports.base import (
    Accepted,
    Mailbox,
    Outcome,
    OutgoingFax,
    OutgoingMail,
    ReceiptWord,
    Refused,
    SignedRequest,
    Unknown,
)
from outreach.transports.email.bounces import read_dsn
from outreach.transports.email.mailboxes import read_maildir
from outreach.transports.fax import twilio
from outreach.transports.registry import fax_transport, mail_transport, parse_webhook
from tests.sandbox.conftest import Hook, Running, Service, dense_pages, save_tiff, until

ATTEMPT = "01k7zt5c9m3hq8w2x4e6r8t0ya"


def configured(sandbox: Running, **more: Any) -> Settings:
    changes = {"smtp_sandbox_port": sandbox.ports.smtp, "http_sandbox_port": sandbox.ports.http, **more}
    return sandbox.settings.model_copy(update=changes)


def mail(to: str) -> OutgoingMail:
    return OutgoingMail(attempt_id=ATTEMPT, message_id="l1@ours.example", envelope_from="letters@ours.example",
                        sender=Mailbox("letters@ours.example", "Jané Doe via Night Bus"), to=Mailbox(to, "Clerk"),
                        subject="Le bus — keep it", text="Dear clerk,\n\nplease.\n", html="<p>Dear clerk,</p>",
                        date=datetime.now(UTC), reply_to=Mailbox("jane@home.example"), cc="copies@nightbus.example")


def words(service: Service, settings: Settings, provider: str) -> list[ReceiptWord]:
    def read(hook: Hook) -> list[ReceiptWord]:
        request = SignedRequest(service.url + hook.path, hook.headers, hook.body)
        return parse_webhook(provider, request, settings, datetime.now(UTC))

    return [word for hook in list(service.hooks) for word in read(hook)]


def report_words(sandbox: Running) -> list[ReceiptWord]:
    """What the reports in the Maildir say, once one has come."""
    folder = box.bounce_dir(sandbox.settings)
    until(lambda: list((folder / "new").iterdir()))
    return [w for _, raw in read_maildir(folder) for w in read_dsn(raw, key=sandbox.settings.key(), now=datetime.now(UTC))]


def hand_over(settings: Settings, to: str) -> Outcome:
    with mail_transport(settings).connect() as session:
        return session.hand_over(mail(to))


def test_a_mail_by_smtp_is_accepted_and_its_report_names_the_attempt(sandbox: Running) -> None:
    assert isinstance(hand_over(configured(sandbox), "clerk@office.example"), Accepted)
    (kept,) = store.outbox(sandbox.settings)
    assert (kept.attempt_id, kept.to, kept.cc) == (ATTEMPT, "clerk@office.example", "copies@nightbus.example")
    assert (kept.subject, kept.text) == ("Le bus — keep it", "Dear clerk,\n\nplease.\n")
    (word,) = report_words(sandbox)
    assert (word.attempt_id, word.recipient, word.verdict) == (ATTEMPT, "clerk@office.example", Verdict.DELIVERED)


def test_a_bounce_reads_as_one(sandbox: Running) -> None:
    assert isinstance(hand_over(configured(sandbox), "bounce+x@office.example"), Accepted)
    (word,) = report_words(sandbox)
    assert (word.attempt_id, word.recipient, word.verdict) == (ATTEMPT, "bounce+x@office.example", Verdict.BOUNCED)
    assert (word.reason, word.retryable) == (Reason.NO_MAILBOX, False)


@pytest.mark.parametrize(("to", "reason", "permanent"), [("refuse@office.example", Reason.NO_MAILBOX, True),
                                                         ("full@office.example", Reason.MAILBOX_FULL, False),
                                                         ("defer@office.example", Reason.DEFERRED, False)])
def test_refusals_are_named(sandbox: Running, to: str, reason: Reason, permanent: bool) -> None:
    outcome = hand_over(configured(sandbox), to)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.permanent) == (reason, permanent)


def test_a_dropped_mail_is_unknown_though_it_was_kept(sandbox: Running) -> None:
    assert isinstance(hand_over(configured(sandbox), "drop@office.example"), Unknown)
    assert len(store.outbox(sandbox.settings)) == 1


def test_a_mail_by_sendgrid_is_accepted_and_its_events_name_the_attempt(sandbox: Running, service: Service) -> None:
    settings = configured(sandbox, email_transport="sendgrid", sendgrid_url=f"http://127.0.0.1:{sandbox.ports.http}",
                          sendgrid_webhook_key=sendgrid_public_key(sandbox.settings))
    settings.sendgrid_api_key = type(settings.sendgrid_api_key)(sendgrid_key(sandbox.settings))
    assert isinstance(hand_over(settings, "bounce@office.example"), Accepted)
    (kept,) = store.outbox(sandbox.settings)
    assert (kept.attempt_id, kept.through, kept.message_id) == (ATTEMPT, "sendgrid", "l1@ours.example")
    until(lambda: [w for w in words(service, settings, "sendgrid") if w.verdict is Verdict.BOUNCED])
    (bounce,) = [w for w in words(service, settings, "sendgrid") if w.verdict is Verdict.BOUNCED]
    assert (bounce.attempt_id, bounce.recipient, bounce.reason) == (ATTEMPT, "bounce@office.example", Reason.NO_MAILBOX)


@pytest.mark.needs("spandsp")
@pytest.mark.parametrize(("number", "verdict", "reason"), [
    ("+14165550133", Verdict.DELIVERED, None), ("+14165550171", Verdict.BOUNCED, Reason.BUSY),
    ("+14165550172", Verdict.BOUNCED, Reason.NO_ANSWER), ("+14165550173", Verdict.BOUNCED, Reason.VOICE),
    ("+14165550174", Verdict.BOUNCED, Reason.CALL_DROPPED)])
def test_a_fax_is_accepted_called_and_reported(sandbox: Running, service: Service, tmp_path: Any, number: str, verdict: Verdict,
                                               reason: Reason | None) -> None:
    settings = configured(sandbox)
    service.media["/m"] = save_tiff(dense_pages(1), tmp_path / "m.tiff").read_bytes()
    transport = fax_transport(settings)
    with transport.connect() as session:
        outcome = session.hand_over(OutgoingFax(
            attempt_id=ATTEMPT, to=number, sender="+14165550100", media_url=service.url + "/m",
            callback_url=service.url + "/hooks/twilio?a=" + ATTEMPT, ttl_minutes=30, pdf=lambda: b""))
    assert isinstance(outcome, Accepted)
    until(lambda: [w for w in words(service, settings, "twilio") if w.verdict])
    (word,) = [w for w in words(service, settings, "twilio") if w.verdict]
    assert (word.attempt_id, word.provider_ref, word.recipient) == (ATTEMPT, outcome.provider_ref, number)
    assert (word.verdict, word.reason) == (verdict, reason)
    polled = transport.poll(outcome.provider_ref)
    assert polled is not None
    assert (polled.verdict, polled.reason, polled.pages or 0) == (verdict, reason, word.pages or 0)
    assert store.outbox(settings)[0].attempt_id == ATTEMPT


@pytest.mark.needs("spandsp")
def test_faxes_are_found_over_pages_and_cancelled_while_they_wait(sandbox: Running, service: Service, tmp_path: Any,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio, "PAGE", 2)
    service.media["/slow"] = save_tiff(dense_pages(1), tmp_path / "m.tiff").read_bytes()
    transport, since, number = fax_transport(configured(sandbox)), datetime.now(UTC) - timedelta(minutes=5), "+14165550177"
    hook = f"{service.url}/hooks/twilio?a={ATTEMPT}"
    sids = [sandbox.send_fax(number, service.url + "/slow", hook) for _ in range(5)]  # one call at a time, three seconds each
    sandbox.send_fax("+14165550133", service.url + "/slow", hook)
    assert transport.cancel(sids[-1]) is True
    assert sandbox.fax(sids[-1])["status"] == "canceled"
    assert sorted(f["provider_ref"] for f in transport.find(number, since)) == sorted(sids)
    words = {f["provider_ref"]: f["word"] for f in transport.find(number, since)}
    assert (words[sids[-1]].verdict, words[sids[-1]].reason) == (Verdict.BOUNCED, Reason.REJECTED_BY_PROVIDER)
    until(lambda: sandbox.fax(sids[0])["status"] not in ("queued", "processing"))
    sandbox.final(sids[0])
    assert transport.cancel(sids[0]) is False, "too late"
    assert transport.find("+14165550142", since) == []
