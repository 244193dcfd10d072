"""The levers: what is changed at the desk is in the campaign's file, says beforehand what it moves, and moves just that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outreach.db import unit_of_work
from outreach.domain.letters import Reason
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.models import Address, Attempt, AuditEntry, Letter, table
from outreach.services import amendments, campaigns, levers, line, pauses, proposals, retries, settle, stats
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk, mail_of

ME = "organizer@desk.example"


@pytest.fixture
def open_desk(desk: Desk) -> Desk:
    desk.set(confirm="none")
    desk.campaign(targets=(replace(COMMISSIONER, fax=()), COUNCIL))
    return desk


def written(desk: Desk, n: int, target: str = "commissioner") -> list[str]:
    made = []
    for _ in range(n):
        desk.later(seconds=1)
        made.append(desk.letter(desk.write(targets=(target,))).id)
    return made


def test_a_limit_set_at_the_desk_is_in_the_file_and_holds_for_what_waits(open_desk: Desk) -> None:
    written(open_desk, 3)
    change = amendments.limits("commissioner", email="1/hour, 20/day")
    seen = campaigns.get("night-bus").version_id
    looked = amendments.amend("night-bus", change, now=open_desk.now, who=ME, dry_run=True)
    assert looked.result.changes == ("1 target changed: commissioner",)
    assert campaigns.get("night-bus").version_id == seen, "only looked at"

    amendments.amend("night-bus", change, now=open_desk.now, who=ME, version_id=seen)
    assert '20/day' in campaigns.export("night-bus")
    assert levers.target(campaigns.get("night-bus"), "commissioner", now=open_desk.now).lanes[0].pace == "1 an hour, 20 a day"
    assert open_desk.send() == 1
    with pytest.raises(Conflict, match="somebody has changed"):
        amendments.amend("night-bus", change, now=open_desk.now, who=ME, version_id=seen)
    again = amendments.amend("night-bus", change, now=open_desk.now, who=ME)
    assert not again.result.changed, "the same once more is no new version"
    amendments.amend("night-bus", amendments.limits("commissioner", email=""), now=open_desk.now, who=ME)
    assert open_desk.send() == 2


def test_what_the_file_would_not_take_the_desk_does_not_take(open_desk: Desk) -> None:
    for change, says in ((amendments.limits("commissioner", email="ten an hour"), "not a limit"),
                         (amendments.limits("commissioner", hours="at noon"), "at noon"),
                         (amendments.addresses("commissioner", "email", ["nobody"]), "not an e-mail address"),
                         (amendments.addresses("council", "email", []), "no address"),
                         (amendments.deadline(open_desk.later(minutes=1)), "passed")):
        with pytest.raises(NotAllowed, match=says):
            amendments.amend("night-bus", change, now=open_desk.now, who=ME)
    with pytest.raises(NotFound):
        amendments.amend("night-bus", amendments.limits("mayor", email="1/hour"), now=open_desk.now, who=ME)


def test_a_new_address_gets_what_waits_once_an_operator_has_approved_it(open_desk: Desk) -> None:
    written(open_desk, 2)
    change = amendments.addresses("commissioner", "email", ["front.desk@transit.example"])
    made = amendments.amend("night-bus", change, now=open_desk.now, who=ME)
    assert made.proposed == ("front.desk@transit.example",)
    assert made.result.letters == ("2 letters wait and will be sent as written", "2 letters moved to another address of the same target")
    assert (open_desk.send(), open_desk.states()) == (0, ["queued", "queued"])
    [proposal] = proposals.waiting()
    assert (proposal.value, proposal.waiting, proposal.why) == ("front.desk@transit.example", 2, f"entered by {ME}")

    proposals.approve(proposal.id, now=open_desk.now, who="operator@desk.example")
    assert open_desk.send() == 2
    assert all("front.desk@transit.example" in str(mail_of(mail)["To"]) for mail in open_desk.sink.mails)
    with pytest.raises(Conflict, match="in use already"):
        proposals.refuse(proposal.id, "late", now=open_desk.now, who=ME)


def test_a_refused_address_gives_back_what_waited_for_it(open_desk: Desk) -> None:
    written(open_desk, 1)
    change = amendments.addresses("commissioner", "email", ["minister@gmail.com", "commissioner@transit.example"])
    amendments.amend("night-bus", change, now=open_desk.now, who=ME)
    assert open_desk.send() == 1, "an address that is in use goes before one that nobody has approved"
    amendments.amend("night-bus", amendments.addresses("commissioner", "email", ["minister@gmail.com"]), now=open_desk.now, who=ME)
    campaigns.set_state("night-bus", "pause", now=open_desk.now)
    open_desk.change(Address, table(Address).c.value == "council@city.example", state="blocked")
    campaigns.set_state("night-bus", "resume", now=open_desk.now)
    written(open_desk, 1)
    assert open_desk.send() == 0, "nobody is written to before somebody has approved where"
    [proposal] = proposals.waiting()
    assert [f.name for f in proposal.flags] == ["FREEMAIL", "NO_SOURCE"]
    proposals.refuse(proposal.id, "not the office's", now=open_desk.now, who=ME)
    assert (proposals.waiting(), open_desk.counts_agree()) == ([], True)


def test_an_inbox_does_not_become_a_targets_address_by_itself(open_desk: Desk) -> None:
    open_desk.campaign("other", inbox="somebody@home.example", targets=(COUNCIL,))
    change = amendments.addresses("commissioner", "email", ["somebody@home.example"])
    assert amendments.amend("night-bus", change, now=open_desk.now, who=ME).proposed == ("somebody@home.example",)
    both = amendments.addresses("commissioner", "email", ["somebody@home.example", "council@city.example"])
    assert amendments.amend("night-bus", both, now=open_desk.now, who=ME).proposed == (), "a known office, and one that waits already"
    assert [p.value for p in proposals.waiting()] == ["somebody@home.example"]


def test_an_operator_who_enters_an_address_has_approved_it(open_desk: Desk) -> None:
    written(open_desk, 1)
    change = amendments.addresses("commissioner", "email", ["front.desk@transit.example"])
    assert amendments.amend("night-bus", change, now=open_desk.now, who=ME, approved=True).proposed == ()
    assert (open_desk.send(), proposals.waiting()) == (1, [])


def test_cancelling_one_targets_line_leaves_the_others(open_desk: Desk) -> None:
    written(open_desk, 3)
    written(open_desk, 2, "council")
    with pytest.raises(NotAllowed, match="say why"):
        line.cancel("night-bus", target="commissioner", why=" ", now=open_desk.now)
    with pytest.raises(NotFound):
        line.cancel("night-bus", target="mayor", why="x", now=open_desk.now)
    done = line.cancel("night-bus", target="commissioner", why="the office has closed", now=open_desk.now, who=ME)
    assert done == line.Cancelled(3, False)
    assert stats.stats("night-bus")["letters"] == {"cancelled": 3, "queued": 2}
    assert open_desk.counts_agree()
    assert open_desk.rows(AuditEntry)[-1].detail == "3 letters to commissioner: the office has closed"
    assert open_desk.send() == 2


def test_one_letter_goes_to_the_front_to_the_back_and_to_its_own_place(open_desk: Desk) -> None:
    a, b, c = written(open_desk, 3)

    def order() -> list[str]:
        return [x.id for x in sorted(open_desk.letters(), key=lambda x: x.submitted_at)]

    line.place("night-bus", c, "front", now=open_desk.now)
    assert order() == [c, a, b]
    line.place("night-bus", a, "back", now=open_desk.now)
    assert order() == [c, b, a]
    line.place("night-bus", a, "own", now=open_desk.now)
    line.place("night-bus", c, "own", now=open_desk.now)
    assert order() == [a, b, c]
    line.cancel_one("night-bus", b, why="asked for by telephone", now=open_desk.now)
    with pytest.raises(Conflict, match="is cancelled"):
        line.place("night-bus", b, "front", now=open_desk.now)
    open_desk.campaign("other")
    with pytest.raises(NotFound):
        line.cancel_one("other", a, why="x", now=open_desk.now)


def failed(desk: Desk, ids: list[str], why: Reason) -> None:
    desk.change(Letter, table(Letter).c.id.in_(ids), state="failed", reason=why.value)


def test_failed_letters_are_told_by_reason_and_one_can_be_tried_alone(open_desk: Desk) -> None:
    ids = written(open_desk, 4)
    failed(open_desk, ids[:3], Reason.MAILBOX_FULL)
    failed(open_desk, ids[3:], Reason.BUSY)
    assert levers.look(campaigns.get("night-bus"), now=open_desk.now).failed == {"mailbox_full": 3, "busy": 1}
    assert retries.retry("night-bus", letter_id=ids[1], now=open_desk.now).queued == 1
    assert levers.look(campaigns.get("night-bus"), now=open_desk.now).failed == {"mailbox_full": 2, "busy": 1}
    assert retries.retry("night-bus", Reason.MAILBOX_FULL, now=open_desk.now).queued == 2


def test_unknown_letters_are_resolved_alike_but_only_those_that_were_seen(open_desk: Desk) -> None:
    open_desk.send()
    ids = written(open_desk, 3)
    open_desk.send()
    seen = open_desk.now
    for n, letter_id in enumerate(ids):
        attempt = next(a for a in open_desk.attempts() if a.letter_id == letter_id)
        open_desk.change(Attempt, table(Attempt).c.id == attempt.id, verdict="unknown")
        with unit_of_work() as c:
            settle.settle(c, letter_id, seen, Reason.OUTCOME_UNKNOWN)
        if n == 1:
            open_desk.later(minutes=1)
            seen_then, seen = seen, open_desk.now
    campaign = campaigns.get("night-bus")
    shown, total = levers.unknowns(campaign)
    assert [x.id for x in shown] == ids
    assert {(x.target, x.address, x.transport) for x in shown} == {("Transit Commissioner", "commissioner@transit.example", "smtp")}
    assert levers.look(campaign, now=open_desk.now).unknown == total == 3
    assert levers.resolve_all(campaign, "sent", until=seen_then, now=open_desk.now, who=ME) == (2, 0, False)
    assert open_desk.states() == ["sent", "sent", "unknown"]
    assert levers.resolve_all(campaign, "resend", until=open_desk.now, now=open_desk.now, who=ME) == (1, 0, False)
    assert open_desk.states() == ["queued", "sent", "sent"]
    assert [a.detail for a in open_desk.rows(AuditEntry) if a.what.startswith("unknown letters")] == ["2 letters", "1 letters"]


def test_resolving_many_takes_its_time_and_no_more(open_desk: Desk) -> None:
    ids = written(open_desk, 3)
    open_desk.send()
    for letter_id in ids:
        attempt = next(a for a in open_desk.attempts() if a.letter_id == letter_id)
        open_desk.change(Attempt, table(Attempt).c.id == attempt.id, verdict="unknown")
        with unit_of_work() as c:
            settle.settle(c, letter_id, open_desk.now, Reason.OUTCOME_UNKNOWN)
    open_desk.patch.setattr(levers, "BATCH", 2)
    open_desk.patch.setattr(line, "SECONDS", 0.0)
    campaign = campaigns.get("night-bus")
    assert levers.resolve_all(campaign, "sent", until=open_desk.now, now=open_desk.now, who=ME) == (2, 0, True)
    assert levers.resolve_all(campaign, "sent", until=open_desk.now, now=open_desk.now, who=ME) == (1, 0, False)
    assert open_desk.states() == ["sent"] * 3


def test_the_page_counts_what_each_lever_would_move(open_desk: Desk) -> None:
    open_desk.set(max_email_rate="2/hour")
    written(open_desk, 5)
    written(open_desk, 1, "council")
    pauses.pause_target("night-bus", "council", now=open_desk.now, why="on holiday", who=ME)
    seen = levers.look(campaigns.get("night-bus"), now=open_desk.now)
    assert (seen.letters, seen.found) == ({"queued": 6}, 2)
    commissioner, council = seen.targets
    assert (commissioner.waiting, council.waiting) == (5, 1)
    assert (commissioner.paused, council.paused.why) == (None, "on holiday")
    assert commissioner.lanes[0].pace == "2 an hour"
    assert commissioner.lanes[0].foretold is not None and commissioner.lanes[0].foretold.waiting == 5
    assert [t.row.key for t in levers.look(campaigns.get("night-bus"), now=open_desk.now, search="CITY").targets] == ["council"]
    would = levers.forces(campaigns.get("night-bus"), commissioner.row, {"email": "9/hour, 12/day"})["email"][0]
    assert [str(r) for r in would.rules] == ["2/hour", "12/day"]
    assert [str(r) for r in would.ceiling] == ["2/hour"]
