"""What a claim, and what is asked before and after it, costs does not grow with what waits, not even before Postgres has counted a
table's rows for the first time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, text

from outreach import prepared
from outreach.db import new_id, reading, unit_of_work
from outreach.models import Letter, table
from outreach.queries import bundles, delivery, letters
from outreach.services import campaigns, forecast, pauses
from outreach.settings import get_settings
from tests.services.effort import effort, never_counted, postgres_url  # noqa: F401  (a fixture)
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

MANY = 3000


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_claim_comes_to_its_letters_by_their_ids(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    never_counted()
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


@pytest.fixture(params=["counted", "never counted"])
def counted(request: pytest.FixtureRequest, database: Engine) -> bool:
    """Whether the database has counted the rows of its tables."""
    if database.dialect.name == "postgresql":
        never_counted()
    return bool(request.param == "counted")


class Line:
    """A lane of two offices, one letter for each of them at its very end, and any number for the first in front of these."""

    def __init__(self, desk: Desk, *, counted: bool) -> None:
        self.desk, self.counted, self._in_front = desk, counted, 0
        desk.set(confirm="none")
        desk.campaign(targets=(COMMISSIONER, replace(COUNCIL, email=COMMISSIONER.email)))
        desk.later(days=1)
        desk.write(targets=("commissioner",))
        self.last = desk.letters()[0]
        desk.write(targets=("council",))
        self.targets = sorted(x.target_id for x in desk.letters())
        self.address = self.last.address_id

    def grow(self, to: int, **values: Any) -> None:
        """So many letters stand in front."""
        before = self.desk.now - timedelta(days=1)
        with unit_of_work() as c:
            c.execute(insert(table(Letter)), [
                {**self.last._asdict(), "id": new_id(), "fingerprint": f"in front {i}", "submitted_at": before + timedelta(seconds=i),
                 **values} for i in range(self._in_front, to)])
            if self.counted:
                c.execute(text("ANALYZE"))
        self._in_front = to

    def costs(self) -> dict[str, int]:
        """What each question about the lane costs now."""
        now, at = self.desk.now, self.address
        return {name: effort(ask) for name, ask in {
            "waiting": lambda c: delivery.waiting(c, at, now, self.targets[:1], 4),
            "waiting, several targets": lambda c: delivery.waiting(c, at, now, self.targets, 4),
            "waiting targets": lambda c: delivery.waiting_targets(c, at, now),
            "next": lambda c: delivery.next_waiting_at(c, at, now),
        }.items()}


def _no_dearer(line: Line, **values: Any) -> None:
    """Ten times as many in front, and nothing costs more than a little."""
    line.grow(MANY // 10, **values)
    few = line.costs()
    line.grow(MANY, **values)
    many = line.costs()
    assert {name: n for name, n in many.items() if n > 1.2 * few[name] + 5} == {}, few


def test_what_a_drain_asks_costs_the_same_however_many_wait(desk: Desk, counted: bool) -> None:
    _no_dearer(Line(desk, counted=counted))


def test_what_a_drain_asks_costs_the_same_however_many_wait_in_other_lanes(desk: Desk, counted: bool) -> None:
    line = Line(desk, counted=counted)
    desk.campaign("day-bus", targets=(replace(COMMISSIONER, email=("someone.else@transit.example",)),))
    desk.write("day-bus")
    elsewhere = next(x for x in desk.letters() if x.address_id != line.address)
    assert desk.send() == 3
    if counted:  # Postgres does so by itself, and may have while nothing waited; SQLite is never asked to
        with unit_of_work() as c:
            if c.dialect.name == "postgresql":
                c.execute(text("ANALYZE"))
    line.counted = False
    _no_dearer(line, **{k: getattr(elsewhere, k) for k in ("campaign_id", "submission_id", "target_id", "address_id")})


def test_who_is_first_or_last_in_line_costs_the_same_however_many_wait(desk: Desk, counted: bool) -> None:
    line = Line(desk, counted=counted)
    line.grow(MANY // 10)
    questions: list[Callable[[Connection], object]] = [
        lambda c: bundles.first(c, line.targets[0], line.address, 1),
        lambda c: bundles.late(c, line.targets[0], line.address, 1, agreed_since="2026-11", most=1)]
    few = [effort(ask) for ask in questions]
    line.grow(MANY)
    many = [effort(ask) for ask in questions]
    assert max(many) <= 1.2 * max(few) + 5


def test_a_letter_s_place_in_line_costs_the_same_however_many_wait(desk: Desk, counted: bool) -> None:
    line = Line(desk, counted=counted)
    desk.campaign("day-bus", targets=(COMMISSIONER,))
    desk.write("day-bus")
    first = SimpleNamespace(**{**line.last._asdict(), "submitted_at": desk.now - timedelta(days=9)})
    other = next(x for x in desk.letters() if x.campaign_id != line.last.campaign_id)
    questions: list[Callable[[Connection], object]] = [
        lambda c: letters.ahead_of(c, first, 50), lambda c: letters.ahead_of(c, line.last, 50),
        lambda c: letters.of_others(c, line.last, 50), lambda c: letters.of_others(c, other, 50)]
    line.grow(MANY // 10)
    few = [effort(ask) for ask in questions]
    line.grow(MANY)
    many = [effort(ask) for ask in questions]
    assert all(n <= 1.2 * before + 5 for n, before in zip(many, few, strict=True)), (few, many)
    with reading() as c:
        assert [ask(c) for ask in questions] == [0, 50, {other.campaign_id: 1}, {line.last.campaign_id: 51}]


def test_a_forecast_and_who_carries_a_bundle_cost_the_same_however_many_wait(desk: Desk) -> None:
    line = Line(desk, counted=True)  # asked so seldom that a minute of a young database, until it counts by itself, is no harm
    campaign, settings = campaigns.get("night-bus"), get_settings()
    questions: list[Callable[[Connection], object]] = [
        lambda c: forecast.lanes_of(c, campaign, desk.now, settings), lambda c: bundles.waiting_carriers(c, campaign.id)]
    line.grow(MANY // 10)
    few = [effort(ask) for ask in questions]
    line.grow(MANY)
    many = [effort(ask) for ask in questions]
    assert all(n <= 1.2 * before + 5 for n, before in zip(many, few, strict=True)), (few, many)


def test_what_a_drain_asks_costs_the_same_however_many_are_put_off(desk: Desk, counted: bool) -> None:
    _no_dearer(Line(desk, counted=counted), not_before=desk.later(days=2))


def test_what_a_drain_asks_costs_the_same_however_many_are_due_again(desk: Desk, counted: bool) -> None:
    _no_dearer(Line(desk, counted=counted), not_before=desk.now)


def test_what_a_drain_asks_costs_the_same_however_many_are_paused(desk: Desk, counted: bool) -> None:
    line = Line(desk, counted=counted)
    pauses.pause_target("night-bus", "commissioner", now=desk.now)
    _no_dearer(line)


def test_what_a_drain_asks_costs_the_same_however_many_are_late(desk: Desk, counted: bool) -> None:
    line = Line(desk, counted=counted)
    desk.later(days=60)
    _no_dearer(line)
