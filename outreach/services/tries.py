"""How often somebody may try to get in: exact counts of what was tried within a time, as keyed hashes, for a day.

A stranger's tries at an account are counted together, whatever network they come from; a browser that has signed in to it
before is counted by itself, so that strangers who spend the account's tries do not lock its owner out. What is refused is
not counted: a wait is never longer than the time in which the tries were made.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from outreach import tokens
from outreach.db import dialect_insert
from outreach.errors import Forged, OutreachError
from outreach.models import NetworkUse, table
from outreach.queries import notices, people
from outreach.services import throttle

_USE = table(NetworkUse)


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tries within any such time (to the minute)."""

    tries: int
    within: timedelta


PASSWORD = Allowance(10, timedelta(minutes=15))
"""Tries at one account's password."""
CODE = Allowance(5, timedelta(minutes=15))
"""Tries at the second factor, by somebody who knows the password."""
CODE_A_DAY = Allowance(30, timedelta(hours=23))
NETWORK = Allowance(100, timedelta(minutes=15))
"""Tries at any account from one network prefix: an office shares one."""
RESET = Allowance(3, timedelta(hours=1))
"""Mails with a link to a new password that one account is sent."""
RESET_NETWORK = Allowance(20, timedelta(hours=1))
INVITED = Allowance(30, timedelta(hours=23))
"""Invitations that one organizer may send."""


class TooManyTries(OutreachError):
    """An allowance is spent; `minutes` until tries count no more."""

    def __init__(self, minutes: int) -> None:
        super().__init__(f"Too many tries. Wait {minutes} minutes, then try again.")
        self.minutes = minutes


def spend(c: Connection, what: str, whose: str, allowance: Allowance, now: datetime) -> None:
    """Count one try in this transaction. Raises TooManyTries, which must undo it."""
    key = tokens.mac("tries", f"{what}:{whose}", length=32)
    minute = now.replace(second=0, microsecond=0)
    notices.lock_mailbox(c, key)  # no two take the last try together
    row = dialect_insert(c, _USE).values(network=key, since=minute, n=1)
    c.execute(row.on_conflict_do_update(index_elements=["network", "since"], set_={"n": _USE.c.n + 1}))
    if people.tries(c, key, now - allowance.within) > allowance.tries:
        raise TooManyTries(int(allowance.within.total_seconds() // 60))


def spend_network(c: Connection, what: str, address: str | None, allowance: Allowance, now: datetime) -> None:
    """The same for the network that a client's address belongs to; loopback is not counted."""
    if network := throttle.prefix(address):
        spend(c, f"{what} from", network, allowance, now)


def new_mark(email: str) -> str:
    """What a browser keeps that has signed in to this account."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{tokens.mac('known browser', f'{email}:{nonce}')}"


def whose_tries(email: str, mark: str) -> str:
    """Under which name tries at this account are counted: the browser's own if it has a mark of it, else all strangers'."""
    nonce, _, given = mark.partition(".")
    try:
        tokens.check("known browser", f"{email}:{nonce}", given)
    except Forged:
        return email
    return f"{email}:{nonce}"
