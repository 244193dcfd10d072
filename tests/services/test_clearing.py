"""What waits and must not go any more comes to its end within one sweep, however much it is, as far as the time allows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.models import Letter
from outreach.services import clearing, stops
from tests.services.helpers import NOW, Desk


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """Twelve letters that wait, four times what one transaction moves."""
    desk.set(confirm="none")
    desk.patch.setattr(clearing, "MOST", 3)
    desk.campaign(deadline=NOW + timedelta(hours=1))
    for _ in range(12):
        desk.write()
    desk.sweep()
    return desk


def test_a_deadline_ends_all_that_waits_in_one_sweep(waiting: Desk) -> None:
    waiting.later(hours=2)
    assert waiting.sweep()["expired"] == 12
    assert waiting.states() == ["expired"] * 12
    assert waiting.counts_agree()


def test_so_does_the_end_of_a_campaign(waiting: Desk) -> None:
    waiting.action("close")
    assert waiting.sweep()["withdrawn"] == 12
    assert {(x.state, x.reason) for x in waiting.letters()} == {("cancelled", "campaign_closed")}


def test_and_a_withdrawal_of_many(waiting: Desk) -> None:
    waiting.change(Letter, withdrawn_at=waiting.now)
    assert waiting.sweep()["withdrawn"] == 12
    assert {(x.state, x.reason) for x in waiting.letters()} == {("cancelled", "withdrawn")}


def test_and_a_stop(waiting: Desk) -> None:
    stops.stop("night-bus", "won", "They kept it.", now=waiting.now)
    waiting.later(minutes=10)
    assert waiting.sweep()["ended"] == 12
    assert waiting.counts_agree()


def test_when_its_time_is_over_the_rest_is_left_to_the_next_sweep(waiting: Desk) -> None:
    waiting.patch.setattr(clearing, "SECONDS", 0.0)
    waiting.later(hours=2)
    assert [waiting.sweep()["expired"] for _ in range(4)] == [3] * 4
    assert "expired" not in waiting.sweep()
