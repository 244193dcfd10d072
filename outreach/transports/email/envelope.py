"""What a mail server is told before the text, and what its refusal means (RFC 5321; delivery reports RFC 3461)."""

from __future__ import annotations

import re
import smtplib

from outreach.domain.letters import Reason
from outreach.transports.base import NotStarted, OutgoingMail, Refused
from outreach.transports.email.message import ascii_address, needs_smtputf8
from outreach.transports.email.smtp_server import said
from outreach.transports.email.status import Stage, meaning

DATA = b"DATA\r\n"
_RELAY = re.compile(r"\brelay(?:ing)? (?:access )?(?:denied|not permitted|not allowed|prohibited)|unable to relay", re.IGNORECASE)
_XCHAR = re.compile(r"[!-*,-<>-~]*")


def envelope_lines(smtp: smtplib.SMTP, mail: OutgoingMail, size: int, envid: str) -> list[bytes]:
    """MAIL for the sender, RCPT for the target, RCPT for the inbox. Only the target's delivery is reported on.

    Raises ValueError for an address that cannot be written to this server.
    """
    dsn = smtp.has_extn("dsn")
    wide = smtp.has_extn("smtputf8") and needs_smtputf8(mail)
    sender, target = ascii_address(mail.envelope_from, smtputf8=wide), ascii_address(mail.to.address, smtputf8=wide)
    words = f"MAIL FROM:<{sender}>"
    if smtp.has_extn("size"):
        words += f" SIZE={size}"
    if dsn:
        words += f" RET=HDRS ENVID={_xtext(envid)}"
    if wide:
        words += " BODY=8BITMIME SMTPUTF8"
    lines = [words, f"RCPT TO:<{target}>"]
    if dsn:
        lines[1] += " NOTIFY=SUCCESS,FAILURE,DELAY"
        if target.isascii():
            lines[1] += f" ORCPT=rfc822;{_xtext(target)}"
    if mail.cc and (copy := ascii_address(mail.cc, smtputf8=wide)).lower() != target.lower():
        lines.append(f"RCPT TO:<{copy}>" + (" NOTIFY=NEVER" if dsn else ""))
    return [f"{line}\r\n".encode() for line in lines]


def refusal(code: int, text: bytes, stage: Stage) -> Refused | NotStarted:
    """What an answer of 400 or more says of the mail, or of us."""
    answer = said(code, text)
    relay = code >= 500 and _RELAY.search(answer)
    if stage != "data" and (code in (530, 535, 538) or (relay and stage == "mail")):
        return NotStarted(answer, auth=True)
    if relay and stage == "rcpt":  # the last server of this address does not know its domain; other letters may well go
        return Refused(Reason.REFUSED, permanent=True, detail=answer)
    reason, permanent = meaning(code, answer, stage)
    return Refused(reason, permanent=permanent, detail=answer)


def _xtext(text: str) -> str:
    """RFC 3461, 4: everything but printable ASCII without "+" and "=" as +HH."""
    if _XCHAR.fullmatch(text):
        return text
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
