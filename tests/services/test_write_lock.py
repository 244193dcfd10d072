"""Two writers on SQLite take turns: who waits gets the lock as soon as it is free, and is told when it stays taken."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import OperationalError

from outreach import db
from outreach.models import ServiceDay, table

DAYS = table(ServiceDay)
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def other(database: Engine) -> Iterator[sqlite3.Connection]:
    """Another process's connection, which holds the write lock."""
    held = sqlite3.connect(str(database.url.database), isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    yield held
    held.close()


def test_a_writer_waits_until_the_other_has_committed(other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 40:
            other.execute("INSERT INTO service_days (day, used) VALUES ('first', 1)")
            other.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", sleep)
    with db.unit_of_work() as c:
        assert c.execute(select(DAYS.c.day)).scalars().all() == ["first"]
        c.execute(insert(DAYS).values(day="second", used=1))
    assert len(pauses) == 40 and max(pauses) <= db.LONGEST_PAUSE
    assert other.execute("SELECT count(*) FROM service_days").fetchone() == (2,)


def test_a_writer_that_has_waited_long_enough_is_told_and_its_connection_stays_good(
        other: sqlite3.Connection, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "PATIENCE", 0.05)
    with pytest.raises(OperationalError, match="database is locked"), db.unit_of_work():
        pytest.fail("two writers at once")
    other.execute("ROLLBACK")
    with db.unit_of_work() as c:
        c.execute(insert(DAYS).values(day="later", used=1))
        assert c.exec_driver_sql("PRAGMA busy_timeout").scalar() == 50
