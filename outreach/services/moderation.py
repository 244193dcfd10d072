"""The moderator's desk: what waits to be read, and the decision on it, which can be taken back for ten minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, update
from sqlalchemy.exc import IntegrityError

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.domain.moderation import Why
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.i18n import N_
from outreach.logs import get
from outreach.models import Notice, Review, table
from outreach.queries import moderation as queries
from outreach.queries import submissions
from outreach.render.clean import clean_line
from outreach.services import audit, campaigns, lanes, moves, notices

log = get()
_REVIEWS, _NOTICES = table(Review), table(Notice)
CAN_BE_UNDONE = timedelta(minutes=10)
LONGEST = 400
"""Characters of a reason for a rejection."""
MOST = 100
"""Submissions that one transaction of a bulk approval takes."""
MOST_AT_ONCE = 5000
"""Submissions that one bulk approval takes."""
NOTES = (
    N_("It insults or threatens somebody."),
    N_("It tells private things about somebody."),
    N_("It asks for something else than this campaign does."),
    N_("It has a link, an address or a telephone number in it."),
    N_("It is advertising, or it was written only to try the form."),
    N_("The same text came from several people. Please write in your own words."),
)
"""Reasons to choose from, for the writer; shown in the writer's language."""


def approve(slug: str, submission_id: str, *, now: datetime, who: str) -> int:
    """Queue a submission's held letters. Returns how many.

    Raises NotFound, Conflict (somebody has decided it, or its writer has taken it back).
    """
    campaign_id = campaigns.get(slug).id
    with unit_of_work() as c:
        done, woken = _approve(c, campaign_id, [submission_id], now, who)
        if not done:
            raise _why_not(c, campaign_id, submission_id)
        audit.note(c, "letters approved", at=now, who=who, campaign_id=campaign_id, detail=f"submission {submission_id}")
    log.info("submission.approved", submission=submission_id, campaign=campaign_id, letters=len(woken))
    lanes.wake(woken, now)
    return len(woken)


def reject(slug: str, submission_id: str, note: str, *, now: datetime, who: str) -> int:
    """Cancel a submission's held letters; `note` tells their writer why. Returns how many.

    Their writer may then write again. A proved mailbox is told once the decision can no longer be undone.
    Raises NotFound, Conflict, NotAllowed (no reason, or one that is too long).
    """
    words = clean_line(note)
    if not words:
        raise NotAllowed("say why: choose a reason or write one; it stands on the writer's page")
    if len(words) > LONGEST:
        raise NotAllowed(f"the reason has {len(words)} characters; {LONGEST} are the most")
    campaign_id = campaigns.get(slug).id
    with unit_of_work() as c:
        s, letters = _locked(c, campaign_id, submission_id)
        held = [x for x in letters if x.state == State.HELD.value]
        if not held or not _decide(c, [submission_id], "rejected", now, who=who, note=words):
            raise _why_not(c, campaign_id, submission_id)
        done = _move(c, held, State.HELD, State.CANCELLED, Reason.REJECTED, now=now)
        if s.confirmed_at is not None and s.erased_at is None:
            notices.add(c, "rejected", s.id, recipient=s.email, campaign_id=campaign_id, submission_id=s.id, now=now,
                        at=now + CAN_BE_UNDONE)
        audit.note(c, "letters rejected", at=now, who=who, campaign_id=campaign_id, detail=f"submission {submission_id}: {words}")
    log.info("submission.rejected", submission=submission_id, campaign=campaign_id, letters=len(done))
    return len(done)


def undo(slug: str, submission_id: str, *, now: datetime, who: str) -> int:
    """Make a decision as if it had not been: the letters wait for a moderator again. Returns how many.

    Raises NotFound, Conflict (it is too late: ten minutes are over, a letter has been tried, its writer has written another one).
    """
    campaign_id = campaigns.get(slug).id
    with unit_of_work() as c:
        _locked(c, campaign_id, submission_id)
        known = queries.review(c, submission_id)
        if known is None or known.decided_at is None or known.decided_at <= now - CAN_BE_UNDONE:
            raise Conflict("there is no decision from the last ten minutes to take back")
        back = _unreject(c, submission_id, now) if known.state == "rejected" else _unapprove(c, campaign_id, [submission_id], now)
        if not back:
            raise Conflict("it is on its way already, or its writer has taken it back")
        audit.note(c, "decision taken back", at=now, who=who, campaign_id=campaign_id, detail=f"submission {submission_id}")
    log.info("submission.undecided", submission=submission_id, campaign=campaign_id, letters=len(back))
    return len(back)


def undo_together(slug: str, decided_at: datetime, *, now: datetime, who: str) -> tuple[int, int]:
    """Take back what was decided together at that moment. Returns how many submissions wait again, and for how many it was too late.

    Raises NotFound (nothing was decided then), Conflict (ten minutes are over, or as `undo` where it was one submission).
    """
    campaign_id = campaigns.get(slug).id
    with reading() as c:
        ids = queries.decided_together(c, campaign_id, decided_at)
    if not ids:
        raise NotFound("nothing was decided then")
    if len(ids) == 1:
        undo(slug, ids[0], now=now, who=who)
        return 1, 0
    if decided_at <= now - CAN_BE_UNDONE:
        raise Conflict("a decision can be taken back for ten minutes")
    done = 0
    for some in _batches(ids):
        with unit_of_work() as c:
            back = _unapprove(c, campaign_id, some, now)
            n = len({submission for submission, _ in back})
            audit.note(c, "decisions taken back", at=now, who=who, campaign_id=campaign_id, detail=f"{n} submissions, {some[0]} and others")
        done += n
    log.info("submissions.undecided", campaign=campaign_id, count=done)
    return done, len(ids) - done


def approve_alike(slug: str, *, only: str = "", like: str = "", until: datetime, now: datetime, who: str) -> int:
    """Approve what waits, since `until` at the latest, only for the reason `only`, or with the same text as the submission `like`.

    Returns how many submissions; at most `MOST_AT_ONCE`. What somebody else decides meanwhile is left alone.
    """
    campaign_id = campaigns.get(slug).id
    with reading() as c:
        ids = alike(c, campaign_id, only=only, like=like, until=until)
    approved = 0
    for some in _batches(ids):
        with unit_of_work() as c:
            done, woken = _approve(c, campaign_id, some, now, who)
            audit.note(c, "letters approved together", at=now, who=who, campaign_id=campaign_id,
                       detail=f"{len(done)} submissions, {some[0]} and others")
        lanes.wake(woken, now)
        approved += len(done)
    log.info("submissions.approved", campaign=campaign_id, count=approved)
    return approved


def alike(c: Connection, campaign_id: int, *, only: str, like: str, until: datetime) -> list[str]:
    """Ids of what `approve_alike` would approve. Raises NotFound (no such submission or reason)."""
    if like:
        s = submissions.by_id(c, like)
        if s is None or s.campaign_id != campaign_id:
            raise NotFound("there is no such letter")
        return queries.with_text(c, campaign_id, (s.subject, s.body), until, MOST_AT_ONCE)
    if only not in list(Why):
        raise NotFound("there is no such reason")
    return queries.held_only_for(c, campaign_id, only, until, MOST_AT_ONCE)


def close_left_behind(now: datetime) -> int:
    """Reviews of letters that were taken back, came too late or whose campaign is over wait no more. Returns how many."""
    with unit_of_work() as c:
        ids = queries.left_behind(c, MOST * 5)
        if not ids:
            return 0
        return c.execute(update(_REVIEWS).where(_REVIEWS.c.submission_id.in_(ids), _REVIEWS.c.state == "waiting")
                         .values(state="free")).rowcount


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(ids)  # the order in which submissions are locked, whoever locks several
    return (ordered[i:i + MOST] for i in range(0, len(ordered), MOST))


def _locked(c: Connection, campaign_id: int, submission_id: str) -> tuple[Any, Sequence[Any]]:
    """A submission and its letters, which nobody else changes now. Raises NotFound."""
    s = submissions.by_id_locked(c, submission_id)
    if s is None or s.campaign_id != campaign_id or queries.state_of(c, submission_id) is None:
        raise NotFound("there is no such letter")
    return s, queries.letters_locked(c, [submission_id])


def _approve(c: Connection, campaign_id: int, ids: Sequence[str], now: datetime, who: str) -> tuple[set[str], list[int]]:
    """Approve those of these submissions that wait and have a held letter; returns them, and a lane to wake for each letter."""
    known = queries.submissions_locked(c, campaign_id, ids)
    letters = [x for x in queries.letters_locked(c, known) if x.state == State.HELD.value]
    done = _decide(c, {x.submission_id for x in letters}, "approved", now, who=who)
    letters = [x for x in letters if x.submission_id in done]
    _move(c, letters, State.HELD, State.QUEUED, Reason.APPROVED, now=now)
    return done, [x.address_id for x in letters]


def _decide(c: Connection, ids: Iterable[str], state: str, now: datetime, *, who: str, note: str | None = None) -> set[str]:
    """Take the decision on those that still wait for one; returns them."""
    return set(c.execute(update(_REVIEWS).where(_REVIEWS.c.submission_id.in_(sorted(ids)), _REVIEWS.c.state == "waiting")
                         .values(state=state, decided_at=now, decided_by=who[:320], note=note)
                         .returning(_REVIEWS.c.submission_id)).scalars())


def _why_not(c: Connection, campaign_id: int, submission_id: str) -> Conflict:
    """Why a submission cannot be decided. Raises NotFound."""
    _locked(c, campaign_id, submission_id)
    known = queries.review(c, submission_id)
    if known is not None and known.decided_by and known.state != "waiting":
        return Conflict(f"somebody was quicker: {known.decided_by} {known.state} this letter")
    return Conflict("nobody need read this letter any more: its writer has taken it back, or its time is over")


def _unapprove(c: Connection, campaign_id: int, ids: Sequence[str], now: datetime) -> list[tuple[str, str]]:
    """Have those of these approved submissions wait again of which nothing has been tried; returns each with its letters."""
    letters = queries.letters_locked(c, queries.submissions_locked(c, campaign_id, ids))
    tried = {x.submission_id for x in letters if x.attempt_id is not None or x.carries or x.carried_by}
    able = {x.submission_id for x in letters if x.state == State.QUEUED.value} - tried
    back = _undecide(c, able, "approved", now)
    done = _move(c, [x for x in letters if x.submission_id in back], State.QUEUED, State.HELD, Reason.ORGANIZER, now=now)
    return [(x.submission_id, x.id) for x in letters if x.id in done]


def _unreject(c: Connection, submission_id: str, now: datetime) -> set[str]:
    letters = [x for x in queries.letters_locked(c, [submission_id]) if x.reason == Reason.REJECTED.value and x.withdrawn_at is None]
    try:
        with c.begin_nested():
            done = _move(c, letters, State.CANCELLED, State.HELD, Reason.ORGANIZER, now=now)
    except IntegrityError as e:
        raise Conflict("its writer has written another letter meanwhile, which has taken its place") from e
    if done:
        _undecide(c, [submission_id], "rejected", now)
        c.execute(delete(_NOTICES).where(_NOTICES.c.kind == "rejected", _NOTICES.c.ref == submission_id,
                                         _NOTICES.c.state.in_(("queued", "dropped"))))
    return done


def _undecide(c: Connection, ids: Iterable[str], state: str, now: datetime) -> set[str]:
    return set(c.execute(update(_REVIEWS).where(
        _REVIEWS.c.submission_id.in_(sorted(ids)), _REVIEWS.c.state == state, _REVIEWS.c.decided_at > now - CAN_BE_UNDONE)
        .values(state="waiting", decided_at=None, decided_by=None, note=None).returning(_REVIEWS.c.submission_id)).scalars())


def _move(c: Connection, letters: Sequence[Any], before: State, after: State, why: Reason, *, now: datetime) -> set[str]:
    return moves.apply(c, [moves.Move(x.id, x.campaign_id, x.target_id, x.channel, before, after, why)
                           for x in letters if x.state == before.value], now)
