"""Variable envelope return paths: each attempt has its own bounce address, with a short MAC so that nobody can make one up."""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from functools import lru_cache
from hashlib import sha256

_SHAPE = re.compile(r"\+b-([0-9a-z]{1,40})-([a-z2-7]{8})$")
_MOST_LOCAL = 64  # RFC 5321, 4.5.3.1.1


def verp_address(mail_from: str, attempt_id: str, key: bytes) -> str:
    """`letters+b-ATTEMPT-MAC@domain` for letters@domain; `mail_from` itself where that would be too long a local part."""
    local, _, domain = mail_from.rpartition("@")
    made = f"{local}+b-{attempt_id}-{_mac(attempt_id, key)}"
    return f"{made}@{domain}" if len(made) <= _MOST_LOCAL else mail_from


def attempt_of_verp(address: str, key: bytes) -> str | None:
    """The attempt that a bounce address names, or None for any other address or a wrong MAC. Case does not matter."""
    found = _SHAPE.search(address.strip("<> ").rpartition("@")[0].lower())
    if found and hmac.compare_digest(found[2], _mac(found[1], key)):
        return found[1]
    return None


@lru_cache(maxsize=64)
def _mac(attempt_id: str, key: bytes) -> str:
    """Asked for twice for each mail: for the envelope's sender and for its id."""
    digest = hmac.digest(key, f"verp {attempt_id}".encode(), sha256)
    return b32encode(digest[:5]).decode().lower()
