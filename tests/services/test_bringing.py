"""A change that concerns many waiting letters is told without holding anything up, and done in batches, to the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from outreach.db import unit_of_work
from outreach.models import AuditEntry, CampaignVersion, Letter, table
from outreach.queries import campaigns as queries
from outreach.services import bringing, campaigns, changes, foresight, stops
from outreach.services.changes import Waiting
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.services.test_changes import NEW_TEXT, change


@pytest.fixture
def many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk at which five letters are many."""
    for module in (changes, foresight):
        monkeypatch.setattr(module, "AT_ONCE", 3)
    monkeypatch.setattr(bringing, "_MOST", 2)
    desk.set(confirm="none")
    desk.campaign()
    for _ in range(5):
        desk.write()
        desk.later(seconds=1)
    return desk


def brought(desk: Desk) -> list[str]:
    return [a.detail for a in desk.rows(AuditEntry) if a.what == "waiting letters brought in line"]


@pytest.mark.parametrize("waiting", list(Waiting))
def test_looking_at_a_change_waits_for_nobody_and_holds_nobody_up(many: Desk, waiting: Waiting) -> None:
    new = (replace(COMMISSIONER, email=("office@transit.example",)), COUNCIL)
    with ThreadPoolExecutor(1) as pool, unit_of_work() as c:
        here = campaigns.get("night-bus")
        queries.by_slug_locked(c, "night-bus")
        queries.lanes_locked(c, queries.letter_lanes(c, here.id))
        queries.waiting_letters_locked(c, here.id, None)
        told = pool.submit(change, many, waiting, dry_run=True, letter=NEW_TEXT, targets=new).result(20)
    assert told.letters[0] in ("5 letters cancelled", "5 letters wait and will be sent as written",
                               "5 letters wait until the writer confirms again; the question goes out by mail")
    assert ("5 letters moved to another address of the same target" in told.letters) == (waiting is not Waiting.CANCEL)
    assert many.states() == ["queued"] * 5
    assert change(many, waiting, letter=NEW_TEXT, targets=new).letters[0] == told.letters[0] or waiting is not Waiting.SEND


def test_many_are_cancelled_in_batches_and_told_once(many: Desk) -> None:
    assert change(many, Waiting.CANCEL, letter=NEW_TEXT).letters == ("5 letters cancelled",)
    assert many.states() == ["cancelled"] * 5
    assert brought(many) == ["version 2: 5 letters cancelled"]
    assert many.counts_agree()


def test_the_stop_does_not_wait_until_all_are_cancelled(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    bring = changes.bring

    def and_stop(c: object, rows: object, *rest: object) -> object:
        done = bring(c, rows, *rest)  # type: ignore[arg-type]
        if not stopped and many.database.dialect.name == "postgresql":  # SQLite has one writer, who waits for one batch
            with ThreadPoolExecutor(1) as pool:
                stopped.append(pool.submit(stops.stop, "night-bus", "won", "They gave in.", now=many.now).result(10))
        return done

    monkeypatch.setattr(changes, "bring", and_stop)
    change(many, Waiting.CANCEL, letter=NEW_TEXT)
    assert many.states() == ["cancelled"] * 5


def test_what_one_call_has_no_time_for_the_sweep_does_and_leaves_later_letters_alone(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringing, "SECONDS", 0.0)
    result = change(many, Waiting.CANCEL, letter=NEW_TEXT)
    assert result.letters == ("2 letters cancelled", "there are more: they follow within minutes")
    many.later(seconds=1)
    many.write()
    many.sweep()
    assert sorted(many.states()) == ["cancelled"] * 5 + ["queued"]
    assert brought(many) == ["version 2: 2 letters cancelled; more are left", "version 2: 3 letters cancelled"]
    assert all(v.older is None for v in many.rows(CampaignVersion, table(CampaignVersion).c.campaign_id > 0))


def test_nobody_is_asked_twice(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringing, "SECONDS", 0.0)
    first = change(many, Waiting.ASK, letter=NEW_TEXT)
    assert first.letters == ("2 letters wait until the writer confirms again; the question goes out by mail",
                             "there are more: they follow within minutes")
    asked = next(x for x in many.letters() if x.state == "unconfirmed")
    many.change(Letter, table(Letter).c.id == asked.id, state="queued", counts=True)  # confirmed again at once
    many.sweep()
    states = {x.id: x.state for x in many.letters()}
    assert states.pop(asked.id) == "queued"
    assert set(states.values()) == {"unconfirmed"}
    assert "3 letters wait until the writer confirms again" in brought(many)[-1]
