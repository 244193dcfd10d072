"""The private link once more: by mail only, to the mailbox that the letter was written with, and nothing else is told."""

from __future__ import annotations

import pytest

from outreach.errors import NotFound
from outreach.services import confirm, private_links, status
from tests.services.helpers import Desk, text_of


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none")
    desk.campaign()
    return desk


def links(desk: Desk) -> list[tuple[str, str]]:
    """The mails with a link that are sent now: to whom, and whose."""
    return [(taken.rcpts[0], text_of(taken)) for taken in desk.notify() if "Your private link" in text_of(taken)]


def test_without_confirmation_the_link_is_mailed_and_leads_to_taking_back_and_erasing(unproved: Desk) -> None:
    token = unproved.write(email="jane@people.example", name="Jane Planted-Name")
    assert links(unproved) == []
    private_links.send(token, now=unproved.now)
    ((to, text),) = links(unproved)
    assert to == "jane@people.example"
    assert f"/m/{unproved.mailed(token)}" in text and "Planted" not in text
    status.withdraw(unproved.mailed(token), now=unproved.now)
    assert unproved.states() == ["cancelled"]
    status.erase(unproved.mailed(token), now=unproved.now)
    assert unproved.submission(token).name == ""


def test_it_is_mailed_once_a_day_and_three_at_most_with_all_that_a_mailbox_gets(unproved: Desk) -> None:
    written = [unproved.write(email=f"jane+{n}@people.example") for n in range(4)]  # three of them are repeats, and told so
    for token in written:
        for _ in range(3):
            private_links.send(token, now=unproved.now)
    assert len(unproved.notify()) == 3
    first = unproved.write(email="joe@people.example")
    for hours, mails in ((0, 1), (1, 0), (24, 1)):
        unproved.later(hours=hours)
        private_links.send(first, now=unproved.now)
        assert [to for to, _ in links(unproved)].count("joe@people.example") == mails


def test_a_repeats_page_sends_the_link_of_the_letter_that_counts_to_where_that_was_written(unproved: Desk) -> None:
    first = unproved.write(email="jane@people.example")
    repeat = unproved.write(email="Jane+again@people.example")
    unproved.notify()
    private_links.send(repeat, now=unproved.now)
    sent = dict(links(unproved))
    assert set(sent) == {"jane@people.example", "Jane+again@people.example"}
    assert f"/m/{unproved.mailed(first)}" in sent["jane@people.example"]
    assert unproved.mailed(first) not in sent["Jane+again@people.example"]


def test_who_wants_no_mail_gets_none(unproved: Desk) -> None:
    token = unproved.write()
    confirm.never_again(unproved.mailed(token), now=unproved.now)
    private_links.send(token, now=unproved.now)
    assert links(unproved) == []


def test_an_unconfirmed_or_erased_letter_brings_no_mail(desk: Desk) -> None:
    desk.campaign()
    token = desk.write()
    private_links.send(token, now=desk.now)
    assert [n.kind for n in desk.notices()] == ["confirm"]
    desk.confirm(token)
    private_links.send(token, now=desk.now)
    status.erase(desk.mailed(token), now=desk.now)
    assert links(desk) == []
    private_links.send(token, now=desk.later(days=2))
    assert links(desk) == []


@pytest.mark.parametrize("token", ["", "x", "m-x", "m-01k7zt5c9m3hq8w2x4e6r8t0ya-AAAAAAAAAAAAAAAAAAAAAA"])
def test_what_is_no_page_of_ours_sends_nothing(unproved: Desk, token: str) -> None:
    unproved.write()
    with pytest.raises(NotFound):
        private_links.send(token, now=unproved.now)
    assert unproved.notices() == []
