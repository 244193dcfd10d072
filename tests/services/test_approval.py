"""A campaign goes online before the operator has approved its addresses: letters are taken, wait, and go once that is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outreach.errors import NotAllowed
from outreach.models import Address, table
from outreach.services import campaigns, proposals, status
from outreach.web import status_words
from outreach.web.campaign_page import usable_channels
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

_ADDRESSES = table(Address)


def propose(desk: Desk, *values: str) -> None:
    desk.change(Address, _ADDRESSES.c.value.in_(values) if values else _ADDRESSES.c.channel != "", state="proposed")


def said(desk: Desk, token: str) -> tuple[str, str]:
    view = status.view(token, now=desk.now)
    card = status_words.told(view.letters[0], view, desk.now)
    return card.headline, card.then


def test_letters_to_an_address_that_waits_for_approval_are_taken_and_go_after_it(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(state="draft", targets=(COUNCIL,))
    propose(desk)
    desk.action("publish")
    assert campaigns.get("night-bus").state == "live"
    token = desk.write(targets=("council",))
    assert desk.send() == 0
    assert desk.letter(token).state == "queued"
    assert "has still to approve" in said(desk, token)[0]
    view = status.view(token, now=desk.now)
    assert status_words.headline(view, "en") == "Your letter waits"
    address = desk.one(Address, _ADDRESSES.c.value == "council@city.example")
    proposals.approve(address.id, now=desk.now, who="op@riders.example")
    assert "next in line" in said(desk, token)[0]
    assert desk.send() == 1
    assert desk.letter(token).state == "sent"


def test_an_address_that_is_refused_ends_its_letters_and_one_that_is_blocked_opens_nothing(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(state="draft", targets=(COUNCIL,))
    propose(desk)
    desk.action("publish")
    token = desk.write(targets=("council",))
    address = desk.one(Address, _ADDRESSES.c.value == "council@city.example")
    proposals.refuse(address.id, "a private mailbox", now=desk.now, who="op@riders.example")
    assert desk.letter(token).state == "failed"
    desk.action("pause")
    with pytest.raises(NotAllowed, match="every address of its targets is blocked"):
        desk.action("resume")


def test_what_waits_for_approval_is_offered_only_where_nothing_else_is(desk: Desk) -> None:
    desk.campaign(targets=(replace(COMMISSIONER, fax=("+14165550133",)),))
    propose(desk, "commissioner@transit.example")
    targets = campaigns.targets_of(campaigns.get("night-bus").id, revision=-1)
    assert usable_channels(targets) == {"commissioner": ["fax"]}
    propose(desk)
    assert usable_channels(campaigns.targets_of(campaigns.get("night-bus").id, revision=-2)) == {"commissioner": ["fax", "email"]}
