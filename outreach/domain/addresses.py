"""E-mail addresses of targets and inboxes: one normal form, and which are worth a second look.

Stricter than RFC 5321 allows and looser than nobody uses: a dot-atom, an at sign, a domain with a dot. Supporters'
addresses are compared by `domain/dedupe.py`, which knows more about who is the same person; here an address is mailed to.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 254
"""RFC 5321 4.5.3.1.3 allows a path of 256 octets, two of which are its angle brackets."""
_LOCAL = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
_LABEL = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
_NAMED = re.compile(r"^.*<([^<>]+@[^<>]+)>$")

_FREE = frozenset("""126.com 163.com aol.com duck.com fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
googlemail.com hey.com hotmail.ca hotmail.com icloud.com laposte.net libero.it live.ca live.com mac.com mail.com mail.ru me.com msn.com
orange.fr outlook.com outlook.fr pm.me proton.me protonmail.com qq.com rediffmail.com rocketmail.com sympatico.ca t-online.de tuta.com
tutanota.com web.de yahoo.ca yahoo.com yandex.com yandex.ru ymail.com zoho.com""".split())
_FREE_ANYWHERE = ("hotmail.", "outlook.", "live.", "yahoo.", "gmx.")


def normal_address(text: str) -> str:
    """The address in lower case, its domain in IDNA's ASCII form. Idempotent.

    Raises ValueError whose text says what to write instead.
    """
    typed = unicodedata.normalize("NFC", text).strip()
    if named := _NAMED.match(typed):
        raise ValueError(f"{text!r} has a name in it; write only {named[1].strip()!r}")
    local, at, domain = typed.rpartition("@")
    if not at or not local or not domain:
        raise ValueError(f"{text!r} is not an e-mail address; write it like office@ministry.example")
    if "@" in local:
        raise ValueError(f"{text!r} has more than one @; give each address by itself")
    if not local.isascii():
        raise ValueError(f"{text!r} has letters before the @ that many mail servers refuse; give an address in plain letters")
    if len(local) > 64 or not _LOCAL.match(local):
        raise ValueError(f"{text!r} is not an e-mail address: {local!r} cannot stand before the @")
    normal = f"{local.lower()}@{_domain(text, domain)}"
    if len(normal) > LONGEST:
        raise ValueError(f"an e-mail address has at most {LONGEST} characters")
    return normal


def is_freemail(address: str) -> bool:
    """Whether a normalised address is at a provider where anybody gets a mailbox: seldom an office's."""
    domain = address.rpartition("@")[2]
    return domain in _FREE or domain.startswith(_FREE_ANYWHERE)


def _domain(text: str, domain: str) -> str:
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError as e:
        raise ValueError(f"{text!r}: {domain!r} is not a domain") from e
    labels = ascii_domain.split(".")
    if len(labels) < 2:
        raise ValueError(f"{text!r}: the domain {domain!r} has no dot; write it in full, like ministry.example")
    if len(ascii_domain) > 253 or not all(_LABEL.match(x) for x in labels) or labels[-1].isdigit():
        raise ValueError(f"{text!r}: {domain!r} is not a domain")
    return ascii_domain
