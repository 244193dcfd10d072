"""Who is the same person: a normal form of e-mail addresses, and a keyed fingerprint of it.

One person, one target, one letter, whichever channel. The fingerprint's key belongs to the campaign and is destroyed
when the campaign is scrubbed, after which no fingerprint can be tied to an address again.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

DOT_BLIND = frozenset({"gmail.com"})
"""Providers for which dots in the local part mean nothing (Google: "Dots don't matter in Gmail addresses")."""

SAME_DOMAIN = {"googlemail.com": "gmail.com", "pm.me": "proton.me", "protonmail.com": "proton.me", "ya.ru": "yandex.ru",
               "yandex.com": "yandex.ru"}
MINUS_TAGGED = frozenset({"yahoo.com", "ymail.com", "rocketmail.com"})
"""Providers whose disposable addresses are written base-word@."""


def normal_email(address: str) -> str:
    """The form in which two spellings of one mailbox are equal: NFKC, lower case, IDNA domain, no tags.

    Idempotent. Only for comparing: mail always goes to the address as typed. Raises ValueError if there is no local part
    or no domain.
    """
    text = unicodedata.normalize("NFKC", address).strip().casefold()
    text = unicodedata.normalize("NFKC", text)
    local, at, domain = text.rpartition("@")
    domain = domain.rstrip(".")
    if not at or not local or not domain:
        raise ValueError("not an e-mail address")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        pass  # an odd domain is compared as it is written; whether it exists is not decided here
    domain = SAME_DOMAIN.get(domain, domain)
    tagless = local.split("+", 1)[0] or local
    if domain in MINUS_TAGGED:
        tagless = tagless.split("-", 1)[0] or tagless
    if domain in DOT_BLIND:
        tagless = tagless.replace(".", "") or tagless
    return f"{tagless}@{domain}"


def fingerprint(key: bytes, email: str) -> str:
    """HMAC-SHA-256 of the normal form under the campaign's key, its first 128 bits in hex."""
    return hmac.new(key, normal_email(email).encode(), hashlib.sha256).hexdigest()[:32]


def mailbox_hash(key: bytes, email: str) -> str:
    """The same under the service's key: for caps and "never mail me again" that reach over campaigns."""
    return fingerprint(hashlib.sha256(b"mailbox" + key).digest(), email)
