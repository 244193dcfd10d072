"""The short form of `make chaos`: both databases side by side, some forty blows each, and every letter accounted for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.__main__ import Report, run_all, show
from tests.chaos.plan import FAX, FORMS, HALT, KILLS, MAIL, OUTAGES, plan, still_to_come
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
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def test_no_letter_is_lost_or_doubled_whatever_dies(reports: dict[str, Report], database: str) -> None:
    report = reports[database]
    assert report["findings"] == []
    assert report["letters"] >= FORMS["ci"].letters
    assert all(report["exercised"].values())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def test_every_blow_of_the_plan_was_really_dealt(reports: dict[str, Report], database: str) -> None:
    report = reports[database]
    faults = {f"arm {sink_and_kind}": n for sink_and_kind, n in report["fault_kinds"].items()}
    assert not still_to_come(plan(FORMS["ci"], database, SEED), report["did"] | faults)
    assert report["kills"] >= FORMS["ci"].kills and report["faults"] >= FORMS["ci"].mail_faults + FORMS["ci"].fax_faults


def test_a_seed_gives_the_same_plan_again() -> None:
    assert plan(FORMS["ci"], "sqlite", 7) == plan(FORMS["ci"], "sqlite", 7) != plan(FORMS["ci"], "sqlite", 8)


@pytest.mark.parametrize("database", list(OUTAGES))
@pytest.mark.parametrize("form", list(FORMS))
def test_each_form_has_every_kind_of_blow(form: str, database: str) -> None:
    for seed in range(20):
        done = [what for step in plan(FORMS[form], database, seed) for what in step]
        assert {*KILLS, *OUTAGES[database], HALT, "stop fax"} <= set(done)
        assert {f"arm mail {k}" for k in MAIL} | {f"arm fax {k}" for k in FAX} <= set(done)
        assert any(d.startswith("clock -") for d in done) and any(d.startswith("clock +") for d in done)


@pytest.mark.parametrize("database", list(OUTAGES))
def test_the_full_form_has_two_hundred_kills_and_two_hundred_faults(database: str) -> None:
    done = [what for step in plan(FORMS["full"], database, 1) for what in step]
    assert sum(d.startswith("kill") for d in done) >= 200 and sum(d.startswith("arm") for d in done) >= 200
    assert "stop email" in done and FORMS["full"].letters == 20_000
