"""The sandbox's magic addresses and numbers: what each one makes happen. The one table for code, pages and docs."""

from __future__ import annotations

from dataclasses import dataclass

from outreach.sandbox.line import Fault

MAIL: dict[str, str] = {
    "bounce": "accepted, then a bounce: no such mailbox (5.1.1)",
    "refuse": "refused at RCPT: no such mailbox (550 5.1.1)",
    "full": "refused at RCPT: mailbox full (552 5.2.2)",
    "defer": "asked to come back (451 4.3.0) the first two times for each mail, then accepted",
    "slow": "answers after three seconds",
    "drop": "kept, but the connection is closed without an answer to the final dot",
    "quiet": "accepted; no delivery notification ever comes",
}
"""By local part, with or without a +tag: what the mail server and the SendGrid-shaped server do."""


@dataclass(frozen=True, slots=True)
class Number:
    fault: Fault
    what: str


FAX: dict[str, Number] = {
    "0171": Number(Fault.BUSY, "the line is busy"),
    "0172": Number(Fault.NO_ANSWER, "nobody answers"),
    "0173": Number(Fault.VOICE, "a person answers, not a machine"),
    "0174": Number(Fault.DROP, "the line drops in the middle of a page"),
    "0175": Number(Fault.NOISE, "a noisy line: parts of pages are sent again, all arrives in the end"),
    "0176": Number(Fault.BUSY_TWICE, "busy twice, then fine"),
    "0177": Number(Fault.SLOW, "fine, but the call takes three seconds"),
}
"""By the number's last four digits; every other number is answered by a fax machine that works."""


def mail_magic(address: str) -> str:
    """The magic word of an address, or an empty string: `bounce+x@office.example` → `bounce`."""
    word = address.rpartition("@")[0].partition("+")[0].lower()
    return word if word in MAIL else ""


def fax_fault(number: str) -> Fault:
    found = FAX.get(number[-4:])
    return found.fault if found else Fault.NONE
