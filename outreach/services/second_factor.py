"""The second factor: codes of an authenticator app (RFC 6238), and ten recovery codes for when it is lost.

The app's key is kept encrypted and bound to its organizer; a time step is accepted once, and none before it. Of recovery codes
only keyed hashes are kept.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, delete, insert, update

from outreach import tokens
from outreach.models import Organizer, RecoveryCode, table
from outreach.settings import get_settings

_ORGANIZERS, _CODES = table(Organizer), table(RecoveryCode)
STEP = 30
"""Seconds that a code stands for."""
DRIFT = 1
"""Steps that a telephone's clock may be off, either way."""
DIGITS = 6
CODES = 10
PENDING = timedelta(minutes=30)
"""How long a key that is offered may wait for its first code."""
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Without letters and digits that look alike on paper."""


def new_key() -> str:
    """A fresh key as authenticator apps want it: 160 bits in base 32."""
    return pyotp.random_base32(32)


def address(key: str, email: str) -> str:
    """The otpauth: address of a key, which its QR code holds."""
    return pyotp.TOTP(key, interval=STEP, digits=DIGITS).provisioning_uri(
        name=email, issuer_name=get_settings().operator_name or "Outreach")


def sealed(organizer_id: int, key: str, *, now: datetime) -> bytes:
    """A key as it is kept."""
    return _box().encrypt_at_time(f"{organizer_id}:{key}".encode(), int(now.timestamp()))


def opened(organizer_id: int, kept: bytes | str, *, now: datetime | None = None) -> str | None:
    """The key of this organizer; None if it is another's or not ours, or (with `now`) was sealed longer than `PENDING` ago."""
    try:
        text = (_box().decrypt(kept) if now is None else
                _box().decrypt_at_time(kept, int(PENDING.total_seconds()), int(now.timestamp()))).decode()
    except (InvalidToken, ValueError):
        return None
    whose, _, key = text.partition(":")
    return key if whose == str(organizer_id) else None


def step_of(key: str, code: str, now: datetime, after: int) -> int | None:
    """The time step, later than `after`, whose code this is; None if there is none within the clock's drift."""
    app, this = pyotp.TOTP(key, interval=STEP, digits=DIGITS), int(now.timestamp()) // STEP
    given = digits_of(code)
    # All are computed and compared in constant time, so that the answer's time tells nothing.
    fits = [step for step in range(this - DRIFT, this + DRIFT + 1)
            if secrets.compare_digest(app.generate_otp(step), given) and step > after]
    return fits[0] if fits else None


def digits_of(code: str) -> str:
    """A code as typed, without spaces and hyphens; "" unless it is six digits."""
    plain = re.sub(r"[\s-]+", "", code)
    return plain if len(plain) == DIGITS and plain.isascii() and plain.isdigit() else ""


def take_step(c: Connection, organizer_id: int, step: int) -> bool:
    """Use up a time step. False if it, or a later one, has been used: somebody else was faster with the same code."""
    return c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == organizer_id, _ORGANIZERS.c.totp_step < step)
                     .values(totp_step=step)).rowcount == 1


def new_codes(c: Connection, organizer_id: int) -> list[str]:
    """Ten fresh recovery codes in place of all earlier ones; they can be shown only now."""
    codes = ["-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(2)) for _ in range(CODES)]
    c.execute(delete(_CODES).where(_CODES.c.organizer_id == organizer_id))
    c.execute(insert(_CODES), [{"organizer_id": organizer_id, "code_hash": _hash(organizer_id, code)} for code in codes])
    return codes


def take_code(c: Connection, organizer_id: int, code: str, now: datetime) -> bool:
    """Use up a recovery code. False if it is none, or was used before."""
    return c.execute(update(_CODES).where(_CODES.c.organizer_id == organizer_id, _CODES.c.code_hash == _hash(organizer_id, code),
                                          _CODES.c.used_at.is_(None)).values(used_at=now)).rowcount == 1


def forget(c: Connection, organizer_id: int) -> None:
    """Drop key and codes: the second factor has to be set up anew. The last step stays, so that none comes twice."""
    c.execute(delete(_CODES).where(_CODES.c.organizer_id == organizer_id))
    c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == organizer_id).values(totp_key=None))


def _hash(organizer_id: int, code: str) -> str:
    plain = re.sub(r"[\s-]+", "", code).lower()
    return tokens.mac("recovery", f"{organizer_id}:{plain}", length=32)


def _box() -> Fernet:
    return Fernet(urlsafe_b64encode(tokens.key("second factor")))
