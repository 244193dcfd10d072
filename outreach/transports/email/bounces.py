"""Delivery status notifications (RFC 3464) that came back by mail, as words about attempts.

Anybody may write such a mail, so whose attempt it is, is told only by what carries our MAC: the bounce address it was
sent to (`verp.py`), else the envelope id that we gave (RFC 3461), else a header of ours among those that come back. The
Message-ID there proves nothing: it is made of the letter's id alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Malformed
from outreach.transports.base import ReceiptWord, event_hash, short
from outreach.transports.email.dates import read_date
from outreach.transports.email.status import enhanced_code, meaning
from outreach.transports.email.verp import attempt_of_verp, verp_address

__all__ = ["attempt_of_envelope_id", "attempt_of_verp", "envelope_id", "read_dsn", "verp_address"]

PROVIDER = "dsn"
ATTEMPT_FIELD = "X-Outreach-Attempt"
"""The header that holds the signed envelope id where no bounce address of its own can. Like that address, which its server notes
as Return-Path, nobody sees it but those who get the mail."""
MOST_BYTES = 2_000_000
_XTEXT = re.compile(r"\+(2B|3D)")
_ACTIONS: dict[str, Verdict | None] = {
    "failed": Verdict.BOUNCED,
    "delivered": Verdict.DELIVERED,
    "expanded": Verdict.DELIVERED,  # delivered to the address, and sent on to a list's members (RFC 3464, 2.3.3)
    "relayed": Verdict.ACCEPTED,    # gone to a server that reports nothing
    "delayed": None,
}
_ENVELOPE_FIELDS = ("X-Original-To", "Delivered-To", "Envelope-To", "To")


@dataclass(frozen=True, slots=True)
class _Returned:
    """What the returned message or headers say."""

    message_id: str | None = None
    attempt: str = ""
    """As our header says it."""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()


def envelope_id(attempt_id: str, key: bytes) -> str:
    """`ATTEMPT-MAC`, the ENVID (RFC 3461, 4.4) of an attempt, signed as its bounce address is."""
    return verp_address("e@x", attempt_id, key).removeprefix("e+b-").removesuffix("@x")


def attempt_of_envelope_id(text: str, key: bytes) -> str | None:
    """The attempt that an envelope id names, or None for one that we did not sign. Case does not matter."""
    return attempt_of_verp(f"e+b-{text.strip()}@x", key)


def read_dsn(raw: bytes, *, key: bytes, now: datetime) -> list[ReceiptWord]:
    """One word for each recipient that a notification reports on.

    Raises Malformed for a mail that is no notification (an answer, an out-of-office note, rubbish): leave such a mail
    alone. `key` is the service's, for bounce addresses; `now` (aware) bounds the dates that others wrote.
    """
    try:
        return _read(raw, key, now)
    except Malformed:
        raise
    except Exception as e:  # the standard library's parser has many ways to stumble over rubbish
        raise Malformed(f"not a mail that can be read: {type(e).__name__}") from e


def _read(raw: bytes, key: bytes, now: datetime) -> list[ReceiptWord]:
    mail = message_from_bytes(raw[:MOST_BYTES], policy=policy.compat32)
    parts = list(mail.walk())
    blocks = _status_blocks(parts)
    attempt = _verp_attempt(mail, key)
    if not blocks:
        return [_qmail(mail, attempt, now)]
    whole, recipients = blocks[0], blocks[1:]
    returned = _returned(parts)
    attempt = (attempt or attempt_of_envelope_id(_xtext(_field(whole, "Original-Envelope-Id")), key)
               or attempt_of_envelope_id(returned.attempt, key))
    own = _field(mail, "Message-ID") or event_hash(raw)
    when = read_date(mail.get("Date"), now)
    words = [_word(block, attempt, returned, own, when) for block in recipients]
    if not (found := [w for w in words if w is not None]):
        raise Malformed("a delivery report without a recipient")
    return found


def _status_blocks(parts: list[Message]) -> list[Message]:
    """The per-message fields, then a block for each recipient; empty when there is no report."""
    for part in parts:
        if part.get_content_type() not in ("message/delivery-status", "message/global-delivery-status"):
            continue
        payload = part.get_payload()
        way = str(part.get("Content-Transfer-Encoding", "")).lower()
        whole = way not in ("base64", "quoted-printable") and part.get_content_subtype() == "delivery-status"
        if isinstance(payload, list) and not whole:
            payload = _blocks_of("".join(p.as_string() if isinstance(p, Message) else str(p) for p in payload), way)
        if isinstance(payload, list):
            blocks = [p for p in payload if isinstance(p, Message) and p.keys()]
            # Some servers leave out the per-message block, or its blank line.
            if blocks and blocks[0].get("Final-Recipient"):
                blocks.insert(0, blocks[0])
            return blocks
    return []


def _blocks_of(text: str, way: str) -> list[Message]:
    """The blocks of a report that the parser did not take apart: an encoded one, or one about UTF-8 mail (RFC 6533)."""
    coded = Message()
    coded["Content-Transfer-Encoding"] = way or "8bit"
    coded.set_payload(text.strip() + "\n")
    data = coded.get_payload(decode=True)
    return [message_from_bytes(c) for c in re.split(rb"\r?\n[ \t]*\r?\n", data.strip() if isinstance(data, bytes) else b"")]


def _word(block: Message, attempt: str | None, returned: _Returned, own: str, when: datetime) -> ReceiptWord | None:
    action = _field(block, "Action").partition(" ")[0].lower()
    final = _address(_field(block, "Final-Recipient"))
    original = _address(_xtext(_field(block, "Original-Recipient")))
    recipient = original or _letters_recipient(final, returned)
    if action not in _ACTIONS or not recipient:
        return None
    status, diagnostic = _field(block, "Status"), _field(block, "Diagnostic-Code")
    verdict, reason, retryable = _ACTIONS[action], None, False
    if verdict is Verdict.BOUNCED:
        reason, retryable = _failure(status, diagnostic)
    elif action == "delayed":
        reason = Reason.DEFERRED
    return ReceiptWord(
        provider=PROVIDER, event_id=event_hash(own, recipient.lower(), action), verdict=verdict, recipient=recipient,
        at=read_date(_field(block, "Last-Attempt-Date"), when), attempt_id=attempt, message_id=returned.message_id, reason=reason,
        retryable=retryable, detail=short(f"{action} {status} {diagnostic}"),
        raw="\n".join(f"{k}: {short(v, 500)}" for k, v in block.items())[:4000])


def _failure(status: str, diagnostic: str) -> tuple[Reason, bool]:
    """A 4.x that was given up is worth another try, as is a full mailbox; the diagnosis may be clearer than the status."""
    code = enhanced_code(status) or enhanced_code(diagnostic) or "5.0.0"
    if code.endswith(".0.0"):
        code = enhanced_code(diagnostic) or code
    smtp = re.search(r"(?<!\d)([45]\d\d)(?![\d.])", diagnostic)
    vague = code.endswith(".0.0") and smtp is not None
    said = diagnostic if vague else f"{code} {diagnostic}"
    reason, permanent = meaning(int(smtp[1]) if smtp and vague else int(code[0]) * 100, said, "rcpt")
    if reason in (Reason.REFUSED, Reason.DEFERRED):
        reason = Reason.BOUNCED
    return reason, not permanent


def _letters_recipient(final: str, returned: _Returned) -> str:
    """The address we wrote to. A forwarded mail fails at an address we never knew; without a copy it can only be the target's."""
    if final.lower() in returned.to + returned.cc or len(returned.to) != 1 or returned.cc:
        return final
    return returned.to[0]


def _returned(parts: list[Message]) -> _Returned:
    for part in parts:
        if part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
            payload = part.get_payload(decode=True)
            headers = message_from_bytes(payload.lstrip() if isinstance(payload, bytes) else b"")
        elif part.get_content_type() in ("message/rfc822", "message/global") and isinstance(part.get_payload(), list):
            headers = part.get_payload(0)  # type: ignore[assignment]
        else:
            continue
        message_id = _field(headers, "Message-ID").strip("<> ")[:200]
        return _Returned(message_id or None, _field(headers, ATTEMPT_FIELD), _addresses(headers, "To"), _addresses(headers, "Cc"))
    return _Returned()


def _verp_attempt(mail: Message, key: bytes) -> str | None:
    for name in _ENVELOPE_FIELDS:
        for address in _addresses(mail, name):
            if attempt := attempt_of_verp(address, key):
                return attempt
    return None


def _qmail(mail: Message, attempt: str | None, now: datetime) -> ReceiptWord:
    """qmail's own bounce format (QSBMF), which is plain text. Taken only at a bounce address of ours. Raises Malformed."""
    payload = mail.get_payload(decode=True) if not mail.is_multipart() else b""
    text = (payload if isinstance(payload, bytes) else b"").decode(errors="replace").replace("\r\n", "\n")
    found = re.search(r"^<([^<>\s]+@[^<>\s]+)>:\n((?:.+\n?)+)", text, re.MULTILINE)
    if attempt is None or not found or not text.startswith("Hi. This is the"):
        raise Malformed("not a delivery status notification")
    reason, retryable = _failure("", found[2])
    own = _field(mail, "Message-ID") or event_hash(text)
    return ReceiptWord(provider=PROVIDER, event_id=event_hash(own, found[1].lower(), "failed"), verdict=Verdict.BOUNCED,
                       recipient=found[1], at=read_date(mail.get("Date"), now), attempt_id=attempt, reason=reason,
                       retryable=retryable, detail=short(f"failed {found[2]}"), raw=short(found[0], 2000))


def _field(message: Message, name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    text = str(make_header(decode_header(str(value)))) if "=?" in str(value) else str(value)
    return " ".join(text.split())


def _addresses(message: Message, name: str) -> tuple[str, ...]:
    return tuple(a.lower() for _, a in getaddresses([str(v) for v in message.get_all(name, [])]) if "@" in a)


def _address(field: str) -> str:
    """`rfc822;jane@x.example` → the address; also `RFC822; <jane@x.example>`, and without the type."""
    return field.rpartition(";")[2].strip().strip("<>").strip()


def _xtext(text: str) -> str:
    """Undo the xtext of servers that put ORCPT into the notification as they got it (RFC 3461, 5.2.1): only "+" and "=" need
    encoding in an address, so nothing else is touched. Most servers decode, and "clerk+2024@" must stay what it is."""
    return _XTEXT.sub(lambda m: chr(int(m[1], 16)), text)
