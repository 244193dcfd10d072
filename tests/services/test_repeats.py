"""Without confirmation nobody can ask the form whether somebody else has written (docs/decisions/0005)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from outreach.services import confirm
from outreach.services.status import LetterView, StatusView, erase, view, withdraw
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

PACED = tuple(replace(t, limits={"email": "2/hour"}) for t in (COMMISSIONER, COUNCIL))


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none")
    desk.campaign(targets=PACED)
    return desk


def seen(found: StatusView) -> list[LetterView]:
    """What a page shows of letters; an id stands on none."""
    return [replace(x, id="") for x in found.letters]


def pages(desk: Desk, *, apart: float = 0, **changes: Any) -> tuple[str, str]:
    """The tokens of a repeat of jane's and, `apart` seconds later, of somebody's first."""
    desk.later(minutes=1)
    repeat = desk.write(email="jane@people.example", **changes)
    desk.later(seconds=apart)
    return repeat, desk.write(email="new@people.example", **changes)


@pytest.mark.parametrize("sent", [False, True], ids=["waiting", "gone"])
def test_a_repeat_looks_like_a_first_one(unproved: Desk, sent: bool) -> None:
    unproved.write(email="jane@people.example")
    if sent:
        unproved.send()
    unproved.later(minutes=5)
    first = unproved.write(email="new@people.example")
    fresh = seen(view(first, now=unproved.now))
    unproved.later(seconds=1)
    with_repeat = unproved.write(email="jane@people.example")
    repeat = seen(view(with_repeat, now=unproved.now))
    unproved.later(seconds=1)
    other = seen(view(unproved.write(email="newer@people.example"), now=unproved.now))
    assert [(x.target, x.channel, x.state, x.reason, x.at - x.submitted_at, x.sent_at, x.pace, x.picture) for x in repeat] == [
        (x.target, x.channel, x.state, x.reason, x.at - x.submitted_at, x.sent_at, x.pace, x.picture) for x in fresh]
    assert fresh[0].place is not None and repeat[0].place == other[0].place  # behind the same letters


def test_a_repeat_by_fax_shows_what_a_first_fax_shows(unproved: Desk) -> None:
    unproved.write(email="jane@people.example")
    repeat, first = pages(unproved, channel="fax", apart=1)
    a, b = seen(view(repeat, now=unproved.now)), seen(view(first, now=unproved.now))
    assert [(x.channel, x.state, x.reason, x.place, x.pace, x.picture) for x in a] == [
        (x.channel, x.state, x.reason, x.place, x.pace, x.picture) for x in b]


def test_a_partial_repeat_lists_offices_in_the_order_of_a_first_one(unproved: Desk) -> None:
    unproved.write(email="jane@people.example", targets=("commissioner",))
    repeat, first = pages(unproved, targets=("commissioner", "council"))
    assert [x.target for x in view(repeat, now=unproved.now).letters] == [x.target for x in view(first, now=unproved.now).letters]


def test_a_repeat_shows_nothing_of_offices_that_it_does_not_name(unproved: Desk) -> None:
    unproved.write(email="jane@people.example", targets=("commissioner", "council"))
    unproved.later(minutes=1)
    repeat = unproved.write(email="jane@people.example", targets=("council",))
    assert [x.target for x in view(repeat, now=unproved.now).letters] == ["City Council"]
    unproved.later(hours=3)
    assert [x.target for x in view(repeat, now=unproved.now).letters] == ["City Council"]


def test_a_repeats_page_reads_like_a_first_ones(unproved: Desk) -> None:
    from outreach.app import create_app
    from outreach.db import utcnow

    unproved.now = utcnow() - timedelta(minutes=1)
    unproved.campaign(targets=(COMMISSIONER, COUNCIL))  # wide limits: second and third in line wait alike
    unproved.write(email="jane@people.example", targets=("commissioner", "council"))
    repeat, first = pages(unproved, targets=("commissioner", "council"))
    with TestClient(create_app()) as client:
        (a, b), (c, d) = ([client.get(f"/s/{t}{end}").text.replace(t, "TOKEN") for t in (repeat, first)] for end in ("", ".json"))
    assert c == d
    assert re.sub(r"(second|third) in line", "… in line", a) == re.sub(r"(second|third) in line", "… in line", b)


def test_from_its_time_on_a_repeat_follows_the_letter_that_counts(unproved: Desk) -> None:
    unproved.write(email="jane@people.example")
    unproved.send()
    unproved.later(minutes=5)
    repeat = unproved.write(email="jane@people.example")
    assert view(repeat, now=unproved.now).letters[0].state == "queued"
    reveal = unproved.submission(repeat).reveal_at
    assert reveal > unproved.now
    (shown,) = view(repeat, now=reveal).letters
    assert (shown.state, shown.at, shown.sent_at) == ("sent", reveal, reveal)


def test_a_repeat_is_told_by_mail_only_and_shows_no_text(unproved: Desk) -> None:
    unproved.write(email="jane@people.example", name="Jane Planted-Name")
    repeat = unproved.write(email="jane+again@people.example", name="Mallory Planted-Other")
    found = view(repeat, now=unproved.now)
    assert (found.texts, found.email, found.proven, found.submission_state) == ({}, "", False, "accepted")
    (notice,) = unproved.notices()
    assert (notice.kind, notice.recipient) == ("duplicate", "jane+again@people.example")


def test_with_confirmation_a_repeat_and_a_first_answer_alike(desk: Desk) -> None:
    desk.campaign()
    desk.signed(email="jane@people.example")
    repeat, first = pages(desk)
    assert seen(view(repeat, now=desk.now)) == seen(view(first, now=desk.now))
    assert {n.kind for n in desk.notices()} == {"confirm"}


# --- with confirmation: whoever filled in the form sees no more than that its mailbox was proved


SHOWN = ("target", "channel", "state", "place", "pace", "picture", "paused", "bundle", "timezone")


def told(found: StatusView) -> list[tuple[Any, ...]]:
    return [(*(getattr(x, n) for n in SHOWN), x.at - x.submitted_at) for x in found.letters]


def proved(desk: Desk, *tokens: str) -> None:
    """Each mailbox's owner presses the button that the mail leads to."""
    for token in tokens:
        confirm.by_link(desk.mailed(token), now=desk.now)


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.campaign(targets=PACED)
    return desk


@pytest.mark.parametrize("sent", [False, True], ids=["waiting", "gone"])
@pytest.mark.parametrize("channel", ["email", "fax"])
def test_a_confirmed_repeat_looks_like_a_confirmed_first_one(asked: Desk, sent: bool, channel: str) -> None:
    asked.signed(email="jane@people.example")
    if sent:
        asked.send()
    repeat, first = pages(asked, channel=channel)
    proved(asked, repeat, first)
    a, b = view(repeat, now=asked.now), view(first, now=asked.now)
    assert a.submission_state == b.submission_state == "accepted"
    assert [x.state for x in a.letters] == ["queued"]
    assert told(a) == told(b) or [t[:3] + t[4:] for t in told(a)] == [t[:3] + t[4:] for t in told(b)]  # one stands behind the other
    assert {x.reason for x in a.letters} <= {None, "confirmed"}


def test_a_confirmed_repeats_page_reads_like_a_first_ones(asked: Desk) -> None:
    from outreach.app import create_app
    from outreach.db import utcnow

    asked.now = utcnow() - timedelta(minutes=1)
    asked.campaign(targets=(COMMISSIONER, COUNCIL))
    asked.signed(email="jane@people.example", targets=("commissioner", "council"))
    repeat, first = pages(asked, targets=("commissioner", "council"))
    proved(asked, repeat, first)
    with TestClient(create_app()) as client:
        (a, b), (c, d) = ([client.get(f"/s/{t}{end}").text.replace(t, "TOKEN") for t in (repeat, first)] for end in ("", ".json"))
        mailed = client.get(f"/m/{asked.mailed(repeat)}").text
    assert c == d
    assert re.sub(r"(second|third) in line", "… in line", a) == re.sub(r"(second|third) in line", "… in line", b)
    assert "already written" not in a
    assert "You had already written" in mailed


def test_a_partly_repeated_one_shows_all_of_its_offices_alike(asked: Desk) -> None:
    asked.signed(email="jane@people.example", targets=("commissioner",))
    asked.send()
    repeat, first = pages(asked, targets=("commissioner", "council"))
    proved(asked, repeat, first)
    assert [(x.target, x.state) for x in view(repeat, now=asked.now).letters] == [
        (x.target, x.state) for x in view(first, now=asked.now).letters]


def test_a_confirmed_repeat_follows_the_letter_that_counts_once_a_fresh_one_would_have_gone(asked: Desk) -> None:
    asked.signed(email="jane@people.example")
    asked.send()
    repeat, _ = pages(asked)
    proved(asked, repeat)
    reveal = asked.submission(repeat).reveal_at
    assert reveal > asked.now
    (before,), (after,) = view(repeat, now=asked.now).letters, view(repeat, now=reveal).letters
    assert (before.state, after.state, after.at, after.sent_at) == ("queued", "sent", reveal, reveal)


def test_a_repeat_written_before_the_letter_that_counts_looks_alike_too(asked: Desk) -> None:
    early = asked.write(email="jane@people.example", name="Mallory")
    asked.later(minutes=1)
    asked.signed(email="jane@people.example")
    proved(asked, early)
    assert [x.state for x in view(early, now=asked.now).letters] == ["queued"]


def test_what_is_told_by_mail_only_is_told_by_mail(asked: Desk) -> None:
    asked.signed(email="jane@people.example")
    repeat, _ = pages(asked)
    asked.confirm(repeat)
    (notice,) = [n for n in asked.notices() if n.kind == "duplicate"]
    assert (notice.recipient, notice.submission_id) == ("jane@people.example", asked.submission(repeat).id)


def test_who_presses_the_mailed_button_reads_it_there(asked: Desk) -> None:
    asked.signed(email="jane@people.example")
    asked.send()
    repeat, _ = pages(asked)
    proved(asked, repeat)
    assert [n.kind for n in asked.notices() if n.kind == "duplicate"] == []
    found = view(asked.mailed(repeat), now=asked.now)
    (shown,) = found.letters
    assert (shown.state, shown.elsewhere, shown.picture, found.texts) == ("sent", True, False, {})


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_a_repeat_whose_first_letter_was_taken_back_tells_nobody(desk: Desk, confirmation: str) -> None:
    desk.set(confirm=confirmation)
    desk.campaign(targets=PACED)
    first = desk.signed(email="jane@people.example")
    repeat, _ = pages(desk)
    if confirmation == "email":
        proved(desk, repeat)
    withdraw(desk.mailed(first), now=desk.later(seconds=5))
    assert [x.state for x in view(repeat, now=desk.now).letters] == ["queued"]
    assert [x.state for x in view(repeat, now=desk.later(days=40)).letters] == ["cancelled"]


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_a_repeat_that_is_taken_back_itself_looks_so(desk: Desk, confirmation: str) -> None:
    desk.set(confirm=confirmation)
    desk.campaign(targets=PACED)
    desk.signed(email="jane@people.example")
    desk.send()
    repeat, first = pages(desk)
    if confirmation == "email":
        proved(desk, repeat, first)
    for token in (repeat, first):
        withdraw(desk.mailed(token), now=desk.now)
    a, b = view(repeat, now=desk.now), view(first, now=desk.now)
    assert [(x.state, x.reason, x.at) for x in a.letters] == [(x.state, x.reason, x.at) for x in b.letters] == [
        ("cancelled", "withdrawn", desk.now)]
    assert a.submission_state == b.submission_state


def test_writers_who_are_asked_again_are_shown_alike(asked: Desk) -> None:
    from tests.services.test_asking import ask

    asked.signed(email="jane@people.example")
    repeat, first = pages(asked)
    proved(asked, repeat, first)
    asked.later(minutes=1)
    ask(asked)
    a, b = view(repeat, now=asked.now), view(first, now=asked.now)
    assert (a.asked, [x.state for x in a.letters], a.confirm_until) == (b.asked, [x.state for x in b.letters], b.confirm_until)
    assert a.asked


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_a_repeat_whose_first_letter_was_erased_tells_nobody(desk: Desk, confirmation: str) -> None:
    """Nothing is left then by which the first one could be found."""
    desk.set(confirm=confirmation)
    desk.campaign(targets=PACED)
    first = desk.signed(email="jane@people.example", targets=("commissioner", "council"))
    desk.send()
    repeat, fresh = pages(desk, targets=("commissioner", "council"))
    if confirmation == "email":
        proved(desk, repeat, fresh)
    erase(desk.mailed(first), now=desk.later(seconds=5))
    a, b = view(repeat, now=desk.now), view(fresh, now=desk.now)
    assert told(a) == told(b) or [t[:3] + t[4:] for t in told(a)] == [t[:3] + t[4:] for t in told(b)]
    assert {x.state for x in a.letters} == {"queued"}
    later = view(repeat, now=desk.later(days=40)).letters
    assert {(x.state, x.reason) for x in later} == {("cancelled", "withdrawn")}


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_a_repeat_that_is_erased_itself_shows_what_any_erased_one_does(desk: Desk, confirmation: str) -> None:
    desk.set(confirm=confirmation)
    desk.campaign(targets=PACED)
    desk.signed(email="jane@people.example")
    desk.send()
    repeat, fresh = pages(desk)
    if confirmation == "email":
        proved(desk, repeat, fresh)
    for token in (repeat, fresh):
        erase(desk.mailed(token), now=desk.now)
    a, b = view(repeat, now=desk.now), view(fresh, now=desk.now)
    assert a.erased and a.letters == b.letters == []
    assert replace(a, confirm_until=None) == replace(b, confirm_until=None)
