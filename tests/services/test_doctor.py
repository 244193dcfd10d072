"""The doctor names each promise that is broken and the letters concerned, and finds nothing in a healthy service."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from typer.testing import CliRunner

from outreach.cli import app
from outreach.db import new_id, unit_of_work
from outreach.domain.letters import Verdict
from outreach.models import Attempt, Campaign, CounterDelta, CounterHour, Lane, Letter, LetterEvent, Notice, table
from outreach.queue import QueueName
from outreach.services import budgets, checkup, moves
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk


def migrated(desk: Desk) -> None:
    """The schema as `outreach migrate` leaves it."""
    from outreach import migrate
    from outreach.models import Base

    Base.metadata.drop_all(desk.database)
    if desk.database.dialect.name == "postgresql":
        with unit_of_work() as c:
            c.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    migrate.upgrade()


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Three letters that have gone, to the commissioner, and one that waits for the council; times are the desk's."""
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    migrated(desk)
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    for _ in range(3):
        desk.write()
    desk.send()
    desk.write(targets=("council",))
    return desk


def findings(desk: Desk) -> list[checkup.Finding]:
    return [f for f in checkup.findings(desk.now) if f.level != "ok" and "Redis" not in f.what and "sandbox" not in f.what]


def gone(desk: Desk) -> Any:
    """The first letter that has gone."""
    first = desk.attempts()[0].letter_id  # not the smallest id: those of one instant are in no order
    return next(x for x in desk.letters() if x.id == first)


def waiting(desk: Desk) -> Any:
    return next(x for x in desk.letters() if x.state == "queued")


def change(desk: Desk, model: Any, row_id: str, **values: Any) -> None:
    assert desk.change(model, table(model).c.id == row_id, **values) == 1


def without_guards(desk: Desk, *statements: Any) -> None:
    """Run statements with the constraints away that make them impossible."""
    with unit_of_work() as c:
        c.exec_driver_sql("DROP INDEX uq_attempts_one_open")
        c.exec_driver_sql("DROP INDEX uq_letters_one_each")
        if desk.database.dialect.name == "postgresql":
            c.exec_driver_sql("ALTER TABLE letters DROP CONSTRAINT ck_letters_counts, DROP CONSTRAINT ck_letters_uncounted")
        else:
            c.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            c.execute(statement)
        if desk.database.dialect.name == "sqlite":
            c.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")


def attempt_of(letter: Any, **values: Any) -> dict[str, Any]:
    return {"id": new_id(), "letter_id": letter.id, "campaign_id": letter.campaign_id, "address_id": letter.address_id, "transport": "smtp",
            "holder": "x", "verdict": "open", "started_at": letter.created_at, **values}


def stuck(desk: Desk) -> list[str]:
    letter = gone(desk)
    change(desk, Attempt, letter.attempt_id, verdict="open")
    change(desk, Letter, letter.id, state="sending", lease_until=desk.now - timedelta(hours=2))
    return [letter.id]


def sending_without_attempt(desk: Desk) -> list[str]:
    change(desk, Letter, gone(desk).id, state="sending", lease_until=desk.now + timedelta(minutes=2))
    return [min(x.id for x in desk.letters() if x.state == "sending")]


def open_without_sending(desk: Desk) -> list[str]:
    letter = gone(desk)
    change(desk, Attempt, letter.attempt_id, verdict="open")
    return [letter.id]


def sending_for_another_attempt(desk: Desk) -> list[str]:
    letter = waiting(desk)
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)), [attempt_of(letter)])
    change(desk, Letter, letter.id, state="sending", lease_until=desk.now + timedelta(minutes=2), attempt_id=new_id())
    return [letter.id]


def two_open(desk: Desk) -> list[str]:
    letter = waiting(desk)
    without_guards(desk, insert(table(Attempt)).values([attempt_of(letter), attempt_of(letter)]))
    return [letter.id]


def never_tried(desk: Desk) -> list[str]:
    letter = waiting(desk)
    change(desk, Letter, letter.id, state="sent")
    return [letter.id]


def lost_wake_up(desk: Desk) -> list[str]:
    letter = waiting(desk)
    assert desk.change(Lane, table(Lane).c.address_id == letter.address_id, next_wake_at=None) == 1
    desk.later(minutes=3)
    return [letter.id]


def no_lane(desk: Desk) -> list[str]:
    letter = waiting(desk)
    with unit_of_work() as c:
        c.execute(delete(table(Lane)).where(table(Lane).c.address_id == letter.address_id))
    desk.later(minutes=3)
    return [letter.id]


def unattended(desk: Desk) -> list[str]:
    desk.later(minutes=10)
    return [waiting(desk).id]


def late(desk: Desk) -> list[str]:
    desk.change(Campaign, deadline=desk.now)
    desk.later(minutes=3)
    return [waiting(desk).id]


def of_a_closed_campaign(desk: Desk) -> list[str]:
    desk.change(Campaign, state="closed", closed_at=desk.now)
    desk.later(minutes=3)
    return [waiting(desk).id]


def taken_back(desk: Desk) -> list[str]:
    change(desk, Letter, waiting(desk).id, withdrawn_at=desk.now)
    desk.later(minutes=3)
    return [waiting(desk).id]


def no_events(desk: Desk) -> list[str]:
    letter = gone(desk)
    with unit_of_work() as c:
        c.execute(delete(table(LetterEvent)).where(table(LetterEvent).c.letter_id == letter.id))
    return [letter.id]


def an_event_lost(desk: Desk) -> list[str]:
    letter = gone(desk)
    with unit_of_work() as c:
        c.execute(delete(table(LetterEvent)).where(table(LetterEvent).c.letter_id == letter.id, table(LetterEvent).c.after == "sending"))
    return [letter.id]


def a_move_that_the_table_lacks(desk: Desk) -> list[str]:
    letter = gone(desk)
    with unit_of_work() as c:  # queued → sending → sent becomes queued → unknown → sent: an unbroken chain with one impossible link
        c.execute(update(table(LetterEvent)).where(table(LetterEvent).c.letter_id == letter.id, table(LetterEvent).c.after == "sending")
                  .values(after="unknown"))
        c.execute(update(table(LetterEvent)).where(table(LetterEvent).c.letter_id == letter.id, table(LetterEvent).c.before == "sending")
                  .values(before="unknown"))
    return [letter.id]


def another_state_than_the_last_event(desk: Desk) -> list[str]:
    letter = gone(desk)
    change(desk, Letter, letter.id, state="delivered")
    return [letter.id]


def a_place_held_in_vain(desk: Desk) -> list[str]:
    letter = waiting(desk)
    without_guards(desk, update(table(Letter)).where(table(Letter).c.id == letter.id).values(state="cancelled"))
    return [letter.id]


def waiting_without_a_place(desk: Desk) -> list[str]:
    letter = waiting(desk)
    without_guards(desk, update(table(Letter)).where(table(Letter).c.id == letter.id).values(counts=False))
    return [letter.id]


def two_in_one_place(desk: Desk) -> list[str]:
    sent = sorted((x for x in desk.letters() if x.state == "sent"), key=lambda x: x.id)
    without_guards(desk, update(table(Letter)).where(table(Letter).c.id == sent[1].id).values(fingerprint=sent[0].fingerprint))
    return [sent[1].id]


BREAKS: dict[str, tuple[Callable[[Desk], list[str]], str]] = {
    "stuck": (stuck, "letters stuck in sending"),
    "sending without attempt": (sending_without_attempt, "in sending without an open attempt"),
    "open without sending": (open_without_sending, "with an open attempt that are not in sending for it"),
    "sending for another attempt": (sending_for_another_attempt, "with an open attempt that are not in sending for it"),
    "two open attempts": (two_open, "with two open attempts"),
    "never tried": (never_tried, "said to be handed over without an attempt"),
    "lost wake-up": (lost_wake_up, "in a lane that nobody will look at"),
    "no lane": (no_lane, "in a lane that nobody will look at"),
    "unattended": (unattended, "due and not looked at"),
    "late": (late, "that wait though their time is over"),
    "closed": (of_a_closed_campaign, "that wait though their time is over"),
    "taken back": (taken_back, "that wait though their time is over"),
    "no events": (no_events, "letters without events"),
    "an event lost": (an_event_lost, "whose events are no way to their state"),
    "not in the table": (a_move_that_the_table_lacks, "whose events are no way to their state"),
    "another state": (another_state_than_the_last_event, "whose events are no way to their state"),
    "a place held in vain": (a_place_held_in_vain, "whose state and place at their target disagree"),
    "no place": (waiting_without_a_place, "whose state and place at their target disagree"),
    "two in one place": (two_in_one_place, "beside another of the same person"),
}


def test_a_healthy_service_has_no_findings(busy: Desk) -> None:
    assert findings(busy) == []
    busy.send()
    for attempt in busy.attempts():
        busy.hear(busy.word(Verdict.DELIVERED, attempt))
    busy.sweep()
    assert findings(busy) == []


@pytest.mark.parametrize("name", BREAKS)
def test_each_broken_promise_is_named_with_its_letters(busy: Desk, name: str) -> None:
    breaks, said = BREAKS[name]
    letters = breaks(busy)
    found = [f for f in findings(busy) if said in f.what]
    assert [(f.level, list(f.letters)) for f in found] == [("wrong", letters)], findings(busy)
    assert letters[0] in str(found[0])


def test_counters_that_differ_are_told_with_both_figures(busy: Desk) -> None:
    assert busy.change(CounterDelta, table(CounterDelta).c.name == "letter:sent", delta=7) == 1
    assert [f.what for f in findings(busy)] == [
        "night-bus: the counters differ from a recount: commissioner by email, sent: 7 counted, 3 there"]
    busy.change(CounterDelta, table(CounterDelta).c.name == "letter:sent", delta=3)
    busy.sweep()
    assert findings(busy) == []


@pytest.mark.parametrize(("name", "said"), [
    ("submissions", "night-bus: the counters differ from a recount: submissions: 11 counted, 4 there"),
    ("refused:duplicate", "night-bus: the counters differ from a recount: refused:duplicate: -6 counted, 0 there")])
def test_all_counters_are_counted_anew_that_can_be(busy: Desk, name: str, said: str) -> None:
    campaign = busy.one(Campaign).id
    with unit_of_work() as c:
        moves.count(c, [(campaign, 0, "", name, 7 if name == "submissions" else -6)], busy.now)
    assert [f.what for f in findings(busy)] == [said]
    busy.sweep()  # which folds them
    assert [f.what for f in findings(busy)] == [said]


def test_counts_by_the_hour_that_do_not_add_up_are_told(busy: Desk) -> None:
    busy.sweep()
    assert findings(busy) == []
    assert busy.change(CounterHour, table(CounterHour).c.name == "submissions", n=9) == 1
    assert [f.what for f in findings(busy)] == [
        "night-bus: the counts by the hour differ from those of all time: submissions: 9 by the hour, 4 in all"]


def test_submissions_that_nobody_ended_are_told_and_a_moderator_is_reminded(busy: Desk) -> None:
    busy.set(confirm="email")
    forgotten = busy.submission(busy.write(email="other@people.example")).id
    busy.notify()
    change(busy, Letter, waiting(busy).id, state="held")
    with unit_of_work() as c:
        c.execute(insert(table(LetterEvent)).values(
            letter_id=next(x.id for x in busy.letters() if x.state == "held"), at=busy.now, before="queued", after="held", why="organizer"))
    busy.later(days=8)
    found = {f.level: str(f) for f in findings(busy) if "unconfirmed" in f.what or "moderator" in f.what}
    assert forgotten in found["wrong"] and "unconfirmed past their time" in found["wrong"]
    assert "letters that have waited for a moderator for more than a day" in found["note"]
    busy.sweep()
    assert not [f for f in findings(busy) if "unconfirmed" in f.what]


def test_faxes_that_wait_for_money_are_no_broken_promise_and_nobody_looks_again_and_again(busy: Desk) -> None:
    busy.send()
    for attempt in busy.attempts():
        busy.hear(busy.word(Verdict.DELIVERED, attempt))
    busy.write(channel="fax")
    budgets.set_cap("night-bus", 0, now=busy.now)
    assert busy.send(QueueName.FAX) == 0
    assert busy.lane("+14165550133").next_wake_at is None
    busy.later(minutes=10)
    assert "woken_lanes" not in busy.sweep()
    assert findings(busy) == []
    budgets.set_cap("night-bus", None, now=busy.now)
    busy.change(Lane, next_wake_at=None)  # the mark is lost
    assert [f.what for f in findings(busy)] == ["letters waiting in a lane that nobody will look at"]
    assert busy.sweep()["woken_lanes"] == 1
    assert busy.send(QueueName.FAX) == 1


def test_attempts_beyond_a_total_are_found_unless_it_was_lowered_later(busy: Desk) -> None:
    from dataclasses import replace

    busy.later(hours=1)
    busy.campaign(targets=(replace(COMMISSIONER, limits={"email": "2/total"}), COUNCIL))  # three have gone before
    busy.send()
    assert not [f for f in findings(busy) if "total" in f.what]
    letter = gone(busy)
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)), [attempt_of(letter, verdict="refused", started_at=busy.later(minutes=1))])
    assert [(f.letters, f.what) for f in findings(busy) if "total" in f.what] == [
        ((letter.id,), f"letters tried at address {letter.address_id} beyond its 2/total")]


def test_lanes_and_notices_left_by_the_dead_are_found(busy: Desk) -> None:
    busy.change(Lane, table(Lane).c.address_id == waiting(busy).address_id, holder="nobody", held_until=busy.now - timedelta(hours=1))
    with unit_of_work() as c:
        c.execute(insert(table(Notice)).values(
            id=new_id(), kind="confirm", ref="x", recipient="", mailbox="", state="sending", not_before=busy.now, created_at=busy.now,
            lease_until=busy.now - timedelta(hours=1), holder="nobody"))
    said = " ".join(str(f) for f in findings(busy))
    assert "lanes held by nobody who lives" in said and "notices stuck in sending" in said


def test_only_the_first_of_many_letters_are_named(busy: Desk) -> None:
    busy.patch.setattr(checkup, "SHOWN", 2)
    with unit_of_work() as c:
        c.execute(delete(table(LetterEvent)))
    (found,) = [f for f in findings(busy) if "without events" in f.what]
    assert len(found.letters) == 2 and str(found).endswith(" …")


def test_the_command_prints_json_and_exits_with_one_when_something_is_wrong(busy: Desk) -> None:
    letter = no_events(busy)[0]
    done = CliRunner().invoke(app, ["doctor", "--json"])
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["ok"]) == (1, False)
    assert {"level": "wrong", "what": "letters without events", "letters": [letter]} in said["findings"]
    assert f"letters without events: {letter}" in CliRunner().invoke(app, ["doctor"]).stdout


def test_the_doctor_says_what_is_missing(busy: Desk) -> None:
    busy.set(operator_contact="", public_url="http://letters.example", fax_transport="telnyx", fax_from="", redis_url="redis://127.0.0.1:1")
    found = " ".join(f.what for f in checkup.findings())
    for name in ("OUTREACH_OPERATOR_CONTACT", "OUTREACH_PUBLIC_URL", "OUTREACH_FAX_FROM", "OUTREACH_TELNYX_API_KEY",
                 "Redis does not answer"):
        assert name in found
    busy.set(verp="false")
    assert any("OUTREACH_VERP" in f.what for f in checkup.findings() if f.level == "note")
    busy.set(email_transport="smtp", smtp_url="")
    assert any("OUTREACH_SMTP_URL" in f.what for f in checkup.findings() if f.level == "wrong")
    with unit_of_work() as c:
        c.exec_driver_sql("DELETE FROM alembic_version")
    assert any("outreach migrate" in f.what for f in checkup.findings())
