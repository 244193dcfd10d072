"""What publishing refuses and warns of, and which telephone a fax names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from outreach.commands.campaign import app
from outreach.db import reading
from outreach.errors import NotAllowed
from outreach.models import AuditEntry
from outreach.queries import delivery
from outreach.queue import QueueName
from outreach.services import campaigns, compose
from outreach.settings import get_settings
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

SMTP = {"email_transport": "smtp", "smtp_url": "smtp://127.0.0.1:1"}
TWILIO = {"fax_transport": "twilio", "twilio_account_sid": "AC1", "twilio_auth_token": "t"}


@pytest.mark.parametrize(("settings", "named"), [(SMTP, "OUTREACH_FAX_TRANSPORT"), (TWILIO, "OUTREACH_EMAIL_TRANSPORT")])
def test_a_campaign_is_not_published_into_half_a_sandbox(desk: Desk, settings: dict[str, str], named: str) -> None:
    desk.set(**settings)
    desk.campaign(state="draft")
    with pytest.raises(NotAllowed, match=named):
        desk.action("publish")
    desk.set(demo="true")
    desk.action("publish")
    assert campaigns.get("night-bus").state == "live"


def test_a_sandbox_that_no_target_needs_does_not_matter(desk: Desk) -> None:
    desk.set(**SMTP)
    desk.campaign(targets=(COUNCIL, replace(COMMISSIONER, fax=())))
    assert campaigns.get("night-bus").state == "live"


def test_both_real_publishes_and_both_sandboxes_say_that_nothing_leaves(desk: Desk) -> None:
    desk.campaign(state="draft")
    told = CliRunner().invoke(app, ["publish", "night-bus"])
    assert "is now live" in told.stdout
    assert "nothing leaves this machine" in told.stderr
    desk.set(**SMTP, **TWILIO)
    desk.campaign("day-bus", state="draft")
    told = CliRunner().invoke(app, ["publish", "day-bus"])
    assert "is now live" in told.stdout
    assert "nothing leaves this machine" not in told.stderr


def test_the_command_line_publishes_without_the_check_list_and_says_so(desk: Desk) -> None:
    desk.campaign(state="draft")
    told = CliRunner().invoke(app, ["publish", "night-bus"])
    assert (told.exit_code, told.stdout) == (0, "night-bus: is now live\n")
    assert told.stderr.count("reminder: ") == 1 and "person or family concerned" in told.stderr
    again = CliRunner().invoke(app, ["publish", "night-bus"])
    assert (again.exit_code, "reminder" in again.stderr) == (0, False)
    assert [e.what for e in desk.rows(AuditEntry) if e.what.startswith("person")] == ["person concerned: not asked"]


def test_faxes_without_an_answered_telephone_are_warned_of(desk: Desk) -> None:
    desk.set(**SMTP, **TWILIO)
    desk.campaign(state="draft")
    assert "OUTREACH_OPERATOR_PHONE" in CliRunner().invoke(app, ["publish", "night-bus"]).stderr
    desk.campaign("reachable", state="draft", contact="Night Bus Friends, (416) 555-0144")
    assert "OUTREACH_OPERATOR_PHONE" not in CliRunner().invoke(app, ["publish", "reachable"]).stderr
    desk.campaign("no-fax", state="draft", targets=(COUNCIL,))
    assert "OUTREACH_OPERATOR_PHONE" not in CliRunner().invoke(app, ["publish", "no-fax"]).stderr


def waiting(desk: Desk, token: str) -> delivery.Waiting:
    with reading() as c:
        found = delivery.letter(c, desk.letter(token).id)
    assert found is not None
    return found


def test_a_fax_names_the_operators_telephone_else_the_campaigns_else_the_line(desk: Desk) -> None:
    desk.campaign(contact="Night Bus Friends, (416) 555-0144, bus@nightbus.example")
    desk.campaign("quiet", contact="bus@nightbus.example")
    fax, quiet = (waiting(desk, desk.signed(slug, channel="fax")) for slug in ("night-bus", "quiet"))
    assert compose.document(fax, desk.now, get_settings()).sender_phone == "+14165550144"
    assert compose.document(quiet, desk.now, get_settings()).sender_phone == "+14165550199"
    desk.set(operator_phone="+14165550198")
    assert compose.document(fax, desk.now, get_settings()).sender_phone == "+14165550198"


def test_an_attached_letter_does_not_give_the_mail_address_as_a_fax_number(desk: Desk) -> None:
    desk.campaign(attach_pdf=True)
    assert compose.document(waiting(desk, desk.signed()), desk.now, get_settings()).fax_number == ""
    assert compose.document(waiting(desk, desk.signed(channel="fax")), desk.now, get_settings()).fax_number == "+14165550133"


@pytest.mark.parametrize("number", ["", "4165550199"])
def test_no_campaign_with_faxes_is_published_without_a_number_to_send_them_from(desk: Desk, number: str) -> None:
    desk.set(**SMTP, **TWILIO, fax_from=number)
    desk.campaign(state="draft")
    with pytest.raises(NotAllowed, match="OUTREACH_FAX_FROM"):
        desk.action("publish")
    desk.campaign("no-fax", targets=(COUNCIL,))
    assert campaigns.get("no-fax").state == "live"


def test_faxes_wait_for_a_number_to_be_sent_from_and_do_not_fail_for_lack_of_one(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    token = desk.write(channel="fax")
    _ = desk.provider
    desk.set(fax_from="")
    assert desk.send(QueueName.FAX) == 0
    assert (desk.letter(token).state, desk.letter(token).tries, desk.attempts()) == ("queued", 0, [])
    desk.set(fax_from="+14165550199")
    desk.later(minutes=6)
    assert desk.send(QueueName.FAX) == 1
    assert desk.letter(token).state == "sent"
