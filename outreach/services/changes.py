"""What becomes of letters that wait when their campaign changes: what was submitted is frozen, so the organizer chooses.

They are sent as they were written, their writers are asked again (the letters keep their places in line), or they are cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, update

from outreach.domain.campaign import CampaignSpec, LetterText
from outreach.domain.letters import WAITING, Reason, State
from outreach.models import Submission, table
from outreach.queries import campaigns as queries
from outreach.queries import figures
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


AT_ONCE = 1000
"""Letters that one transaction brings in line with a new version; more follow in batches (see `services/bringing.py`)."""


@dataclass(slots=True)
class Tally:
    """What was, or would be, done with letters that wait."""

    cancelled: int = 0
    asked: int = 0
    unconfirmed: int = 0
    """Not confirmed yet, so that nobody is asked again."""
    tried: int = 0
    """That may have gone already, or are bundled: they are sent as written."""

    def __bool__(self) -> bool:
        return bool(self.cancelled or self.asked or self.unconfirmed or self.tried)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def words(self, waiting: Waiting) -> Iterator[str]:
        """In words, what was done with how many."""
        if waiting is Waiting.CANCEL:
            yield f"{letters(self.cancelled)} cancelled"
            return
        if self.asked:
            yield (f"{letters(self.asked)} wait{'s' if self.asked == 1 else ''} until the writer confirms again; "
                   "the question goes out by mail")
        if self.unconfirmed:
            yield f"{letters(self.unconfirmed)} had not been confirmed yet"
        if self.tried:
            yield f"{letters(self.tried)} had been tried or bundled before and will be sent as written"


def concerned(c: Connection, campaign_id: int, change: Change) -> tuple[list[int] | None, int]:
    """The targets (None: all) whose waiting letters a change concerns, and about how many wait: a new text or deadline concerns all of
    them, a new address those to its target. Counted from the counters."""
    ids = None if change.text or change.deadline else queries.target_ids(c, campaign_id, sorted(change.targets))
    found = figures.counts(c, campaign_id) if change else {}
    return ids, sum(n for (target, _, name), n in found.items()
                    if name.removeprefix("letter:") in WAITING and (ids is None or target in ids))


def as_written(n: int) -> str:
    """What is said where nothing is done with them."""
    return f"{letters(n)} wait{'s' if n == 1 else ''} and will be sent as written"


def sort(rows: Sequence[Any], waiting: Waiting) -> tuple[Sequence[Any], Tally]:
    """Those of these letters that are moved, and what that is. A letter that was tried may have gone: it is brought to its end."""
    if waiting is Waiting.CANCEL:
        return rows, Tally(cancelled=len(rows))
    confirmed = [r for r in rows if r.state != State.UNCONFIRMED.value]
    fresh = [r for r in confirmed if r.attempt_id is None and r.carried_by is None and not r.carries]
    return fresh, Tally(asked=len(fresh), unconfirmed=len(rows) - len(confirmed), tried=len(confirmed) - len(fresh))


def bring(c: Connection, rows: Sequence[Any], waiting: Waiting, now: datetime) -> Tally:
    """Ask the writers of these letters again, or cancel them, and say what was done with how many. They must be locked."""
    chosen, tally = sort(rows, waiting)
    if waiting is Waiting.CANCEL:
        done = _move(c, chosen, State.CANCELLED, now)
        unconfirmed = sorted({r.submission_id for r in chosen if r.state == State.UNCONFIRMED.value and r.id in done})
        for some in _batches(unconfirmed):  # nothing of theirs is left to be confirmed
            c.execute(update(Submission).where(_SUBMISSIONS.c.id.in_(some), _SUBMISSIONS.c.state == "unconfirmed",
                                               _SUBMISSIONS.c.id.not_in(queries.with_unconfirmed(some))).values(state="expired"))
        return Tally(cancelled=len(done))
    done = _move(c, chosen, State.UNCONFIRMED, now)
    for some in _batches(sorted({r.submission_id for r in chosen if r.id in done})):
        c.execute(update(Submission).where(_SUBMISSIONS.c.id.in_(some)).values(asked_at=now))
    return Tally(asked=len(done), unconfirmed=tally.unconfirmed, tried=tally.tried + len(chosen) - len(done))


def _move(c: Connection, rows: Sequence[Any], after: State, now: datetime) -> set[str]:
    return moves.apply(c, moves.of(rows, after, Reason.ORGANIZER), now)


def letters(n: int) -> str:
    """"1 letter", "12 letters"."""
    return f"{n} letter{'' if n == 1 else 's'}"


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[i:i + _MOST] for i in range(0, len(ids), _MOST))
