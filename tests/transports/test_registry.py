"""Which transport the settings ask for, and what they lack."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import Accepted, event_hash, short
from outreach.transports.registry import fax_transport, mail_transport, sandbox_credentials
from tests.transports.letters import fax, mail
from tests.transports.servers import Answer, HttpServer, SmtpServer, running


def settings(**changes: Any) -> Settings:
    values = {"secret_key": "a-test-key-that-is-long-enough-0123", "mail_from": "letters@nightbus.example"}
    return Settings(_env_file=None, **{**values, **changes})  # type: ignore[call-arg]


def test_the_sandbox_is_reached_by_the_real_transports() -> None:
    with running(SmtpServer()) as mx, running(HttpServer(lambda asked: Answer(201, {"sid": "FX1"}))) as provider:
        s = settings(smtp_sandbox_port=mx.server_address[1], http_sandbox_port=provider.server_address[1])
        with mail_transport(s).connect() as session:
            assert isinstance(session.hand_over(mail()), Accepted)
        assert mx.commands[0].lower() == "ehlo nightbus.example"
        with fax_transport(s).connect() as session:
            assert session.hand_over(fax()) == Accepted("FX1")
        assert provider.asked[0].path == "/v1/Faxes"
        want = "Basic " + base64.b64encode(":".join(sandbox_credentials(s)).encode()).decode()
        assert provider.asked[0].headers["authorization"] == want


@pytest.mark.parametrize(("changes", "name"), [
    ({"email_transport": "smtp", "smtp_url": "smtp://127.0.0.1:25"}, "smtp"),
    ({"email_transport": "sendgrid", "sendgrid_api_key": "SG.x"}, "sendgrid"),
    ({"fax_transport": "twilio", "twilio_fax_url": "http://127.0.0.1/v1/Faxes", "twilio_account_sid": "AC1",
      "twilio_auth_token": "t", "fax_from": "+14165550100"}, "twilio"),
    ({"fax_transport": "telnyx", "telnyx_api_key": "KEY", "telnyx_connection_id": "c", "fax_from": "+14165550100"}, "telnyx"),
])
def test_each_transport_is_made_from_its_settings(changes: dict[str, str], name: str) -> None:
    make = fax_transport if "fax_transport" in changes else mail_transport
    assert make(settings(**changes)).name == name  # type: ignore[operator]


@pytest.mark.parametrize(("changes", "variable"), [
    ({}, "OUTREACH_SMTP_SANDBOX_PORT"), ({"email_transport": "smtp"}, "OUTREACH_SMTP_URL"),
    ({"email_transport": "sendgrid"}, "OUTREACH_SENDGRID_API_KEY"),
])
def test_a_missing_mail_setting_is_named(changes: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsInvalid, match=variable):
        mail_transport(settings(**changes))


@pytest.mark.parametrize(("changes", "variable"), [
    ({}, "OUTREACH_HTTP_SANDBOX_PORT"), ({"fax_transport": "twilio"}, "OUTREACH_TWILIO_FAX_URL"),
    ({"fax_transport": "telnyx"}, "OUTREACH_TELNYX_API_KEY"),
])
def test_a_missing_fax_setting_is_named(changes: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsInvalid, match=variable):
        fax_transport(settings(**changes))


@pytest.mark.parametrize("number", ["", "letters", "4165550100", "+1 416 555 0100", "+1416555", "+14165550100x2"])
@pytest.mark.parametrize("given", [{"fax_transport": "telnyx", "telnyx_api_key": "KEY", "telnyx_connection_id": "c"},
                                   {"fax_transport": "twilio", "twilio_fax_url": "http://127.0.0.1/v1/Faxes", "twilio_account_sid": "AC1",
                                    "twilio_auth_token": "t"}])
def test_no_real_provider_is_given_a_fax_without_a_sender(given: dict[str, str], number: str) -> None:
    """It would refuse each for good, and the letters would fail that might have waited for the setting."""
    with pytest.raises(SettingsInvalid, match=r"OUTREACH_FAX_FROM.*\+14165550100"):
        fax_transport(settings(**given, fax_from=number))


@pytest.mark.parametrize(("transport", "given", "made"), [("sandbox", "", "tiff"), ("twilio", "", "pdf"), ("sandbox", "pdf", "pdf"),
                                                          ("twilio", "tiff", "tiff")])
def test_a_provider_that_fetches_gets_what_its_documentation_names_unless_told_otherwise(transport: str, given: str, made: str) -> None:
    assert settings(fax_transport=transport, fax_media=given).fetched_media == made


def test_no_fax_is_tried_for_longer_than_providers_do() -> None:
    with pytest.raises(ValueError, match="fax_ttl_minutes"):
        settings(fax_ttl_minutes=301)
    assert settings(fax_ttl_minutes=300).fax_ttl_minutes == 300


def test_an_event_hash_tells_words_apart_and_repeats_together() -> None:
    assert event_hash("twilio", "FX1", "+1", "busy", "") == event_hash("twilio", "FX1", "+1", "busy", "")
    assert event_hash("a", "b") != event_hash("ab") != event_hash("a", "b", "")
    assert event_hash("\ud800")


def test_a_providers_words_are_kept_short_and_printable() -> None:
    assert short("a\r\n b\x1b[31m\x00\u202e c") == "a b [31m c"
    assert len(short("x" * 999)) == 200
