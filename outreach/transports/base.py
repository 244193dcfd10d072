"""The contract between the core and whatever hands letters to a provider. The outcome is a value, and there are exactly four.

A transport never touches the database, never retries, and sets time-outs on everything. It must sort each failure:

- nothing was handed over and nothing can have been (no connection, the session is gone before this letter), or the provider's answer
  is about us and not about the letter (credentials, too many requests) → `NotStarted`
- the provider said no, or "later" → `Refused`, permanent or not
- the provider said yes → `Accepted`
- the body went out and no clear answer came → `Unknown`: it may have been sent, so it is never retried by itself
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, TypeAlias, TypedDict

from outreach.domain.letters import Channel, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name (may be empty, any Unicode) and an address."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One e-mail, channel-neutral. Text fields may hold any Unicode but no control characters except newlines in bodies."""

    attempt_id: str
    message_id: str
    """Without angle brackets. The letter's own: the same on every attempt."""
    envelope_from: str
    """RFC 5321 reverse-path; its VERP form where that is on."""
    sender: Mailbox
    to: Mailbox
    subject: str
    text: str
    html: str
    date: datetime
    reply_to: Mailbox | None = None
    cc: str | None = None
    """The campaign's inbox, shown in Cc. None when there is none or its copy has gone already."""
    headers: tuple[tuple[str, str], ...] = ()
    """More header fields, e.g. Auto-Submitted; ASCII."""
    attachments: tuple[Attachment, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class OutgoingFax:
    """One fax, rendered lazily: a provider that fetches the media itself needs no bytes at hand-over."""

    attempt_id: str
    to: str
    """+E.164"""
    sender: str
    """The number the call is made from, +E.164"""
    media_url: str
    """Signed, short-lived, ours."""
    callback_url: str
    """Where status callbacks go; names the attempt."""
    ttl_minutes: int
    pdf: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took responsibility. `copy_refused` says that it did so for the target, but not for the Cc."""

    provider_ref: str
    copy_refused: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no. `permanent` means that the same letter to the same address would be refused again."""

    reason: Reason
    permanent: bool
    detail: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The body went out and no answer came: it may have been sent. Never retried by itself."""

    why: str


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Not a byte of this letter's body left us, or the provider would not have it. `down` means the provider cannot be used now, `auth`
    that it refuses us, `limited` that we ask more of it than it takes: about any letter it would have said the same."""

    why: str
    down: bool = True
    auth: bool = False
    limited: bool = False
    retry_after: timedelta | None = None


Outcome: TypeAlias = Accepted | Refused | Unknown | NotStarted


@dataclass(frozen=True, slots=True)
class ReceiptWord:
    """One thing a provider said, in our words. At least one of `attempt_id`, `provider_ref`, `message_id` should be set."""

    provider: str
    event_id: str
    """The provider's own, else a hash made by `event_hash`. Unique within the provider."""
    verdict: Verdict | None
    """ACCEPTED, DELIVERED, BOUNCED or REFUSED; None when it only informs."""
    recipient: str
    """The address it speaks of; a copy's receipt does not count for the letter."""
    at: datetime
    attempt_id: str | None = None
    provider_ref: str | None = None
    message_id: str | None = None
    reason: Reason | None = None
    retryable: bool = False
    pages: int | None = None
    detail: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A webhook as it came in: the public URL it was sent to, header names in lower case, the raw body."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


class MailSession(Protocol):
    """One kept connection to a mail provider. Not thread-safe.

    A session may have `hand_over_many` too: an outcome for each message, in order. It may pull messages before their turn,
    but asks `check` right before one's text leaves (what that returns is then the outcome), and nothing of a text leaves
    before the message in front has its outcome.
    """

    def hand_over(self, mail: OutgoingMail) -> Outcome: ...


class FaxSession(Protocol):
    """One kept connection to a fax provider. Not thread-safe."""

    def hand_over(self, fax: OutgoingFax) -> Outcome: ...


def each(session: Any, messages: Iterable[Any], check: Callable[[Any], NotStarted | None]) -> Iterator[Outcome]:
    """Hand over one message after another, together where the session can; see `MailSession`."""
    if hasattr(session, "hand_over_many"):
        yield from session.hand_over_many(messages, check)
    else:
        for message in messages:
            yield check(message) or session.hand_over(message)


class MailTransport(Protocol):
    name: ClassVar[str]
    channel: ClassVar[Channel]

    def connect(self) -> AbstractContextManager[MailSession]:
        """Raises TransportDown when no connection can be made or our credentials are refused; nothing was handed over."""


class FaxTransport(Protocol):
    name: ClassVar[str]
    channel: ClassVar[Channel]

    def connect(self) -> AbstractContextManager[FaxSession]:
        """Raises TransportDown as above."""

    def poll(self, provider_ref: str) -> ReceiptWord | None:
        """What the provider now says about one fax; None when it is still under way or not known there.

        Raises TransportDown when it cannot be asked just now.
        """

    def find(self, to: str, since: datetime) -> list[FoundFax]:
        """All faxes to a number that the provider took at or after `since` (aware), oldest first: absence counts.

        Raises TransportDown when it cannot be asked, or what it lists is not certainly complete.
        """

    def cancel(self, provider_ref: str) -> bool:
        """Whether the provider confirms that this fax is cancelled; False when it is too late or not certain yet.

        Raises TransportDown when it cannot be asked just now.
        """


def event_hash(*parts: object) -> str:
    """An event id for providers that have none: the same words give the same id, so that a repeat is seen as one.

    By custom the parts are provider, provider's ref, recipient, status, error.
    """
    return hashlib.sha256("\0".join(str(p) for p in parts).encode(errors="replace")).hexdigest()[:40]


class FoundFax(TypedDict):
    """One fax that the provider lists for a number; used to find out what became of an unknown hand-over."""

    provider_ref: str
    created_at: datetime
    attempt_id: str | None
    """Our id where the provider lists it."""
    word: ReceiptWord | None
    """What it says of the fax now; None when it is not through yet."""


def short(text: object, most: int = 200) -> str:
    """A provider's answer on one printable line, at most `most` characters."""
    said = str(text)
    line = " ".join((said if said.isprintable() else "".join(c if c.isprintable() else " " for c in said)).split())
    return line if len(line) <= most else line[:most - 1] + "…"
