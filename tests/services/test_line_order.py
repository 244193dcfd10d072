"""In which order letters are read from a lane: by submission, those put off among the others once they are due again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from outreach.db import reading
from outreach.models import Letter, Target, table
from outreach.prepared import FEW
from outreach.queries import delivery
from outreach.services import pauses
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

_LETTERS = table(Letter)


def _written(desk: Desk, n: int, **changes: object) -> list[str]:
    """The ids of n letters in order of submission."""
    found = []
    for _ in range(n):
        desk.later(seconds=1)
        found.append(desk.letter(desk.write(**changes)).id)
    return found


def _read(desk: Desk, most: int, targets: Sequence[int] = ()) -> list[str]:
    lane = desk.lane("commissioner@transit.example").address_id
    wanted = targets or [t.id for t in desk.rows(Target)]
    with reading() as c:
        return [w.id for w in delivery.waiting(c, lane, desk.now, wanted, most)]


def _put_off(desk: Desk, letter: str, **delta: float) -> None:
    desk.change(Letter, _LETTERS.c.id == letter, not_before=desk.now + timedelta(**delta))


def test_one_that_is_due_again_stands_where_it_stood(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    first, second, third, fourth = _written(desk, 4)
    _put_off(desk, second, hours=1)
    _put_off(desk, fourth, minutes=5)
    assert _read(desk, 9) == [first, third]
    desk.later(minutes=10)
    assert _read(desk, 9) == [first, third, fourth]
    desk.later(hours=1)
    assert _read(desk, 9) == [first, second, third, fourth]
    assert _read(desk, 2) == [first, second]


def test_the_next_look_is_at_the_first_that_is_due_again(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    letters = _written(desk, 3)
    lane = desk.lane("commissioner@transit.example").address_id
    for letter, minutes in zip(letters, (20, 10, 30), strict=True):
        _put_off(desk, letter, minutes=minutes)
    with reading() as c:
        assert delivery.next_waiting_at(c, lane, desk.now) == desk.now + timedelta(minutes=10)
        assert delivery.next_waiting_at(c, lane, desk.now + timedelta(minutes=10)) == desk.now + timedelta(minutes=20)
        assert delivery.waiting_targets(c, lane, desk.now) == set()
        assert len(delivery.waiting_targets(c, lane, desk.now + timedelta(minutes=10))) == 1
        assert delivery.next_waiting_at(c, lane, desk.now + timedelta(hours=1)) is None
    desk.action("pause")
    with reading() as c:
        assert delivery.next_waiting_at(c, lane, desk.now) is None


def test_of_very_many_that_are_due_again_none_is_forgotten(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    letters = _written(desk, 3)
    desk.patch.setattr(delivery, "AGAIN", 2)
    delivery._heads.cache_clear()
    try:
        for letter, minutes in zip(letters, (-1, -2, -3), strict=True):
            _put_off(desk, letter, minutes=minutes)
        assert _read(desk, 9) == [letters[1], letters[2]]  # the longest due, in order of submission
        assert desk.send() == 3
    finally:
        delivery._heads.cache_clear()


def test_offices_behind_one_address_stand_in_one_line(desk: Desk) -> None:
    offices = [replace(COUNCIL, id=f"office{i}", email=COMMISSIONER.email) for i in range(FEW + 2)]
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER, *offices))
    places = [*(o.id for o in reversed(offices)), "commissioner", "office3", "office0"]
    written = [_written(desk, 1, targets=(place,))[0] for place in places]
    assert _read(desk, 99) == written
    assert _read(desk, 5) == written[:5]

    pauses.pause_target("night-bus", places[0], now=desk.now)
    assert _read(desk, 5) == written[1:6]
    keys = {t.id: t.key for t in desk.rows(Target)}
    only = [i for i, key in keys.items() if key in ("office0", "commissioner")]
    assert _read(desk, 9, only) == [x for x, place in zip(written, places, strict=True) if place in ("office0", "commissioner")]


def test_what_was_taken_back_or_goes_with_another_is_not_read(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    first, second, third = _written(desk, 3)
    desk.change(Letter, _LETTERS.c.id == first, withdrawn_at=desk.now)
    desk.change(Letter, _LETTERS.c.id == second, carried_by=third)
    assert _read(desk, 1) == [third]
    desk.change(Letter, _LETTERS.c.id == third, withdrawn_at=desk.now)
    lane = desk.lane("commissioner@transit.example").address_id
    with reading() as c:
        assert delivery.waiting_targets(c, lane, desk.now) == set()
