"""Statements of the hot path: written with SQLAlchemy, compiled once, then handed straight to the driver.

SQLAlchemy's way to the driver costs more than most of the statements in a hand-over's commit (docs/decisions/0012). What is
fixed in a statement (`state = 'queued'`) is written into it instead of bound: SQLite would plan it anew at each run, to see
whether a partial index serves. Errors come as SQLAlchemy's own, so that callers see no difference.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import ClauseElement, Connection, Table, Update, bindparam, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError

FEW = 16
"""Rows that one statement may hold and still be kept prepared; more are rare, and come in too many different sizes."""
_SQLITE, _POSTGRES = SQLiteDialect_pysqlite(paramstyle="named"), PGDialect_psycopg()  # type: ignore[no-untyped-call]
_PLACE = {"sqlite": re.compile(r":(\w+)"), "postgresql": re.compile(r"%\((\w+)\)s")}
_ERRORS: dict[str, type[Exception]] = {"sqlite": sqlite3.Error, "postgresql": psycopg.Error}


class Prepared:
    """One statement, whatever the dialect; parameters are its `bindparam`s, whose own values are what they default to."""

    __slots__ = ("_defaults", "_statement", "_texts")

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._defaults: dict[str, Any] = {}
        self._texts: dict[str, tuple[str, tuple[str, ...]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any], *, keep: bool = True) -> Any:
        """Run it; returns the driver's cursor. `keep` it prepared (Postgres). Raises sqlalchemy.exc.DBAPIError."""
        dialect = connection.dialect.name
        text, names = self._texts.get(dialect) or self._compile(dialect)
        defaults = self._defaults
        return run(connection, text, [values[name] if name in values else defaults[name] for name in names], keep=keep)

    def run_flat(self, connection: Connection, values: Sequence[Any], *, keep: bool = True) -> Any:
        """`run` with the values in the order in which the statement names them, none twice."""
        dialect = connection.dialect.name
        text, _ = self._texts.get(dialect) or self._compile(dialect)
        return run(connection, text, values, keep=keep)

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """SQLite: run it for each of `rows`, of which each changes one row of a table or none; tells which. Raises
        sqlalchemy.exc.DBAPIError.

        Many go at once, which costs half as much but tells only how many were changed: if not all were, that is taken back and
        they go one by one.
        """
        if len(rows) > FEW:
            text, names = self._texts.get("sqlite") or self._compile("sqlite")
            values = [row[name] if name in row else self._defaults[name] for row in rows for name in names]
            width = len(names)
            run(connection, "SAVEPOINT many")
            all_of_them = _run_many(connection, text, [values[i:i + width] for i in range(0, len(values), width)]) == len(rows)
            if not all_of_them:
                run(connection, "ROLLBACK TO many")
            run(connection, "RELEASE many")
            if all_of_them:
                return [True] * len(rows)
        return [bool(self.run(connection, row).rowcount) for row in rows]

    def text(self, dialect: str) -> str:
        """As the driver gets it."""
        return (self._texts.get(dialect) or self._compile(dialect))[0]

    def _compile(self, dialect: str) -> tuple[str, tuple[str, ...]]:
        made = self._statement.compile(dialect=_SQLITE if dialect == "sqlite" else _POSTGRES,
                                       compile_kwargs={"render_postcompile": True})
        fixed = {name: x.effective_value for name, x in made.binds.items() if x.unique}  # type: ignore[attr-defined]
        self._defaults = {name: x.effective_value for name, x in made.binds.items() if not x.unique and not x.required}  # type: ignore[attr-defined]
        names: dict[str, int] = {}

        def place(found: re.Match[str]) -> str:
            name = found[1]
            if name in fixed:
                return _literal(fixed[name], dialect)
            number = names.setdefault(name, len(names) + 1)
            return f"?{number}" if dialect == "sqlite" else f"${number}"

        text = _PLACE[dialect].sub(place, str(made))
        self._texts[dialect] = text, tuple(names)
        return self._texts[dialect]


class Each:
    """A conditional UPDATE of rows that differ, and which of them it changed.

    `build(n)` writes it for n rows, whose parameters end in 0, 1, …; `id` is each row's key. Postgres takes all rows in one
    statement with RETURNING; on SQLite, where that is what costs, row after row is quicker, and the count says the same.
    """

    __slots__ = ("_build", "_one", "_statements")

    def __init__(self, build: Callable[[int], Update]) -> None:
        self._build, self._one = build, Prepared(build(1))
        self._statements: dict[int, Prepared] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> set[str]:
        """Ids of the rows that met the condition. Give `rows` in the order in which they shall be locked."""
        if connection.dialect.name == "sqlite":
            met = self._one.run_each(connection, [{**shared, **{f"{k}0": v for k, v in row.items()}} for row in rows])
            return {row["id"] for row, changed in zip(rows, met, strict=True) if changed}
        values = dict(shared)
        for i, row in enumerate(rows):
            for k, v in row.items():
                values[f"{k}{i}"] = v
        n = len(rows)
        statement = self._statements.get(n)
        if statement is None:
            made = self._build(n)
            statement = Prepared(made.returning(made.table.c.id))
            if n <= FEW:
                self._statements[n] = statement
        return {found for found, in statement.run(connection, values, keep=n <= FEW).fetchall()}


class Rows:
    """An INSERT of whole rows, given as tuples in the order of `columns`."""

    __slots__ = ("_columns", "_statements", "_table")

    def __init__(self, table: Table, *columns: str) -> None:
        self._table, self._columns = table, columns
        self._statements: dict[int, Prepared] = {}

    def add(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert them. Raises sqlalchemy.exc.DBAPIError."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            _run_many(connection, self._statement(1).text("sqlite"), rows)
            return
        if len(rows) > 4 * FEW:
            connection.execute(insert(self._table), [dict(zip(self._columns, row, strict=True)) for row in rows])
            return
        for at in range(0, len(rows), FEW):
            some = rows[at:at + FEW]
            self._statement(len(some)).run_flat(connection, [value for row in some for value in row])

    def _statement(self, n: int) -> Prepared:
        if n not in self._statements:
            rows = [{c: bindparam(f"{c}_{i}", type_=self._table.c[c].type) for c in self._columns} for i in range(n)]
            self._statements[n] = Prepared(insert(self._table).inline().values(rows))
        return self._statements[n]


def run(connection: Connection, text: str, values: Sequence[Any] = (), *, keep: bool = False) -> Any:
    """Run a statement that needs no compiling; returns the driver's cursor. Raises sqlalchemy.exc.DBAPIError."""
    dialect = connection.dialect.name
    try:
        if dialect == "sqlite":
            return connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                text, [_sortable(v) if isinstance(v, datetime) else v for v in values])
        return _cursor(connection).execute(text, values, prepare=True if keep else None)
    except _ERRORS[dialect] as e:
        raise _as_sqlalchemy(connection, text, e) from e


def _run_many(connection: Connection, text: str, rows: Sequence[Sequence[Any]]) -> int:
    """SQLite: run it for each row; returns how many rows of the table were changed in all."""
    try:
        changed: int = connection.connection.driver_connection.executemany(  # type: ignore[union-attr]
            text, [[_sortable(v) if isinstance(v, datetime) else v for v in row] for row in rows]).rowcount
    except sqlite3.Error as e:
        raise _as_sqlalchemy(connection, text, e) from e
    return changed


def _cursor(connection: Connection) -> Any:
    """One cursor a driver's connection. All integers go as bigint, or each size of number would prepare a statement of its own."""
    kept = connection.info
    if "prepared" not in kept:
        kept["prepared"] = psycopg.RawCursor(cast("psycopg.Connection[Any]", connection.connection.driver_connection))
        kept["prepared"].adapters.register_dumper(int, Int8Dumper)
    return kept["prepared"]


def _as_sqlalchemy(connection: Connection, text: str, error: Exception) -> BaseException:
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)  # type: ignore[arg-type]
    made = DBAPIError.instance(text, (), error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=lost,
                               dialect=dialect)
    if lost:
        connection.invalidate(error)
    return made


@lru_cache(maxsize=64)
def _sortable(at: datetime) -> str:
    """As `UTCDateTime` keeps it on SQLite."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime has no place in the database")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _literal(value: Any, dialect: str) -> str:
    """A fixed value of ours as SQL; never one that came from outside."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower() if dialect == "postgresql" else str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"[\w .:-]*", value):
        return f"'{value}'"
    raise TypeError(f"a {type(value).__name__} cannot be written into a statement")
