"""The SMTP transaction: who is asked first, what the server is told, and every place where it can break."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outreach.domain.letters import Reason
from outreach.errors import TransportDown
from outreach.settings import SettingsInvalid
from outreach.transports.base import Accepted, Mailbox, NotStarted, Outcome, Refused, Unknown
from outreach.transports.email.bounces import envelope_id
from outreach.transports.email.smtp import SmtpTransport
from outreach.transports.email.smtp_server import SmtpServer as Server
from outreach.transports.email.status import enhanced_code, meaning
from tests.transports.letters import ATTEMPT, mail
from tests.transports.servers import CLOSE, DRIBBLE, EXTENSIONS, HANG, SmtpServer, running

SHORT = 1.0
KEY = b"a key of thirty-two random bytes"
TARGET, INBOX = "commissioner@transit.example", "copies@nightbus.example"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with running(SmtpServer()) as s:
        yield s


@pytest.fixture
def plain() -> Iterator[SmtpServer]:
    """A server of the last century: no extension at all."""
    with running(SmtpServer(())) as s:
        yield s


def transport(server: SmtpServer, url: str = "") -> SmtpTransport:
    return SmtpTransport(Server.from_url(url or server.url, helo="nightbus.example", timeout=SHORT), KEY)


def send(server: SmtpServer, **changes: object) -> Outcome:
    with transport(server).connect() as session:
        return session.hand_over(mail(**changes))


def verbs(server: SmtpServer) -> list[str]:
    return [c.split(":")[0].split(" ")[0].upper() for c in server.commands]


def test_target_and_inbox_share_one_transaction_target_first(server: SmtpServer) -> None:
    assert isinstance(send(server), Accepted)
    [taken] = server.mails
    assert taken.rcpts == [TARGET, INBOX]
    assert taken.sender == "letters+b-x@nightbus.example"
    assert b"Cc: copies@nightbus.example" in taken.raw


def test_only_the_targets_delivery_is_reported_on(server: SmtpServer) -> None:
    send(server)
    sender, target, inbox = server.commands[1:4]
    assert f"RET=HDRS ENVID={envelope_id(ATTEMPT, KEY)} " in f"{sender} " and "SIZE=" in sender
    assert target.endswith(f"NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{TARGET}")
    assert inbox.endswith("NOTIFY=NEVER")


def test_a_plus_in_the_address_is_xtext_in_orcpt(server: SmtpServer) -> None:
    send(server, to=Mailbox("office+bus=x@transit.example"))
    assert server.commands[2].endswith("ORCPT=rfc822;office+2Bbus+3Dx@transit.example")


def test_a_server_without_extensions_gets_the_bare_commands(plain: SmtpServer) -> None:
    assert send(plain) == Accepted("4ZQ1")
    assert plain.commands[1:4] == ["MAIL FROM:<letters+b-x@nightbus.example>", f"RCPT TO:<{TARGET}>", f"RCPT TO:<{INBOX}>"]


def test_without_a_copy_there_is_one_recipient(server: SmtpServer) -> None:
    send(server, cc=None)
    assert server.mails[0].rcpts == [TARGET]


def test_an_inbox_that_is_the_target_is_not_named_twice(server: SmtpServer) -> None:
    send(server, cc=TARGET.upper())
    assert server.mails[0].rcpts == [TARGET]


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
def test_when_the_target_is_refused_the_copy_does_not_go_out_either(extensions: tuple[str, ...]) -> None:
    with running(SmtpServer(extensions)) as server:
        server.faults["rcpt1"] = "550 5.1.1 no such user"
        with transport(server).connect() as session:
            outcome = session.hand_over(mail())
            assert outcome == Refused(Reason.NO_MAILBOX, permanent=True, detail="550 5.1.1 no such user")
            assert "DATA" not in verbs(server) and "RSET" in verbs(server)
            assert isinstance(session.hand_over(mail()), Accepted)  # the connection goes on
        assert server.connections == 1
        assert [m.rcpts for m in server.mails] == [[TARGET, INBOX]]


@pytest.mark.parametrize("said", ["550 5.7.1 relaying denied", "554 5.7.1 <x>: Relay access denied", "550 5.7.64 Unable to relay"])
def test_a_domain_that_is_not_relayed_to_ends_its_letter_and_not_all_mail(server: SmtpServer, said: str) -> None:
    server.faults["rcpt1"] = said
    with transport(server).connect() as session:
        assert session.hand_over(mail()) == Refused(Reason.REFUSED, permanent=True, detail=said)
        assert isinstance(session.hand_over(mail()), Accepted)


@pytest.mark.parametrize("stage", ["mail", "rcpt1"])
@pytest.mark.parametrize("said", ["530 5.7.0 log in first", "535 5.7.8 bad credentials", "538 5.7.11 encryption needed"])
def test_a_server_that_wants_other_credentials_says_so_of_all_mail(server: SmtpServer, stage: str, said: str) -> None:
    server.faults[stage] = said
    outcome = send(server)
    assert isinstance(outcome, NotStarted) and outcome.auth


def test_a_refused_inbox_does_not_hold_up_the_letter(server: SmtpServer) -> None:
    server.faults["rcpt2"] = "552 5.2.2 full"
    assert send(server) == Accepted("4ZQ1", copy_refused=True)
    assert server.mails[0].rcpts == [TARGET]


def test_lines_that_begin_with_a_dot_arrive_whole(server: SmtpServer) -> None:
    send(server, text=".\n..\n.x\nend", html="")
    assert server.mails[0].raw.endswith(b"\r\n\r\n=2E\r\n..\r\n.x\r\nend\r\n")


def test_without_a_queue_id_the_message_id_is_the_reference(server: SmtpServer) -> None:
    server.faults["dot"] = "250 2.0.0 taken"
    assert send(server) == Accepted("01k7zt5c9letter@nightbus.example")


MATRIX: list[tuple[str, str, type[Outcome]]] = [
    ("mail", CLOSE, NotStarted), ("mail", HANG, NotStarted), ("mail", "421 4.3.2 closing", NotStarted), ("mail", "rubbish",
                                                                                                         NotStarted),
    ("mail", "451 4.3.0 later", Refused), ("mail", "550 5.7.1 not you", Refused),
    ("rcpt1", CLOSE, NotStarted), ("rcpt1", HANG, NotStarted), ("rcpt1", "421 4.7.0 go", NotStarted), ("rcpt1", "354 what",
                                                                                                       NotStarted),
    ("rcpt2", CLOSE, NotStarted), ("rcpt2", HANG, NotStarted), ("rcpt2", "421 4.7.0 go", NotStarted),
    ("data", CLOSE, NotStarted), ("data", HANG, NotStarted), ("data", "421 4.3.2 closing", NotStarted), ("data", "250 what",
                                                                                                         NotStarted),
    ("data", "451 4.3.0 later", Refused), ("data", "554 5.7.1 spam", Refused),
    ("dot", CLOSE, Unknown), ("dot", HANG, Unknown), ("dot", "rubbish", Unknown), ("dot", "354 what", Unknown),
    ("dot", "421 4.3.2 closing", Refused), ("dot", "450 4.2.0 later", Refused), ("dot", "554 5.6.0 no", Refused),
]


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["pipelining", "plain"])
@pytest.mark.parametrize(("stage", "fault", "expected"), MATRIX, ids=[f"{s} {f}" for s, f, _ in MATRIX])
def test_each_stage_breaks_into_the_right_outcome(stage: str, fault: str, expected: type[Outcome],
                                                  extensions: tuple[str, ...]) -> None:
    with running(SmtpServer(extensions)) as server:
        server.faults[f"{stage}*"] = fault
        with transport(server).connect() as session:
            outcome = session.hand_over(mail())
            assert isinstance(outcome, expected), outcome
            if isinstance(outcome, Refused):
                assert outcome.permanent is fault.startswith("5")
            server.faults.clear()
            assert isinstance(session.hand_over(mail()), Accepted), "it connects anew where it must"
        assert sum(c.startswith("MAIL") for c in server.commands) == 2, "nothing was tried twice"


def test_a_drop_inside_a_long_text_is_safe_to_retry() -> None:
    with running(SmtpServer()) as server:
        server.faults["body"] = CLOSE
        outcome = send(server, text="x" * 60 + "\n", html="y" * 20_000_000)
        assert isinstance(outcome, NotStarted) and outcome.down
        assert not server.mails


def test_a_server_that_stops_reading_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(TransportDown):
            SmtpTransport(Server.from_url(url, helo="x.example", timeout=SHORT)).connect().__enter__()


@pytest.mark.parametrize("end", [CLOSE, "421 4.7.0 too many messages in this session"])
def test_a_kept_connection_that_went_stale_is_made_anew_and_nothing_is_sent_twice(server: SmtpServer, end: str) -> None:
    with transport(server).connect() as session:
        assert isinstance(session.hand_over(mail()), Accepted)
        server.faults["mail"] = end
        assert isinstance(session.hand_over(mail(message_id="second@nightbus.example")), Accepted)
    assert server.connections == 2 and len(server.mails) == 2


def test_a_dead_session_on_a_dead_server_says_not_started(server: SmtpServer) -> None:
    with transport(server).connect() as session:
        server.faults["dot"] = CLOSE
        assert isinstance(session.hand_over(mail()), Unknown)
        server.faults["greeting*"] = "554 5.3.2 not now"
        assert isinstance(session.hand_over(mail()), NotStarted)
        server.faults.clear()
        assert isinstance(session.hand_over(mail()), Accepted)


@pytest.mark.parametrize("fault", [CLOSE, HANG, "554 5.7.1 go away", "421 4.3.2 busy", "rubbish"])
def test_a_server_that_does_not_greet_is_down(server: SmtpServer, fault: str) -> None:
    server.faults["greeting*"] = fault
    with pytest.raises(TransportDown) as caught, transport(server).connect():
        pass
    assert not caught.value.auth


def test_what_cannot_stand_in_a_mail_is_refused_and_the_connection_lives(server: SmtpServer) -> None:
    with transport(server).connect() as session:
        for bad in (mail(subject="a\r\nBcc: x@people.example"), mail(to=Mailbox("a b@c.example")),
                    mail(envelope_from="x\r\nRCPT TO:<y@z.example>")):
            outcome = session.hand_over(bad)
            assert isinstance(outcome, Refused) and outcome.reason is Reason.CANNOT_RENDER
        assert isinstance(session.hand_over(mail()), Accepted)
    assert not any("people.example" in c or "y@z" in c for c in server.commands)


def test_an_address_in_another_script_goes_where_smtputf8_is_offered(server: SmtpServer, plain: SmtpServer) -> None:
    wide = Mailbox("пассажир@транспорт.example")
    assert isinstance(send(server, to=wide), Accepted)
    assert server.commands[1].endswith("SMTPUTF8")
    assert server.mails[0].rcpts[0] == "пассажир@xn--80a0addceeeh.example"
    assert isinstance(send(plain, to=wide), Refused)


def test_an_address_for_answers_in_another_script_changes_nothing_on_the_way(server: SmtpServer, plain: SmtpServer) -> None:
    for one in (server, plain):
        assert isinstance(send(one, reply_to=Mailbox("jörg@people.example", "Jörg")), Accepted)
        assert "SMTPUTF8" not in one.commands[1]
        assert b"Reply-To" not in one.mails[0].raw


def test_a_domain_in_another_script_goes_anywhere(plain: SmtpServer) -> None:
    assert isinstance(send(plain, to=Mailbox("info@bücher.example")), Accepted)
    assert plain.mails[0].rcpts[0] == "info@xn--bcher-kva.example"


# --- encryption and login


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file of the authority that signed it (itself)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example")])
    now = datetime.now(UTC)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                   .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
                   .sign(key, hashes.SHA256()))
    folder = tmp_path_factory.mktemp("tls")
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                       serialization.NoEncryption()))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


def test_starttls_is_taken_where_it_is_offered(tls: tuple[ssl.SSLContext, Path]) -> None:
    with running(SmtpServer(tls=tls[0])) as server:
        assert isinstance(send(server), Accepted)
        assert server.encrypted == [True]


def test_required_starttls_checks_the_certificate(tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with running(SmtpServer(tls=tls[0])) as server:
        url = server.url.replace("smtp://", "smtp+starttls://")
        with pytest.raises(TransportDown), transport(server, url).connect():
            pass
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
        with transport(server, url).connect() as session:
            assert isinstance(session.hand_over(mail()), Accepted)
        assert server.encrypted == [True]


def test_required_starttls_does_without_no_mail(server: SmtpServer) -> None:
    with pytest.raises(TransportDown), transport(server, server.url.replace("smtp://", "smtp+starttls://")).connect():
        pass
    assert not server.mails


def test_smtps_is_encrypted_from_the_first_byte(tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with running(SmtpServer(tls=tls[0], wrapped=True)) as server:
        with transport(server, server.url.replace("smtp://", "smtps://")).connect() as session:
            assert isinstance(session.hand_over(mail()), Accepted)
        assert server.encrypted == [True]


def login(user: str, password: str) -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_login_with_escaped_characters_in_the_url() -> None:
    with running(SmtpServer(login=login("night@bus", "p:/w d"))) as server:
        url = server.url.replace("smtp://", "smtp://night%40bus:p%3A%2Fw%20d@")
        with transport(server, url).connect() as session:
            assert isinstance(session.hand_over(mail()), Accepted)


def test_a_refused_login_is_told_from_a_missing_server() -> None:
    with running(SmtpServer(login=login("night", "right"))) as server:
        with pytest.raises(TransportDown) as caught, transport(server, server.url.replace("//", "//night:wrong@")).connect():
            pass
        assert caught.value.auth
        assert "wrong" not in str(caught.value)


def test_a_wrong_url_is_named_without_its_password() -> None:
    for url in ("http://user:secret@x.example", "smtp://user:secret@", "smtp://user:secret@x.example:port", "x.example:25"):
        with pytest.raises(SettingsInvalid) as caught:
            Server.from_url(url, helo="x", timeout=1)
        assert "secret" not in str(caught.value)


# --- what refusals mean


@pytest.mark.parametrize(("code", "text", "stage", "reason", "permanent"), [
    (550, "5.1.1 user unknown", "rcpt", Reason.NO_MAILBOX, True),
    (550, "5.1.10 recipient not found", "data", Reason.NO_MAILBOX, True),
    (550, "no such user here", "rcpt", Reason.NO_MAILBOX, True),
    (550, "5.4.1 Recipient address rejected: Access denied", "rcpt", Reason.NO_MAILBOX, True),
    (552, "5.2.2 over quota", "rcpt", Reason.MAILBOX_FULL, False),
    (452, "4.2.2 mailbox full", "rcpt", Reason.MAILBOX_FULL, False),
    (550, "5.7.1 this looks like spam", "data", Reason.SPAM, True),
    (554, "5.7.1 listed in a blocklist", "data", Reason.SPAM, True),
    (550, "5.7.1 not authorised", "data", Reason.REFUSED, True),
    (550, "5.7.26 unauthenticated mail", "data", Reason.REJECTED_BY_PROVIDER, True),
    (552, "5.3.4 message too big", "mail", Reason.REJECTED_BY_PROVIDER, True),
    (450, "4.2.0 greylisted", "rcpt", Reason.DEFERRED, False),
    (421, "4.7.28 rate", "data", Reason.RATE_LIMITED, False),
    (554, "transaction failed", "data", Reason.REFUSED, True),
])
def test_a_refusal_has_a_name(code: int, text: str, stage: str, reason: Reason, permanent: bool) -> None:
    assert meaning(code, text, stage) == (reason, permanent)  # type: ignore[arg-type]


def test_an_enhanced_code_is_not_read_out_of_an_ip_address() -> None:
    assert enhanced_code("550 5.7.1 [203.0.113.5]") == "5.7.1"
    assert enhanced_code("host 5.1.2.3 said no") is None


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "auth", "mail", "rcpt1", "rcpt2", "data", "quit"])
def test_a_server_that_answers_drop_by_drop_holds_nobody_up(server: SmtpServer, stage: str) -> None:
    """Each byte comes in time, wherever it is that the server has become so slow; nothing of the mail has left by then."""
    server.login = base64.b64encode(b"\0jane\0secret").decode()
    server.faults[stage] = DRIBBLE
    began = time.monotonic()
    try:
        with transport(server, server.url.replace("//", "//jane:secret@")).connect() as session:
            outcome: object = session.hand_over(mail())
    except TransportDown as e:
        assert stage in ("greeting", "ehlo", "auth") and not e.auth
    else:
        assert isinstance(outcome, Accepted if stage == "quit" else NotStarted), outcome
    assert time.monotonic() - began < 5
    assert len(server.mails) == (stage == "quit")
