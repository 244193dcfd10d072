"""Delivery reports as different mail servers write them, and where they are read from."""

from __future__ import annotations

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Malformed, TransportDown
from outreach.settings import SettingsInvalid
from outreach.transports.base import ReceiptWord
from outreach.transports.email.bounces import attempt_of_verp, envelope_id, read_dsn, verp_address
from outreach.transports.email.mailboxes import read_imap, read_maildir
from tests.transports.letters import ATTEMPT
from tests.transports.servers import running

KEY = b"a key of thirty-two random bytes"
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
TARGET, INBOX = "commissioner@transit.example", "copies@nightbus.example"
VERP = verp_address("letters@nightbus.example", ATTEMPT, KEY)
RETURNED = f"""Content-Type: text/rfc822-headers

Date: Fri, 20 Nov 2026 14:05:09 +0000
From: Jane Doe via Night Bus <letters@nightbus.example>
To: Commissioner <{TARGET}>
Cc: {INBOX}
Subject: Keep the night bus
Message-ID: <01k7zt5c9letter@nightbus.example>
"""


def report(fields: str, *, to: str = "letters@nightbus.example", whole: str = "", returned: str = RETURNED,
           message_id: str = "<dsn1@mx.example>",
           kind: str = "message/delivery-status") -> bytes:
    """A multipart/report of the common shape. `fields` are the recipients' blocks."""
    return (f"""Return-Path: <>
Date: Fri, 20 Nov 2026 14:06:00 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {to}
Subject: Delivery report
{f"Message-ID: {message_id}" if message_id else "X-None: 1"}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b0"

This is a MIME-encapsulated message.

--b0
Content-Type: text/plain; charset=us-ascii

Something happened to your mail.

--b0
Content-Type: {kind}

Reporting-MTA: dns; mx.example
{whole}Arrival-Date: Fri, 20 Nov 2026 14:05:10 +0000

{fields}
--b0
{returned}
--b0--
""").replace("\n", "\r\n").encode()


def recipient(action: str, status: str, diagnostic: str = "", *, final: str = TARGET, original: str = "") -> str:
    return (f"Final-Recipient: rfc822; {final}\n" + (f"Original-Recipient: rfc822;{original}\n" if original else "")
            + f"Action: {action}\nStatus: {status}\n" + (f"Diagnostic-Code: smtp; {diagnostic}\n" if diagnostic else ""))


def read(raw: bytes) -> list[ReceiptWord]:
    return read_dsn(raw, key=KEY, now=NOW)


def one(raw: bytes) -> ReceiptWord:
    [word] = read(raw)
    return word


SIGNED = envelope_id(ATTEMPT, KEY)
ENVID = f"Original-Envelope-Id: {SIGNED}\n"


@pytest.mark.parametrize(("fields", "verdict", "reason", "retryable"), [
    (recipient("failed", "5.1.1", "550 5.1.1 <x> User unknown"), Verdict.BOUNCED, Reason.NO_MAILBOX, False),
    (recipient("failed", "5.2.2", "552 5.2.2 over quota"), Verdict.BOUNCED, Reason.MAILBOX_FULL, True),
    (recipient("failed", "5.0.0", "550 5.7.1 this message looks like spam"), Verdict.BOUNCED, Reason.SPAM, False),
    (recipient("failed", "5.0.0", "550 no such user"), Verdict.BOUNCED, Reason.NO_MAILBOX, False),
    (recipient("failed", "4.4.7", "delivery time expired"), Verdict.BOUNCED, Reason.BOUNCED, True),
    (recipient("failed", "4.4.1", "connect to mx.example[203.0.113.5]:25: Connection timed out"), Verdict.BOUNCED, Reason.BOUNCED,
     True),
    (recipient("failed", "5.4.4", "Host or domain name not found"), Verdict.BOUNCED, Reason.NO_MAILBOX, False),
    (recipient("Failed (permanent)", "5.7.1 (refused)"), Verdict.BOUNCED, Reason.BOUNCED, False),
    (recipient("failed", ""), Verdict.BOUNCED, Reason.BOUNCED, False),
    (recipient("delivered", "2.0.0", "250 2.0.0 Ok"), Verdict.DELIVERED, None, False),
    (recipient("expanded", "2.0.0"), Verdict.DELIVERED, None, False),
    (recipient("relayed", "2.0.0"), Verdict.ACCEPTED, None, False),
    (recipient("delayed", "4.2.0", "450 greylisted"), None, Reason.DEFERRED, False),
])
def test_actions_and_statuses_have_our_words(fields: str, verdict: Verdict | None, reason: Reason | None,
                                             retryable: bool) -> None:
    word = one(report(fields, whole=ENVID))
    assert (word.verdict, word.reason, word.retryable) == (verdict, reason, retryable)
    assert (word.attempt_id, word.recipient, word.provider) == (ATTEMPT, TARGET, "dsn")
    assert word.message_id == "01k7zt5c9letter@nightbus.example"
    assert word.at == datetime(2026, 11, 20, 14, 6, tzinfo=UTC)


def test_the_bounce_address_tells_the_attempt_where_no_envelope_id_came_back() -> None:
    failed = recipient("failed", "5.1.1")
    assert one(report(failed, to=f"<{VERP}>")).attempt_id == ATTEMPT
    assert one(report(failed, to=VERP.upper())).attempt_id == ATTEMPT
    raw = report(failed).replace(b"Return-Path: <>", f"Return-Path: <>\r\nDelivered-To: {VERP}".encode())
    assert one(raw).attempt_id == ATTEMPT


def test_a_made_up_bounce_address_or_envelope_id_names_no_attempt() -> None:
    failed = recipient("failed", "5.1.1")
    forged = VERP.replace(ATTEMPT, ATTEMPT[::-1])
    assert one(report(failed, to=forged)).attempt_id is None
    assert one(report(failed, whole="Original-Envelope-Id: <someone else's>\n")).attempt_id is None
    assert attempt_of_verp(VERP, b"another key") is None
    for address in ("", "@", "letters@nightbus.example", "letters+b-x@nightbus.example", "b-x-y@z", "+b--@",
                    VERP.replace("-", "+")):
        assert attempt_of_verp(address, KEY) is None


def test_only_an_envelope_id_with_our_mac_names_an_attempt() -> None:
    failed = recipient("failed", "4.4.7", final="+14165550133")
    forged = [ATTEMPT, f"{ATTEMPT}-aaaaaaaa", f"{ATTEMPT}-", SIGNED[:-1], f"{SIGNED}a", f"{ATTEMPT[::-1]}{SIGNED[26:]}",
              envelope_id(ATTEMPT, b"another key")]
    assert [one(report(failed, whole=f"Original-Envelope-Id: {text}\n")).attempt_id for text in forged] == [None] * len(forged)
    for text in (SIGNED, SIGNED.upper()):
        assert one(report(failed, whole=f"Original-Envelope-Id: {text}\n")).attempt_id == ATTEMPT


def test_the_bounce_address_outweighs_the_envelope_id() -> None:
    other = f"Original-Envelope-Id: {envelope_id(ATTEMPT[::-1], KEY)}\n"
    for whole in (other, f"Original-Envelope-Id: {ATTEMPT[::-1]}\n"):
        assert one(report(recipient("failed", "5.1.1"), to=VERP, whole=whole)).attempt_id == ATTEMPT


def test_bounce_addresses_are_within_the_limits_of_mail() -> None:
    assert attempt_of_verp(f"<{VERP}>", KEY) == ATTEMPT
    assert len(VERP.partition("@")[0]) <= 64
    long = "x" * 60 + "@nightbus.example"
    assert verp_address(long, ATTEMPT, KEY) == long


def test_a_copys_report_speaks_of_the_copy() -> None:
    word = one(report(recipient("failed", "5.1.1", final=INBOX), whole=ENVID))
    assert word.recipient == INBOX


def test_two_recipients_are_two_words() -> None:
    words = read(report(recipient("delivered", "2.0.0") + "\n" + recipient("failed", "5.1.1", final=INBOX), whole=ENVID))
    assert [(w.recipient, w.verdict) for w in words] == [(TARGET, Verdict.DELIVERED), (INBOX, Verdict.BOUNCED)]
    assert len({w.event_id for w in words}) == 2


def test_a_forwarded_letters_bounce_speaks_of_the_address_we_wrote_to() -> None:
    elsewhere = recipient("failed", "5.1.1", final="someone@elsewhere.example", original="Commissioner@transit.example")
    assert one(report(elsewhere, whole=ENVID)).recipient == "Commissioner@transit.example"
    alone = RETURNED.replace(f"Cc: {INBOX}\n", "")
    assert one(report(recipient("failed", "5.1.1", final="someone@elsewhere.example"), returned=alone)).recipient == TARGET
    assert one(report(recipient("failed", "5.1.1", final="someone@elsewhere.example"))).recipient == "someone@elsewhere.example"


def test_the_original_recipient_is_read_as_xtext() -> None:
    fields = recipient("failed", "5.1.1", original="office+2Bbus@transit.example")
    assert one(report(fields)).recipient == "office+bus@transit.example"


def test_a_tag_that_looks_like_xtext_is_left_alone() -> None:
    fields = recipient("failed", "5.1.1", original="clerk+2024@transit.example")
    assert one(report(fields)).recipient == "clerk+2024@transit.example"


def test_a_repeat_is_one_event_and_another_report_is_another() -> None:
    failed, delayed = recipient("failed", "5.1.1"), recipient("delayed", "4.0.0")
    assert one(report(failed)).event_id == one(report(failed)).event_id
    assert len({one(report(failed)).event_id, one(report(delayed)).event_id,
                one(report(failed, message_id="<2@mx.example>")).event_id,
                one(report(failed, message_id="")).event_id}) == 4


# Shapes of different servers, invented after their manners.

EXCHANGE = f"""From: postmaster@transit.example
To: {VERP}
Date: Fri, 20 Nov 2026 14:06:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="=_ex"
Content-Language: en-CA
Message-ID: <ex1@transit.example>
In-Reply-To: <01k7zt5c9letter@nightbus.example>
Subject: Undeliverable: Keep the night bus
Auto-Submitted: auto-replied

--=_ex
Content-Type: multipart/alternative; boundary="=_in"

--=_in
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: base64

{base64.b64encode(b"<p>Your message couldn't be delivered.</p>").decode()}

--=_in--

--=_ex
Content-Type: message/delivery-status

Reporting-MTA: dns;EX01.transit.example
Received-From-MTA: dns;mx.nightbus.example

Final-Recipient: rfc822;Commissioner@Transit.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient
 not found by SMTP address lookup
X-Display-Name: Commissioner

--=_ex
Content-Type: message/rfc822

Message-ID: <01k7zt5c9letter@nightbus.example>
To: {TARGET}
Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=

text
--=_ex--
"""
LOCAL_PART_FIRST = f"""From: MAILER-DAEMON@relay.example
To: {VERP}
Content-Type: multipart/report; report-type="delivery-status"; boundary=x

--x

notice

--x
Content-Type: message/delivery-status

Final-Recipient: RFC822; <{TARGET}>
Action: FAILED
Status: 5.2.1
Last-Attempt-Date: Fri, 20 Nov 2026 14:05:30 +0000

--x--
"""
PLAIN = f"Reporting-MTA: dns; r.example\nOriginal-Envelope-Id: {ATTEMPT}\n\n{recipient('delivered', '2.0.0')}"
CODED = f"""From: MAILER-DAEMON@relay.example
To: {VERP}
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status
Content-Transfer-Encoding: base64

{base64.b64encode(PLAIN.encode()).decode()}

--x--
"""
QMAIL = f"""Date: 20 Nov 2026 14:06:00 -0000
From: MAILER-DAEMON@old.example
To: {VERP}
Subject: failure notice

Hi. This is the qmail-send program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<{TARGET}>:
203.0.113.7 does not like recipient.
Remote host said: 550 5.1.1 no such user
Giving up on 203.0.113.7.

--- Below this line is a copy of the message.
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(("text", "verdict", "reason"), [
    (EXCHANGE, Verdict.BOUNCED, Reason.NO_MAILBOX), (LOCAL_PART_FIRST, Verdict.BOUNCED, Reason.NO_MAILBOX),
    (CODED, Verdict.DELIVERED, None), (QMAIL, Verdict.BOUNCED, Reason.NO_MAILBOX)], ids=["exchange", "no-message-block", "base64",
                                                                                         "qmail"])
def test_the_manners_of_other_servers(text: str, verdict: Verdict, reason: Reason | None, line_end: str) -> None:
    word = one(text.replace("\n", line_end).encode())
    assert (word.attempt_id, word.verdict, word.reason, word.recipient.lower()) == (ATTEMPT, verdict, reason, TARGET)


def test_a_report_about_utf8_mail_is_read() -> None:
    fields = recipient("failed", "5.1.1").replace("rfc822;", "utf-8;")
    assert one(report(fields, whole=ENVID, kind="message/global-delivery-status")).recipient == TARGET


NO_REPORTS = [
    b"", b"\x00\xff\xfe", b"Subject: hello\r\n\r\nThank you for your letter.\r\n",
    f"To: {VERP}\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away until Monday.\n".encode(),
    report("", whole=ENVID), report("Action: failed\nStatus: 5.0.0\n"), report(recipient("exploded", "5.0.0")),
    QMAIL.replace(VERP, "letters@nightbus.example").encode(), b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n" * 2000,
    b"Content-Type: message/rfc822\r\n\r\n" * 5000,
]


@pytest.mark.parametrize("raw", NO_REPORTS, ids=range(len(NO_REPORTS)))
def test_a_mail_that_is_no_report_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(raw)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_report_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([report(recipient("failed", "5.1.1"), whole=ENVID), EXCHANGE.encode(),
                                               CODED.encode(), QMAIL.encode()])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at:at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
        if not raw:
            break
    try:
        words = read(bytes(raw))
    except Malformed:
        return
    assert all(w.recipient and w.at <= NOW for w in words)


def test_a_date_in_the_future_is_not_believed() -> None:
    raw = report(recipient("failed", "5.1.1")).replace(b"2026 14:06:00", b"2036 14:06:00")
    assert one(raw).at == NOW


# --- mailboxes


def test_a_maildirs_mails_are_read_once_and_never_lost(tmp_path: Path) -> None:
    assert list(read_maildir(tmp_path / "none")) == []
    for folder in ("new", "cur", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new" / "1.a.host").write_bytes(b"one")
    (tmp_path / "new" / "2.b.host").write_bytes(b"two")
    (tmp_path / "new" / "3.c.host").write_bytes(b"three")
    reader = read_maildir(tmp_path)
    seen = dict(reader)
    assert seen == {"1.a.host": b"one", "2.b.host": b"two", "3.c.host": b"three"}
    reader.done("1.a.host")
    reader.leave("2.b.host")
    reader.done("1.a.host")  # another process was quicker
    assert dict(read_maildir(tmp_path)) == {"3.c.host": b"three"}
    assert sorted(p.name for p in (tmp_path / "cur").iterdir()) == ["1.a.host:2,S", "2.b.host:2,"]


class Imap(socketserver.ThreadingTCPServer):
    """Just enough of IMAP4rev1 for one mailbox."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, mails: dict[int, bytes], *, keywords: bool = True, hang: str = "") -> None:
        self.mails, self.flags, self.keywords, self.hang = mails, {u: set[str]() for u in mails}, keywords, hang
        self.over = threading.Event()
        self.commands: list[str] = []
        super().__init__(("127.0.0.1", 0), _Imap)

    @property
    def url(self) -> str:
        return f"imap://night%40bus:p%20w@127.0.0.1:{self.server_address[1]}/INBOX"


class _Imap(socketserver.StreamRequestHandler):
    server: Imap

    def handle(self) -> None:
        self.wfile.write(b"* OK hello\r\n")
        while line := self.rfile.readline().decode():
            tag, _, command = line.strip().partition(" ")
            self.server.commands.append(command)
            if self.server.hang and command.startswith(self.server.hang):
                self.server.over.wait(20)
                return
            self.wfile.write(self.answer(command) + f"{tag} {self.result(command)}\r\n".encode())

    def result(self, command: str) -> str:
        if command.startswith("LOGIN") and command != 'LOGIN night@bus "p w"':
            return "NO [AUTHENTICATIONFAILED] no"
        if "OutreachLeft" in command and "STORE" in command and not self.server.keywords:
            return "NO no keywords here"
        return "NO no such mailbox" if command.startswith("SELECT") and "INBOX" not in command else "OK done"

    def answer(self, command: str) -> bytes:
        s = self.server
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n"
        if command.startswith("SELECT"):
            return f"* {len(s.mails)} EXISTS\r\n".encode()
        if command.startswith("UID SEARCH"):
            found = [str(u) for u, f in s.flags.items() if "\\Seen" not in f and "OutreachLeft" not in f]
            return f"* SEARCH {' '.join(found)}\r\n".encode()
        if match := re.match(r"UID FETCH (\d+)", command):
            data = s.mails[int(match[1])]
            return f"* 1 FETCH (UID {match[1]} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n"
        if (match := re.match(r"UID STORE (\d+) \+FLAGS.SILENT \((.+)\)", command)) and (s.keywords or "Left" not in match[2]):
            s.flags[int(match[1])].add(match[2])
        return b"* BYE\r\n" if command == "LOGOUT" else b""


@pytest.fixture
def imap() -> Iterator[Imap]:
    with running(Imap({7: b"one", 9: b"two"})) as server:
        yield server


def test_imap_mails_are_marked_and_nothing_else(imap: Imap) -> None:
    with read_imap(imap.url, timeout=2) as reader:
        assert dict(reader) == {"7": b"one", "9": b"two"}
        reader.done("7")
        reader.leave("9")
        assert list(reader) == []
    with read_imap(imap.url, timeout=2) as reader:
        assert list(reader) == []
    assert imap.flags == {7: {"\\Seen"}, 9: {"OutreachLeft"}}
    assert not any(word in c for c in imap.commands for word in ("EXPUNGE", "COPY", "MOVE", "Deleted", "CLOSE"))


def test_an_imap_server_without_keywords_does_not_show_a_mail_twice_in_one_session() -> None:
    with running(Imap({7: b"one"}, keywords=False)) as server, read_imap(server.url, timeout=2) as reader:
        for key, _ in reader:
            reader.leave(key)
        assert list(reader) == []
        assert server.flags == {7: set()}


@pytest.mark.parametrize("stage", ["LOGIN", "SELECT", "UID SEARCH", "UID FETCH"])
def test_an_imap_server_that_hangs_is_given_up(stage: str) -> None:
    imap = running(Imap({7: b"one"}, hang=stage))
    with imap as server, pytest.raises(TransportDown) as caught, read_imap(server.url, timeout=0.3) as reader:
        list(reader)
    assert not caught.value.auth


def test_imap_refusals_are_told_apart(imap: Imap) -> None:
    with pytest.raises(TransportDown) as caught, read_imap(imap.url.replace("p%20w", "secret"), timeout=2):
        pass
    assert caught.value.auth and "secret" not in str(caught.value)
    with pytest.raises(TransportDown), read_imap(imap.url.replace("INBOX", "Bounces"), timeout=2):
        pass
    for url in ("https://x.example", "imaps://x.example", "imap://u:p@127.0.0.1/a%0d%0ab"):
        with pytest.raises(SettingsInvalid), read_imap(url, timeout=1):
            pass
