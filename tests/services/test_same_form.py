"""A form's token and what was sent with it: the same again is the same submission, something else is another one."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from outreach.errors import NotFound
from outreach.models import Notice, Submission
from outreach.services import privacy, submit
from outreach.services.forms import FormInput
from outreach.services.status import view
from tests.services.helpers import COUNCIL, LETTER, Desk

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

TYPO, RIGHT = "jane@poeple.example", "jane@people.example"


def send(desk: Desk, form: FormInput, slug: str = "night-bus", network: str | None = None) -> str:
    return submit.submit(slug, form, network=network, now=desk.now)


def at_once(desk: Desk, forms: list[FormInput]) -> list[str]:
    """The answers to forms that are sent at the same moment, in their order."""
    answers = [""] * len(forms)
    start = threading.Barrier(len(forms))

    def one(place: int) -> None:
        start.wait()
        answers[place] = send(desk, forms[place])

    crowd = [threading.Thread(target=one, args=(n,)) for n in range(len(forms))]
    for x in crowd:
        x.start()
    for x in crowd:
        x.join()
    return answers


def test_a_mistyped_address_put_right_after_going_back_gets_its_own_mail(desk: Desk) -> None:
    desk.campaign()
    form = desk.form(email=TYPO)
    first, second = send(desk, form), send(desk, replace(form, email=RIGHT))
    assert first == form.token
    assert second != first
    assert sorted(n.recipient for n in desk.rows(Notice)) == sorted([TYPO, RIGHT])
    desk.confirm(second)
    assert [x.state for x in desk.letters(second)] == ["queued"]
    assert [x.state for x in desk.letters(first)] == ["unconfirmed"]  # somebody else's mailbox, as far as we know
    assert desk.stats()["submissions"] == 2


@pytest.mark.parametrize("change", [
    {"name": "John Doe", "email": "john@people.example"}, {"name": "Jane Dow"}, {"city": "Montreal"}, {"affiliation": "Riders' Union"},
    {"channel": "fax"}, {"targets": ("commissioner", "council")}, {"subject": "Mine", "body": "My own words."}, {"public_name": True},
    {"updates": True}], ids=" ".join)
def test_what_was_changed_after_going_back_is_not_lost(desk: Desk, change: dict[str, Any]) -> None:
    desk.campaign()
    form = desk.form()
    first, second = send(desk, form), send(desk, replace(form, **change))
    assert second != first
    kept = desk.submission(second)
    for name, value in change.items():
        assert value == {**kept._mapping, "targets": ("commissioner", "council")}[name]
    assert desk.submission(first).name == "Jane Doe"


@pytest.mark.parametrize("confirmation", ["none", "email"])
def test_the_same_again_is_the_same_submission_in_whichever_order_it_comes(desk: Desk, confirmation: str) -> None:
    desk.set(confirm=confirmation)
    desk.campaign()
    form = desk.form()
    other = replace(form, name="John Doe", email="john@people.example")
    first, second = send(desk, form), send(desk, other)
    assert [send(desk, x) for x in (other, form, other, replace(form, name=" Jane  Doe "), replace(form, proof="7"),
                                    replace(form, email=form.email.upper()))] == [second, first, second, first, first, first]
    assert (len(desk.rows(Submission)), desk.stats()["submissions"], desk.stats()["refused"]) == (2, 2, {})


def test_of_many_at_the_same_moment_each_content_is_one_submission(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    form = desk.form(email="one@people.example")
    other = replace(form, name="John Doe", email="two@people.example")
    third = replace(form, name="Joan Doe", email="three@people.example")
    answers = at_once(desk, [form, other, third] * 4)
    assert [set(answers[n::3]) for n in range(3)] == [{answers[n]} for n in range(3)]
    assert len(set(answers)) == 3
    assert form.token in answers
    assert (len(desk.rows(Submission)), len(desk.letters()), desk.stats()["submissions"]) == (3, 3, 3)
    assert desk.counts_agree()


def test_a_second_content_spends_its_networks_allowance_and_the_same_again_does_not(desk: Desk) -> None:
    from outreach.errors import FormInvalid

    desk.set(max_per_network="2")
    desk.campaign()
    form = desk.form()
    second = replace(form, email=RIGHT)
    for one in (form, second, form, second):
        send(desk, one, network="203.0.113.7")
    with pytest.raises(FormInvalid):
        send(desk, replace(form, email=TYPO), network="203.0.113.7")
    assert len(desk.rows(Submission)) == 2


def test_the_same_again_stays_the_same_after_the_campaigns_text_has_changed(desk: Desk) -> None:
    from outreach.render.text import editable_text
    from outreach.services import campaigns

    desk.campaign()
    text = editable_text(campaigns.spec_of("night-bus"), "en")
    form = desk.form(subject=text.subject, body=text.body)
    first = send(desk, form)
    desk.campaign(letter=replace(LETTER, body="Another text. {{ supporter.name }}"))
    assert send(desk, form) == first


def test_what_was_erased_stays_so_whatever_is_sent_with_its_token(desk: Desk) -> None:
    """Nothing is left of it by which the same could be told from the next person's; either has to be confirmed."""
    desk.campaign()
    form = desk.form()
    first = send(desk, form)
    privacy.erase(desk.mailed(first), now=desk.now)
    again, other = send(desk, form), send(desk, replace(form, email=RIGHT))
    assert len({first, again, other}) == 3
    assert send(desk, form) == again
    assert desk.submission(first).name == ""
    assert [x.state for t in (again, other) for x in desk.letters(t)] == ["unconfirmed"] * 2


def test_a_token_that_went_to_another_campaign_is_no_submission_to_this_one(desk: Desk) -> None:
    desk.campaign()
    desk.campaign("day-bus", targets=(COUNCIL,))
    form = desk.form(targets=("council",))
    first, second = send(desk, form), send(desk, form, "day-bus")
    assert first != second
    assert {view(t, now=desk.now).slug for t in (first, second)} == {"night-bus", "day-bus"}


def test_the_second_page_cannot_be_told_from_the_first_one_s_token(desk: Desk) -> None:
    desk.campaign()
    form = desk.form()
    send(desk, form)
    second = send(desk, replace(form, email=RIGHT))
    assert not second.startswith("m-")
    assert form.token not in second
    with pytest.raises(NotFound):
        view(form.token + "-", now=desk.now)
