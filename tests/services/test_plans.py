"""What a claim costs does not grow with what waits, not even before Postgres has counted a table's rows for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from outreach import prepared
from outreach.db import new_id, unit_of_work
from outreach.models import Letter, table
from tests.services.helpers import Desk

MANY = 3000


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_claim_comes_to_its_letters_by_their_ids(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with unit_of_work() as c:
        c.execute(text("ALTER TABLE letters SET (autovacuum_enabled = off)"))
    desk.set(confirm="none")
    desk.campaign()
    for _ in range(4):
        desk.write()
    one, later = desk.letters()[0]._asdict(), desk.now + timedelta(days=1)
    with unit_of_work() as c:
        c.execute(insert(table(Letter)), [{**one, "id": new_id(), "fingerprint": f"another {i}", "not_before": later} for i in range(MANY)])
    plans, run = [], prepared.run

    def explained(connection: Connection, statement: str, values: Sequence[Any] = (), *, keep: bool = False) -> Any:
        if statement.startswith("UPDATE letters SET state='sending'"):
            plans.append("\n".join(line for line, in run(connection, f"EXPLAIN {statement}", values)))
        return run(connection, statement, values, keep=keep)

    monkeypatch.setattr(prepared, "run", explained)
    assert desk.send() == 4
    assert plans and all("pk_letters" in p and "ix_letters" not in p for p in plans), plans[0]
