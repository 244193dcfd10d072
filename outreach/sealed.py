"""Secrets that the service has to read again (a second factor's key, a webhook's): encrypted with keys derived from its own secret."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from outreach.settings import SettingsInvalid
from outreach.tokens import key


@lru_cache(maxsize=8)
def _box(purpose: str, secret: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(secret))


def seal(purpose: str, secret: bytes) -> bytes:
    """`secret`, encrypted for this purpose."""
    return _box(purpose, key(f"sealed {purpose}")).encrypt(secret)


def open_sealed(purpose: str, sealed: bytes) -> bytes:
    """What was sealed for this purpose. Raises SettingsInvalid when the service's secret key is not the one it was sealed with."""
    try:
        return _box(purpose, key(f"sealed {purpose}")).decrypt(sealed)
    except InvalidToken as e:
        raise SettingsInvalid("this was encrypted with another OUTREACH_SECRET_KEY; set that one, or set the secret up anew") from e
