"""An organizer has failed letters tried again: those that may go, once each, with what failed them set aside."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from outreach.commands import letters as commands
from outreach.db import utcnow
from outreach.domain.letters import Reason, Verdict
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.models import AuditEntry, Campaign, Letter, table
from outreach.services import line, privacy, retries
from tests.services.helpers import COMMISSIONER, Desk


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign(targets=(COMMISSIONER,))
    return desk


def failed(desk: Desk, reply: str = "550 5.7.1 no") -> str:
    """A letter that its server refused for good; returns its status token."""
    desk.sink.faults["rcpt1"] = reply
    token = desk.write()
    desk.send()
    assert desk.letter(token).state == "failed"
    return token


def test_failed_letters_go_again_with_all_their_tries(unproved: Desk) -> None:
    token = failed(unproved)
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(1, 0)
    letter = unproved.letter(token)
    assert (letter.state, letter.reason, letter.tries) == ("queued", "organizer", 0)
    assert unproved.send() == 1
    assert unproved.letter(token).state == "sent"
    assert unproved.counts_agree()
    note = unproved.rows(AuditEntry)[-1]
    assert (note.what, note.detail) == ("failed letters tried again", "1 letters, whatever the reason")


def test_only_those_of_one_reason_where_it_is_named(unproved: Desk) -> None:
    one = failed(unproved)
    other = failed(unproved)
    unproved.change(Letter, table(Letter).c.id == unproved.letter(other).id, reason=Reason.BAD_NUMBER.value)
    assert retries.retry("night-bus", Reason.BAD_NUMBER, now=unproved.now) == retries.Retried(1, 0)
    assert (unproved.letter(one).state, unproved.letter(other).state) == ("failed", "queued")


def test_what_failed_it_before_does_not_fail_it_again_but_evidence_that_it_arrived_counts(unproved: Desk) -> None:
    token = unproved.write()
    unproved.send()
    first = unproved.attempts()[0]
    unproved.hear(unproved.word(Verdict.BOUNCED, first, reason=Reason.BOUNCED))
    assert unproved.letter(token).state == "failed"
    retries.retry("night-bus", now=unproved.now)
    unproved.hear(unproved.word(Verdict.BOUNCED, first, reason=Reason.BOUNCED))  # a repeat with an id of its own
    assert unproved.letter(token).state == "queued"
    assert unproved.send() == 1
    assert unproved.letter(token).state == "sent"
    unproved.hear(unproved.word(Verdict.BOUNCED, unproved.attempts()[1], reason=Reason.BOUNCED))
    assert unproved.letter(token).state == "failed"
    unproved.hear(unproved.word(Verdict.DELIVERED, unproved.attempts()[1]))
    assert unproved.letter(token).state == "failed", "a bounce outranks it"


def test_what_was_taken_back_or_erased_stays(unproved: Desk) -> None:
    withdrawn, erased = failed(unproved), failed(unproved)
    privacy.withdraw(unproved.mailed(withdrawn), now=unproved.now)
    privacy.erase(unproved.mailed(erased), now=unproved.now)
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(0, 2)
    assert unproved.states() == ["failed", "failed"]


def test_a_place_that_somebody_took_meanwhile_is_not_taken_from_them(unproved: Desk) -> None:
    token = failed(unproved)
    letter = unproved.letter(token)
    unproved.change(Letter, counts=False)  # as after a withdrawal that came too late, and evidence
    other = unproved.letter(unproved.write())
    unproved.change(Letter, table(Letter).c.id == other.id, fingerprint=letter.fingerprint)
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(0, 1)
    assert unproved.letter(token).state == "failed"
    unproved.change(Letter, table(Letter).c.id == other.id, fingerprint="somebody else's")
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(1, 0)
    assert (unproved.letter(token).state, unproved.letter(token).counts) == ("queued", True)
    assert unproved.counts_agree()


def test_nothing_is_retried_for_a_campaign_that_is_over(unproved: Desk) -> None:
    failed(unproved)
    unproved.change(Campaign, deadline=unproved.now)
    with pytest.raises(Conflict, match="deadline"):
        retries.retry("night-bus", now=unproved.now)
    unproved.action("close")
    with pytest.raises(Conflict, match="closed"):
        retries.retry("night-bus", now=unproved.now)
    with pytest.raises(NotFound):
        retries.retry("no-such", now=unproved.now)
    assert unproved.states() == ["failed"]


def test_many_are_retried_page_by_page(unproved: Desk) -> None:
    from outreach.services import moves

    unproved.patch.setattr(moves, "MOST", 3)
    for _ in range(7):
        failed(unproved)
    unproved.patch.setattr(line, "SECONDS", 0.0)
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(3, 0, more=True), "one call takes its time and no more"
    unproved.patch.setattr(line, "SECONDS", 15.0)
    assert retries.retry("night-bus", now=unproved.now) == retries.Retried(4, 0)
    assert [a.detail for a in unproved.rows(AuditEntry) if a.what == "failed letters tried again"] == [
        "3 letters, whatever the reason; more are left", "4 letters, whatever the reason"]
    assert unproved.send() == 7
    assert set(unproved.states()) == {"sent"}


def test_the_commands_say_what_they_did(unproved: Desk) -> None:
    failed(unproved)

    def run(*args: str) -> Any:
        return CliRunner().invoke(commands.app, list(args))

    def said(*args: str) -> str:
        return str(run(*args).output.splitlines()[-1])

    assert said("retry", "night-bus", "--reason", "bad_number") == "night-bus: 0 queued again"
    assert isinstance(run("retry", "night-bus", "--reason", "whatever").exception, NotAllowed)
    unproved.change(Campaign, deadline=None)
    assert said("retry", "night-bus") == "night-bus: 1 queued again"
    unproved.now = utcnow()  # commands go by the real clock
    unproved.sink.faults["dot"] = "close"
    unproved.send()
    letter = unproved.letters()[0]
    assert letter.state == "unknown"
    assert isinstance(run("resolve", letter.id).exception, NotAllowed)
    assert isinstance(run("resolve", letter.id, "--sent", "--resend").exception, NotAllowed)
    assert said("resolve", letter.id, "--sent") == f"{letter.id}: now sent"
