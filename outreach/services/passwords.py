"""Passwords: which are good enough, and how they are kept (Argon2id, RFC 9106)."""

from __future__ import annotations

import re
from functools import lru_cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from outreach.settings import get_settings

LEAST, MOST = 12, 200
"""Characters."""
_GOOD = 3
"""Of zxcvbn's scores 0 to 4: "safely unguessable", above 10^8 guesses."""
_REST = 8
"""Letters and digits that must be left when what everybody knows of somebody is taken away."""
_LOOKED_AT = 72
"""Characters whose strength is measured; the work grows with the square of the length."""
# OWASP's least for Argon2id: 19 MiB, two passes, one lane. More memory would let a few dozen logins at once fill a small machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_AT_ONCE = BoundedSemaphore(4)


def weakness(password: str, *, about: tuple[str, ...]) -> str:
    """Why a password is not good enough and what to do, or "". `about` is what a guesser knows: address, name."""
    if len(password) < LEAST:
        return f"Too short: it has {len(password)} characters and needs at least {LEAST}. Three or four words that have nothing to do " \
               "with each other are easy to remember."
    if len(password) > MOST:
        return f"Too long: at most {MOST} characters."
    from zxcvbn import zxcvbn  # its word lists take a tenth of a second to load

    words = [w for text in (*about, get_settings().operator_name, "outreach") for w in (text, *re.split(r"\W+", text)) if len(w) > 2]
    rest = password.lower()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word.lower(), "")
    if sum(map(str.isalnum, rest)) < _REST:  # zxcvbn counts each such word as a guess of its own
        return "Most of it is your name, your address or this service’s name. Take words that have nothing to do with you."
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=words)
    if found["score"] >= _GOOD:
        return ""
    why = found["feedback"]["warning"] or "It is easy to guess."
    return " ".join([why, *found["feedback"]["suggestions"]])


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether a password is the one that is kept. Where none is kept, the answer is no and takes as long."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept or _decoy(), password[:MOST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Whether it was hashed with less work than today's."""
    return _HASHER.check_needs_rehash(kept)


@lru_cache(maxsize=1)
def _decoy() -> str:
    return _HASHER.hash("nobody has this password")
