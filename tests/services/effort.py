"""What a question costs its database, told without a clock: the same on a busy machine as on a quiet one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from outreach.db import reading, unit_of_work
from tests.services.conftest import fresh_postgres

_READ = text("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")


def effort(ask: Callable[[Connection], object], *, large: bool = False) -> int:
    """Steps of SQLite's machine, or rows that Postgres has read; `large`: by a way that it would take with large tables, too."""
    with reading() as c:
        if large and c.dialect.name == "postgresql":
            for way in ("seqscan", "hashjoin", "mergejoin"):  # with a few thousand rows they are about as cheap as coming by an index
                c.execute(text(f"SET LOCAL enable_{way} = off"))
        ask(c)  # whatever is to be compiled is
        if c.dialect.name == "postgresql":
            before = c.execute(_READ).scalar_one()
            ask(c)
            return int(c.execute(_READ).scalar_one() - before)
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        driver: Any = c.connection.driver_connection
        driver.set_progress_handler(step, 1)
        try:
            ask(c)
        finally:
            driver.set_progress_handler(None, 1)
        return steps


def efforts(engine: Engine, act: Callable[[], object]) -> dict[str, int]:
    """What every statement costs that is run while something is done, by the statement. What it changes is not kept."""
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            asked.setdefault(statement, parameters)

    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return {statement: effort(lambda c, s=statement, p=parameters: c.exec_driver_sql(s, p).close(), large=True)  # type: ignore[misc]
            for statement, parameters in asked.items()}


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A database whose tables no other test has filled."""
    with fresh_postgres() as url:
        yield url


def never_counted() -> None:
    """Postgres knows of its tables what it does when they have just been made, and will not count by itself those that are filled."""
    with unit_of_work() as c:
        for name in ("letters", "submissions", "attempts", "letter_events"):
            c.execute(text(f"ALTER TABLE {name} SET (autovacuum_enabled = off)"))
        c.execute(text("DELETE FROM pg_statistic USING pg_class WHERE oid = starelid AND relnamespace = 'public'::regnamespace"))
        for kind, rows, pages in (("r", -1, 0), ("i", 0, 1)):
            c.execute(text(f"UPDATE pg_class SET reltuples = {rows}, relpages = {pages}"
                           f" WHERE relkind = '{kind}' AND relnamespace = 'public'::regnamespace"))
