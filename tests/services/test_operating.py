"""The operator's page: campaigns suspended with a reason, reports closed with a note, and the state of everything at once."""

from __future__ import annotations

import pytest

from outreach.db import unit_of_work
from outreach.errors import Conflict, NotAllowed
from outreach.models import AuditEntry, Organizer, Report
from outreach.services import access, breakers, operating, pauses, reports, sessions, stops, suspensions, terms
from tests.services.helpers import Desk

ME = "operator@desk.example"


def test_a_suspended_campaign_sends_nothing_until_the_operator_lifts_it(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    desk.write()
    with pytest.raises(NotAllowed, match="say why"):
        suspensions.suspend("night-bus", " ", now=desk.now)
    row = suspensions.suspend("night-bus", "addresses a private person", now=desk.now, who=ME)
    assert (row.state, row.suspended_why, desk.send()) == ("paused", "addresses a private person", 0)
    with pytest.raises(NotAllowed, match="suspended by the operator \\(addresses a private person\\)"):
        desk.action("resume")
    with pytest.raises(Conflict, match="has been suspended since"):
        suspensions.suspend("night-bus", "again", now=desk.now)
    assert suspensions.lift("night-bus", now=desk.now, who=ME).state == "paused", "its organizers go on, not the operator"
    assert desk.send() == 0
    desk.action("resume")
    assert desk.send() == 1
    with pytest.raises(Conflict, match="not suspended"):
        suspensions.lift("night-bus", now=desk.now)
    assert [e.what for e in desk.rows(AuditEntry)][-3:] == ["campaign suspended", "suspension lifted", "campaign: resume"]


def test_a_suspended_draft_cannot_be_published_and_what_has_ended_cannot_be_suspended(desk: Desk) -> None:
    desk.campaign(state="draft")
    suspensions.suspend("night-bus", "unclear who asks", now=desk.now)
    with pytest.raises(NotAllowed, match="suspended"):
        desk.action("publish")
    desk.campaign("other")
    stops.stop("other", "won", "They kept the bus.", now=desk.now)
    with pytest.raises(Conflict, match="is stopped"):
        suspensions.suspend("other", "late", now=desk.now)


def test_the_overview_says_what_is_held_and_what_is_in_trouble(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="9/hour", max_per_day="500")
    desk.campaign()
    for _ in range(3):
        desk.write()
    desk.write(channel="fax")
    pauses.pause("smtp", now=desk.now, why="their certificate has run out", who=ME)
    breakers.trip("twilio", "no connection", desk.now, auth=False)
    seen = operating.overview(desk.now)
    assert {s.name: s.holds for s in seen.sending} == {"everything": 4, "email": 3, "smtp": 3, "fax": 1, "twilio": 1}
    held = {s.name: s for s in seen.sending}
    assert held["smtp"].paused is not None and held["smtp"].paused.why == "their certificate has run out"
    assert held["twilio"].breaker.why == "no connection"
    assert (seen.ceilings.email, seen.ceilings.per_day) == ("9/hour", 500)
    assert seen.health.due_since is not None, "nobody has looked at the lanes yet"
    assert [c.slug for c in seen.campaigns] == ["night-bus"]


def test_a_report_is_closed_once_with_a_note(desk: Desk) -> None:
    desk.campaign()
    reports.report("night-bus", "They write to somebody's home.", now=desk.now)
    [report] = operating.overview(desk.now).reports
    assert (report.slug, report.reason) == ("night-bus", "They write to somebody's home.")
    with pytest.raises(NotAllowed):
        operating.close_report(report.id, "", now=desk.now, who=ME)
    operating.close_report(report.id, "It is the office's address", now=desk.now, who=ME)
    with pytest.raises(Conflict):
        operating.close_report(report.id, "twice", now=desk.now, who=ME)
    seen = operating.overview(desk.now)
    assert (list(seen.reports), [r.note for r in seen.closed_reports]) == ([], ["It is the office's address"])
    assert desk.one(Report).closed_by == ME


def test_only_the_text_in_force_can_be_accepted(desk: Desk) -> None:
    access.invite(ME, now=desk.now)
    organizer = desk.one(Organizer)
    with unit_of_work() as c:
        cookie = sessions.begin(c, organizer.id, now=desk.now).cookie

    def accepted() -> bool:
        visitor = access.visitor_of(cookie, now=desk.now)
        assert visitor is not None
        return terms.accepted(visitor)

    assert not accepted()
    assert not terms.accept(organizer.id, "2025-01", now=desk.now, who=ME)
    assert not accepted()
    assert terms.accept(organizer.id, terms.VERSION, now=desk.now, who=ME)
    assert accepted()
