"""Nothing goes out before its mailbox is proved, and only whoever proves it takes its place."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from outreach.errors import Conflict, FormInvalid, NotFound
from outreach.services import confirm, status
from tests.services.helpers import Desk

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A desk that asks for confirmation, as it is by default."""
    desk.campaign()
    return desk


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_an_unconfirmed_letter_is_not_sent_whatever_is_drained(asked: Desk) -> None:
    token = asked.write()
    for _ in range(3):
        assert asked.send() == 0
        asked.sweep()
        asked.later(hours=20)
    assert asked.letter(token).state == "unconfirmed"
    assert asked.sink.mails == []


def test_the_code_of_the_mail_sends_the_letter(asked: Desk) -> None:
    token = asked.write()
    (taken,) = asked.notify()
    assert asked.code(token) in taken.raw.decode()
    confirm.by_code(token, f" {asked.code(token)[:3]} {asked.code(token)[3:]} ", now=asked.now)
    assert asked.letter(token).state == "queued"
    assert asked.lane("commissioner@transit.example").next_wake_at == asked.now
    asked.send()
    assert asked.letter(token).state == "sent"


def test_the_mails_button_does_so_too_and_nothing_happens_the_second_time(asked: Desk) -> None:
    token = asked.write()
    for _ in range(2):
        confirm.by_link(asked.mailed(token), now=asked.later(minutes=1))
    asked.send()
    confirm.by_link(asked.mailed(token), now=asked.later(minutes=1))
    asked.confirm(token)
    assert (asked.letter(token).state, len(asked.attempts())) == ("sent", 1)


def test_a_confirmed_letter_keeps_the_place_of_its_submission(asked: Desk) -> None:
    early = asked.write(name="Early Bird")
    asked.later(hours=1)
    asked.signed(name="Late Riser")
    asked.confirm(early)
    asked.send()
    assert [m.raw.count(b"Early Bird") > 0 for m in asked.sink.mails] == [True, False]


def test_wrong_codes_run_out_and_then_only_the_button_helps(asked: Desk) -> None:
    token = asked.write()
    for _ in range(confirm.TRIES):
        with pytest.raises(FormInvalid) as e:
            confirm.by_code(token, wrong(asked.code(token)), now=asked.now)
        assert e.value.errors == {"code": confirm.WRONG_CODE}
    with pytest.raises(FormInvalid) as e:
        asked.confirm(token)
    assert e.value.errors == {"code": confirm.TOO_MANY}
    assert asked.letter(token).state == "unconfirmed"
    confirm.by_link(asked.mailed(token), now=asked.now)
    assert asked.letter(token).state == "queued"


def test_wrong_codes_run_out_for_a_mailbox_over_all_its_submissions(asked: Desk) -> None:
    heap = [asked.write(email=f"Victim+{n}@people.example") for n in range(5)]
    other = asked.write(email="somebody@people.example")
    asked.later(hours=30)  # waiting gives no more tries
    said = []
    for token in heap:
        for _ in range(confirm.TRIES):
            with pytest.raises(FormInvalid) as e:
                confirm.by_code(token, wrong(asked.code(token)), now=asked.now)
            said.append(e.value.errors["code"])
    assert said.count(confirm.WRONG_CODE) == confirm.TRIES_OF_MAILBOX
    with pytest.raises(FormInvalid):
        asked.confirm(heap[-1])
    asked.confirm(other)
    confirm.by_link(asked.mailed(heap[-1]), now=asked.now)
    assert asked.states() == ["queued", "queued"] + ["unconfirmed"] * 4
    asked.later(days=2)
    asked.confirm(asked.write(email="victim@people.example"))  # a repeat, but its code is taken


def test_guesses_made_at_once_are_all_counted(asked: Desk) -> None:
    token = asked.write()
    bad = wrong(asked.code(token))

    def guess() -> None:
        with pytest.raises(FormInvalid):
            confirm.by_code(token, bad, now=asked.now)

    crowd = [threading.Thread(target=guess) for _ in range(6)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert asked.submission(token).code_tries == 6


@pytest.mark.parametrize("token", ["", "m-", "m-01k7zt5c9m3hq8w2x4e6r8t0ya-aaaaaaaaaaaaaaaaaaaaaa", "x-1", "m-é-éééééééééééé"])
def test_a_made_up_link_confirms_nothing(asked: Desk, token: str) -> None:
    asked.write()
    for act in (confirm.by_link, confirm.never_again, status.withdraw, status.erase):
        with pytest.raises(NotFound):
            act(token)
    with pytest.raises(NotFound):
        confirm.by_code(token, "123456")
    assert asked.states() == ["unconfirmed"]


def test_one_submissions_code_is_not_anothers(asked: Desk) -> None:
    one, other = asked.write(), asked.write()
    with pytest.raises(FormInvalid):
        confirm.by_code(one, asked.code(other), now=asked.now)
    assert asked.states() == ["unconfirmed", "unconfirmed"]


def test_nobody_can_take_anothers_place_by_typing_their_address(asked: Desk) -> None:
    mallory = asked.write(email="jane@people.example", name="Mallory")
    jane = asked.write(email="jane@people.example", name="Jane Doe")
    asked.confirm(jane)
    assert (asked.letter(jane).state, asked.letter(mallory).state) == ("queued", "unconfirmed")


def test_a_repeat_is_cancelled_when_it_is_confirmed(asked: Desk) -> None:
    asked.signed(email="jane@people.example")
    again = asked.write(email="Jane+2@people.example", channel="fax", targets=("commissioner",))
    asked.confirm(again)
    assert (asked.letter(again).state, asked.letter(again).reason) == ("cancelled", "duplicate")
    assert asked.submission(again).state == "duplicate"
    assert asked.stats()["refused"] == {"duplicate": 1}
    assert asked.counts_agree()


def test_a_partly_repeated_submission_sends_what_is_new(asked: Desk) -> None:
    asked.signed(email="jane@people.example")
    again = asked.signed(email="jane@people.example", targets=("commissioner", "council"))
    assert sorted((x.state, x.reason) for x in asked.letters(again)) == [("cancelled", "duplicate"), ("queued", "confirmed")]
    assert asked.submission(again).state == "accepted"


def test_two_submissions_of_one_person_confirmed_at_once_send_one_letter(asked: Desk) -> None:
    both = [asked.write(email="jane@people.example", targets=("commissioner", "council")) for _ in range(4)]
    crowd = [threading.Thread(target=confirm.by_link, args=(asked.mailed(t),), kwargs={"now": asked.now}) for t in both]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert asked.states() == ["cancelled"] * 6 + ["queued"] * 2
    assert asked.counts_agree()


def test_a_place_comes_free_when_its_letter_is_withdrawn(asked: Desk) -> None:
    first = asked.signed(email="jane@people.example")
    status.withdraw(asked.mailed(first), now=asked.now)
    second = asked.signed(email="jane@people.example")
    assert (asked.letter(first).state, asked.letter(second).state) == ("cancelled", "queued")


def test_after_a_week_it_is_too_late_and_the_letters_expire(asked: Desk) -> None:
    token = asked.write()
    asked.notify()
    asked.later(days=7, minutes=1)
    for late in (lambda: asked.confirm(token), lambda: confirm.by_link(asked.mailed(token), now=asked.now)):
        with pytest.raises(Conflict):
            late()
    asked.sweep()
    assert (asked.letter(token).state, asked.letter(token).reason) == ("expired", "not_confirmed")
    assert asked.submission(token).state == "expired"
    confirm.by_link(asked.mailed(token), now=asked.now)  # says nothing, does nothing
    assert asked.letter(token).state == "expired"
    assert asked.counts_agree()


def test_the_deadline_ends_confirmation_sooner(asked: Desk) -> None:
    asked.campaign("soon", deadline=asked.now + timedelta(hours=2))
    token = asked.write("soon")
    assert status.view(token, now=asked.now).confirm_until == asked.now + timedelta(hours=2)
    asked.later(hours=2, seconds=1)
    with pytest.raises(Conflict):
        asked.confirm(token)
    asked.sweep()
    assert (asked.letter(token).state, asked.letter(token).reason) == ("expired", "deadline_passed")


def test_past_the_deadline_the_page_no_longer_asks_to_confirm(asked: Desk) -> None:
    asked.campaign("soon", deadline=asked.now + timedelta(hours=2))
    token = asked.write("soon")
    asked.later(hours=3)
    asked.sweep()
    assert status.view(token, now=asked.now).submission_state == "expired"


def test_a_closed_campaign_cannot_be_confirmed_and_a_paused_one_queues(asked: Desk) -> None:
    token, late = asked.write(), asked.write()
    asked.action("pause")
    asked.confirm(token)
    assert asked.letter(token).state == "queued"
    assert asked.send() == 0
    asked.action("close")
    with pytest.raises(Conflict):
        asked.confirm(late)


def test_who_is_never_to_be_mailed_again_is_not(asked: Desk) -> None:
    token = asked.write(email="victim@people.example")
    (taken,) = asked.notify()
    assert asked.mailed(token) in taken.raw.decode().replace("=\n", "")
    confirm.never_again(asked.mailed(token), now=asked.now)
    assert (asked.letter(token).state, asked.submission(token).state) == ("cancelled", "withdrawn")
    asked.campaign("other-bus")
    asked.write("other-bus", email="Victim+x@people.example")
    asked.later(days=3)
    asked.sweep()
    assert asked.notify() == []
    assert [n.state for n in asked.notices()] == ["sent", "dropped"] or {n.state for n in asked.notices()} == {"sent", "dropped"}
