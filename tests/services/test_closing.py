"""A campaign that nobody closes is closed a month after its deadline, so that what it keeps of people goes in time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.domain.letters import Verdict
from outreach.models import Attempt, AuditEntry, Campaign, Letter, table
from outreach.services import campaigns, scrubbing, stops
from tests.services.helpers import Desk
from tests.services.test_privacy import PLANTED, traces


def state(desk: Desk, slug: str = "night-bus") -> str:
    return campaigns.get(slug).state


@pytest.fixture
def ended(desk: Desk) -> Desk:
    """A campaign whose deadline has passed a moment ago: one letter sent, one expired, one never confirmed."""
    desk.campaign(deadline=desk.now + timedelta(days=1))
    desk.signed(**PLANTED)
    desk.send()
    desk.signed(**{**PLANTED, "email": "planted2@people.example"})
    desk.write(**{**PLANTED, "email": "planted3@people.example"})
    desk.notify()
    desk.later(days=1)
    desk.sweep()
    return desk


@pytest.mark.parametrize("was", ["live", "paused"])
def test_a_month_after_its_deadline_a_campaign_closes_and_a_month_later_it_is_forgotten(ended: Desk, was: str) -> None:
    if was == "paused":
        ended.action("pause")
    ended.later(days=29, hours=23)
    ended.sweep()
    assert state(ended) == was
    ended.later(hours=1)
    assert ended.sweep()["closed"] == 1
    row = campaigns.get("night-bus")
    assert (row.state, row.closed_at, row.outcome) == ("closed", ended.now, None)
    (entry,) = [e for e in ended.rows(AuditEntry) if e.what == "campaign: close"]
    assert (entry.who, entry.campaign_id) == ("outreach", row.id)
    assert entry.detail == f"{was} → closed: its deadline passed 30 days ago"
    assert traces(ended)
    ended.later(days=30)
    ended.sweep()
    assert traces(ended) == []
    assert ended.one(Campaign).fingerprint_key is None
    assert ended.states() == ["expired", "expired", "sent"] and ended.counts_agree()


def test_a_deadline_that_is_moved_before_keeps_the_campaign(ended: Desk) -> None:
    ended.later(days=29)
    ended.campaign(deadline=ended.now + timedelta(days=10))
    ended.later(days=5)
    ended.sweep()
    assert state(ended) == "live"
    ended.later(days=35, minutes=1)
    ended.sweep()
    assert state(ended) == "closed"


def test_a_campaign_without_a_deadline_stays_until_somebody_closes_it(desk: Desk) -> None:
    desk.campaign(deadline=None)
    desk.later(days=1000)
    desk.sweep()
    assert state(desk) == "live"


def test_a_draft_is_nobodys_data_and_stays(desk: Desk) -> None:
    desk.campaign(state="draft", deadline=desk.now + timedelta(days=1))
    desk.later(days=90)
    desk.sweep()
    assert state(desk) == "draft"


def test_what_is_still_on_its_way_holds_the_closing_up(ended: Desk) -> None:
    (sent,) = [x for x in ended.letters() if x.state == "sent"]
    ended.change(Letter, table(Letter).c.id == sent.id, state="sending", lease_until=ended.now + timedelta(days=99))
    ended.change(Attempt, verdict="open")
    ended.later(days=31)
    ended.sweep()
    assert state(ended) == "live"
    ended.change(Attempt, verdict="accepted")
    ended.change(Letter, table(Letter).c.id == sent.id, state="sent", lease_until=None)
    ended.sweep()
    assert state(ended) == "closed"


def test_a_letter_of_which_nothing_is_known_does_not_keep_the_others_for_ever(ended: Desk) -> None:
    (sent,) = [x for x in ended.letters() if x.state == "sent"]
    ended.change(Letter, table(Letter).c.id == sent.id, state="unknown")
    ended.change(Attempt, verdict="unknown")
    ended.later(days=30)
    ended.sweep()
    assert state(ended) == "closed"
    ended.hear(ended.word(Verdict.DELIVERED))
    assert [x.state for x in ended.letters() if x.id == sent.id] == ["delivered"], "evidence still counts"


def test_a_stopped_campaign_is_closed_and_then_forgotten(desk: Desk) -> None:
    desk.campaign()
    desk.signed(**PLANTED)
    desk.write(**{**PLANTED, "email": "planted2@people.example"})
    desk.send()
    stops.stop("night-bus", "won", "We have won.", now=desk.now)
    desk.sweep()
    assert state(desk) == "stopped"
    desk.later(minutes=11)
    desk.sweep()
    assert state(desk) == "closed"
    desk.later(days=29, hours=23)
    desk.sweep()
    assert traces(desk)
    desk.later(hours=1)
    desk.sweep()
    assert traces(desk) == [] and desk.one(Campaign).fingerprint_key is None
    assert scrubbing.scrub_due(desk.now) == 0


def test_a_campaign_that_was_stopped_past_its_deadline_is_not_closed_twice(desk: Desk) -> None:
    desk.campaign(deadline=desk.now + timedelta(hours=1))
    stops.stop("night-bus", "lost", "They have decided.", now=desk.now)
    desk.later(days=31)
    desk.sweep()
    assert state(desk) == "closed"
    assert [e.what for e in desk.rows(AuditEntry) if "close" in e.what or "ended" in e.what] == ["campaign: ended"]
