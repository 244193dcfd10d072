"""Letters that a deadline has ended come back when it is moved ahead: in short transactions, to the end, and each to its own place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from outreach.models import AuditEntry, CampaignVersion, Letter, table
from outreach.queries import letters as letter_queries
from outreach.services import blocks, bringing, moderation, moves, revivals, stops
from outreach.services.changes import Waiting
from tests.services.helpers import COMMISSIONER, COUNCIL, NOW, Desk
from tests.services.test_changes import change
from tests.services.test_stop import everything

LATER = NOW + timedelta(days=2)
BACK = "8 letters that the deadline had ended wait again"


@pytest.fixture
def ended(desk: Desk) -> Desk:
    """Eight letters that the deadline has ended; three are what one transaction brings back."""
    desk.set(confirm="none")
    desk.patch.setattr(revivals, "MOST", 3)
    desk.campaign(deadline=NOW + timedelta(hours=2))
    for _ in range(8):
        desk.write()
    desk.later(hours=3)
    desk.sweep()
    assert desk.states() == ["expired"] * 8
    return desk


def transactions(desk: Desk) -> list[int]:
    """How many letters each transaction moves from now on."""
    found: list[int] = []
    real = moves.apply

    def apply(c: Any, wanted: Any, *given: Any, **more: Any) -> set[str]:
        found.append(len(wanted))
        return real(c, wanted, *given, **more)

    desk.patch.setattr(moves, "apply", apply)
    return found


def test_they_come_back_batch_by_batch_and_go(ended: Desk) -> None:
    taken = transactions(ended)
    assert change(ended, deadline=LATER).letters == (BACK, "8 letters wait and will be sent as written")
    assert ended.states() == ["queued"] * 8
    assert [n for n in taken if n] == [3, 3, 2]
    assert ended.counts_agree()
    assert ended.send() == 8


def test_a_dry_run_only_counts(ended: Desk) -> None:
    before = everything()
    taken = transactions(ended)
    assert change(ended, dry_run=True, deadline=LATER).letters == (BACK, "8 letters wait and will be sent as written")
    assert (everything(), taken) == (before, [])


def test_what_one_call_has_no_time_for_the_sweep_does(ended: Desk) -> None:
    ended.patch.setattr(revivals, "SECONDS", 0.0)
    assert BACK in change(ended, deadline=LATER).letters
    assert ended.states() == ["expired"] * 5 + ["queued"] * 3
    assert ended.sweep()["revived"] == 5
    assert ended.states() == ["queued"] * 8
    assert "revived" not in ended.sweep()
    assert ended.counts_agree()
    assert ended.send() == 8


@pytest.mark.parametrize("how", ["closed", "late", "a newer version that cancels"])
def test_the_rest_does_not_come_back_once_it_may_not(ended: Desk, how: str) -> None:
    ended.patch.setattr(revivals, "SECONDS", 0.0)
    change(ended, deadline=LATER)
    if how == "closed":
        ended.action("close")
    elif how == "late":
        ended.now = LATER
    else:
        change(ended, Waiting.CANCEL, deadline=LATER + timedelta(days=1))
    ended.sweep()
    assert "queued" not in ended.states() and ended.states().count("expired") >= 5
    assert {v.reviving for v in ended.rows(CampaignVersion)} == {None}
    assert ended.counts_agree()


def test_while_a_stop_can_be_undone_the_rest_waits(ended: Desk) -> None:
    ended.patch.setattr(revivals, "SECONDS", 0.0)
    change(ended, deadline=LATER)
    stops.stop("night-bus", "won", "They kept it.", now=ended.now)
    ended.sweep()
    assert ended.states() == ["expired"] * 5 + ["queued"] * 3
    stops.undo("night-bus", now=ended.now)
    ended.sweep()
    assert ended.states() == ["queued"] * 8


def test_one_place_is_taken_once_by_the_first_of_its_letters(ended: Desk) -> None:
    person = ended.letters()[0].fingerprint
    several = sorted(x.id for x in ended.letters())[:5]
    ended.change(Letter, table(Letter).c.id.in_(several), fingerprint=person)
    assert change(ended, dry_run=True, deadline=LATER).letters[0] == "4 letters that the deadline had ended wait again"
    assert change(ended, deadline=LATER).letters[0] == "4 letters that the deadline had ended wait again"
    assert {x.id: x.state for x in ended.letters() if x.fingerprint == person} == dict.fromkeys(several, "expired") | {several[0]: "queued"}
    assert ended.states() == ["expired"] * 4 + ["queued"] * 4


def test_a_place_that_is_taken_at_the_last_moment_costs_the_others_of_its_batch_nothing(ended: Desk) -> None:
    ended.patch.setattr(revivals, "MOST", 500)
    real = letter_queries.next_ended_by_deadline
    [first, second, *_rest] = sorted(x.id for x in ended.letters())

    def raced(c: Any, *given: Any) -> Any:
        rows = real(c, *given)
        if rows:
            letter = next(x for x in ended.letters() if x.id == first)
            c.execute(update(Letter).where(table(Letter).c.id == second).values(
                fingerprint=letter.fingerprint, counts=True, state="queued"))
        return rows

    ended.patch.setattr(letter_queries, "next_ended_by_deadline", raced)
    change(ended, deadline=LATER)
    assert {x.id for x in ended.letters() if x.state == "expired"} == {first}
    assert ended.states() == ["expired"] + ["queued"] * 7


def test_their_writers_are_asked_again_where_that_is_chosen(ended: Desk) -> None:
    told = change(ended, Waiting.ASK, dry_run=True, deadline=LATER).letters
    assert told == (BACK, "8 letters wait until the writer confirms again; the question goes out by mail")
    assert change(ended, Waiting.ASK, deadline=LATER).letters == told
    assert ended.states() == ["unconfirmed"] * 8
    assert ended.counts_agree()


def test_nobody_is_forgotten_to_be_asked_though_the_time_ran_out(ended: Desk) -> None:
    ended.patch.setattr(revivals, "SECONDS", 0.0)
    ended.patch.setattr(bringing, "_MOST", 2)
    change(ended, Waiting.ASK, deadline=LATER)
    assert ended.states() == ["expired"] * 5 + ["unconfirmed"] * 3, "nothing is queued before its writer has been asked"
    ended.sweep()
    assert ended.states() == ["unconfirmed"] * 8


def test_what_no_moderator_had_read_is_read_first(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(deadline=NOW + timedelta(hours=2), moderation="all")
    token = desk.write()
    assert desk.letter(token).state == "held"
    desk.later(hours=3)
    desk.sweep()
    change(desk, deadline=LATER)
    assert desk.letter(token).state == "held"
    moderation.approve("night-bus", desk.letter(token).submission_id, now=desk.now, who="ada@desk.example")
    assert desk.letter(token).state == "queued"


def test_they_do_not_come_back_to_an_address_that_is_gone(ended: Desk) -> None:
    new = (replace(COMMISSIONER, email=("office@transit.example",)), COUNCIL)
    blocks.block_address("commissioner@transit.example", "asked us to", now=ended.now)
    told = change(ended, deadline=LATER, targets=new).letters
    assert "8 letters moved to another address of the same target" in told
    assert ended.send() == 8
    assert {m.rcpts[0] for m in ended.sink.mails} == {"office@transit.example"}


def test_another_version_without_another_deadline_brings_none_back(ended: Desk) -> None:
    change(ended, Waiting.CANCEL, deadline=LATER)
    change(ended, title="Another title")
    assert ended.states() == ["expired"] * 8


def test_the_audit_log_says_how_many(ended: Desk) -> None:
    change(ended, deadline=LATER)
    assert any(BACK in (a.detail or "") for a in ended.rows(AuditEntry))


def test_whoever_moved_the_deadline_may_die_right_after_the_commit(ended: Desk) -> None:
    with ended.patch.context() as dead:
        dead.setattr(revivals, "go_on", lambda *_given: revivals.Revived())
        change(ended, deadline=LATER)
    assert ended.states() == ["expired"] * 8
    assert ended.sweep()["revived"] == 8
