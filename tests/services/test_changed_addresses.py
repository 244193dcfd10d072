"""What waits for an address that is corrected, blocked or freed goes where it still can, or ends with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from outreach.models import Address, Letter, table
from outreach.queue import QueueName
from outreach.services import campaigns
from tests.services.helpers import COMMISSIONER, COPIES, COUNCIL, NOW, Desk, hold_up, mail_of

OLD, NEW, SECOND = "commissioner@transit.example", "office@transit.example", "second@transit.example"


def with_addresses(desk: Desk, *email: str, **changes: object) -> None:
    desk.campaign(targets=(replace(COMMISSIONER, email=email), COUNCIL), **changes)


def place(desk: Desk, letter: Letter) -> str:
    return str(desk.one(Address, table(Address).c.id == letter.address_id).value)


def test_a_corrected_address_takes_over_what_waits_at_the_old_one(desk: Desk) -> None:
    desk.campaign()
    queued, unconfirmed = desk.signed(), desk.write()
    with_addresses(desk, NEW)
    assert place(desk, desk.letter(queued)) == place(desk, desk.letter(unconfirmed)) == NEW
    assert desk.lane(NEW).next_wake_at == desk.now
    assert desk.send() == 1
    assert [m.rcpts[0] for m in desk.sink.mails] == [NEW]
    assert desk.counts_agree()


def test_what_waits_at_the_last_address_ends_with_the_reason_when_it_is_dropped(desk: Desk) -> None:
    desk.campaign()
    queued, unconfirmed = desk.signed(), desk.write()
    with_addresses(desk)
    assert (desk.letter(queued).state, desk.letter(queued).reason) == ("failed", "no_address")
    assert (desk.letter(unconfirmed).state, desk.letter(unconfirmed).reason) == ("cancelled", "no_address")
    assert desk.counts_agree()


def test_a_block_moves_what_waits_to_the_next_address_of_the_same_channel(desk: Desk) -> None:
    with_addresses(desk, OLD, SECOND)
    token = desk.signed()
    campaigns.block_address(OLD, "asked us to", now=desk.now)
    assert place(desk, desk.letter(token)) == SECOND
    assert desk.send() == 1
    campaigns.block_address(SECOND, "asked us to", now=desk.now)
    assert desk.letter(token).state == "sent"
    assert place(desk, desk.letter(token)) == SECOND


def test_a_block_without_another_address_ends_what_waits(desk: Desk) -> None:
    desk.campaign()
    queued, unconfirmed, elsewhere = desk.signed(), desk.write(), desk.signed(targets=("council",))
    campaigns.block_address(OLD, "asked us to", now=desk.now)
    assert (desk.letter(queued).state, desk.letter(queued).reason) == ("failed", "address_blocked")
    assert (desk.letter(unconfirmed).state, desk.letter(unconfirmed).reason) == ("cancelled", "address_blocked")
    assert desk.letter(elsewhere).state == "queued"
    assert desk.counts_agree()


def test_a_letter_read_before_the_block_does_not_go_to_the_blocked_address(desk: Desk) -> None:
    with_addresses(desk, OLD, SECOND)
    desk.signed()
    hold_up(desk.patch, lambda: campaigns.block_address(OLD, "asked us to", now=desk.now) and None)
    desk.send()
    desk.send()
    assert [m.rcpts[0] for m in desk.sink.mails] == [SECOND]


def test_freeing_an_address_wakes_its_lane(desk: Desk) -> None:
    desk.campaign()
    campaigns.block_address(OLD, "by mistake", now=desk.now)
    desk.later(minutes=1)
    campaigns.unblock_address(OLD, now=desk.now)
    assert desk.lane(OLD).next_wake_at is not None
    desk.signed()
    assert desk.send() == 1


def test_a_blocked_inbox_gets_no_copy(desk: Desk) -> None:
    desk.campaign()
    campaigns.block_address(COPIES, "asked us to", now=desk.now)
    desk.signed()
    desk.signed(channel="fax")
    desk.send()
    assert mail_of(desk.sink.mails[-1])["Cc"] is None
    assert COPIES not in desk.sink.mails[-1].rcpts
    desk.send(QueueName.FAX)
    assert desk.copies() == []
    assert not [n for n in desk.notices() if n.kind == "fax_copy"]


def test_a_block_drops_copies_that_wait_and_its_lifting_brings_later_ones_back(desk: Desk) -> None:
    desk.campaign()
    desk.signed(channel="fax")
    desk.send(QueueName.FAX)
    campaigns.block_address(COPIES, "asked us to", now=desk.now)
    assert [n.state for n in desk.notices() if n.kind == "fax_copy"] == ["dropped"]
    campaigns.unblock_address(COPIES, now=desk.now)
    desk.signed()
    desk.send()
    assert mail_of(desk.sink.mails[-1])["Cc"] == COPIES


def test_a_later_deadline_brings_back_letters_that_the_old_one_ended(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(hours=2))
    token, twice = desk.signed(), desk.signed(email="twice@people.example")
    unconfirmed, withdrawn = desk.write(), desk.signed()
    desk.later(hours=3)
    desk.sweep()
    assert desk.states() == ["expired"] * 4
    desk.change(Letter, table(Letter).c.id == desk.letter(withdrawn).id, withdrawn_at=desk.now)
    desk.campaign(deadline=NOW + timedelta(hours=1), summary="still too late")
    assert desk.states() == ["expired"] * 4
    other = desk.letter(twice)
    desk.campaign(deadline=NOW + timedelta(days=2))
    assert {t: desk.letter(t).state for t in (token, twice, unconfirmed, withdrawn)} == {
        token: "queued", twice: "queued", unconfirmed: "expired", withdrawn: "expired"}
    assert other.id == desk.letter(twice).id
    assert desk.send() == 2
    assert desk.counts_agree()


def test_a_letter_whose_place_was_taken_meanwhile_stays_expired(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(hours=2))
    first, again = desk.signed(email="a@people.example"), desk.signed(email="b@people.example")
    desk.later(hours=3)
    desk.sweep()
    person = desk.letter(again).fingerprint
    desk.change(Letter, table(Letter).c.id == desk.letter(first).id, fingerprint=person)
    desk.campaign(deadline=NOW + timedelta(days=2))
    assert desk.states() == ["expired", "queued"]
    assert desk.counts_agree()
