"""An e-mail as bytes: RFC 5322 header fields, RFC 2045 body, ready for SMTP's DATA before dot-stuffing.

Written by hand because the standard library's `EmailMessage` builds about a thousand a second, which would make it the
slowest part of a worker; what is written here is read back by the standard library in the tests.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from functools import lru_cache
from urllib.parse import quote

import idna

from outreach.transports.base import Attachment, Mailbox, OutgoingMail
from outreach.transports.email.dates import rfc5322

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PRINTABLE = re.compile(r"[ -~]*")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_UTF8 = re.compile(r"[^\s\x00-\x20\x7f-\xa0()<>\[\]:;@\\,\"]+")
_DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Za-z:.]+\]")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_MESSAGE_ID = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_OURS = frozenset("date from to cc bcc sender reply-to subject message-id mime-version content-type content-language "
                  "content-transfer-encoding".split())
_ASCII = bytes(range(128))

# "=_" can stand neither in quoted-printable nor in base64, so that no body can hold a boundary (RFC 2045, 6.7).
_ALTERNATIVE = "=_outreach-letter"
_MIXED = "=_outreach-files"
_HEAD_ALTERNATIVE = f'Content-Type: multipart/alternative; boundary="{_ALTERNATIVE}"\r\n'
_HEAD_MIXED = f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{_MIXED}"\r\n'


def build(mail: OutgoingMail, *, smtputf8: bool = False) -> bytes:
    """The message with CRLF line ends, 7-bit unless `smtputf8`, which a non-ASCII local part needs (RFC 6531).

    Raises ValueError for whatever cannot stand in a header: control characters, an address that is none.
    """
    head = "".join(_fields(mail, smtputf8)).encode("utf-8" if smtputf8 else "ascii")
    body = _alternative(mail.text, mail.html)
    if not mail.attachments:
        return b"".join((head, b"MIME-Version: 1.0\r\n", *body))
    parts = [head, _HEAD_MIXED.encode(), b"\r\n--", _MIXED.encode(), b"\r\n", *body]
    for attachment in mail.attachments:
        parts += [b"\r\n--", _MIXED.encode(), b"\r\n", *_file(attachment)]
    return b"".join((*parts, b"\r\n--", _MIXED.encode(), b"--\r\n"))


def needs_smtputf8(mail: OutgoingMail) -> bool:
    """Whether one of the addresses that it goes from or to has a non-ASCII local part; that for answers is no reason."""
    addresses = (mail.envelope_from, mail.sender.address, mail.to.address, mail.cc or "")
    return not all(a.rpartition("@")[0].isascii() for a in addresses)


def can_be_written(address: str, *, smtputf8: bool = False) -> bool:
    """Whether `ascii_address` takes it. A Reply-To that cannot be written is left out: no letter is lost over where its answers go."""
    try:
        ascii_address(address, smtputf8=smtputf8)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def ascii_address(address: str, *, smtputf8: bool = False) -> str:
    """The address as it goes on the wire: its domain in IDNA's ASCII form (RFC 5891), the local part untouched.

    Raises ValueError for an address that is none, or that needs SMTPUTF8 where there is none.
    """
    local, at, domain = address.rpartition("@")
    if not at or len(address) > 320:
        raise ValueError("an address needs a local part, an @ and a domain")
    if not _LOCAL.fullmatch(local):
        if local.isascii() or _CONTROL.search(local) or not _LOCAL_UTF8.fullmatch(local):
            raise ValueError("the local part of an address has a character that it may not have")
        if not smtputf8:
            raise ValueError("the address has a non-ASCII local part and the mail server does not offer SMTPUTF8")
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode()  # IDNAError is a UnicodeError, which is a ValueError
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("the domain of an address has a character that it may not have")
    return f"{local}@{domain}"


def _fields(mail: OutgoingMail, smtputf8: bool) -> list[str]:
    fields = [f"Date: {_date(mail.date.replace(microsecond=0))}\r\n", _mailbox("From", mail.sender, smtputf8),
              _mailbox("To", mail.to, smtputf8)]
    if mail.cc:
        fields.append(_mailbox("Cc", Mailbox(mail.cc), smtputf8))
    if mail.reply_to and can_be_written(mail.reply_to.address, smtputf8=smtputf8):
        fields.append(_mailbox("Reply-To", mail.reply_to, smtputf8))
    fields.append(_text_field("Subject", mail.subject))
    if len(mail.message_id) > 900 or not _MESSAGE_ID.fullmatch(mail.message_id):
        raise ValueError("not a Message-ID (without angle brackets)")
    fields.append(f"Message-ID: <{mail.message_id}>\r\n")
    if not _LANGUAGE.fullmatch(mail.language):
        raise ValueError("not a language tag")
    fields.append(f"Content-Language: {mail.language}\r\n")
    fields += [_more(name, value) for name, value in mail.headers]
    return fields


_date = lru_cache(maxsize=64)(rfc5322)  # mails come many to the second


@lru_cache(maxsize=2048)
def _mailbox(field: str, box: Mailbox, smtputf8: bool) -> str:
    """One address field, folded."""
    address = ascii_address(box.address, smtputf8=smtputf8)
    if not box.name:
        return f"{field}: {address}\r\n"
    phrase = _phrase(box.name)
    last = len(phrase) - phrase.rfind("\n") - 1
    room = 78 - (0 if "\n" in phrase else len(field) + 2)
    between = " " if last + len(address) + 3 <= room else "\r\n "
    return f"{field}: {phrase}{between}<{address}>\r\n"


def _phrase(name: str) -> str:
    """A display name: bare, quoted or as encoded-words, whichever says it exactly (RFC 5322, 3.2.5; RFC 2047, 5)."""
    _refuse_controls(name)
    if len(name) <= 60 and "=?" not in name and name.isascii():
        if _PLAIN_PHRASE.fullmatch(name):
            return name
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded_words(name)


@lru_cache(maxsize=1024)
def _text_field(field: str, text: str) -> str:
    """An unstructured field. Plain where the text survives folding and reading as it is, else encoded-words."""
    _refuse_controls(text)
    plain = text.isascii() and "=?" not in text and "  " not in text and text.strip(" ") == text
    if plain:
        folded = _fold(f"{field}: {text}")
        if all(len(line) <= 78 for line in folded.split("\r\n")):
            return folded + "\r\n"
    return f"{field}: {_encoded_words(text)}\r\n"


def _more(name: str, value: str) -> str:
    if not _FIELD_NAME.fullmatch(name) or name.lower() in _OURS:
        raise ValueError("this header field cannot be added")
    if not _PRINTABLE.fullmatch(value):
        raise ValueError("an added header field holds printable ASCII only")
    folded = _fold(f"{name}: {value}")
    if any(len(line) > 998 for line in folded.split("\r\n")):
        raise ValueError("an added header field is too long for a line")
    return folded + "\r\n"


def _fold(line: str) -> str:
    """Break at single spaces so that lines stay within 78 characters where their words allow it (RFC 5322, 2.1.1)."""
    if len(line) <= 78:
        return line
    lines, rest = [], line
    start = line.index(":") + 2
    while len(rest) > 78:
        at = rest.rfind(" ", start, 79)
        if at <= start:
            at = rest.find(" ", max(start, 78))
        if at <= 0 or not rest[at:].strip(" "):  # a line of nothing but space would be read as the header's end
            break
        lines.append(rest[:at])
        rest, start = rest[at:], 1
    return "\r\n".join([*lines, rest])


def _encoded_words(text: str) -> str:
    """RFC 2047 encoded-words of at most 64 characters, one a line, no character split between two of them."""
    words, chunk = [], bytearray()
    for char in text:
        data = char.encode()
        if len(chunk) + len(data) > 39:
            words.append(bytes(chunk))
            chunk.clear()
        chunk += data
    words.append(bytes(chunk))
    return "\r\n ".join(f"=?utf-8?b?{b64encode(w).decode()}?=" for w in words)


def _refuse_controls(text: str) -> None:
    if _CONTROL.search(text):
        raise ValueError("a header cannot hold control characters or line breaks")


def _alternative(text: str, html: str) -> list[bytes]:
    """Text and HTML, headers of the multipart included; text alone where there is no HTML."""
    if not html:
        return _text_part("plain", text)
    edge = b"\r\n--" + _ALTERNATIVE.encode()
    return [_HEAD_ALTERNATIVE.encode(), edge, b"\r\n", *_text_part("plain", text),
            edge, b"\r\n", *_text_part("html", html), edge, b"--\r\n"]


def _text_part(subtype: str, text: str) -> list[bytes]:
    """Quoted-printable, or base64 where that is shorter (scripts other than Latin). Raises ValueError for a lone surrogate."""
    data = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    high = 0 if text.isascii() else len(data.translate(None, _ASCII))
    if high * 2 > len(data) * 0.37:
        way, body = "base64", _base64(data)
    else:
        way, body = "quoted-printable", b2a_qp(data, istext=True)
        if body.startswith(b"From ") or b"\nFrom " in body:
            # Old mail stores put ">" before such a line, which breaks signatures; a soft break hides it.
            body = re.sub(rb"(?m)^From ", b"From=\r\n ", body)
    return [f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {way}\r\n\r\n".encode(), body]


def _base64(data: bytes) -> bytes:
    whole = b64encode(data)
    return b"\r\n".join([whole[i:i + 76] for i in range(0, len(whole), 76)]) + b"\r\n"


def _file(attachment: Attachment) -> list[bytes]:
    if not _TOKEN.fullmatch(attachment.content_type):
        raise ValueError("an attachment's content type must be like application/pdf")
    _refuse_controls(attachment.filename)
    name = attachment.filename
    if name.isascii() and len(name) <= 50:
        said = 'filename="' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        said = "".join(_continued(quote(name, safe="")))
    return [f"Content-Type: {attachment.content_type}\r\nContent-Disposition: attachment;\r\n {said}\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n".encode(), _base64(attachment.content)]


def _continued(quoted: str) -> list[str]:
    """RFC 2231: a long or non-ASCII file name in numbered pieces, no percent triplet split."""
    pieces = re.findall(r"(?:%..|[^%]){1,16}", quoted)
    first, *more = pieces or [""]
    return [f"filename*0*=utf-8''{first}", *(f";\r\n filename*{i}*={piece}" for i, piece in enumerate(more, 1))]
