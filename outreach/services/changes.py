"""What becomes of letters that wait when their campaign changes: what was submitted is frozen, so the organizer chooses.

They are sent as they were written, their writers are asked again (the letters keep their places in line), or they are cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, update

from outreach.domain.campaign import CampaignSpec, LetterText
from outreach.domain.letters import Reason, State
from outreach.models import Submission, table
from outreach.queries import campaigns as queries
from outreach.services import moves

_SUBMISSIONS = table(Submission)
_MOST = 500
"""Submissions that one statement marks."""


class Waiting(StrEnum):
    """What happens to letters that wait when the campaign's text, deadline or addresses change."""

    SEND = "send"
    ASK = "ask"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Change:
    """What of a new version matters to letters that were written before it."""

    text: bool
    deadline: bool
    targets: frozenset[str]
    """Ids of targets whose addresses changed, and of those that were dropped."""

    def __bool__(self) -> bool:
        return self.text or self.deadline or bool(self.targets)

    @property
    def words(self) -> str:
        """What changed, as in "text and deadline"."""
        return " and ".join(name for name, changed in (("text", self.text), ("deadline", self.deadline), ("addresses", self.targets))
                            if changed)


def between(old: CampaignSpec, new: CampaignSpec) -> Change:
    """What of the new version matters to letters that wait."""
    after = {t.id: (t.email, t.fax) for t in new.targets}
    return Change(_texts(old) != _texts(new), old.deadline != new.deadline,
                  frozenset(t.id for t in old.targets if after.get(t.id) != (t.email, t.fax)))


def _texts(spec: CampaignSpec) -> tuple[LetterText, dict[str, LetterText]]:
    return spec.letter, spec.translations


def bring(c: Connection, campaign_id: int, change: Change, waiting: Waiting, now: datetime) -> Iterator[str]:
    """Do with the letters that wait as the organizer chose, and say in words what was done with how many.

    A new text or deadline concerns all of them, a new address those to its target. The campaign's lanes must be locked.
    """
    if not change:
        return
    ids = None if change.text or change.deadline else queries.target_ids(c, campaign_id, sorted(change.targets))
    rows = queries.waiting_letters_locked(c, campaign_id, ids)
    if not rows:
        return
    if waiting is Waiting.CANCEL:
        yield from _cancel(c, rows, now)
    elif waiting is Waiting.ASK:
        yield from _ask(c, rows, now)
    else:
        yield f"{letters(len(rows))} wait{'s' if len(rows) == 1 else ''} and will be sent as written"


def _cancel(c: Connection, rows: Sequence[Any], now: datetime) -> Iterator[str]:
    done = _move(c, rows, State.CANCELLED, now)
    unconfirmed = sorted({r.submission_id for r in rows if r.state == State.UNCONFIRMED.value and r.id in done})
    for some in _batches(unconfirmed):  # nothing of theirs is left to be confirmed
        c.execute(update(Submission).where(_SUBMISSIONS.c.id.in_(some), _SUBMISSIONS.c.state == "unconfirmed",
                                           _SUBMISSIONS.c.id.not_in(queries.with_unconfirmed(some))).values(state="expired"))
    yield f"{letters(len(done))} cancelled"


def _ask(c: Connection, rows: Sequence[Any], now: datetime) -> Iterator[str]:
    """Letters that were never tried go back to be confirmed. One that was tried may have gone: it is brought to its end."""
    fresh = [r for r in rows if r.state != State.UNCONFIRMED.value and r.attempt_id is None and r.carried_by is None and not r.carries]
    done = _move(c, fresh, State.UNCONFIRMED, now)
    for some in _batches(sorted({r.submission_id for r in fresh if r.id in done})):
        c.execute(update(Submission).where(_SUBMISSIONS.c.id.in_(some)).values(asked_at=now))
    if done:
        yield f"{letters(len(done))} wait{'s' if len(done) == 1 else ''} until the writer confirms again; the question goes out by mail"
    if unconfirmed := sum(r.state == State.UNCONFIRMED.value for r in rows):
        yield f"{letters(unconfirmed)} had not been confirmed yet"
    if rest := len(rows) - len(done) - unconfirmed:
        yield f"{letters(rest)} had been tried or bundled before and will be sent as written"


def _move(c: Connection, rows: Sequence[Any], after: State, now: datetime) -> set[str]:
    return moves.apply(c, [moves.Move(r.id, r.campaign_id, r.target_id, r.channel, State(r.state), after, Reason.ORGANIZER)
                           for r in rows], now)


def letters(n: int) -> str:
    """"1 letter", "12 letters"."""
    return f"{n} letter{'' if n == 1 else 's'}"


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[i:i + _MOST] for i in range(0, len(ids), _MOST))
