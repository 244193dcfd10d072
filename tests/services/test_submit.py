"""One send of the form: stored whole or not at all, once for each form, once for each person and target."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from outreach.errors import Conflict, FormInvalid, NotFound
from outreach.models import CounterDelta, Letter, LetterEvent, Notice, Submission
from outreach.services import forms, moves, submit, throttle
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

STORED = (Submission, Letter, LetterEvent, Notice)
OUTSIDE = "203.0.113.7"


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    """A desk whose supporters need not confirm."""
    desk.set(confirm="none")
    desk.campaign()
    return desk


def stored(desk: Desk) -> list[int]:
    return [len(desk.rows(model)) for model in STORED]


def proof(token: str) -> str:
    """What a browser computes for a higher allowance."""
    return next(str(n) for n in itertools.count() if throttle.work_done(token, str(n)))


def test_a_submission_and_its_letters_are_stored_together_and_their_lanes_woken(unproved: Desk) -> None:
    token = unproved.write(targets=("commissioner", "council"))
    assert [x.state for x in unproved.letters(token)] == ["queued", "queued"]
    assert {e.after for e in unproved.rows(LetterEvent)} == {"queued"}
    assert unproved.submission(token).state == "accepted"
    assert {unproved.lane(a).next_wake_at for a in ("commissioner@transit.example", "council@city.example")} == {unproved.now}
    assert unproved.lane("+14165550133").next_wake_at in (None, unproved.now)  # publishing wakes all, nobody waits there
    assert unproved.stats()["submissions"] == 1


def test_without_confirmation_redis_away_changes_nothing_for_the_supporter(unproved: Desk) -> None:
    unproved.set(redis_url="redis://127.0.0.1:1/0")
    token = unproved.write()
    assert unproved.letter(token).state == "queued"
    unproved.send()
    assert unproved.letter(token).state == "sent"


@pytest.mark.parametrize("where", ["letters", "_NEW_EVENTS", "_NEW_DELTAS"])
def test_a_failure_in_the_middle_leaves_nothing(unproved: Desk, where: str) -> None:
    before = [*stored(unproved), len(unproved.rows(CounterDelta))]

    def fail(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.upper().startswith("INSERT INTO LETTERS "):
            raise OSError("the disk is full")

    class Full:
        def add(self, *_args: Any) -> None:
            raise OSError("the disk is full")

    with unproved.patch.context() as patch:
        if where == "letters":
            event.listen(unproved.database, "before_cursor_execute", fail)
        else:
            patch.setattr(moves, where, Full())
        try:
            with pytest.raises(OSError, match="disk is full"):
                unproved.write(targets=("commissioner", "council"))
        finally:
            if where == "letters":
                event.remove(unproved.database, "before_cursor_execute", fail)
    assert [*stored(unproved), len(unproved.rows(CounterDelta))] == before


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_a_form_sent_twice_is_one_submission(desk: Desk, confirmation: str) -> None:
    desk.set(confirm=confirmation)
    desk.campaign()
    form = desk.form()
    first = submit.submit("night-bus", form, network=None, now=desk.now)
    once = stored(desk)
    assert submit.submit("night-bus", replace(form, name="Jane  Doe "), network=None, now=desk.later(seconds=5)) == first
    assert stored(desk) == once
    assert desk.stats()["submissions"] == 1
    assert desk.stats()["refused"] == {}


def test_a_form_sent_twice_at_the_same_moment_is_one_submission(unproved: Desk) -> None:
    form = unproved.form()
    answers: list[str] = []
    crowd = [threading.Thread(target=lambda: answers.append(submit.submit("night-bus", form, network=None, now=unproved.now)))
             for _ in range(6)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert answers == [form.token] * 6
    assert (len(unproved.rows(Submission)), len(unproved.letters()), unproved.stats()["submissions"]) == (1, 1, 1)


def test_one_person_writes_one_letter_to_a_target_however_the_mailbox_is_spelled_and_whichever_channel(unproved: Desk) -> None:
    unproved.write(email="jane.doe@gmail.com")
    for again in ({"email": "Jane.Doe@gmail.com"}, {"email": "janedoe+bus@googlemail.com"},
                  {"email": "jane.doe@gmail.com", "channel": "fax"},
                  {"email": "ｊane.doe@gmail.com"}, {"email": " jane.doe@GMAIL.com "}):
        token = unproved.write(**again)
        assert unproved.letters(token) == []
        assert unproved.submission(token).state == "duplicate"
    assert len(unproved.letters()) == 1
    assert unproved.stats()["refused"] == {"duplicate": 5}
    assert unproved.stats()["submissions"] == 6


def test_the_same_person_writes_to_each_campaign(unproved: Desk) -> None:
    unproved.campaign("day-bus")
    unproved.write(email="jane@people.example")
    unproved.write("day-bus", email="jane@people.example")
    assert unproved.states() == ["queued", "queued"]


def test_targets_that_are_partly_repeated_get_what_is_new(unproved: Desk) -> None:
    unproved.write(email="jane@people.example", targets=("commissioner",))
    token = unproved.write(email="jane@people.example", targets=("commissioner", "council", "council"))
    (new,) = unproved.letters(token)
    assert {x.target_id for x in unproved.letters()} == {new.target_id, *(x.target_id for x in unproved.letters() if x.id != new.id)}
    assert len(unproved.letters()) == 2
    assert unproved.submission(token).state == "accepted"
    assert unproved.stats()["refused"] == {"duplicate": 1}


def test_one_person_from_many_browsers_at_once_is_one_letter_a_target(unproved: Desk) -> None:
    both = ("commissioner", "council")  # asked for in either order: they must not wait for each other in a ring
    made = [unproved.form(email="jane@people.example", targets=both[::(1, -1)[n % 2]]) for n in range(8)]
    crowd = [threading.Thread(target=submit.submit, args=("night-bus", form), kwargs={"network": None, "now": unproved.now})
             for form in made]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(unproved.letters()) == 2
    assert len(unproved.rows(Submission)) == 8
    assert unproved.stats()["refused"] == {"duplicate": 14}
    assert unproved.counts_agree()


@pytest.mark.parametrize(("state", "error"), [("draft", NotFound), ("paused", Conflict), ("closed", Conflict)])
def test_a_campaign_that_is_not_live_takes_nothing(desk: Desk, state: str, error: type[Exception]) -> None:
    desk.campaign(state=state)
    with pytest.raises(error):
        desk.write()
    assert stored(desk) == [0, 0, 0, 0]


def test_an_unknown_campaign_and_a_passed_deadline_take_nothing(desk: Desk) -> None:
    desk.campaign(deadline=desk.now + timedelta(hours=1))
    with pytest.raises(NotFound):
        desk.write("no-such-bus")
    desk.later(hours=1)
    with pytest.raises(Conflict):
        desk.write()
    assert stored(desk) == [0, 0, 0, 0]


def test_a_campaign_closed_between_page_and_form_takes_nothing(desk: Desk) -> None:
    """Also where the pages' caches have not seen it yet."""
    desk.campaign()
    form = desk.form()
    desk.action("close")
    with pytest.raises(Conflict):
        submit.submit("night-bus", form, network=None, now=desk.now)
    assert stored(desk) == [0, 0, 0, 0]


def test_a_target_without_an_address_on_the_channel_is_told_beside_the_channel(desk: Desk) -> None:
    desk.campaign()
    with pytest.raises(FormInvalid) as e:
        desk.write(targets=("commissioner", "council"), channel="fax")
    assert e.value.errors == {"channel": forms.NO_FAX}
    assert stored(desk) == [0, 0, 0, 0]


def test_a_target_dropped_by_an_import_gets_no_new_letters(desk: Desk) -> None:
    desk.campaign()
    desk.campaign(targets=(COMMISSIONER,))
    with pytest.raises(FormInvalid) as e:
        desk.write(targets=("council",))
    assert set(e.value.errors) == {"targets"}


def test_a_campaign_may_ask_for_more_confirmation_than_its_operator_but_not_for_less(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign("careful", confirm="email", targets=(COUNCIL,))
    assert desk.letter(desk.write("careful", targets=("council",))).state == "unconfirmed"
    desk.set(confirm="email")
    desk.campaign("careless", confirm="none", targets=(COUNCIL,))
    assert desk.letter(desk.write("careless", targets=("council",))).state == "unconfirmed"


def test_a_network_has_an_allowance_an_hour_and_a_higher_one_for_work(desk: Desk) -> None:
    desk.set(confirm="none", max_per_network="3")
    desk.campaign()
    for _ in range(3):
        desk.write(network=OUTSIDE)
    with pytest.raises(FormInvalid) as e:
        desk.write(network="203.0.113.99")  # the same /24
    assert e.value.errors == {"": forms.THROTTLED}
    desk.write(network="198.51.100.7")
    for _ in range(9):
        form = desk.form()
        submit.submit("night-bus", replace(form, proof=proof(form.token)), network=OUTSIDE, now=desk.now)
    form = desk.form()
    with pytest.raises(FormInvalid):
        submit.submit("night-bus", replace(form, proof=proof(form.token)), network=OUTSIDE, now=desk.now)
    desk.write(network="127.0.0.1")
    desk.later(hours=1)
    desk.write(network=OUTSIDE)
    assert len(desk.letters()) == 15
    assert OUTSIDE not in str(desk.rows(Submission))


def test_work_does_not_count_where_it_is_switched_off(desk: Desk) -> None:
    desk.set(confirm="none", max_per_network="1", proof_of_work="off")
    desk.campaign()
    desk.write(network="2001:db8:1:2::1")
    form = desk.form()
    with pytest.raises(FormInvalid):
        submit.submit("night-bus", replace(form, proof=proof(form.token)), network="2001:db8:1:ffff::9", now=desk.now)
    desk.write(network="2001:db8:2::1")


def test_a_throttled_form_is_counted_by_its_reason(desk: Desk) -> None:
    desk.set(confirm="none", max_per_network="1")
    desk.campaign()
    desk.write(network=OUTSIDE)
    with pytest.raises(FormInvalid):
        desk.write(network=OUTSIDE)
    assert desk.stats()["refused"] == {"throttled": 1}


@pytest.mark.parametrize("state", ["paused", "closed"])
def test_a_form_that_comes_too_late_is_counted_by_its_reason(desk: Desk, state: str) -> None:
    desk.campaign(state=state)
    with pytest.raises(Conflict):
        desk.write()
    assert desk.stats()["refused"] == {"paused" if state == "paused" else "not_live": 1}


def test_a_form_sent_again_costs_its_network_nothing(desk: Desk) -> None:
    desk.set(confirm="none", max_per_network="1")
    desk.campaign()
    form = desk.form()
    for _ in range(3):
        assert submit.submit("night-bus", form, network=OUTSIDE, now=desk.now) == form.token


def test_the_networks_of_submissions_are_forgotten_after_a_day(desk: Desk) -> None:
    from outreach.models import NetworkUse

    desk.set(confirm="none")
    desk.campaign()
    token = desk.write(network=OUTSIDE)
    assert desk.submission(token).network
    desk.later(hours=26)
    desk.sweep()
    assert desk.submission(token).network is None
    assert desk.rows(NetworkUse) == []
