"""What makes an address worth a second look before letters go there."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from outreach.domain.addresses import is_freemail


class Flag(StrEnum):
    """One reason to look twice; its value is what the operator reads."""

    FREEMAIL = "a mailbox that anybody can open"
    MOBILE = "a mobile number"
    PRIVATE = "a private person"
    NO_SOURCE = "no source is named"
    ELSEWHERE = "the source is at another domain than the mailbox"


def flags(channel: str, value: str, *, kind: str, source_url: str, mobile: bool) -> tuple[Flag, ...]:
    """What speaks against an address: `value` is normalised, `kind` and `source_url` are its target's, `mobile` says whether the
    number is surely a mobile one. An address that has no flag is not thereby the right one."""
    found = []
    if channel == "email" and is_freemail(value):
        found.append(Flag.FREEMAIL)
    if mobile:
        found.append(Flag.MOBILE)
    if kind == "private":
        found.append(Flag.PRIVATE)
    if not source_url:
        found.append(Flag.NO_SOURCE)
    elif channel == "email" and Flag.FREEMAIL not in found and not _related(value.rpartition("@")[2], urlsplit(source_url).hostname or ""):
        found.append(Flag.ELSEWHERE)
    return tuple(found)


def _related(one: str, other: str) -> bool:
    """Whether one host is the other, or its parent, "www." aside; or whether they share more than strangers may (see `_SUFFIX`)."""
    a, b = (host.lower().removeprefix("www.").split(".") for host in (one, other))
    shared = 0
    while shared < min(len(a), len(b)) and a[-1 - shared] == b[-1 - shared]:
        shared += 1
    return shared == min(len(a), len(b)) or shared > _SUFFIX


_SUFFIX = 2
"""Labels that strangers may share, as in co.uk; three in common are one organization's."""
