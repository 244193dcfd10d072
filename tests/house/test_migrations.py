"""Migrations lead to exactly the schema of `outreach.models`, on both databases, whoever starts them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

from outreach import db, migrate
from outreach.models import Base

VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"
Schema = dict[str, dict[str, Any]]


@contextmanager
def looking() -> Iterator[Connection]:
    with db.engine().connect() as connection:
        yield connection


def schema() -> Schema:
    """Everything the database itself says of each table, names and conditions of its constraints included."""
    with looking() as connection:
        seen = inspect(connection)
        found: Schema = {}
        for table in seen.get_table_names():
            if table == "alembic_version":
                continue
            found[table] = {
                "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)},
                "key": seen.get_pk_constraint(table),
                "refers": _sorted(seen.get_foreign_keys(table)),
                "unique": _sorted(seen.get_unique_constraints(table)),
                "checks": _sorted(seen.get_check_constraints(table)),
                "indexes": {i["name"]: (i["column_names"], bool(i["unique"])) for i in seen.get_indexes(table)},
            }
        if connection.dialect.name == "sqlite":
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
        else:
            rows = connection.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
                                           "AND tablename <> 'alembic_version'"))
        found["(definitions of indexes)"] = {name: sql for name, sql in rows}
        return found


def _sorted(entries: Any) -> list[str]:
    return sorted(repr(sorted(e.items())) for e in entries)


def test_upgrading_gives_exactly_the_tables_of_the_models(empty_database: str) -> None:
    for constraint in Base.metadata.tables["campaigns"].foreign_key_constraints:
        constraint._create_rule = None  # which SQLAlchemy sets on a Postgres of an earlier test: then SQLite would get no circle
    Base.metadata.create_all(db.engine())
    by_models = schema()
    Base.metadata.drop_all(db.engine())
    migrate.upgrade()
    assert schema() == by_models
    with looking() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_it_says_whether_the_database_is_current(empty_database: str) -> None:
    assert not migrate.is_current()
    migrate.upgrade()
    assert migrate.is_current()
    migrate.upgrade()
    assert migrate.is_current()


def test_going_back_to_the_base_leaves_no_table(empty_database: str) -> None:
    migrate.upgrade()
    migrate.downgrade("base")
    assert schema() == {"(definitions of indexes)": {}}
    migrate.upgrade()
    assert migrate.is_current()


def test_several_processes_that_start_at_once_migrate_once(empty_database: str) -> None:
    code = "from outreach import migrate; migrate.upgrade(); raise SystemExit(not migrate.is_current())"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=VERSIONS.parents[1], env=dict(os.environ), stderr=subprocess.PIPE,
                                text=True) for _ in range(4)]
    for process in started:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
    assert migrate.is_current()


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migrate.command.upgrade

    def half_way(*args: Any) -> None:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(migrate.command, "upgrade", half_way)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade()
    assert schema() == {"(definitions of indexes)": {}}
    assert not migrate.is_current()


def test_the_database_itself_refuses_a_second_letter_of_one_person_to_one_target(empty_database: str) -> None:
    migrate.upgrade()
    with pytest.raises(IntegrityError, match=r"uq_letters_one_each|letters\.campaign_id"), db.unit_of_work() as connection:
        for each in ("a", "b"):
            _letter(connection, each, counts=True, first=each == "a")


def test_a_letter_that_no_longer_counts_makes_room_for_another(empty_database: str) -> None:
    migrate.upgrade()
    with db.unit_of_work() as connection:
        _letter(connection, "a", counts=False, first=True, state="cancelled")
        _letter(connection, "b", counts=True, first=False)


def test_one_letter_has_at_most_one_open_attempt(empty_database: str) -> None:
    migrate.upgrade()
    with pytest.raises(IntegrityError, match=r"uq_attempts_one_open|attempts\.letter_id"), db.unit_of_work() as connection:
        _letter(connection, "a", counts=True, first=True)
        for each in ("x", "y"):
            _insert(connection, "attempts", id=each, letter_id="a", verdict="open")


def _letter(connection: Connection, letter: str, *, counts: bool, first: bool, state: str = "queued") -> None:
    if first:
        _insert(connection, "campaigns", id=1, state="live", on_unknown="hold")
        _insert(connection, "campaign_versions", id=1, campaign_id=1)
        _insert(connection, "targets", id=1, campaign_id=1)
        _insert(connection, "addresses", id=1, channel="email", state="ok")
    _insert(connection, "submissions", id=letter, form_hash=letter, state="accepted", campaign_id=1, version_id=1)
    _insert(connection, "letters", id=letter, submission_id=letter, campaign_id=1, target_id=1, address_id=1, channel="email", state=state,
            counts=counts, fingerprint="same")


def _insert(connection: Connection, name: str, **given: Any) -> None:
    """One row with `given` and something of the right kind in every other column that must have a value."""
    table = Base.metadata.tables[name]
    filler: dict[type, Callable[[], Any]] = {int: lambda: 1, str: lambda: "x", bool: lambda: False, bytes: lambda: b"x"}
    values = dict(given)
    for column in table.columns:
        if column.name in values or column.nullable or column.server_default is not None:
            continue
        if isinstance(column.type, db.UTCDateTime):
            values[column.name] = db.utcnow()
        elif isinstance(column.type, db.JSONText):
            values[column.name] = {}
        else:
            values[column.name] = filler[column.type.python_type]()
    connection.execute(table.insert().values(values))


def test_the_migrations_form_one_line_from_the_first_to_the_last() -> None:
    script = migrate.ScriptDirectory.from_config(migrate.config())
    assert len(script.get_heads()) == 1
    assert [r.down_revision for r in script.walk_revisions()][-1] is None


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda p: p.stem)
def test_a_migration_drops_nothing_without_saying_why(path: Path) -> None:
    """In `upgrade()` each drop has a comment on its own line or the one before; and a way back exists."""
    source = path.read_text()
    functions = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}
    assert {"upgrade", "downgrade"} <= set(functions)
    lines = source.splitlines()
    for call in ast.walk(functions["upgrade"]):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("drop_"):
            said = lines[call.lineno - 2: call.lineno]
            assert any("#" in line for line in said), f"{path.name}:{call.lineno} drops without a note"


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda p: p.stem)
def test_a_migration_stands_on_its_own(path: Path) -> None:
    """It must still run when today's code is gone."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not any(n.split(".")[0] in ("outreach", "workers") for n in names)


def test_the_schema_can_be_compared_from_the_command_line(empty_database: str) -> None:
    """`alembic` finds its configuration in pyproject.toml and works on the service's own database."""
    for words in (["upgrade", "head"], ["check"]):
        run = subprocess.run([sys.executable, "-m", "alembic", "-q", *words], cwd=VERSIONS.parents[1], env=dict(os.environ),
                             capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    assert migrate.is_current()
