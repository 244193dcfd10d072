"""Writers are asked again whether what waits shall go, since the campaign has changed: mail, answer, and no answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.errors import Conflict
from outreach.models import Letter, Notice, table
from outreach.services import campaigns, confirm, status, stops
from outreach.services.changes import Waiting
from tests.services.helpers import NOW, Desk, text_of
from tests.services.test_changes import NEW_TEXT, change


def ask(desk: Desk, *, says: str = "") -> None:
    """The text changes, the writers of what waits are asked, the sweep brings the mails on their way."""
    result = change(desk, Waiting.ASK, letter=NEW_TEXT)
    assert says in "; ".join(result.letters), result.letters
    desk.sweep()


def test_a_letter_waits_for_its_writer_and_goes_in_its_old_place_as_it_was_written(desk: Desk) -> None:
    desk.campaign()
    first = desk.signed()
    desk.notify()
    desk.later(minutes=1)
    second = desk.signed(targets=("council",))
    desk.notify()
    ask(desk, says="2 letters wait until the writer confirms again")
    assert desk.states() == ["unconfirmed"] * 2
    assert desk.counts_agree()
    assert desk.send() == 0
    mails = desk.notify()
    assert len(mails) == 2
    told = next(text_of(m) for m in mails if m.rcpts == [desk.submission(first).email])
    assert f"/m/{desk.mailed(first)}" in told and "Shall your letter still go?" in told and desk.code(first) not in told
    desk.later(hours=1)
    later = desk.signed()
    confirm.by_link(desk.mailed(first), now=desk.now)
    confirm.by_link(desk.mailed(first), now=desk.now)
    assert (desk.letter(first).state, desk.letter(second).state) == ("queued", "unconfirmed")
    assert desk.submission(first).asked_at is None
    assert desk.letter(first).submitted_at < desk.letter(later).submitted_at
    assert desk.send() == 2
    assert "Keep the night bus" in text_of(desk.sink.mails[-2]) and "Keep the night tram" in text_of(desk.sink.mails[-1])
    assert desk.counts_agree()


def test_nobody_is_asked_twice_about_one_change_but_again_about_the_next(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    ask(desk)
    desk.later(minutes=1)
    desk.sweep()
    assert [n.kind for n in desk.rows(Notice)].count("ask") == 1
    confirm.by_link(desk.mailed(token), now=desk.now)
    desk.later(minutes=1)
    change(desk, Waiting.ASK, deadline=NOW + timedelta(days=9))
    desk.sweep()
    assert [n.kind for n in desk.rows(Notice)].count("ask") == 2


def test_without_an_answer_the_letter_expires_after_a_week(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    desk.later(days=8)
    ask(desk)
    desk.sweep()
    desk.notify()
    desk.later(days=6, hours=23)
    desk.sweep()
    assert desk.letter(token).state == "unconfirmed"
    desk.later(hours=2)
    desk.sweep()
    assert (desk.letter(token).state, desk.letter(token).reason) == ("expired", "not_confirmed")
    confirm.by_link(desk.mailed(token), now=desk.now)
    assert desk.letter(token).state == "expired"
    assert desk.counts_agree()


def test_a_deadline_that_passes_before_the_answer_ends_the_letter_for_good(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(days=1))
    token = desk.signed()
    ask(desk)
    desk.later(days=1)
    with pytest.raises(Conflict):
        confirm.by_link(desk.mailed(token), now=desk.now + timedelta(seconds=1))
    desk.sweep()
    assert (desk.letter(token).state, desk.letter(token).reason) == ("expired", "not_confirmed")
    change(desk, deadline=NOW + timedelta(days=5))
    assert desk.letter(token).state == "expired"


def test_what_was_tried_before_goes_on_as_written(desk: Desk) -> None:
    desk.campaign()
    desk.sink.faults["dot"] = "451 come back later"
    tried, fresh = desk.signed(), desk.signed(targets=("council",))
    desk.sink.faults["mail*"] = "451 later"
    desk.send()
    desk.sink.faults.clear()
    assert {desk.letter(t).state for t in (tried, fresh)} == {"queued"}
    new = desk.signed(targets=("council",))
    ask(desk, says="2 letters had been tried or bundled before and will be sent as written")
    assert desk.letter(new).state == "unconfirmed"
    desk.later(hours=3)
    assert desk.send() == 2


def test_a_letter_that_is_not_confirmed_yet_is_not_asked_about_once_more(desk: Desk) -> None:
    desk.campaign()
    token = desk.write()
    ask(desk, says="1 letter had not been confirmed yet")
    assert [n.kind for n in desk.rows(Notice)] == ["confirm"]
    desk.confirm(token)
    assert desk.send() == 1


def test_the_page_behind_the_mail_says_what_is_asked(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    ask(desk)
    for link in (token, desk.mailed(token)):
        view = status.view(link, now=desk.now)
        assert (view.asked, view.submission_state, view.letters[0].state) == (True, "accepted", "unconfirmed")
        assert view.confirm_until == desk.now + timedelta(days=7)
    confirm.by_link(desk.mailed(token), now=desk.now)
    assert not status.view(token, now=desk.now).asked


def test_asked_letters_can_be_taken_back_or_left_by_who_wants_no_mail(desk: Desk) -> None:
    desk.campaign()
    back, never = desk.signed(), desk.signed()
    ask(desk)
    status.withdraw(desk.mailed(back), now=desk.now)
    confirm.never_again(desk.mailed(never), now=desk.now)
    assert {(desk.letter(t).state, desk.letter(t).reason) for t in (back, never)} == {("cancelled", "withdrawn")}
    desk.sweep()
    assert desk.notify() == []


def test_who_wrote_anew_meanwhile_has_one_letter(desk: Desk) -> None:
    desk.campaign()
    old = desk.signed(email="jane@people.example")
    ask(desk)
    new = desk.signed(email="jane@people.example")
    confirm.by_link(desk.mailed(old), now=desk.now)
    assert (desk.letter(old).state, desk.letter(old).reason, desk.letter(new).state) == ("cancelled", "duplicate", "queued")


def test_a_stop_ends_the_question(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    desk.notify()
    change(desk, Waiting.ASK, letter=NEW_TEXT)
    stops.stop("night-bus", "won", "They kept it.", now=desk.now)
    desk.sweep()
    assert desk.notify() == []
    with pytest.raises(Conflict):
        confirm.by_link(desk.mailed(token), now=desk.now)
    desk.later(minutes=10)
    desk.sweep()
    assert (desk.letter(token).state, desk.letter(token).reason) == ("cancelled", "campaign_ended")
    assert campaigns.get("night-bus").state == "closed"


def test_who_was_not_asked_for_a_proof_before_gives_it_with_the_answer(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    token = desk.write()
    ask(desk)
    assert desk.submission(token).confirmed_at is None
    confirm.by_link(desk.mailed(token), now=desk.now)
    assert desk.submission(token).confirmed_at == desk.now
    assert desk.send() == 1


def test_a_letter_that_is_being_handed_over_is_not_asked_about(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    desk.change(Letter, table(Letter).c.id == desk.letter(token).id, state="sending")
    change(desk, Waiting.ASK, letter=NEW_TEXT)
    assert desk.letter(token).state == "sending"
