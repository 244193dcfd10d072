"""Personal data is kept as long as /privacy says, and no longer."""

from __future__ import annotations

import pytest

from outreach.models import Campaign, Letter, Submission, table
from outreach.services import scrubbing, status
from tests.services.helpers import Desk
from tests.services.test_privacy import PLANTED, traces


def key_of(desk: Desk, slug: str = "night-bus") -> bytes | None:
    return desk.one(Campaign, table(Campaign).c.slug == slug).fingerprint_key  # type: ignore[no-any-return]


@pytest.fixture
def closed(desk: Desk) -> Desk:
    """A campaign with a sent and a cancelled letter, closed a moment ago."""
    desk.campaign()
    desk.signed(**PLANTED)
    desk.send()
    desk.signed(**{**PLANTED, "email": "planted2@people.example"})
    desk.action("close")
    desk.sweep()
    return desk


def test_a_closed_campaign_s_people_are_forgotten_after_thirty_days(closed: Desk) -> None:
    closed.later(days=29, hours=23)
    assert scrubbing.scrub_due(closed.now) == 0
    assert traces(closed) and key_of(closed)
    closed.later(hours=1)
    assert scrubbing.scrub_due(closed.now) == 2
    assert traces(closed) == []
    assert key_of(closed) is None
    assert closed.states() == ["cancelled", "sent"] and closed.counts_agree()
    assert scrubbing.scrub_due(closed.later(days=1)) == 0


def test_the_key_goes_only_with_the_last_of_the_campaign(closed: Desk) -> None:
    closed.later(days=30)
    assert scrubbing.scrub_due(closed.now, most=1) == 1
    assert key_of(closed)
    assert scrubbing.scrub_due(closed.now, most=1) == 1
    assert key_of(closed) is None


def test_a_campaign_that_runs_keeps_what_it_needs(desk: Desk) -> None:
    desk.campaign("night-bus", deadline=None)
    token = desk.signed(**PLANTED)
    desk.later(days=400)
    assert scrubbing.scrub_due(desk.now) == 0
    assert desk.submission(token).email == "planted@people.example" and key_of(desk)


def test_what_nobody_confirmed_is_forgotten_a_week_after_it_expired(desk: Desk) -> None:
    desk.campaign()
    never, signed = desk.write(**PLANTED), desk.signed()
    desk.notify()
    desk.later(days=8)
    desk.sweep()
    desk.later(days=5)
    assert scrubbing.scrub_due(desk.now) == 0
    desk.later(days=1)
    assert scrubbing.scrub_due(desk.now) == 1
    assert desk.submission(never).erased_at is not None and traces(desk) == []
    assert desk.submission(signed).email and key_of(desk)
    assert status.view(never, now=desk.now).email == ""


def test_a_letter_that_may_still_go_keeps_its_person(closed: Desk) -> None:
    closed.change(Letter, table(Letter).c.state == "sent", state="sending")
    closed.later(days=31)
    assert scrubbing.scrub_due(closed.now) == 1
    assert len(closed.rows(Submission, table(Submission).c.erased_at.is_(None))) == 1 and key_of(closed)
