"""The error tree. Whatever a person can mend is an `OutreachError` whose text says what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


class OutreachError(Exception):
    """Base of all errors that are ours; the CLI prints its text and exits 1, the web shows it on an error page."""


class NotFound(OutreachError):
    """No campaign, submission or letter of that name or token."""


class Conflict(OutreachError):
    """The thing exists but is in a state that does not allow what was asked."""


class NotAllowed(OutreachError):
    """The operator's or the campaign's rules forbid it (address blocked, country, ceiling)."""


class BadTransition(OutreachError):
    """A letter was asked to make a move that the table in `domain/letters.py` does not have. Always a defect of ours."""


class Forged(OutreachError):
    """A webhook without a valid signature. Answered 401; nothing of it is stored."""


class Malformed(OutreachError):
    """A request or message that cannot be read. Answered 400; nothing of it is stored."""


class TransportDown(OutreachError):
    """No connection to the provider could be made, or it refuses our credentials. Nothing was handed over.

    `auth` tells that the credentials were refused, which waiting does not mend."""

    def __init__(self, message: str, *, auth: bool = False) -> None:
        super().__init__(message)
        self.auth = auth


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a campaign file: where it stands and what to do. `line` counts from 1, None if unknown."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class CampaignFileInvalid(OutreachError):
    """A campaign file has mistakes; all of them are listed, not just the first."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(m) for m in mistakes))
        self.mistakes = mistakes


class FormInvalid(OutreachError):
    """A submitted form has mistakes: field name to message id (a gettext message, ready to be translated)."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(f"{k}: {v}" for k, v in errors.items()))
        self.errors = errors
