"""How much one network may send and have drawn in an hour, kept as a keyed hash for a day.

Loopback is not counted: whoever sits on the machine is the operator, and a proxy on it must pass on whom it speaks for.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete

from outreach import tokens
from outreach.db import dialect_insert
from outreach.errors import FormInvalid, OutreachError
from outreach.models import NetworkUse, table
from outreach.queries import submissions
from outreach.services import forms
from outreach.services.forms import FormInput
from outreach.settings import get_settings

_USE = table(NetworkUse)
WORK_BITS = 16
"""Leading zero bits of SHA-256 that earn the higher allowance: a tenth of a second or so in a browser."""
EARNED = 4
SLOT = 5
"""Minutes; the hour that is looked at ends with the slot under way."""
UNKNOWN = "unknown"
"""The one network of all addresses that cannot be read."""


class TooMany(OutreachError):
    """A network has spent an allowance. `retry_after` is in seconds, by when all of it has come back."""

    retry_after = 3600


def prefix(address: str | None) -> str | None:
    """The network prefix of a client's address, /24 or /48; UNKNOWN for what is no address; None for loopback and where no client is."""
    if address is None:
        return None
    try:
        ip = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return None
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False))


def hash_of(address: str | None) -> str | None:
    """The keyed hash of a client's network prefix, which is all that is kept of it."""
    network = prefix(address)
    return tokens.mac("network", network, length=32) if network else None


def work_done(token: str, proof: str) -> bool:
    """Whether `proof` makes SHA-256(token + ":" + proof) start with enough zero bits."""
    digest = hashlib.sha256(f"{token}:{proof}".encode(errors="replace")).digest()
    return bool(proof) and len(proof) <= 32 and int.from_bytes(digest[:4], "big") >> (32 - WORK_BITS) == 0


def spend(c: Connection, network: str | None, form: FormInput, now: datetime) -> None:
    """Count one form of this network in this transaction. Raises FormInvalid when its allowance is spent."""
    if network is None:
        return
    settings = get_settings()
    allowance = settings.max_per_network
    if settings.proof_of_work == "on" and work_done(form.token, form.proof):
        allowance *= EARNED
    if not _spend(c, network, allowance, now):
        raise FormInvalid({"": forms.THROTTLED})


def spend_for(c: Connection, network: str | None, what: str, allowance: int, now: datetime) -> bool:
    """Count one use of `what` by a client's address, `allowance` an hour apart from forms; True for the first in an hour. Raises TooMany
    when it is spent."""
    known = prefix(network)
    if known is None:
        return False
    used = tokens.mac("network", f"{known} {what}", length=32)
    first = submissions.forms_of_network(c, used, _slot(now) - timedelta(hours=1)) == 0
    if not _spend(c, used, allowance, now):
        raise TooMany(f"more than {allowance} of {what} an hour from one network")
    return first


def _spend(c: Connection, network: str, allowance: int, now: datetime) -> bool:
    slot = _slot(now)
    if submissions.forms_of_network(c, network, slot - timedelta(hours=1)) >= allowance:
        return False
    row = dialect_insert(c, _USE).values(network=network, since=slot, n=1)
    c.execute(row.on_conflict_do_update(index_elements=["network", "since"], set_={"n": _USE.c.n + 1}))
    return True


def _slot(now: datetime) -> datetime:
    return now.replace(minute=now.minute - now.minute % SLOT, second=0, microsecond=0)


def forget(c: Connection, now: datetime) -> None:
    """Drop what is older than a day."""
    c.execute(delete(_USE).where(_USE.c.since < now - timedelta(days=1)))
