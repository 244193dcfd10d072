"""Signing in: address and password, then the second factor; a new password by mail.

Whether an address is known is never told: answers and work are alike. Each step ends the session that it began from and
gives a new cookie.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, update

from outreach.db import new_id, reading, unit_of_work
from outreach.errors import FormInvalid, Malformed, NotFound, OutreachError
from outreach.models import Organizer, table
from outreach.queries import people
from outreach.services import api_tokens, audit, links, notices, organizers, passwords, second_factor, sessions, tries
from outreach.services.sessions import Opened, hash_of

_ORGANIZERS = table(Organizer)


class WrongLogin(OutreachError):
    """Address and password, or the code, do not fit. What was wrong about them is not said."""


def log_in(email: str, password: str, *, now: datetime, network: str | None = None, mark: str = "", browser: str = "",
           stay: bool = False) -> tuple[Opened, str]:
    """A session for address and password, of stage `password` where a second factor is still to come; and the organizer's address.

    `mark` is what this browser keeps of an earlier sign-in (`tries.new_mark`). Raises WrongLogin, tries.TooManyTries.
    """
    try:
        email = organizers.normal(email)
    except Malformed:
        email = email.strip().lower()[:320]  # takes as long as any other
    with unit_of_work() as c:
        tries.spend_network(c, "password", network, tries.NETWORK, now)
        tries.spend(c, "password", tries.whose_tries(email, mark), tries.PASSWORD, now)
    with reading() as c:
        row = people.organizer_by_email(c, email)
    if not passwords.fits(row.password if row else None, password) or row is None or row.disabled_at is not None:
        raise WrongLogin("This address and password do not belong together.")
    renewed = passwords.hashed(password) if passwords.outdated(row.password) else row.password
    with unit_of_work() as c:
        now_row = people.organizer_locked(c, row.id)
        if now_row is None or now_row.password != row.password or now_row.disabled_at is not None:  # changed in this moment
            raise WrongLogin("This address and password do not belong together.")
        if renewed != row.password:
            c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == row.id).values(password=renewed))
        return sessions.begin(c, row.id, stage=links.stage_of(now_row.totp_key), now=now, browser=browser, stay=stay), str(row.email)


def waiting_for_code(cookie: str, *, now: datetime) -> str | None:
    """The address of whoever has given the password and now owes the second factor; None for any other cookie."""
    with reading() as c:
        row = people.half_signed_in(c, hash_of(cookie), now)
    return None if row is None else str(row.email)


def give_code(cookie: str, code: str, *, now: datetime, browser: str = "", stay: bool = False) -> tuple[Opened, str]:
    """The full session, under a new cookie, for a code of the app or a recovery code; and the organizer's address.

    Raises NotFound when this cookie waits for no code, WrongLogin, tries.TooManyTries.
    """
    with reading() as c:
        row = people.half_signed_in(c, hash_of(cookie), now)
    if row is None:
        raise NotFound("the ten minutes for the code are over; sign in again")
    with unit_of_work() as c:
        # Under the password's name, too: whoever got at it and spends these is shut out by a new password, and its owner is not.
        for allowance in (tries.CODE, tries.CODE_A_DAY):
            tries.spend(c, f"code within {allowance.within}", f"{row.id}:{row.password}", allowance, now)
    with unit_of_work() as c:
        # Looked at again under lock: the session may have ended, the factor changed, the code be in use in another window.
        people.organizer_locked(c, row.id)
        row = people.half_signed_in(c, hash_of(cookie), now)
        if row is None:
            raise NotFound("the ten minutes for the code are over; sign in again")
        if not _good(c, row, code, now):
            raise WrongLogin("This code is not right, or was used before.")
        sessions.end_cookie(c, cookie)
        return sessions.begin(c, row.id, now=now, browser=browser, stay=stay), str(row.email)


def _good(c: Connection, row: Row[Any], code: str, now: datetime) -> bool:
    if not second_factor.digits_of(code):
        if not second_factor.take_code(c, row.id, code, now):
            return False
        audit.note(c, "recovery code used", at=now, who=row.email)
        return True
    key = row.totp_key and second_factor.opened(row.id, row.totp_key)
    step = second_factor.step_of(key, code, now, row.totp_step) if key else None
    return step is not None and second_factor.take_step(c, row.id, step)


def ask_reset(email: str, *, now: datetime, network: str | None = None) -> None:
    """Mail a link for a new password, good for an hour, if there is somebody with this address. Raises tries.TooManyTries for the
    network only: whether an account's mails are spent is not told either.

    Whether there is somebody is not looked at here, so that it takes as long in either case: the link is made with the mail
    (`organizer_mails`).
    """
    with unit_of_work() as c:
        tries.spend_network(c, "reset", network, tries.RESET_NETWORK, now)
    try:
        email = organizers.normal(email)
        with unit_of_work() as c:
            tries.spend(c, "reset", email, tries.RESET, now)
            notices.add(c, "reset", new_id(now.timestamp()), recipient=email, now=now)
    except (Malformed, tries.TooManyTries):
        return
    notices.ring_soon()


def set_by_link(token: str, password: str, again: str, *, now: datetime, browser: str = "") -> Opened:
    """A new password by a mailed link: all other sessions and all API tokens end.

    Raises NotFound, FormInvalid (the link stays good then).
    """
    link = links.look(token, now=now)
    if link.kind != "reset":
        raise NotFound("this link has been used or is too old; ask for a new one")
    check(password, again, about=(link.email, link.name))
    kept = passwords.hashed(password)

    def then(c: Connection, row: links.Used) -> Opened:
        c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.id == row.organizer_id).values(password=kept))
        sessions.end_all(c, row.organizer_id)
        links.void(c, row.organizer_id)
        audit.note(c, "password set by mail", at=now, who=row.email)
        api_tokens.revoke_all(c, row.organizer_id, now=now, who=row.email)
        return sessions.begin(c, row.organizer_id, stage=links.stage_of(row.totp_key), now=now, browser=browser)

    return links.use(token, "reset", now, then)


def check(password: str, again: str, *, about: tuple[str, ...]) -> None:
    """Raises FormInvalid for a password that is too weak, or not typed alike twice."""
    if weak := passwords.weakness(password, about=about):
        raise FormInvalid({"password": weak})
    if password != again:
        raise FormInvalid({"again": "The two passwords are not alike. Type the same one twice."})
