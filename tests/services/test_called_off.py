"""A window of hand-overs that takes long, a provider's pause, and our own mails: a stop and a pause hold there too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.queue import QueueName
from outreach.services import deliver, pauses, stops
from tests.services.helpers import Desk
from tests.services.test_stop import SlowAnswer


@pytest.mark.parametrize("how", ["stop", "everything", "smtp"])
def test_what_is_claimed_but_not_begun_when_its_window_drags_on_is_not_begun(desk: Desk, how: str) -> None:
    desk.set(confirm="none", max_email_rate="none", window="4")
    desk.patch.setattr(deliver, "CALLED_OFF", timedelta(0))
    server = SlowAnswer()
    desk.mail_server(server)
    desk.campaign()
    for _ in range(4):
        desk.write()
    server.meanwhile = lambda: (stops.stop("night-bus", "won", "Kept.", now=desk.now) if how == "stop"
                                else pauses.pause(how, now=desk.now))
    desk.send()
    assert len(server.mails) == 1
    assert desk.states() == ["queued"] * 3 + ["sent"]
    assert sorted(a.verdict for a in desk.attempts()) == ["accepted", "void", "void", "void"]
    assert {x.tries for x in desk.letters() if x.state == "queued"} == {0}


def test_a_hand_over_in_time_is_not_asked_about_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(deliver.delivery, "called_off", lambda _c, letter, *_: asked.append(letter) or True)
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign()
    desk.write()
    assert desk.send() == 1
    assert asked == []


@pytest.mark.parametrize(("what", "goes"), [("smtp", (0, 1)), ("twilio", (1, 0)), ("sendgrid", (1, 1)), ("telnyx", (1, 1))])
def test_a_paused_provider_is_given_nothing_and_the_others_go_on(desk: Desk, what: str, goes: tuple[int, int]) -> None:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign()
    assert desk.sink and desk.provider
    desk.write()
    desk.write(channel="fax")
    pauses.pause(what, now=desk.now)
    assert (desk.send(), desk.send(QueueName.FAX)) == goes
    lane = desk.lane("commissioner@transit.example" if what == "smtp" else "+14165550133")
    assert lane.next_wake_at is None  # it sleeps, and is not looked at again and again
    assert "woken_lanes" not in desk.sweep()
    pauses.resume(what, now=desk.now)
    assert (desk.send(), desk.send(QueueName.FAX)) == (1 - goes[0], 1 - goes[1])


def test_a_provider_s_pause_between_reading_and_claiming_stops_the_hand_over(desk: Desk) -> None:
    from tests.services.helpers import hold_up

    desk.set(confirm="none", max_email_rate="none")
    desk.campaign()
    desk.write()
    hold_up(desk.patch, lambda: pauses.pause("smtp", now=desk.now) and None)
    assert desk.send() == 0
    assert desk.states() == ["queued"]


@pytest.mark.parametrize("what", ["everything", "email", "smtp"])
def test_our_own_mails_wait_for_a_pause_too(desk: Desk, what: str) -> None:
    desk.campaign()
    desk.write()
    pauses.pause(what, now=desk.now)
    assert desk.notify() == []
    pauses.resume(what, now=desk.now)
    assert len(desk.notify()) == 1


def test_nobody_is_asked_to_confirm_while_a_campaign_is_stopped(desk: Desk) -> None:
    desk.campaign()
    desk.campaign("day-bus")
    desk.write()
    desk.write("day-bus")
    stops.stop("night-bus", "won", "Kept.", now=desk.now)
    assert len(desk.notify()) == 1
    stops.undo("night-bus", now=desk.now)
    assert len(desk.notify()) == 1
