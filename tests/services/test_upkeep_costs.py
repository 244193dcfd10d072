"""What the sweep and the ticker ask again and again costs the same after a hundred letters as after thousands."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert, text

from outreach.db import new_id, unit_of_work
from outreach.domain.letters import State, Verdict
from outreach.models import Attempt, Letter, LetterEvent, Submission, table
from tests.services.effort import efforts, never_counted, postgres_url  # noqa: F401  (a fixture)
from tests.services.helpers import Desk
from workers import ticker

FEW, MANY = 200, 3000


@pytest.fixture
def past(desk: Desk, database: Engine) -> Desk:
    """A campaign of which some letters have gone a week ago, and some wait."""
    if database.dialect.name == "postgresql":
        never_counted()
    desk.set(confirm="none")
    desk.campaign()
    desk.campaign()  # a version of it that changes nothing
    desk.write()
    desk.send()
    desk.write()
    desk.later(days=7)
    return desk


def _grow(desk: Desk, by: int, *, waiting: bool = True) -> None:
    """So many more of each sort, every one with a writer of its own."""
    gone, waits = sorted((x._asdict() for x in desk.letters()[:2]), key=lambda x: bool(x["state"] != State.SENT.value))
    writers = {s.id: s._asdict() for s in desk.rows(Submission)}
    attempt = desk.attempts()[0]._asdict()
    assert gone["state"] == State.SENT.value and attempt["verdict"] == Verdict.ACCEPTED.value
    people, letters, attempts, events = [], [], [], []
    for _ in range(by):
        for like in (gone, waits) if waiting else (gone,):
            person, letter = new_id(), new_id()
            people.append({**writers[like["submission_id"]], "id": person, "form_hash": person, "fingerprint": person})
            letters.append({**like, "id": letter, "submission_id": person, "fingerprint": person, "attempt_id": None})
            events.append({"letter_id": letter, "at": like["created_at"], "before": None, "after": like["state"], "why": "submitted"})
            if like is gone:
                letters[-1]["attempt_id"] = new_id()
                attempts.append({**attempt, "id": letters[-1]["attempt_id"], "letter_id": letter})
    with unit_of_work() as c:
        for model, rows in ((Submission, people), (Letter, letters), (Attempt, attempts), (LetterEvent, events)):
            c.execute(insert(table(model)), rows)
        if c.dialect.name == "postgresql":
            c.execute(text("ANALYZE"))


def _round(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep at the beginning of a minute, when it asks most, and a tick."""
    desk.sweep()
    monkeypatch.setattr(ticker, "utcnow", lambda: desk.now)
    ticker.tick()


def test_no_question_of_a_round_reads_all_there_ever_was(past: Desk, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _grow(past, FEW)
    _round(past, monkeypatch)  # folds what has been counted, forgets what is to be forgotten
    few = efforts(database, lambda: _round(past, monkeypatch))
    _grow(past, MANY - FEW)
    _no_dearer(few, efforts(database, lambda: _round(past, monkeypatch)))


def test_what_is_scrubbed_is_not_looked_through_again(past: Desk, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    past.action("close")
    past.later(days=40)
    _round(past, monkeypatch)
    assert all(s.erased_at for s in past.rows(Submission))
    _grow(past, FEW, waiting=False)
    _round(past, monkeypatch)
    few = efforts(database, lambda: _round(past, monkeypatch))
    _grow(past, MANY - FEW, waiting=False)
    _no_dearer(few, efforts(database, lambda: _round(past, monkeypatch)))


def _no_dearer(few: dict[str, int], many: dict[str, int]) -> None:
    assert len(many) > 40
    dearer = {statement: (few.get(statement), n) for statement, n in many.items() if n > 1.2 * few.get(statement, 0) + 100}
    assert not dearer, "\n".join(f"{n}: {' '.join(statement.split())}" for statement, n in dearer.items())
