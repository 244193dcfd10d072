"""Statements that go straight to the driver say and do what SQLAlchemy would have said and done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from outreach.db import new_id, reading, unit_of_work
from outreach.models import AuditEntry, Notice, Pause, ServiceDay, table
from outreach.prepared import FEW, Each, Prepared, Rows

DAYS, AUDIT, NOTICES, PAUSES = table(ServiceDay), table(AuditEntry), table(Notice), table(Pause)
NOW = datetime(2026, 11, 23, 15, 0, 1, 234567, tzinfo=UTC)
NEW_DAYS = Rows(DAYS, "day", "used")


def days() -> dict[str, int]:
    with reading() as c:
        return {row.day: row.used for row in c.execute(select(DAYS))}


@pytest.mark.parametrize("n", [0, 1, 3, FEW, FEW + 1, 5 * FEW])
def test_rows_are_inserted_however_many(database: Engine, n: int) -> None:
    with unit_of_work() as c:
        NEW_DAYS.add(c, [(f"day{i}", i) for i in range(n)])
    assert days() == {f"day{i}": i for i in range(n)}


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("n", [1, 4, FEW + 3])
def test_each_row_is_changed_on_its_own_condition_and_the_changed_are_told(database: Engine, n: int, every: int) -> None:
    def build(rows: int) -> Any:
        return update(NOTICES).where(NOTICES.c.id.in_([bindparam(f"id{i}") for i in range(rows)]), NOTICES.c.state == "queued").values(
            state="sending", lease_until=bindparam("until", type_=NOTICES.c.lease_until.type))

    each, ids = Each(build), [new_id() for _ in range(n)]
    with unit_of_work() as c:
        c.execute(insert(NOTICES), [{"id": x, "kind": "k", "ref": x, "recipient": "r", "mailbox": "m", "not_before": NOW, "created_at": NOW,
                                     "state": "queued" if i % every == 0 else "sent"} for i, x in enumerate(ids)])
    with unit_of_work() as c:
        assert each.run(c, [{"id": x} for x in sorted(ids)], {"until": NOW}) == set(ids[::every])
    with unit_of_work() as c:
        assert each.run(c, [{"id": x} for x in ids], {"until": NOW}) == set()
    with reading() as c:
        assert {r.id: r.lease_until for r in c.execute(select(NOTICES))} == {x: NOW if i % every == 0 else None for i, x in enumerate(ids)}


def test_times_are_kept_as_sqlalchemy_keeps_them(database: Engine) -> None:
    rows = Rows(AUDIT, "at", "who", "what", "detail")
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-5)))
    with unit_of_work() as c:
        c.execute(insert(AUDIT).values(at=NOW, who="sqlalchemy", what="x", detail=""))
        rows.add(c, [(NOW, "driver", "x", ""), (elsewhere, "elsewhere", "x", ""), (NOW.replace(microsecond=0), "whole", "x", "")])
    with reading() as c:
        kept = {r.who: r.at for r in c.exec_driver_sql("SELECT who, at FROM audit_log")}
        read = {r.who: r.at for r in c.execute(select(AUDIT.c.who, AUDIT.c.at))}
    assert kept["driver"] == kept["sqlalchemy"] == kept["elsewhere"]
    assert read["driver"] == NOW and read["whole"] == NOW.replace(microsecond=0)
    assert len({len(str(at)) for at in kept.values()}) == 1 or database.dialect.name == "postgresql"  # text that sorts by time


def test_a_default_is_a_parameter_and_a_fixed_word_is_not(database: Engine) -> None:
    said = Prepared(select(PAUSES.c.kind).where(PAUSES.c.kind == "provider", PAUSES.c.name == bindparam("transport", "")))
    assert "'provider'" in said.text(database.dialect.name) and "''" not in said.text(database.dialect.name)
    with unit_of_work() as c:
        c.execute(insert(PAUSES).values(kind="provider", name="smtp", at=NOW, who="w", why=""))
        assert len(said.run(c, {"transport": "smtp"}).fetchall()) == 1
        assert said.run(c, {"transport": "it's; DROP TABLE pauses --"}).fetchall() == []
        assert said.run(c, {}).fetchall() == []


def test_errors_are_sqlalchemys_and_the_transaction_is_rolled_back(database: Engine) -> None:
    with pytest.raises(IntegrityError) as caught, unit_of_work() as c:
        NEW_DAYS.add(c, [("a", 1), ("b", 2)])
        NEW_DAYS.add(c, [("a", 3)])
    assert "[SQL: INSERT INTO service_days" in str(caught.value)
    assert days() == {}
    with unit_of_work() as c:  # and inside a savepoint only that is
        NEW_DAYS.add(c, [("a", 1)])
        with pytest.raises(IntegrityError), c.begin_nested():
            NEW_DAYS.add(c, [("a", 2)])
    assert days() == {"a": 1}


def test_a_missing_parameter_is_noticed(database: Engine) -> None:
    with unit_of_work() as c, pytest.raises(KeyError):
        Prepared(select(DAYS.c.used).where(DAYS.c.day == bindparam("day"))).run(c, {})


def test_a_connection_that_died_is_given_up_and_the_next_one_works(database: Engine) -> None:
    if database.dialect.name != "postgresql":
        return
    with pytest.raises(DBAPIError) as caught, unit_of_work() as c:
        number = c.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with database.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({number})")
        NEW_DAYS.add(c, [("a", 1)])
    assert caught.value.connection_invalidated
    with unit_of_work() as c:
        NEW_DAYS.add(c, [("b", 1)])
    assert days() == {"b": 1}


def test_a_pooled_connection_that_died_while_idle_is_replaced_before_use(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.dialect.name != "postgresql":
        return
    with unit_of_work() as c:
        number = c.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    import psycopg

    with psycopg.connect(str(database.url.render_as_string(hide_password=False)).replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f"SELECT pg_terminate_backend({number})")
    monkeypatch.setattr("outreach.db.IDLE", -1.0)  # as if it had lain longer
    with unit_of_work() as c:
        NEW_DAYS.add(c, [("a", 1)])
    assert days() == {"a": 1}
