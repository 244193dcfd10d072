"""The supporter proves the mailbox, by code or by the mailed link's button; then the letters may go.

The place at each target is claimed here and not at the form, so that nobody can take it in another's name.
"""

from __future__ import annotations

import hmac
import unicodedata
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from outreach import tokens
from outreach.db import unit_of_work, utcnow
from outreach.domain.letters import Reason, State
from outreach.errors import Conflict, Forged, FormInvalid, NotFound
from outreach.i18n import N_
from outreach.logs import get
from outreach.models import Submission, table
from outreach.queries import attempts, letters, submissions
from outreach.queries import campaigns as campaign_queries
from outreach.queries import notices as notice_queries
from outreach.queries import scrubbing as scrub_queries
from outreach.services import confirm_rules, forms, lanes, moves, notices, repeats, reviews, scrubbing

log = get()
_SUBMISSIONS = table(Submission)
TRIES = 8
TRIES_OF_MAILBOX = 20
"""Wrong codes for all of one mailbox's submissions to a campaign within a day: each submission has a code of its own."""
WRONG_CODE = N_("This is not the code from our mail. Look again, or use the button in the mail.")
TOO_MANY = N_("Too many wrong codes. Please use the button in our mail instead.")
TOO_LATE = N_("The time to confirm this letter is over. You can write it again while the campaign is open.")


def by_code(token: str, code: str, *, now: datetime | None = None) -> None:
    """Confirm with the six digits, on the page that the form led to. Raises FormInvalid({"code": …}), NotFound."""
    now = now or utcnow()
    digits = "".join(str(unicodedata.decimal(ch)) for ch in code if ch.isdecimal())  # in whichever script they were typed
    with unit_of_work() as c:
        s = submissions.by_form_locked(c, tokens.form_hash(token))
        if s is None:
            raise NotFound("there is no such page")
        if s.state != "unconfirmed":
            return
        right = hmac.compare_digest(digits, tokens.code(s.id))
        exhausted = s.code_tries >= TRIES or _mailbox_exhausted(c, s)
        if right and not exhausted:
            woken = _confirm(c, s, now)
            repeats.tell(c, s.id, now)
        else:
            c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id).values(code_tries=_SUBMISSIONS.c.code_tries + 1))
    if not right or exhausted:
        raise FormInvalid({"code": TOO_MANY if exhausted else WRONG_CODE})
    lanes.wake(woken, now)


def _mailbox_exhausted(c: Connection, s: Any) -> bool:
    """Counted from a day before this submission was made, so that waiting gives no new tries to a heap made at once."""
    notice_queries.lock_mailbox(c, f"code {s.campaign_id} {s.fingerprint}")
    return attempts.wrong_codes(c, s.campaign_id, s.fingerprint, s.created_at - timedelta(days=1)) >= TRIES_OF_MAILBOX


def by_link(mail_token: str, *, now: datetime | None = None) -> None:
    """Confirm with the button of the mailed page, or once more where the campaign asked its writers again; nothing happens the
    second time. Raises NotFound, Conflict (too late)."""
    now = now or utcnow()
    with unit_of_work() as c:
        s = submission_by_mail_token(c, mail_token)
        woken = _confirm(c, s, now) if s.state == "unconfirmed" else _confirm_again(c, s, now) if s.asked_at else []
    lanes.wake(woken, now)


def never_again(mail_token: str, *, now: datetime | None = None) -> None:
    """The mailbox's owner wants no mail from us, ever; a submission in its name that nobody confirmed is forgotten at once. Raises
    NotFound."""
    now = now or utcnow()
    with unit_of_work() as c:
        s = submission_by_mail_token(c, mail_token)
        if s.erased_at is not None:
            return
        notices.suppress(c, s.email, now)
        if scrub_queries.is_unproved(c, s.id):
            cancel_letters(c, s.id, now, Reason.WITHDRAWN, (State.UNCONFIRMED,))
            c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id).values(state="withdrawn", withdrawn_at=s.withdrawn_at or now))
            scrubbing.scrub(c, [s.id], now)
        elif s.asked_at is not None:  # who wants no mail is not asked again: what waits for the answer does not go
            cancel_letters(c, s.id, now, Reason.WITHDRAWN, (State.UNCONFIRMED,))
            c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id).values(asked_at=None))


def submission_by_mail_token(c: Connection, mail_token: str) -> Any:
    """The submission that a mailed link opens, locked. Raises NotFound."""
    try:
        submission_id = tokens.submission_of(mail_token)
    except Forged as e:
        raise NotFound("there is no such page") from e
    s = submissions.by_id_locked(c, submission_id)
    if s is None:
        raise NotFound("there is no such page")
    return s


def cancel_letters(c: Connection, submission_id: str, now: datetime, why: Reason, states: tuple[State, ...]) -> int:
    """Cancel a submission's letters that are in one of `states`. Returns how many."""
    found = [x for x in letters.of_submission(c, submission_id) if State(x.state) in states]
    return len(moves.apply(c, moves.of(found, State.CANCELLED, why), now))


def _confirm(c: Connection, s: Any, now: datetime) -> list[int]:
    """Let the letters go that are the first of their person to their target; returns the lanes to wake."""
    placed, woken = _place_all(c, s, now)
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id)
              .values(state="accepted" if placed else "duplicate", confirmed_at=now))
    log.info("submission.confirmed", submission=s.id, campaign=s.campaign_id, letters=placed)
    return woken


def _confirm_again(c: Connection, s: Any, now: datetime) -> list[int]:
    """The same for letters that went back to their writer, who thereby proves the mailbox; they keep their places in line."""
    placed, woken = _place_all(c, s, now)
    c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == s.id).values(asked_at=None, confirmed_at=s.confirmed_at or now))
    log.info("submission.confirmed", submission=s.id, campaign=s.campaign_id, letters=placed)
    return woken


def _place_all(c: Connection, s: Any, now: datetime) -> tuple[int, list[int]]:
    """Queue a submission's unconfirmed letters, or hold them for a moderator; cancel those that are second ones. Returns how many
    took their places, and the lanes to wake."""
    campaign = campaign_queries.standing(c, s.campaign_id)
    if campaign.state not in ("live", "paused"):
        raise Conflict(forms.CLOSED)
    if now > confirm_rules.until(c, s, campaign.deadline, now):
        raise Conflict(TOO_LATE)
    found = reviews.judge_again(c, s._asdict(), now)
    after = State.HELD if found and found.held else State.QUEUED
    placed, second = [], []
    # By target: two confirmations of one person wait for each other's places in one order, not in a ring.
    for letter in sorted(letters.of_submission(c, s.id), key=lambda x: x.target_id):
        if letter.state != State.UNCONFIRMED.value:
            continue
        if _place_one(c, letter, after, now):
            placed.append(letter.address_id)
        else:
            second.append(letter.address_id)
            moves.apply(c, [_move(letter, State.CANCELLED, Reason.DUPLICATE)], now)
            moves.count(c, [(s.campaign_id, 0, "", f"refused:{Reason.DUPLICATE.value}", 1)])
    if found and placed:
        reviews.write_down(c, found, s.id, s.campaign_id, now)
    if second:
        repeats.note(c, s._asdict(), second, now)
    return len(placed), placed if after is State.QUEUED else []


def _place_one(c: Connection, letter: Any, after: State, now: datetime) -> bool:
    """Whether the letter took its person's place; a place taken at this very moment shows as an IntegrityError."""
    if letters.place_is_taken(c, letter):
        return False
    try:
        with c.begin_nested():
            return bool(moves.apply(c, [_move(letter, after, Reason.CONFIRMED)], now))
    except IntegrityError:
        return False


def _move(letter: Any, after: State, why: Reason) -> moves.Move:
    return moves.Move(letter.id, letter.campaign_id, letter.target_id, letter.channel, State.UNCONFIRMED, after, why)
