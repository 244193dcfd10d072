"""The mails of one call to a session: what is to be written for each, and how far that has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from outreach.transports.base import OutgoingMail
from outreach.transports.email.wire import Wire


@dataclass(slots=True)
class Turn:
    """One mail of a window: what is to be written for it on the connection `wire`."""

    mail: OutgoingMail
    wire: Wire | None = None
    envelope: list[bytes] = field(default_factory=list)
    text: bytes = b""
    """Dot-stuffed, up to its final dot."""
    asked: bool = False
    """Whether the envelope has been written, and is to be answered next."""


class Window:
    """The mails of one call, pulled as late as their bytes are needed."""

    def __init__(self, mails: Iterator[OutgoingMail]) -> None:
        self._mails = mails
        self._turns: deque[Turn] = deque()

    def next(self) -> Turn | None:
        """The mail whose turn it is."""
        return self._turns.popleft() if self.peek() else None

    def peek(self, place: int = 0) -> Turn | None:
        """The mail that will be next, or that stands so many places behind it."""
        while len(self._turns) <= place:
            mail = next(self._mails, None)
            if mail is None:
                return None
            self._turns.append(Turn(mail))
        return self._turns[place]

    @property
    def asked(self) -> bool:
        """Whether the next mail's envelope has been written already."""
        return bool(self._turns) and self._turns[0].asked

    def forget(self) -> None:
        """The connection is gone, and what had been asked on it."""
        for turn in self._turns:
            turn.asked = False
