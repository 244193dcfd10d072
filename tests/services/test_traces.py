"""The doctor finds what an erasure or a passed day should have taken along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert

from outreach import tokens
from outreach.db import unit_of_work
from outreach.models import Letter, MailboxUse, Notice, Submission, table
from outreach.services import checkup, erasures, status
from outreach.settings import get_settings
from tests.services.helpers import Desk
from tests.services.test_doctor import migrated


@pytest.fixture
def erased(desk: Desk) -> Desk:
    """One submission of two is erased; its mail had gone."""
    migrated(desk)
    desk.campaign()
    for _ in range(2):
        desk.signed()
    desk.notify()
    desk.send()
    desk.sweep()
    first = min(desk.rows(Submission), key=lambda s: s.id)
    status.erase(tokens.mail_token(first.id), now=desk.now)
    return desk


def wrong(desk: Desk) -> list[str]:
    return [str(f) for f in checkup.findings(desk.now) if f.level == "wrong" and "Redis" not in f.what]


def one(desk: Desk) -> str:
    (row,) = [s for s in desk.rows(Submission) if s.erased_at]
    return str(row.id)


LEFT: dict[str, Callable[[Desk, str], int]] = {
    "a fingerprint": lambda d, i: d.change(Submission, table(Submission).c.id == i, fingerprint="f" * 32),
    "an address": lambda d, i: d.change(Submission, table(Submission).c.id == i, email="jane@people.example"),
    "a letter's fingerprint": lambda d, i: d.change(Letter, table(Letter).c.submission_id == i, fingerprint="f" * 32),
    "a mail's mailbox": lambda d, i: _mail(d, i, mailbox="f" * 32),
    "a mail's recipient": lambda d, i: _mail(d, i, recipient="jane@people.example"),
}


def _mail(desk: Desk, submission_id: str, **values: str) -> int:
    """A mail about it that went before; returns 1."""
    row = {"id": "n" * 26, "kind": "confirm", "ref": "x", "recipient": "", "state": "sent", "not_before": desk.now, "created_at": desk.now}
    with unit_of_work() as c:
        c.execute(insert(table(Notice)).values({**row, "submission_id": submission_id, **values}))
    return 1


@pytest.mark.parametrize("what", LEFT)
def test_what_an_erasure_left_is_named_with_its_submission(erased: Desk, what: str) -> None:
    assert wrong(erased) == []
    assert LEFT[what](erased, one(erased)) == 1
    (said,) = wrong(erased)
    assert said == f"submissions that were erased and still name their writer: {one(erased)}; `outreach erase --submission ID` once more"


def test_erasing_once_more_mends_it(erased: Desk) -> None:
    for what in set(LEFT) - {"a mail's recipient"}:
        LEFT[what](erased, one(erased))
    assert wrong(erased)
    erasures.submission(one(erased), now=erased.now)
    assert wrong(erased) == []


def test_counts_of_mails_that_are_kept_too_long_are_told(erased: Desk) -> None:
    with unit_of_work() as c:
        c.execute(insert(table(MailboxUse)).values(mailbox="f" * 32, until=erased.now - timedelta(hours=1), n=1))
    assert wrong(erased) == ["counts of mails to a mailbox are kept for longer than a day (1); is the ticker running?"]
    erased.sweep()
    assert wrong(erased) == []


def test_a_data_directory_that_others_can_look_into_is_told(erased: Desk) -> None:
    folder = get_settings().data_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o750)
    notes = [f.what for f in checkup.findings(erased.now) if f.level == "note" and "DATA_DIR" in f.what]
    assert len(notes) == 1 and "chmod 700" in notes[0]
    folder.chmod(0o700)
    assert not [f for f in checkup.findings(erased.now) if "DATA_DIR" in f.what]
