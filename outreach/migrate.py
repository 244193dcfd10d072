"""Bring the database to the schema of `outreach.models`: Alembic, safe when several processes start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event

from outreach.db import engine, make_engine
from outreach.errors import OutreachError
from outreach.settings import get_settings

_LOCK = 0x6F757472656163  # "outreac" as a number: the advisory lock that upgrades take turns by


class BrokenReferences(OutreachError):
    """A migration on SQLite would leave rows that refer to nothing; it was rolled back."""


@lru_cache(maxsize=1)
def config() -> Config:
    """Alembic's configuration: the checkout's `migrations/`, or the copy that an installed package carries."""
    here = Path(__file__).resolve().parent
    places = (here.parent / "migrations", here / "_migrations")
    made = Config()
    made.set_main_option("script_location", str(next(p for p in places if (p / "env.py").exists())).replace("%", "%%"))
    return made


def upgrade(revision: str = "head") -> None:
    """Run what is missing up to `revision`, in one transaction. A second process waits for the first and finds nothing to do.

    Raises BrokenReferences, and whatever the database says.
    """
    with alone() as connection:
        command.upgrade(_bound(connection), revision)


def downgrade(revision: str) -> None:
    """Undo down to `revision` ("base" is an empty database). Data of dropped tables and columns is gone."""
    with alone() as connection:
        command.downgrade(_bound(connection), revision)


def is_current() -> bool:
    """Whether the database has exactly the schema that this code expects. Raises what the driver raises when it cannot be reached."""
    with engine().connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == _heads()


@lru_cache(maxsize=1)
def _heads() -> set[str]:
    return set(ScriptDirectory.from_config(config()).get_heads())


def _bound(connection: Connection) -> Config:
    ours = config()
    made = Config()
    made.set_main_option("script_location", (ours.get_main_option("script_location") or "").replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


@contextmanager
def alone() -> Iterator[Connection]:
    """One transaction in which nobody else migrates: Postgres by an advisory lock, SQLite by its write lock."""
    own = make_engine(get_settings().db_url)
    try:
        if own.dialect.name == "sqlite":
            # Rebuilding a table drops it for a moment: its references are checked at the end instead of underway.
            event.listen(own, "connect", lambda raw, _record: raw.execute("PRAGMA foreign_keys=OFF"))
            with own.begin() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5):
                    raise BrokenReferences("rows refer to nothing after the migration, in: "
                                           + ", ".join(sorted({str(row[0]) for row in broken})))
        else:
            with own.begin() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield connection
    finally:
        own.dispose()
