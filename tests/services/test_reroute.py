"""What comes back to the queue at an address that cannot be used any more goes on to the next one, or ends with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from outreach.domain.letters import Reason, Verdict
from outreach.models import Address, Letter, table
from outreach.queue import QueueName
from outreach.services import blocks, campaigns, checkup, reroute, stops, submit
from outreach.services.campaign_import import store_campaign
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.services.test_doctor import findings, migrated

FIRST, SECOND = "+14165550133", "+14165550134"
OLD, NEW = "commissioner@transit.example", "office@transit.example"
TWO_FAXES = replace(COMMISSIONER, fax=(FIRST, SECOND))
STUCK = "letters queued at an address to which nothing goes"


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", window="1")
    return desk


def place(desk: Desk, letter: Any) -> str:
    return str(desk.one(Address, table(Address).c.id == letter.address_id).value)


def called(desk: Desk) -> str:
    """A fax whose call is under way; returns its status token."""
    token = desk.write(channel="fax")
    assert desk.send(QueueName.FAX) == 1
    assert desk.letter(token).state == "sent"
    return token


def busy(desk: Desk) -> None:
    desk.hear(desk.word(Verdict.BOUNCED, desk.attempts()[-1], reason=Reason.BUSY, retryable=True))


def said(desk: Desk) -> list[checkup.Finding]:
    return [f for f in findings(desk) if "address" in f.what]


def test_a_fax_that_was_busy_at_a_number_blocked_during_the_call_goes_to_the_next_number(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_FAXES,))
    token = called(unproved)
    blocks.block_address(FIRST, "asked us to", now=unproved.now)
    busy(unproved)
    assert (unproved.letter(token).state, place(unproved, unproved.letter(token))) == ("queued", FIRST)
    unproved.later(seconds=10)
    assert unproved.sweep()["rerouted"] == 1
    letter = unproved.letter(token)
    assert (letter.state, place(unproved, letter), letter.tries, letter.not_before) == ("queued", SECOND, 0, None)
    assert unproved.send(QueueName.FAX) == 1, "what was to be waited for was the other number's line"
    assert unproved.letter(token).state == "sent"
    assert "rerouted" not in unproved.sweep()
    assert unproved.counts_agree()


def test_with_no_number_left_it_fails_with_the_reason(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER,))
    token = called(unproved)
    blocks.block_address(FIRST, "asked us to", now=unproved.now)
    busy(unproved)
    assert unproved.sweep()["rerouted"] == 1
    assert (unproved.letter(token).state, unproved.letter(token).reason) == ("failed", "address_blocked")
    assert unproved.counts_agree()


def test_a_form_that_commits_just_after_the_block_does_not_wait_there_for_ever(unproved: Desk) -> None:
    unproved.campaign(targets=(replace(COMMISSIONER, email=(OLD, NEW)),))
    real = submit._check

    def checked(*given: Any) -> Any:
        accepted = real(*given)
        blocks.block_address(OLD, "asked us to", now=unproved.now)
        return accepted

    unproved.patch.setattr(submit, "_check", checked)
    token = unproved.write()
    assert place(unproved, unproved.letter(token)) == OLD
    unproved.sweep()
    assert place(unproved, unproved.letter(token)) == NEW
    assert unproved.send() == 1


def test_what_comes_back_to_a_suspect_number_moves_on_or_waits_until_somebody_has_looked(unproved: Desk) -> None:
    migrated(unproved)
    unproved.campaign(targets=(TWO_FAXES,))
    unproved.campaign("day-bus", targets=(replace(COMMISSIONER, id="c2"),))
    moves = called(unproved)
    unproved.hear(unproved.word(None))
    [first] = unproved.attempts()
    unproved.write("day-bus", channel="fax", targets=("c2",))
    blocks.suspect_address(first.address_id, Reason.VOICE, now=unproved.now)
    unproved.hear(unproved.word(Verdict.BOUNCED, first, reason=Reason.BUSY, retryable=True))
    unproved.later(minutes=5)
    assert unproved.sweep()["rerouted"] == 1
    assert place(unproved, unproved.letter(moves)) == SECOND
    assert unproved.states() == ["queued", "queued"]
    assert "rerouted" not in unproved.sweep(), "the other one has nowhere to go"
    [found] = said(unproved)
    assert (found.level, found.letters) == ("note", tuple(x.id for x in unproved.letters() if place(unproved, x) == FIRST))


def test_what_comes_back_to_an_address_that_its_target_no_longer_has_goes_to_the_new_one(unproved: Desk) -> None:
    unproved.campaign(targets=(COMMISSIONER, COUNCIL))
    token = called(unproved)
    unproved.campaign(targets=(replace(COMMISSIONER, fax=(SECOND,)), replace(COUNCIL, fax=(FIRST,))))
    busy(unproved)
    unproved.later(minutes=1)
    unproved.sweep()
    assert place(unproved, unproved.letter(token)) == SECOND
    assert unproved.send(QueueName.FAX) == 1


def test_what_a_stop_that_can_be_undone_holds_is_left_as_it_is(unproved: Desk) -> None:
    unproved.campaign(targets=(TWO_FAXES,))
    token = called(unproved)
    blocks.block_address(FIRST, "asked us to", now=unproved.now)
    stops.stop("night-bus", "won", "They kept it.", now=unproved.now)
    busy(unproved)
    unproved.sweep()
    assert place(unproved, unproved.letter(token)) == FIRST
    stops.undo("night-bus", now=unproved.now)
    unproved.sweep()
    assert place(unproved, unproved.letter(token)) == SECOND


@pytest.mark.parametrize("what", ["blocked", "suspect with another number", "not its target's"])
def test_the_doctor_names_letters_that_are_stuck_at_such_an_address(unproved: Desk, what: str) -> None:
    migrated(unproved)
    unproved.campaign(targets=(TWO_FAXES, COUNCIL))
    token = unproved.write(channel="fax")
    letter = unproved.letter(token)
    if what == "not its target's":
        unproved.campaign(targets=(replace(TWO_FAXES, fax=(SECOND,)), replace(COUNCIL, fax=(FIRST,))))
        unproved.change(Letter, address_id=letter.address_id)
    else:
        unproved.change(Address, table(Address).c.id == letter.address_id, state=what.split(maxsplit=1)[0])
    assert not said(unproved), "the sweep is given its time"
    unproved.later(minutes=3)
    [found] = said(unproved)
    assert (found.level, found.what.startswith(STUCK), found.letters) == ("wrong", True, (letter.id,))
    unproved.sweep()
    assert not said(unproved)


def test_of_very_many_the_first_go_on_with_the_block_and_the_sweep_brings_on_the_rest(unproved: Desk) -> None:
    unproved.patch.setattr(reroute, "AT_ONCE", 3)
    unproved.campaign(targets=(replace(COMMISSIONER, email=(OLD, NEW)), replace(COUNCIL, email=(OLD,))))
    for _ in range(5):
        unproved.write(targets=("council",))
    for _ in range(8):
        unproved.write(targets=("commissioner",))
    unproved.change(Address, table(Address).c.value == OLD, state="suspect")
    assert unproved.send() == 0
    unproved.sweep()
    assert [place(unproved, x) for x in unproved.letters()].count(NEW) == 8, "those that have nowhere to go stand in nobody's way"
    blocks.block_address(OLD, "asked us to", now=unproved.now)
    assert unproved.states() == ["failed"] * 3 + ["queued"] * 10
    assert unproved.sweep()["rerouted"] == 2
    assert unproved.states() == ["failed"] * 5 + ["queued"] * 8
    assert unproved.counts_agree()
    assert unproved.send() == 8


@pytest.mark.parametrize("seconds", [60.0, 0.0])
def test_an_import_that_drops_an_address_brings_on_very_many_in_batches(unproved: Desk, seconds: float) -> None:
    unproved.patch.setattr(reroute, "AT_ONCE", 3)
    unproved.patch.setattr(reroute, "SECONDS", seconds)
    unproved.campaign(targets=(replace(COMMISSIONER, email=(OLD, NEW)), COUNCIL))
    for _ in range(8):
        unproved.write(targets=("commissioner",))
    batches, bring = list[int](), reroute.away_from_unusable

    def noted(*args: Any, **kwargs: Any) -> reroute.Rerouted:
        done = bring(*args, **kwargs)
        batches.append(done.letters)
        return done

    unproved.patch.setattr(reroute, "away_from_unusable", noted)
    made = unproved.campaign(targets=(replace(COMMISSIONER, email=(NEW,)), COUNCIL))
    assert batches == ([3, 3, 2] if seconds else [3]), "no transaction holds up others for long"
    spec = campaigns.spec_of_version(made.version_id)
    batches.clear()
    back = store_campaign(replace(spec, targets=(replace(COMMISSIONER, email=(OLD,)), COUNCIL)), now=unproved.now)
    assert back.letters[-1 if seconds else -2:] == (("8 letters moved to another address of the same target",) if seconds else (
        "3 letters moved to another address of the same target", "there are more: they follow within minutes"))
    unproved.patch.setattr(reroute, "SECONDS", 60.0)
    unproved.later(minutes=1)
    unproved.sweep()
    assert {place(unproved, x) for x in unproved.letters()} == {OLD}
    assert unproved.counts_agree()
