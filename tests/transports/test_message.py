"""What `message.build` writes is read back by the standard library, whatever Unicode stands in it."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from outreach.transports.base import Attachment, Mailbox, OutgoingMail
from outreach.transports.email.message import ascii_address, build, needs_smtputf8
from tests.transports.letters import NOW, mail

many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
ANY = st.text(st.characters(exclude_categories=["Cs"]))
NO_CONTROL = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
ONE_LINE = st.text(NO_CONTROL, max_size=300)
NAME = st.text(NO_CONTROL, min_size=1, max_size=120).map(str.strip).filter(bool)


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return body.get_payload(decode=True).decode()


def canonical(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return text if text.endswith("\r\n") else text + "\r\n"


def lines(raw: bytes) -> list[bytes]:
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return raw.split(b"\r\n")


def test_a_mail_reads_back_as_it_was_meant() -> None:
    got = read(build(mail()))
    assert got["From"].addresses[0].display_name == "Jane Doe via Night Bus"
    assert got["From"].addresses[0].addr_spec == "letters@nightbus.example"
    assert got["To"].addresses[0].addr_spec == "commissioner@transit.example"
    assert str(got["Cc"]) == "copies@nightbus.example"
    assert got["Reply-To"].addresses[0].addr_spec == "jane@people.example"
    assert got["Message-ID"] == "<01k7zt5c9letter@nightbus.example>"
    assert got["Date"].datetime == NOW
    assert got["MIME-Version"] == "1.0"
    assert got["Content-Language"] == "en"
    assert got.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in got.iter_parts()] == ["text/plain", "text/html"]
    assert got.get_body(("plain",)).get_content() == "Dear Commissioner,\r\n\r\nplease keep it.\r\n"
    assert not got.defects and not any(p.defects for p in got.walk())


def test_what_is_left_out_has_no_header() -> None:
    got = read(build(mail(cc=None, reply_to=None, html="")))
    assert got["Cc"] is None and got["Reply-To"] is None
    assert got.get_content_type() == "text/plain"


@many
@given(text=ANY, html=ANY.filter(bool))
@example(text=".\r\n..\n.dot\nFrom me\n>From\n", html="\r")
@example(text="x" * 5000 + "\n" + "é" * 3000 + " \t\n", html="From " * 100 + "\n" + "From \n" * 3)
@example(text="y" * 75 + " \n" + "y" * 76 + " \n" + "z" * 74 + "=\n." + "\n" * 5,
         html="--=_outreach-letter--\r\n--=_outreach-letter\r\n")
@example(text="", html="\x00\x0b\x0c\x1c\x85\u2028")
def test_any_text_survives_in_lines_of_at_most_76(text: str, html: str) -> None:
    raw = build(mail(text=text, html=html))
    assert all(len(line) <= 76 for line in lines(raw.partition(b"\r\n\r\n")[2]))
    assert not any(line.startswith(b"From ") for line in lines(raw))
    got = read(raw)
    assert part(got, "plain") == canonical(text)
    assert part(got, "html") == canonical(html)


@many
@given(subject=ONE_LINE)
@example(subject="=?utf-8?q?forged?=")
@example(subject=" " * 90)
@example(subject="word " * 40)
@example(subject="x" * 3000)
@example(subject="a  b " * 30)
@example(subject="{{ 7*7 }} #read(\"x\") 👩‍👩‍👧 \u202eright to left")
def test_any_subject_survives_folded(subject: str) -> None:
    raw = build(mail(subject=subject))
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 78 for line in lines(head))
    assert all(line.strip() for line in lines(head)), "a line of nothing but space would end the header"
    assert str(read(raw)["Subject"]) == subject


@many
@given(name=NAME)
@example(name='Jane "J." Doe, Esq. <x@y.example>')
@example(name="Ольга Иванова через Ночной автобус и ещё очень длинное имя, которое нужно переносить")
@example(name="=?utf-8?b?forged?=")
@example(name="a@b.example")
@example(name="back\\slash")
@example(name="O'Neil (Jr.)")
def test_any_display_name_survives_and_hides_no_address(name: str) -> None:
    raw = build(mail(sender=Mailbox("letters@nightbus.example", name)))
    assert all(len(line) <= 78 for line in lines(raw.partition(b"\r\n\r\n")[0]))
    assert [a.addr_spec for a in read(raw)["From"].addresses] == ["letters@nightbus.example"]
    # The newer parser of Python 3.11 keeps the space between two encoded-words of a phrase (RFC 2047, 6.2, drops it).
    [(written, _)] = getaddresses([message_from_bytes(raw)["From"].replace("\r\n", "")])
    assert str(make_header(decode_header(written))) == name


BREAKS = ["\r", "\n", "\r\n", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\t"]


def test_a_letter_is_not_lost_over_an_address_for_answers_that_cannot_be_written() -> None:
    """Nor goes as a mail that fewer servers take: its text holds the address."""
    wide = mail(reply_to=Mailbox("jörg@people.example", "Jörg"))
    assert read(build(wide))["Reply-To"] is None
    assert not needs_smtputf8(wide)
    assert "jörg@people.example" in build(wide, smtputf8=True).decode()


@pytest.mark.parametrize("bad", BREAKS)
@pytest.mark.parametrize("where", ["subject", "name", "address", "cc", "reply_to", "message_id", "header", "language",
                                   "filename"])
def test_no_control_character_reaches_a_header(where: str, bad: str) -> None:
    text = f"x{bad}Bcc: victim@people.example"
    changed: OutgoingMail = {
        "subject": mail(subject=text), "name": mail(sender=Mailbox("a@b.example",
                                                                   text)), "address": mail(to=Mailbox(f"a@b{bad}.example")),
        "cc": mail(cc=f"a{bad}@b.example"), "reply_to": mail(reply_to=Mailbox("a@b.example",
                                                                              text)), "message_id": mail(message_id=f"a{bad}@b"),
        "header": mail(headers=(("X-Note", text),)), "language": mail(language=f"en{bad}"),
        "filename": mail(attachments=(Attachment(text, "application/pdf", b""),))}[where]
    with pytest.raises(ValueError):
        build(changed)


NO_ADDRESSES = ["", "@", "a@", "@b.example", "a b@c.example", "a@b@c.example", "a@b c.example", "<a@b.example>", "a@b.example>",
                "a,b@c.example", ".a@b.example", "a@-b.example\n", "a@b..", "x" * 400 + "@b.example"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        build(mail(to=Mailbox(address)))


def test_a_header_of_ours_cannot_be_added_again() -> None:
    for name in ("Subject", "bcc", "Content-Type", "X Y", "", "X:Y"):
        with pytest.raises(ValueError):
            build(mail(headers=((name, "x"),)))


def test_more_headers_are_folded_and_survive() -> None:
    value = "<mailto:stop@nightbus.example?subject=stop>, " * 5 + "<https://nightbus.example/" + "x" * 200 + ">"
    got = read(build(mail(headers=(("Auto-Submitted", "auto-generated"), ("List-Unsubscribe", value)))))
    assert got["Auto-Submitted"] == "auto-generated"
    assert str(got["List-Unsubscribe"]) == value


def test_a_domain_in_another_script_is_written_in_its_ascii_form() -> None:
    assert ascii_address("info@Bücher.example") == "info@xn--bcher-kva.example"
    raw = build(mail(to=Mailbox("info@автобус.example", "Автобус")))
    assert read(raw)["To"].addresses[0].domain == "xn--80acc2cqdj.example"
    assert raw.isascii()


def test_a_local_part_in_another_script_needs_smtputf8() -> None:
    wide = mail(to=Mailbox("пассажир@transit.example", "П"))
    assert needs_smtputf8(wide) and not needs_smtputf8(mail())
    with pytest.raises(ValueError):
        build(wide)
    assert "<пассажир@transit.example>".encode() in build(wide, smtputf8=True)


def test_scripts_other_than_latin_travel_as_base64_and_latin_ones_readably() -> None:
    persian = build(mail(text="نامه " * 50, html="<p>x</p>"))
    assert b"Content-Transfer-Encoding: base64" in persian
    assert b"caf=C3=A9" in build(mail(text="café au lait, s'il vous plaît"))


def test_attachments_keep_bytes_and_names() -> None:
    files = (Attachment("letter.pdf", "application/pdf", b"%PDF\r\n\x00" * 99),
             Attachment('ру"с ский' * 20 + ".pdf", "application/pdf", b""),
             Attachment('q"\\.txt', "text/plain", b"x"))
    got = read(build(mail(attachments=files)))
    assert got.get_content_type() == "multipart/mixed"
    assert part(got, "plain") == "Dear Commissioner,\r\n\r\nplease keep it.\r\n"
    read_back = [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in got.iter_attachments()]
    assert read_back == [(f.filename, f.content_type, f.content) for f in files]
    with pytest.raises(ValueError):
        build(mail(attachments=(Attachment("x", "text/html\r\nX: y", b""),)))


def test_a_naive_date_is_refused() -> None:
    with pytest.raises(ValueError):
        build(mail(date=NOW.replace(tzinfo=None)))


def test_a_lone_surrogate_is_refused_not_sent() -> None:
    for changed in (mail(text="\ud800"), mail(subject="\ud800")):
        with pytest.raises(ValueError):
            build(changed)


def test_a_letter_of_two_kilobytes_is_built_in_less_time_than_the_standard_library_takes() -> None:
    text = "I ask you to keep the night bus between the hospital and the harbour.\n\n" * 28
    letter = mail(text=text, html=f"<p>{text}</p>")

    def stdlib() -> bytes:
        m = EmailMessage(policy=policy.SMTP)
        m["From"], m["To"], m["Cc"] = "Jane <letters@nightbus.example>", "c@transit.example", "copies@nightbus.example"
        m["Subject"] = "Keep it"
        m.set_content(letter.text)
        m.add_alternative(letter.html, subtype="html")
        return m.as_bytes()

    def best(work: object, times: int = 5) -> float:
        took = []
        for i in range(times):
            start = time.perf_counter()
            for n in range(20):
                work(replace(letter, message_id=f"{i}.{n}@x.example")) if work is build else work()  # type: ignore[operator]
            took.append(time.perf_counter() - start)
        return min(took)

    assert best(build) * 4 < best(stdlib)


def test_base64_decodes_to_canonical_line_ends() -> None:
    raw = build(mail(text="Привет\nмир", html=""))
    assert base64.b64decode(raw.partition(b"\r\n\r\n")[2]).decode() == "Привет\r\nмир\r\n"
