"""Who may do what at the desk and through the API: rights, and the roles that hold them."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class Right(StrEnum):
    """One thing that can be allowed. The names are the API's scopes."""

    SEE = "see"
    """Figures, states, pace and forecast; no supporter's data."""
    READ = "read"
    """Letters and submissions with what supporters wrote of themselves."""
    MODERATE = "moderate"
    """Approve and reject held letters."""
    STEER = "steer"
    """Limits, pauses, stop, retries, what becomes of letters whose outcome is not known."""
    SUBMIT = "submit"
    """Write in people's names: pass letters on that supporters wrote on another site."""
    EDIT = "edit"
    """The campaign's content, and publishing it."""
    EXPORT = "export"
    """Take letters, submissions and receipts away as files."""
    MANAGE = "manage"
    """Members, API tokens, webhooks, the campaign's audit log."""
    OPERATE = "operate"
    """The service as a whole: ceilings, blocks, proposed addresses, reports, suspension. No role in a campaign holds it."""


class Role(StrEnum):
    """What somebody is in one campaign."""

    OWNER = "owner"
    ORGANIZER = "organizer"
    MODERATOR = "moderator"
    VIEWER = "viewer"


_VIEWER = frozenset({Right.SEE})
_MODERATOR = _VIEWER | {Right.READ, Right.MODERATE}
_ORGANIZER = _MODERATOR | {Right.STEER, Right.SUBMIT, Right.EDIT, Right.EXPORT}
RIGHTS: MappingProxyType[Role, frozenset[Right]] = MappingProxyType({
    Role.VIEWER: _VIEWER, Role.MODERATOR: _MODERATOR, Role.ORGANIZER: _ORGANIZER, Role.OWNER: _ORGANIZER | {Right.MANAGE}})
"""What each role may do in its campaign."""

ALL = frozenset(Right)
"""The operator's."""
