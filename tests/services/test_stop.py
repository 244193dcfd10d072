"""Officials have given in: nothing more is handed over, what waits is cancelled, and for ten minutes all of it can be undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from outreach.commands.campaign import app
from outreach.db import reading
from outreach.domain.letters import Verdict
from outreach.errors import Conflict, NotAllowed, NotFound, OutreachError
from outreach.models import AuditEntry, Base, Campaign, Letter, LetterEvent, Notice, table
from outreach.queue import QueueName
from outreach.services import campaigns, clearing, confirm, lanes, recalls, stats, stops, submit
from tests.services.helpers import Desk, hold_up
from tests.transports.servers import CLOSE, SmtpServer

SAID = "They kept the bus.\n\nThe council voted 9 to 2."
UNTOUCHED = {"audit_log", "lanes"}
"""What an undone stop may leave behind: its two lines in the log, and hints to look."""


def stop(desk: Desk, outcome: str = "won", message: str = SAID) -> campaigns.CampaignRow:
    return stops.stop("night-bus", outcome, message, now=desk.now)


def undo(desk: Desk) -> campaigns.CampaignRow:
    return stops.undo("night-bus", now=desk.now)


def over(desk: Desk) -> int:
    """The ten minutes pass and the sweep comes by."""
    desk.later(minutes=10)
    return desk.sweep().get("ended", 0)


def everything() -> dict[str, list[Any]]:
    """All rows of all tables but `UNTOUCHED`; of campaigns not their revision, which only ever goes up."""
    found = {}
    stats.fold()  # sums are the same whether they are folded yet or not
    with reading() as c:
        for t in Base.metadata.sorted_tables:
            if t.name not in UNTOUCHED:
                columns = [x for x in t.columns if (t.name, x.name) != ("campaigns", "revision")]
                found[t.name] = [tuple(r) for r in c.execute(select(*columns).order_by(*t.primary_key.columns))]
    return found


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit | OutreachError):
        raise result.exception
    return result


def test_after_a_stop_nothing_goes_out_and_nothing_is_taken(desk: Desk) -> None:
    desk.campaign()
    queued, unconfirmed = desk.signed(), desk.write()
    row = stop(desk)
    assert (row.state, row.outcome, row.outcome_message) == ("stopped", "won", SAID)
    assert row.final_at == desk.now + timedelta(minutes=10)
    assert desk.send() == desk.send(QueueName.FAX) == 0
    assert desk.sink.mails == []
    assert desk.letter(queued).state == "queued"  # it could still be undone
    with pytest.raises(Conflict):
        desk.write()
    with pytest.raises(Conflict):
        desk.confirm(unconfirmed)
    with pytest.raises(Conflict):
        confirm.by_link(desk.mailed(unconfirmed), now=desk.now)
    assert desk.stats()["refused"] == {"not_live": 1}


def test_a_letter_that_was_read_before_the_stop_is_not_claimed_after_it(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none", window="1")
    desk.campaign()
    for _ in range(3):
        desk.write()
    hold_up(desk.patch, lambda: stop(desk) and None)
    desk.send()
    assert desk.attempts() == []
    assert desk.states() == ["queued"] * 3


def test_a_stop_waits_for_a_claim_under_way_and_no_later_one_gets_past_it(desk: Desk) -> None:
    """When `stop` has returned, the ledger is closed for the campaign: it locks the lanes as each claim does."""
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign()
    desk.write()
    locked: list[list[int]] = []
    real = stops.queries.lanes_locked
    desk.patch.setattr(stops.queries, "lanes_locked", lambda c, ids: locked.append(list(ids)) or real(c, ids))
    stop(desk)
    assert locked and desk.lane("commissioner@transit.example").address_id in locked[0]


def test_an_undone_stop_leaves_every_row_as_it_was(desk: Desk) -> None:
    desk.campaign()
    desk.signed(), desk.write(), desk.signed(targets=("council",))
    desk.send()
    desk.signed(), desk.signed(channel="fax")
    before = everything()
    stop(desk)
    desk.later(minutes=4)
    desk.sweep()
    assert desk.send() == 0
    row = undo(desk)
    assert (row.state, row.outcome, row.outcome_message, row.stopped_from, row.final_at) == ("live", None, None, None, None)
    assert everything() == before
    assert desk.send() == desk.send(QueueName.FAX) == 1
    assert [r.what for r in desk.rows(AuditEntry)][-2:] == ["campaign: stop", "campaign: stop undone"]


def test_a_paused_campaign_is_paused_again_after_the_undo(desk: Desk) -> None:
    desk.campaign(state="paused")
    stop(desk)
    assert undo(desk).state == "paused"


def test_an_undo_wakes_the_lanes_that_slept(desk: Desk) -> None:
    desk.campaign()
    desk.signed()
    stop(desk)
    assert desk.send() == 0
    assert desk.lane("commissioner@transit.example").next_wake_at is None
    assert QueueName.EMAIL not in lanes.due_queues(desk.now)
    undo(desk)
    assert QueueName.EMAIL in lanes.due_queues(desk.now)


def test_after_ten_minutes_all_that_waits_is_cancelled_and_nothing_can_be_undone(desk: Desk) -> None:
    desk.campaign()
    sent = desk.signed()
    desk.send()
    queued, unconfirmed, held = desk.signed(), desk.write(), desk.signed(targets=("council",))
    desk.change(Letter, table(Letter).c.id == desk.letter(held).id, state="held")
    stop(desk)
    desk.later(minutes=9, seconds=59)
    assert "ended" not in desk.sweep()
    assert campaigns.get("night-bus").state == "stopped"
    desk.later(seconds=1)
    with pytest.raises(Conflict, match="over"):
        undo(desk)
    assert desk.sweep()["ended"] == 3
    assert {(desk.letter(t).state, desk.letter(t).reason) for t in (queued, unconfirmed, held)} == {("cancelled", "campaign_ended")}
    assert desk.letter(sent).state == "sent"
    row = campaigns.get("night-bus")
    assert (row.state, row.closed_at, row.outcome, row.outcome_message, row.stopped_from) == ("closed", desk.now, "won", SAID, None)
    with pytest.raises(Conflict, match="over"):
        undo(desk)
    assert "ended" not in desk.sweep()
    assert [e.why for e in desk.rows(LetterEvent) if e.after == "cancelled"] == ["campaign_ended"] * 3


def test_more_letters_than_one_transaction_takes_are_cancelled_at_once(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.patch.setattr(clearing, "MOST", 3)
    desk.patch.setattr(clearing, "SECONDS", 60.0)  # a busy machine is no reason
    desk.campaign()
    for _ in range(8):
        desk.write()
    stop(desk)
    assert over(desk) == 8
    assert desk.states() == ["cancelled"] * 8
    assert desk.counts_agree()


def test_mails_that_ask_for_a_confirmation_are_not_sent_after_the_end(desk: Desk) -> None:
    desk.campaign()
    desk.write()
    stop(desk)
    over(desk)
    assert [(n.kind, n.state, n.reason) for n in desk.rows(Notice)] == [("confirm", "dropped", "campaign_ended")]


def test_nobody_is_reminded_of_a_letter_while_the_campaign_is_stopped(desk: Desk) -> None:
    desk.campaign()
    desk.write()
    desk.later(days=1, minutes=1)
    stop(desk)
    desk.sweep()
    assert [n.kind for n in desk.rows(Notice)] == ["confirm"]


class SlowAnswer(SmtpServer):
    """Something happens while a letter is being handed over; then the server gives `answer` to its final dot."""

    meanwhile: Any = None
    answer = ""

    def fault(self, stage: str) -> str | None:
        if stage == "dot" and self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
            return self.answer or None
        return None


def test_what_is_in_hand_when_the_stop_comes_stays_evidence(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none", window="1")
    server = SlowAnswer()
    desk.mail_server(server)
    desk.campaign()
    first = desk.write()
    desk.later(seconds=1)
    second = desk.write()
    server.meanwhile = lambda: stop(desk)
    desk.send()
    assert (desk.letter(first).state, desk.letter(second).state) == ("sent", "queued")
    over(desk)
    assert (desk.letter(first).state, desk.letter(second).state) == ("sent", "cancelled")
    assert len(server.mails) == 1
    assert desk.counts_agree()


def test_what_comes_back_to_be_tried_again_after_the_stop_is_not(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none", window="1")
    server = SlowAnswer()
    desk.mail_server(server)
    desk.campaign()
    token = desk.write()
    server.meanwhile, server.answer = (lambda: stop(desk)), "451 come back later"
    desk.send()
    assert desk.letter(token).state == "queued"
    assert over(desk) == 1
    desk.later(hours=2)
    assert desk.send() == 0
    assert (desk.letter(token).state, desk.letter(token).reason) == ("cancelled", "campaign_ended")


def test_an_unknown_letter_stays_unknown_and_a_receipt_that_comes_late_still_counts(desk: Desk) -> None:
    desk.campaign()
    desk.sink.faults["dot"] = CLOSE
    token = desk.signed()
    desk.send()
    assert desk.letter(token).state == "unknown"
    stop(desk)
    over(desk)
    assert desk.letter(token).state == "unknown"
    desk.hear(desk.word(Verdict.DELIVERED))
    assert desk.letter(token).state == "delivered"


def test_a_fax_that_waits_at_the_provider_is_called_back_once_the_stop_is_final(desk: Desk) -> None:
    desk.campaign()
    desk.signed(channel="fax")
    desk.send(QueueName.FAX)
    stop(desk)
    assert not recalls.due(desk.now)
    over(desk)
    assert recalls.due(desk.now)


def test_words_can_be_mended_and_the_ten_minutes_go_on(desk: Desk) -> None:
    desk.campaign()
    final = stop(desk).final_at
    desk.later(minutes=3)
    row = stop(desk, "changed", "Not quite so.")
    assert (row.state, row.outcome, row.outcome_message, row.final_at) == ("stopped", "changed", "Not quite so.", final)
    over(desk)
    closed_at = campaigns.get("night-bus").closed_at
    row = stop(desk, "lost", "After all.")
    assert (row.state, row.outcome, row.outcome_message, row.closed_at) == ("closed", "lost", "After all.", closed_at)


@pytest.mark.parametrize(("outcome", "message"), [("victory", SAID), ("", SAID), ("won", " \n "), ("won", "x" * 2001)])
def test_an_outcome_and_what_to_say_about_it_are_needed(desk: Desk, outcome: str, message: str) -> None:
    desk.campaign()
    with pytest.raises(NotAllowed):
        stop(desk, outcome, message)
    assert campaigns.get("night-bus").state == "live"


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_only_what_is_running_can_be_stopped_and_only_what_is_stopped_undone(desk: Desk, state: str) -> None:
    desk.campaign(state=state)
    with pytest.raises(Conflict, match=state):
        stop(desk)
    with pytest.raises(Conflict, match="not been stopped"):
        undo(desk)
    with pytest.raises(NotFound):
        stops.stop("day-bus", "won", SAID, now=desk.now)


@pytest.mark.parametrize("action", ["publish", "pause", "resume", "close"])
def test_no_other_command_moves_a_stopped_campaign(desk: Desk, action: str) -> None:
    desk.campaign()
    stop(desk)
    with pytest.raises(Conflict, match="stopped"):
        desk.action(action)


def test_a_new_version_brings_nothing_back_in_a_stopped_campaign(desk: Desk) -> None:
    desk.campaign(deadline=desk.now + timedelta(hours=2))
    token = desk.signed()
    desk.later(hours=3)
    desk.sweep()
    assert desk.letter(token).state == "expired"
    stop(desk)
    desk.campaign(deadline=desk.now + timedelta(days=5))
    assert desk.letter(token).state == "expired"


def test_scrubbing_counts_from_the_end_of_a_stopped_campaign(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    stop(desk)
    over(desk)
    desk.later(days=29)
    desk.sweep()
    assert desk.submission(token).name == "Jane Doe"
    desk.later(days=2)
    desk.sweep()
    assert desk.submission(token).name == ""


def test_the_command_says_until_when_it_can_be_undone(desk: Desk) -> None:
    desk.campaign()
    told = run("stop", "night-bus", "--outcome", "won", "--message", SAID)
    assert "is stopped; `outreach campaign stop night-bus --undo`" in told.output
    assert campaigns.get("night-bus").state == "stopped"
    assert isinstance(run("stop", "night-bus", "--undo", "--outcome", "won").exception, NotAllowed)
    assert "is live again" in run("stop", "night-bus", "--undo").output
    assert isinstance(run("stop", "night-bus", "--outcome", "won").exception, NotAllowed)
    run("stop", "night-bus", "--outcome", "lost", "--message", "So it is.")
    desk.change(Campaign, final_at=desk.now - timedelta(days=1))
    stops.finish(desk.now)
    assert "ended before" in run("stop", "night-bus", "--outcome", "won", "--message", SAID).output


def test_a_form_under_way_gets_a_kind_no(desk: Desk) -> None:
    desk.campaign()
    form = desk.form()
    stop(desk)
    with pytest.raises(Conflict):
        submit.submit("night-bus", form, network=None, now=desk.now)
    undo(desk)
    assert submit.submit("night-bus", form, network=None, now=desk.now) == form.token
