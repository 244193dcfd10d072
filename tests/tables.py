"""Empty tables for a test, quickly: making them anew, or TRUNCATE, costs more than most tests do."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Engine, text

from outreach.db import make_engine
from outreach.models import Base

FEW = 5000
"""Rows up to which DELETE is quicker, and leaves no dead ones that a later test would wade through."""
_gone: dict[str, int] = {}
"""By database: how many rows have been deleted since it was last truncated. Its tables exist."""


def empty_tables(database: Engine) -> None:
    """All tables, without a row and with their numbering begun anew. A SQLite file that is there already is the test's own."""
    if database.dialect.name == "postgresql":
        name = str(database.url.database)
        if name not in _gone:  # asking for each table whether it is there takes longer than emptying them
            Base.metadata.create_all(database)
            _gone[name] = 0
        _empty_postgres(database, name)
        return
    path = Path(database.url.database or "")
    if not path.exists():
        path.write_bytes(_empty_file())


@lru_cache(maxsize=1)
def _empty_file() -> bytes:
    """A SQLite database as `create_all` makes it. Closing the last connection moves its WAL into the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        made = make_engine(f"sqlite:///{path}")
        Base.metadata.create_all(made)
        made.dispose()
        return path.read_bytes()


def _empty_postgres(database: Engine, name: str) -> None:
    tables = [t.name for t in Base.metadata.tables.values()]
    with database.begin() as c:
        c.execute(text("SET LOCAL session_replication_role = replica"))  # everything goes: no reference needs to be looked up
        _gone[name] += sum(c.execute(text(f"DELETE FROM {table}")).rowcount for table in tables)
        if _gone[name] > FEW:
            c.execute(text(f"TRUNCATE {', '.join(tables)}"))
            _gone[name] = 0
        c.execute(text("SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences"))
