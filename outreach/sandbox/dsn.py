"""Delivery status notifications: what a sender may ask for (RFC 3461) and the report it gets (RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.generator import BytesGenerator
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, make_msgid
from io import BytesIO

HOST = "sandbox.example"
LONGEST_ENVID = 100
"""Characters, as xtext (RFC 3461, 4.4)."""

_PATH = re.compile(r'^(\s*(?:FROM|TO)\s*:\s*<(?:"(?:\\.|[^"\\])*"|[^">])*>)(.*)$', re.IGNORECASE | re.DOTALL)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_WORDS = frozenset({"SUCCESS", "FAILURE", "DELAY"})


def split_parameters(argument: str, names: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Take the parameters called `names` out of the argument of MAIL or RCPT.

    Returns what is left and the parameters. Raises ValueError for one that comes twice or without a value.
    """
    if not (match := _PATH.match(argument)):
        return argument, {}
    kept, taken = [match[1]], {}
    for word in match[2].split():
        name, _, value = word.partition("=")
        if (name := name.upper()) not in names:
            kept.append(word)
        elif not value or name in taken:
            raise ValueError(f"{name} needs one value")
        else:
            taken[name] = value
    return " ".join(kept), taken


def xtext(value: str) -> str:
    """Decode xtext (RFC 3461, 4): `+2B` is a plus sign. Raises ValueError."""
    if not _XTEXT.fullmatch(value):
        raise ValueError("not xtext")
    return re.sub(r"\+([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), value)


@dataclass(frozen=True, slots=True)
class MailWish:
    """What MAIL asked for. `envid` is decoded."""

    envid: str = ""
    full: bool = False

    @classmethod
    def of(cls, given: Mapping[str, str]) -> MailWish:
        """Raises ValueError with the text of a 501 reply."""
        ret = given.get("RET", "HDRS").upper()
        if ret not in ("FULL", "HDRS"):
            raise ValueError("RET is FULL or HDRS")
        envid = given.get("ENVID", "")
        if len(envid) > LONGEST_ENVID:
            raise ValueError(f"ENVID is longer than {LONGEST_ENVID} characters")
        return cls(xtext(envid) if envid else "", ret == "FULL")


@dataclass(frozen=True, slots=True)
class RecipientWish:
    """What RCPT asked for. `notify` None means nothing was said: failures only."""

    notify: frozenset[str] | None = None
    orcpt: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> RecipientWish:
        """Raises ValueError with the text of a 501 reply."""
        notify = None
        if "NOTIFY" in given:
            notify = frozenset(given["NOTIFY"].upper().split(","))
            if notify == {"NEVER"}:
                notify = frozenset()
            elif not notify <= _WORDS:
                raise ValueError("NOTIFY is NEVER or a list of SUCCESS, FAILURE, DELAY")
        orcpt = ""
        if "ORCPT" in given:
            kind, semicolon, address = given["ORCPT"].partition(";")
            if not kind or not semicolon:
                raise ValueError("ORCPT is address type, semicolon, xtext")
            orcpt = f"{kind};{xtext(address)}"
        return cls(notify, orcpt)

    def wants(self, word: str) -> bool:
        return word == "FAILURE" if self.notify is None else word in self.notify


@dataclass(frozen=True, slots=True)
class Report:
    """One recipient's fate. `status` is an enhanced code such as 5.1.1 (RFC 3463)."""

    sender: str
    recipient: str
    mail: MailWish
    wish: RecipientWish
    content: bytes
    arrived: datetime
    at: datetime
    delivered: bool
    status: str
    diagnostic: str

    def __bytes__(self) -> bytes:
        report = MIMEMultipart("report", report_type="delivery-status")
        report["Return-Path"] = "<>"
        report["Delivered-To"] = self.sender
        report["From"] = f"Mail delivery <mailer-daemon@{HOST}>"
        report["To"] = self.sender
        report["Subject"] = "Delivered" if self.delivered else "Not delivered"
        report["Date"] = format_datetime(self.at)
        report["Message-ID"] = make_msgid(domain=HOST)
        report["Auto-Submitted"] = "auto-replied"
        said = "was put into its mailbox" if self.delivered else f"could not be delivered: {self.diagnostic}"
        report.attach(MIMEText(f"Your mail to {self.recipient} {said}.\n", "plain", "utf-8"))
        report.attach(self._status())
        report.attach(self._original())
        out = BytesIO()
        BytesGenerator(out, policy=compat32.clone(linesep="\n", max_line_length=None)).flatten(report)
        return out.getvalue()

    def _status(self) -> MIMEBase:
        whole, one = Message(), Message()
        whole["Reporting-MTA"] = f"dns; {HOST}"
        if self.mail.envid:
            whole["Original-Envelope-Id"] = self.mail.envid
        whole["Arrival-Date"] = format_datetime(self.arrived)
        if self.wish.orcpt:
            one["Original-Recipient"] = self.wish.orcpt
        one["Final-Recipient"] = _typed(self.recipient)
        one["Action"] = "delivered" if self.delivered else "failed"
        one["Status"] = self.status
        if self.diagnostic:
            one["Diagnostic-Code"] = f"smtp; {self.diagnostic}"
        one["Last-Attempt-Date"] = format_datetime(self.at)
        part = MIMEBase("message", "delivery-status")
        part.set_payload([whole, one])
        return part

    def _original(self) -> Message:
        if self.mail.full and not self.delivered:
            return MIMEMessage(message_from_bytes(self.content))
        head = re.split(rb"\r?\n\r?\n", self.content, maxsplit=1)[0].replace(b"\r\n", b"\n").decode("utf-8", "replace") + "\n"
        return MIMEText(head, "rfc822-headers", "us-ascii" if head.isascii() else "utf-8")


def _typed(address: str) -> str:
    """An address with its type; one that is not ASCII in the escaped form of RFC 6533, 3."""
    if address.isascii():
        return f"rfc822; {address}"
    return "utf-8; " + "".join(c if "!" <= c <= "~" and c not in "+=\\" else f"\\x{{{ord(c):02X}}}" for c in address)
