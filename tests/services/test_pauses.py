"""A target, a provider, a channel or everything is paused: nothing of it starts, what waits keeps its place, and resuming wakes it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner, Result

from outreach import cli
from outreach.errors import NotAllowed, NotFound, OutreachError
from outreach.models import AuditEntry
from outreach.queue import QueueName
from outreach.services import lanes, pauses, status
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk, hold_up

MAIL, FAX = QueueName.EMAIL, QueueName.FAX


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit | OutreachError | typer.Exit):
        raise result.exception
    return result


@pytest.fixture
def office(desk: Desk) -> Desk:
    """A live campaign with letters that wait to two targets by e-mail and to one by fax."""
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none", window="1")
    desk.campaign()
    assert desk.sink and desk.provider
    desk.write(targets=("commissioner", "council"))
    desk.write(channel="fax")
    return desk


def sent(desk: Desk) -> tuple[int, int]:
    """How many mails and faxes go out now."""
    return desk.send(MAIL), desk.send(FAX)


@pytest.mark.parametrize(("what", "goes"), [("everything", (0, 0)), ("email", (0, 1)), ("fax", (2, 0))])
def test_what_is_paused_waits_and_goes_on_when_resumed(office: Desk, what: str, goes: tuple[int, int]) -> None:
    assert pauses.pause(what, now=office.now, why="the provider asked us to")
    assert not pauses.pause(what, now=office.now)
    assert sent(office) == goes
    office.sweep()
    assert sent(office) == (0, 0)
    office.later(minutes=1)
    assert pauses.resume(what, now=office.now)
    assert not pauses.resume(what, now=office.now)
    assert sent(office) == (2 - goes[0], 1 - goes[1])
    assert office.states() == ["sent"] * 3
    assert office.counts_agree()


def test_a_paused_target_waits_and_the_others_go_on(office: Desk) -> None:
    pauses.pause_target("night-bus", "commissioner", now=office.now)
    assert sent(office) == (1, 0)
    assert [m.rcpts[0] for m in office.sink.mails] == ["council@city.example"]
    pauses.resume_target("night-bus", "commissioner", now=office.now)
    assert sent(office) == (1, 1)


def test_a_target_of_another_campaign_at_the_same_address_goes_on(office: Desk) -> None:
    office.campaign("day-bus")
    office.write("day-bus")
    pauses.pause_target("night-bus", "commissioner", now=office.now)
    pauses.pause_target("night-bus", "council", now=office.now)
    assert sent(office) == (1, 0)


@pytest.mark.parametrize("what", ["everything", "email", "target"])
def test_a_pause_between_reading_and_claiming_stops_the_hand_over(office: Desk, what: str) -> None:
    def pause() -> None:
        if what == "target":
            pauses.pause_target("night-bus", "commissioner", now=office.now)
            pauses.pause_target("night-bus", "council", now=office.now)
        else:
            pauses.pause(what, now=office.now)

    hold_up(office.patch, pause)
    assert office.send(MAIL) == 0
    assert office.sink.mails == []
    assert {x.state for x in office.letters() if x.channel == "email"} == {"queued"}


def test_lanes_sleep_while_they_are_paused_and_are_not_woken_for_nothing(office: Desk) -> None:
    pauses.pause("everything", now=office.now)
    sent(office)
    assert office.lane("commissioner@transit.example").next_wake_at is None
    assert "woken_lanes" not in office.sweep()
    assert lanes.due_queues(office.now) == []
    pauses.resume("everything", now=office.now)
    assert set(lanes.due_queues(office.now)) == {MAIL, FAX}


def test_a_paused_target_s_lane_is_not_woken_for_nothing(office: Desk) -> None:
    pauses.pause_target("night-bus", "council", now=office.now)
    sent(office)
    assert "woken_lanes" not in office.sweep()
    pauses.resume_target("night-bus", "council", now=office.now)
    assert office.lane("council@city.example").next_wake_at == office.now


def test_pauses_do_not_lift_each_other(office: Desk) -> None:
    for what in ("everything", "email", "fax"):
        pauses.pause(what, now=office.now)
    pauses.resume("everything", now=office.now)
    assert sent(office) == (0, 0)
    pauses.resume("email", now=office.now)
    assert sent(office) == (2, 0)


def test_letters_are_taken_during_a_pause_and_keep_their_place(office: Desk) -> None:
    pauses.pause("everything", now=office.now)
    office.later(minutes=1)
    token = office.write(targets=("council",))
    assert office.letter(token).state == "queued"
    assert status.view(token, now=office.now).letters[0].place == 2


@pytest.mark.parametrize(("what", "said"), [("everything", "all"), ("email", "all"), ("fax", "")])
def test_the_supporter_is_told_the_truth(office: Desk, what: str, said: str) -> None:
    token = office.write(targets=("council",))
    pauses.pause(what, now=office.now)
    assert [x.paused for x in status.view(token, now=office.now).letters] == [said]
    pauses.resume(what, now=office.now)
    assert [x.paused for x in status.view(token, now=office.now).letters] == [""]
    pauses.pause_target("night-bus", "council", now=office.now)
    assert [x.paused for x in status.view(token, now=office.now).letters] == ["target"]


def test_a_provider_s_pause_holds_the_channel_that_it_takes(office: Desk) -> None:
    from outreach.db import reading
    from outreach.settings import get_settings

    for name, channels in (("smtp", {"email"}), ("twilio", {"fax"}), ("telnyx", set[str]()), ("sendgrid", set[str]())):
        pauses.pause(name, now=office.now)
        with reading() as c:
            assert pauses.held(c, get_settings()).channels == channels, name
        pauses.resume(name, now=office.now)
    pauses.pause("telnyx", now=office.now)
    office.set(fax_transport="telnyx")
    with reading() as c:
        assert pauses.held(c, get_settings()).holds("fax", 1)
        assert not pauses.held(c, get_settings()).holds("email", 1)


def test_what_cannot_be_paused_is_refused(office: Desk) -> None:
    with pytest.raises(NotAllowed, match="smtp, sendgrid, twilio, telnyx, email, fax"):
        pauses.pause("phone", now=office.now)
    with pytest.raises(NotFound):
        pauses.pause_target("night-bus", "mayor", now=office.now)
    with pytest.raises(NotFound):
        pauses.resume_target("day-bus", "council", now=office.now)


def test_the_commands_pause_resume_and_list(office: Desk) -> None:
    assert "nothing is paused" in run("pauses").output
    assert "everything: is now paused" in run("pause", "--everything", "--reason", "a complaint").output
    assert "was already paused" in run("pause", "--everything").output
    assert "smtp: is now paused" in run("pause", "--provider", "smtp").output
    assert "night-bus, council: is now paused" in run("campaign", "pause", "night-bus", "--target", "council").output
    assert "night-bus: is now paused" in run("campaign", "pause", "night-bus").output
    listed = json.loads(run("pauses", "--json").output)
    assert [(p["kind"], p["what"], p["why"]) for p in listed] == [
        ("everything", "everything", "a complaint"), ("provider", "smtp", ""), ("target", "night-bus council", ""),
        ("campaign", "night-bus", None)]
    assert run("pauses").output.count("\n") == 4
    told = run("resume", "--everything")
    assert "everything: goes on" in told.output and "still paused: smtp, night-bus council" in told.stderr
    assert "was not paused" in run("resume", "--everything").output
    assert "night-bus, council: goes on" in run("campaign", "resume", "night-bus", "--target", "council").output
    assert "smtp: goes on" in run("resume", "--provider", "smtp").output
    assert isinstance(run("pause").exception, NotAllowed)
    assert isinstance(run("pause", "--everything", "--provider", "smtp").exception, NotAllowed)
    told = [(r.what, r.detail) for r in office.rows(AuditEntry) if r.what.startswith("sending ")]
    assert told == [("sending paused", "everything: a complaint"), ("sending paused", "provider smtp"), ("sending paused", "City Council"),
                    ("sending resumed", "everything"), ("sending resumed", "City Council"), ("sending resumed", "provider smtp")]


def test_a_target_that_an_import_drops_does_not_come_back_paused_for_another(office: Desk) -> None:
    pauses.pause_target("night-bus", "council", now=office.now)
    office.campaign(targets=(COMMISSIONER,))
    office.campaign(targets=(COMMISSIONER, replace(COUNCIL, name="The Council")))
    assert [r.what for r in pauses.listed()] == ["night-bus council"]  # a stable id is the same target
