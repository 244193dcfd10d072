"""Mails to organizers: an invitation, a link for a new password."""

from __future__ import annotations

import re

import pytest

from outreach.domain.roles import Role
from outreach.errors import NotFound
from outreach.models import Organizer
from outreach.services import access, invitations, links, logins, members
from outreach.services.access import Visitor
from tests.services.helpers import Desk, text_of

ANN, BEA = "ann@riders.example", "bea@riders.example"


def owner(desk: Desk, campaign_id: int) -> Visitor:
    opened = links.sign_in(invitations.invite(ANN, campaign=(campaign_id, "owner"), now=desk.now).rpartition("/")[2], now=desk.now)
    found = access.visitor_of(opened.cookie, now=desk.now)
    assert found
    return found


def test_an_invitation_says_what_for_and_its_link_opens_the_desk(desk: Desk) -> None:
    campaign = desk.campaign()
    members.invite(campaign.id, BEA, Role.ORGANIZER, visitor=owner(desk, campaign.id), now=desk.now)
    (mail,) = desk.notify()
    text = text_of(mail)
    assert "You are now an organizer of “Keep the night bus”" in text and "until 25 November 2026, 15:00 UTC" in text
    assert "\n\n\n" not in text.partition("<!DOCTYPE")[0].partition("\n\n")[2]
    found = re.search(r"http://127.0.0.1:8000/o/login/(\S+)", text)
    assert found and links.sign_in(found[1], now=desk.now).stage == "full"
    assert text.count(found[0]) == 3, "as text, and as a link in the other part"


def test_who_has_an_account_is_told_where_to_sign_in_and_gets_no_link(desk: Desk) -> None:
    campaign = desk.campaign()
    invitations.invite(BEA, now=desk.now)
    desk.change(Organizer, password="x", proved_at=desk.now)
    members.invite(campaign.id, BEA, Role.VIEWER, visitor=owner(desk, campaign.id), now=desk.now)
    (mail,) = desk.notify()
    text = text_of(mail)
    assert "a viewer of “Keep" in text and "/o/c/night-bus/" in text and "/o/login" not in text


def test_a_mail_whose_link_is_worth_nothing_any_more_does_not_go(desk: Desk) -> None:
    invitations.invite(ANN, now=desk.now)
    logins.ask_reset(ANN, now=desk.now)
    logins.ask_reset(ANN, now=desk.now)
    mails = [text_of(m) for m in desk.notify()]
    assert len(mails) == 1 and "A new password for the desk" in mails[0]
    found = re.search(r"/o/login/reset/(\S+)", mails[0])
    assert found and links.look(found[1], now=desk.now).email == ANN
    with pytest.raises(NotFound):
        links.sign_in(found[1], now=desk.now)
    campaign = desk.campaign()
    visitor = owner(desk, campaign.id)
    members.invite(campaign.id, BEA, Role.VIEWER, visitor=visitor, now=desk.now)
    members.remove(campaign.id, next(m.id for m in members.list_of(campaign.id) if m.email == BEA), who=ANN, now=desk.now)
    assert desk.notify() == []
