"""A fax whose receipt stays out is asked about ever more rarely, and one day no more: then it stays sent, and says that none came."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.domain.letters import Verdict
from outreach.models import Attempt
from outreach.queue import QueueName
from outreach.services import polls, status
from outreach.web import status_words
from tests.services.faxes import FaxProvider
from tests.services.helpers import COMMISSIONER, Desk
from tests.services.test_doctor import findings, migrated


@pytest.fixture
def at(desk: Desk) -> FaxProvider:
    desk.set(confirm="none")
    migrated(desk)
    desk.campaign(targets=(COMMISSIONER,))
    return FaxProvider(desk)


def silent(at: FaxProvider) -> str:
    """A fax that its provider took and says nothing more about; returns its status token."""
    token = at.desk.write(channel="fax")
    assert at.desk.send(QueueName.FAX) == 1
    return token


def asked(at: FaxProvider, *, every: timedelta, until: timedelta) -> int:
    """How often the provider is asked while the ticker looks so often, until that long after now."""
    before, end = len(at.desk.provider.asked), at.desk.now + until
    while at.desk.now < end:
        at.desk.now += every
        if polls.due(at.desk.now):
            polls.poll(at.desk.now)
    return len(at.desk.provider.asked) - before


def test_a_silent_fax_is_asked_about_ever_more_rarely_and_then_no_more(at: FaxProvider) -> None:
    token = silent(at)
    in_an_hour = asked(at, every=timedelta(minutes=1), until=timedelta(hours=1))
    assert 15 <= in_an_hour <= 30
    assert 2 <= asked(at, every=timedelta(minutes=5), until=timedelta(hours=1)) <= 4
    at.desk.later(days=2)
    assert asked(at, every=timedelta(minutes=10), until=timedelta(hours=2)) == 0
    assert not polls.due(at.desk.now)
    letter, attempt = at.desk.letter(token), at.desk.one(Attempt)
    assert (letter.state, letter.reason, attempt.verdict, attempt.reason, attempt.line_until) == (
        "sent", "no_receipt", "accepted", "no_receipt", None)
    assert [(f.level, f.letters) for f in findings(at.desk)] == [("note", (letter.id,))]


def test_its_writer_is_told_so_and_a_receipt_that_comes_after_all_is_believed(at: FaxProvider) -> None:
    token = silent(at)
    view = status.view(token, now=at.desk.now)
    assert "calls the office" in status_words.told(view.letters[0], view, at.desk.now).headline
    at.desk.later(days=2, minutes=1)
    polls.poll(at.desk.now)
    view = status.view(token, now=at.desk.now)
    assert status_words.told(view.letters[0], view, at.desk.now).headline == "Sent, no receipt came."
    at.desk.hear(at.desk.word(Verdict.DELIVERED, pages=1))
    assert (at.desk.letter(token).state, at.desk.letter(token).reason) == ("delivered", "receipt")
    assert at.desk.one(Attempt).reason is None
    assert findings(at.desk) == []


def test_a_fax_whose_name_we_never_heard_is_given_up_too(at: FaxProvider) -> None:
    token = silent(at)
    at.desk.change(Attempt, provider_ref=None)
    at.desk.later(days=2, minutes=1)
    assert polls.due(at.desk.now)
    polls.poll(at.desk.now)
    assert at.desk.letter(token).reason == "no_receipt"


def test_the_doctor_says_when_nobody_asks(at: FaxProvider) -> None:
    token = silent(at)
    at.desk.later(days=2, minutes=10)
    [found] = findings(at.desk)
    assert (found.level, found.letters) == ("wrong", (at.desk.letter(token).id,))
    assert "nobody asks about" in found.what
