"""The database: engine, the one commit point, time as UTC, ids.

SQLite and Postgres are equal citizens. SQLite runs in WAL with full sync (a hand-over's attempt must survive a power
cut) and takes its write lock at the start of each unit of work, so that two writers queue up instead of failing.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, Table, Text, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.types import TypeDecorator

from outreach import files
from outreach.prepared import run
from outreach.settings import get_settings


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC: timestamptz on Postgres, ISO text that sorts by time on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JSONText(TypeDecorator[Any]):
    """JSON as text: read back as it was written, alike on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


IDLE = 1.0
"""Seconds after which a pooled connection is asked whether it still lives."""
PATIENCE = 30.0
"""Seconds that SQLite waits for a lock that somebody else holds."""
AGAIN, LONGEST_PAUSE = 0.0003, 0.005
"""Seconds after which the write lock is asked for again, at first and in the end: a commit holds it for a millisecond or so."""
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def new_id(now: float | None = None) -> str:
    """A fresh id: 26 characters, 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID form), lower case.

    Ids made later sort later (to the millisecond), so that indexes grow at their end.
    """
    n = int((time.time() if now is None else now) * 1000) << 80 | secrets.randbits(80)
    return "".join([_PAIRS[n >> shift & 1023] for shift in range(120, -1, -10)])


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The process's engine. After a fork call `after_fork()` before anything else."""
    return make_engine(get_settings().db_url)


def make_engine(url: str) -> Engine:
    """An engine for `url`, set up as this service needs it."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        files.closed_folder(Path(path).parent)
        made = create_engine(url, hide_parameters=True, pool_size=20, max_overflow=40,
                             connect_args={"timeout": PATIENCE, "check_same_thread": False})
        event.listen(made, "connect", _sqlite_setup)
        return made
    made = create_engine(url, hide_parameters=True, pool_size=20, max_overflow=40, pool_recycle=1800)
    event.listen(made, "connect", _postgres_setup)
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _look_at_idle)
    return made


def _postgres_setup(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute("SET jit = off")  # it compiles for a second what runs for milliseconds: on tables nobody has analysed, each time
    connection.autocommit = False


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _look_at_idle(connection: Any, record: Any, _proxy: object) -> None:
    """A connection that has lain idle may be dead; asking at every use would cost a hand-over's commit a round trip."""
    if time.monotonic() - record.info.get("used", time.monotonic()) > IDLE:
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except Exception as e:
            raise DisconnectionError from e


def _sqlite_setup(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred; ours is IMMEDIATE, see unit_of_work()
    for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={PATIENCE * 1000:.0f}", "cache_size=-16000",
            "wal_autocheckpoint=8000", "secure_delete=ON"):  # an erasure must not leave its letters behind in free pages
        connection.execute(f"PRAGMA {pragma}")


def after_fork() -> None:
    """Forget the parent's connections without closing them: they are still its own."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)


@contextmanager
def unit_of_work() -> Iterator[Connection]:
    """One transaction that writes: commits at the end, rolls back on any error. The only place that commits."""
    with engine().connect() as connection:
        connection.begin()
        if connection.dialect.name == "sqlite":
            _take_write_lock(connection)
        try:
            yield connection
            # With isolation_level None the driver's commit() sends COMMIT only when a transaction is open, as here.
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _take_write_lock(connection: Connection) -> None:
    """BEGIN IMMEDIATE, waiting for the lock for `PATIENCE`. Raises sqlalchemy.exc.OperationalError.

    SQLite's own wait sleeps ever longer between two looks, up to a tenth of a second, while whoever need not wait takes the lock
    again and again; that halves what two writers get done. So the looking is done here.
    """
    driver: Any = connection.connection.driver_connection
    give_up, pause = time.monotonic() + PATIENCE, AGAIN
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < give_up:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as e:
                if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(pause)
            pause = min(1.1 * pause, LONGEST_PAUSE)
        run(connection, "BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={PATIENCE * 1000:.0f}")


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for SELECTs; nothing is ever committed through it."""
    with engine().connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()


def dialect_insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say ON CONFLICT, on both databases: both spell it alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def utcnow() -> datetime:
    """The clock of everything that is not given another one."""
    return datetime.now(UTC)
