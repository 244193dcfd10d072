"""The mail server: it keeps before it answers, understands DSN requests, and its magic addresses do what their table says."""

from __future__ import annotations

import mailbox
import smtplib
import socket
import time
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.policy import default

import pytest

from outreach.sandbox import box, store
from outreach.sandbox.dsn import MailWish, RecipientWish, split_parameters, xtext
from outreach.sandbox.magic import MAIL, mail_magic
from tests.sandbox.conftest import Running, until

SENDER = "letters+b-a1-9f@ours.example"


@pytest.fixture
def smtp(sandbox: Running) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=90) as client:
        client.ehlo("ours.example")
        yield client


def letter(to: str = "clerk@office.example", message_id: str = "<l1@ours.example>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = '"Jane Doe via Night Bus" <letters@ours.example>'
    mail["To"] = to
    mail["Cc"] = "copies@nightbus.example"
    mail["Reply-To"] = "jane@home.example"
    mail["Subject"] = "Gardez le bus de nuit — ночной автобус"
    mail["Message-ID"] = message_id
    mail.set_content("Dear clerk,\n\n.a line with a dot\nplease — merci.\n")
    mail.add_alternative("<p>Dear clerk</p>", subtype="html")
    return mail


def send(smtp: smtplib.SMTP, to: str, *, envid: str = "a1", notify: str = "SUCCESS,FAILURE,DELAY", ret: str = "HDRS",
         mail: EmailMessage | None = None) -> tuple[int, bytes]:
    """MAIL, RCPT, DATA; the code and text of the first refusal, or of DATA."""
    smtp.rset()
    code, text = smtp.mail(SENDER, [f"RET={ret}", f"ENVID={envid}"])
    assert code == 250, text
    code, text = smtp.rcpt(to, [f"NOTIFY={notify}", f"ORCPT=rfc822;{to.replace('+', '+2B')}"] if notify else [])
    return (code, text) if code != 250 else smtp.data((mail or letter(to)).as_bytes())


def bounces(sandbox: Running) -> list[Message]:
    return list(mailbox.Maildir(box.bounce_dir(sandbox.settings), create=False))


def the_bounce(sandbox: Running) -> tuple[Message, Message, Message]:
    """The one report in the Maildir, its part about the message and its part about the recipient."""
    until(lambda: bounces(sandbox))
    (report,) = bounces(sandbox)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    _text, status, _original = report.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    whole, one = status.get_payload()
    return report, whole, one


def test_an_accepted_mail_is_kept_before_the_answer_and_reads_as_it_was_written(smtp: smtplib.SMTP, sandbox: Running) -> None:
    assert send(smtp, "clerk@office.example")[0] == 250
    (kept,) = store.outbox(sandbox.settings)
    assert (kept.kind, kept.to, kept.attempt_id, kept.through) == ("mail", "clerk@office.example", "a1", "smtp")
    assert kept.subject == "Gardez le bus de nuit — ночной автобус"
    assert kept.cc == "copies@nightbus.example"
    assert kept.reply_to == "jane@home.example"
    assert kept.message_id == "l1@ours.example"
    assert ".a line with a dot\nplease — merci." in kept.text
    assert "<p>Dear clerk</p>" in kept.html
    assert store.mail(sandbox.settings, kept.id) == kept


def test_what_the_envelope_said_stands_in_the_sidecar(smtp: smtplib.SMTP, sandbox: Running) -> None:
    smtp.mail(SENDER, ["RET=HDRS", "ENVID=a+2B1"])
    smtp.rcpt("clerk@office.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;clerk@office.example"])
    smtp.rcpt("copies@nightbus.example", ["NOTIFY=NEVER"])
    smtp.rcpt("plain@nightbus.example")
    assert smtp.data(letter().as_bytes())[0] == 250
    said = box.read_sidecar(box.sidecars(box.mail_dir(sandbox.settings))[0])
    assert (said["mail_from"], said["envid"], said["ret"]) == (SENDER, "a+1", "HDRS")
    assert [(r["address"], r["notify"], r["orcpt"]) for r in said["rcpt_to"]] == [
        ("clerk@office.example", ["FAILURE", "SUCCESS"], "rfc822;clerk@office.example"),
        ("copies@nightbus.example", ["NEVER"], ""), ("plain@nightbus.example", None, "")]


def test_it_offers_what_senders_look_for(smtp: smtplib.SMTP) -> None:
    assert {"dsn", "smtputf8", "8bitmime", "pipelining", "size"} <= set(smtp.esmtp_features)


def test_a_success_report_names_envelope_id_and_recipient(smtp: smtplib.SMTP, sandbox: Running) -> None:
    send(smtp, "clerk@office.example", envid="attempt-7")
    report, whole, one = the_bounce(sandbox)
    assert report["To"] == SENDER
    assert report["Auto-Submitted"] == "auto-replied"
    assert whole["Original-Envelope-Id"] == "attempt-7"
    assert one["Final-Recipient"] == "rfc822; clerk@office.example"
    assert one["Original-Recipient"] == "rfc822;clerk@office.example"
    assert (one["Action"], one["Status"]) == ("delivered", "2.0.0")
    headers = report.get_payload()[2]
    assert headers.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <l1@ours.example>" in headers.get_payload(decode=True).decode()


def test_a_bounce_says_no_such_mailbox_even_when_nothing_was_asked(smtp: smtplib.SMTP, sandbox: Running) -> None:
    assert send(smtp, "bounce+desk7@office.example", notify="")[0] == 250
    _, whole, one = the_bounce(sandbox)
    assert whole["Original-Envelope-Id"] == "a1"
    assert one["Final-Recipient"] == "rfc822; bounce+desk7@office.example"
    assert (one["Action"], one["Status"]) == ("failed", "5.1.1")
    assert one["Diagnostic-Code"].startswith("smtp; 550")


def test_a_bounce_brings_the_whole_mail_back_when_that_was_asked(smtp: smtplib.SMTP, sandbox: Running) -> None:
    send(smtp, "bounce@office.example", ret="FULL")
    report, _, _ = the_bounce(sandbox)
    original = report.get_payload()[2]
    assert original.get_content_type() == "message/rfc822"
    assert original.get_payload(0)["Message-ID"] == "<l1@ours.example>"


def test_the_cc_gets_a_report_of_its_own(smtp: smtplib.SMTP, sandbox: Running) -> None:
    smtp.mail(SENDER, ["ENVID=a1"])
    smtp.rcpt("clerk@office.example", ["NOTIFY=SUCCESS"])
    smtp.rcpt("bounce@nightbus.example", ["NOTIFY=SUCCESS,FAILURE"])
    smtp.data(letter().as_bytes())
    until(lambda: len(bounces(sandbox)) == 2)
    fates = {r.get_payload()[1].get_payload(1)["Final-Recipient"]: r.get_payload()[1].get_payload(1)["Action"] for r in bounces(sandbox)}
    assert fates == {"rfc822; clerk@office.example": "delivered", "rfc822; bounce@nightbus.example": "failed"}


@pytest.mark.parametrize(("to", "notify"), [("quiet@office.example", "SUCCESS,FAILURE"), ("clerk@office.example", ""),
                                            ("clerk@office.example", "FAILURE"), ("bounce@office.example", "NEVER"),
                                            ("bounce@office.example", "SUCCESS")])
def test_no_report_comes_that_was_not_asked_for(smtp: smtplib.SMTP, sandbox: Running, to: str, notify: str) -> None:
    assert send(smtp, to, notify=notify)[0] == 250
    assert send(smtp, "later@office.example", envid="later")[0] == 250
    _, whole, _ = the_bounce(sandbox)
    assert whole["Original-Envelope-Id"] == "later", "the later mail's report is the only one"


def test_a_mail_without_a_return_path_is_kept_and_never_reported(smtp: smtplib.SMTP, sandbox: Running) -> None:
    assert smtp.mail("", ["ENVID=notice"])[0] == 250
    assert smtp.rcpt("bounce@office.example", ["NOTIFY=SUCCESS,FAILURE"])[0] == 250
    assert smtp.data(letter().as_bytes())[0] == 250
    send(smtp, "later@office.example", envid="later")
    assert the_bounce(sandbox)[1]["Original-Envelope-Id"] == "later"
    assert len(store.outbox(sandbox.settings)) == 2


@pytest.mark.parametrize(("to", "code", "status"), [("refuse@office.example", 550, b"5.1.1"), ("full@office.example", 552, b"5.2.2")])
def test_refused_recipients_are_refused_at_rcpt_and_nothing_is_kept(smtp: smtplib.SMTP, sandbox: Running, to: str, code: int,
                                                                    status: bytes) -> None:
    got, text = send(smtp, to)
    assert got == code
    assert text.startswith(status)
    assert store.outbox(sandbox.settings) == []


def test_a_deferred_mail_is_taken_the_third_time_whatever_its_envelope(smtp: smtplib.SMTP, sandbox: Running) -> None:
    codes = [send(smtp, "defer@office.example", envid=f"a{n}")[0] for n in range(3)]
    assert codes == [451, 451, 250]
    other = letter("defer@office.example", "<l2@ours.example>")
    assert send(smtp, "defer@office.example", mail=other)[0] == 451, "another mail starts anew"
    assert [k.attempt_id for k in store.outbox(sandbox.settings)] == ["a2"]


def test_a_dropped_mail_is_kept_but_never_answered(smtp: smtplib.SMTP, sandbox: Running) -> None:
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp, "drop@office.example")
    (kept,) = store.outbox(sandbox.settings)
    assert kept.to == "drop@office.example"
    with smtplib.SMTP("127.0.0.1", sandbox.ports.smtp, timeout=90) as again:
        assert again.noop()[0] == 250, "the server itself lives"


def test_a_slow_mailbox_answers_after_three_seconds(smtp: smtplib.SMTP, sandbox: Running) -> None:
    before = time.monotonic()
    assert send(smtp, "slow@office.example")[0] == 250
    assert time.monotonic() - before >= 3


def test_a_pipelined_envelope_is_answered_command_by_command(sandbox: Running) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.ports.smtp), timeout=90) as wire, wire.makefile("rb") as lines:
        assert lines.readline().startswith(b"220")
        wire.sendall(b"EHLO ours.example\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        wire.sendall(b"MAIL FROM:<a@ours.example> ENVID=p1\r\nRCPT TO:<clerk@office.example> NOTIFY=SUCCESS\r\n"
                     b"RCPT TO:<refuse@office.example> NOTIFY=SUCCESS\r\nDATA\r\n")
        assert [lines.readline()[:3] for _ in range(4)] == [b"250", b"250", b"550", b"354"]
        wire.sendall(b"Subject: hello\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
        assert lines.readline()[:3] == b"250"
    (kept,) = store.outbox(sandbox.settings)
    assert kept.text == ".dot\n"
    assert kept.recipients == ("clerk@office.example",)


def test_an_address_that_is_not_ascii_is_taken_and_reported(smtp: smtplib.SMTP, sandbox: Running) -> None:
    smtp.command_encoding = "utf-8"
    assert smtp.mail(SENDER, ["SMTPUTF8", "ENVID=u1"])[0] == 250
    assert smtp.rcpt("büro@office.example", ["NOTIFY=SUCCESS"])[0] == 250
    mail = letter("büro@office.example")
    assert smtp.data(mail.as_bytes(policy=default.clone(utf8=True)))[0] == 250
    _, whole, one = the_bounce(sandbox)
    assert whole["Original-Envelope-Id"] == "u1"
    assert one["Final-Recipient"] == "utf-8; b\\x{FC}ro@office.example"
    assert store.outbox(sandbox.settings)[0].recipients == ("büro@office.example",)


@pytest.mark.parametrize("parameters", ["ENVID=a b", "RET=SOME", "ENVID=+ZZ", "ENVID=" + "x" * 101, "RET=HDRS RET=HDRS", "ENVID",
                                        "ENVID==x", "COLOUR=red"])
def test_wrong_parameters_are_refused_and_the_session_goes_on(smtp: smtplib.SMTP, parameters: str) -> None:
    assert smtp.docmd("MAIL", f"FROM:<a@ours.example> {parameters}")[0] in (501, 555)
    assert smtp.docmd("MAIL", "FROM:<a@ours.example> ENVID=fine")[0] == 250
    assert smtp.docmd("RCPT", "TO:<clerk@office.example> NOTIFY=SOMETIMES")[0] == 501
    assert smtp.docmd("RCPT", "TO:<clerk@office.example> NOTIFY=NEVER,SUCCESS")[0] == 501
    assert smtp.docmd("RCPT", "TO:<clerk@office.example> ORCPT=clerk")[0] == 501
    assert smtp.docmd("RCPT", "TO:<clerk@office.example> NOTIFY=NEVER")[0] == 250


def test_parameters_are_taken_off_the_path_and_nothing_else() -> None:
    names = frozenset({"ENVID", "RET"})
    assert split_parameters('FROM:<"a>b c"@x.example> SIZE=10 envid=q+3Ez', names) == (
        'FROM:<"a>b c"@x.example> SIZE=10', {"ENVID": "q+3Ez"})
    assert split_parameters("FROM:<a@x.example>", names) == ("FROM:<a@x.example>", {})
    assert xtext("a+2Bb+3D") == "a+b="
    assert MailWish.of({}) == MailWish("", False)
    assert RecipientWish.of({}).wants("FAILURE")
    assert not RecipientWish.of({}).wants("SUCCESS")


def test_magic_words_stand_alone_or_before_a_tag() -> None:
    assert mail_magic("Bounce+x@office.example") == "bounce"
    assert mail_magic("bouncer@office.example") == ""
    assert mail_magic("drop@office.example") == "drop"
    assert all(mail_magic(f"{word}@office.example") == word for word in MAIL)
