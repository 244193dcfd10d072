"""The short form of `make chaos`: both databases side by side, some forty blows each, and every letter accounted for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.__main__ import Report, run_all, show
from tests.chaos.plan import FAX, FORMS, KILLS, MAIL, OUTAGES, plan
from tests.plugins.no_skips import is_there

SEED = 20261122
"""The same plan each time; the moment of each shot is the machine's."""


@pytest.fixture(scope="module")
def reports() -> Iterator[dict[str, Report]]:
    databases = ["sqlite", "postgres"] if is_there("postgres") else ["sqlite"]
    found = run_all(databases, "ci", SEED)
    print(show(found))
    yield {r["database"]: r for r in found}


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def test_no_letter_is_lost_or_doubled_whatever_dies(reports: dict[str, Report], database: str) -> None:
    report = reports[database]
    assert report["findings"] == []
    assert report["letters"] >= FORMS["ci"].letters
    assert report["kills"] >= 13 and report["faults"] >= 25


def test_a_seed_gives_the_same_plan_again() -> None:
    assert plan(FORMS["ci"], "sqlite", 7) == plan(FORMS["ci"], "sqlite", 7) != plan(FORMS["ci"], "sqlite", 8)


@pytest.mark.parametrize("database", list(OUTAGES))
def test_the_full_form_has_every_kind_of_blow(database: str) -> None:
    done = [what for step in plan(FORMS["full"], database, 1) for what in step]
    assert {*KILLS, *OUTAGES[database], "stop email", "stop fax"} <= set(done)
    assert {f"arm mail {k}" for k in MAIL} | {f"arm fax {k}" for k in FAX} <= set(done)
    assert sum(d.startswith("kill") for d in done) >= 200 and sum(d.startswith("arm") for d in done) >= 200
    assert any(d.startswith("clock -") for d in done) and any(d.startswith("clock +") for d in done)
