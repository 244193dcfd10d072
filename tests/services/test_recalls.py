"""Faxes that wait at the provider and are not wanted any more are cancelled there, and are cancelled only when it says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach.domain.letters import Reason, Verdict
from outreach.models import Attempt, Campaign, Letter, table
from outreach.queue import QueueName
from outreach.services import campaigns, inquiries, polls, privacy, recalls
from tests.services.faxes import FaxProvider
from tests.services.helpers import COMMISSIONER, Desk
from tests.transports.servers import CLOSE, Answer, Asked

COUNCIL_FAX = "+14165550141"


@pytest.fixture
def at(desk: Desk) -> FaxProvider:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign(targets=(COMMISSIONER, COMMISSIONER.__class__(id="council", name="Council", hours="always", fax=(COUNCIL_FAX,))))
    return FaxProvider(desk)


def sent(at: FaxProvider, target: str = "commissioner") -> str:
    token = at.desk.write(channel="fax", targets=(target,))
    assert at.desk.send(QueueName.FAX) == 1
    assert at.desk.letter(token).state == "sent"
    return token


def withdrawn(at: FaxProvider) -> str:
    token = sent(at)
    privacy.withdraw(at.desk.mailed(token), now=at.desk.now)
    return token


def test_a_withdrawn_fax_is_called_back_while_it_waits_at_the_provider(at: FaxProvider) -> None:
    token = withdrawn(at)
    assert recalls.due(at.desk.now)
    assert recalls.cancel_unwanted(at.desk.now) == 1
    letter, attempt = at.desk.letter(token), at.desk.one(Attempt)
    assert (letter.state, letter.reason, letter.counts) == ("cancelled", "withdrawn", False)
    assert (attempt.verdict, attempt.line_until, at.faxes[0].status) == ("bounced", None, "canceled")
    assert not recalls.due(at.desk.later(minutes=5))
    assert at.desk.counts_agree()


def test_a_callback_that_is_quicker_than_the_answer_makes_no_failure_of_it(at: FaxProvider) -> None:
    token = withdrawn(at)

    def quick(asked: Asked) -> Answer | str:
        answer = FaxProvider.answer(at, asked)
        if b"canceled" in asked.body:
            at.desk.hear(at.desk.word(Verdict.BOUNCED, reason=Reason.REJECTED_BY_PROVIDER))
        return answer

    at.desk.provider.answer = quick
    assert recalls.cancel_unwanted(at.desk.now) == 1
    assert at.desk.letter(token).state == "cancelled"
    assert at.desk.counts_agree()


def test_what_is_being_called_already_stays_sent_until_its_end_is_known(at: FaxProvider) -> None:
    token = withdrawn(at)
    at.too_late = True
    assert recalls.cancel_unwanted(at.desk.now) == 0
    assert at.desk.letter(token).state == "sent"
    assert not recalls.due(at.desk.now), "not again at once"
    at.faxes[0].status = "delivered"
    at.desk.later(minutes=3)
    assert polls.poll(at.desk.now) == 1
    assert at.desk.letter(token).state == "delivered"


def test_a_provider_that_promises_to_cancel_is_believed_when_it_has(at: FaxProvider) -> None:
    at.telnyx()
    token = withdrawn(at)
    assert recalls.cancel_unwanted(at.desk.now) == 1, "its record says so"
    assert at.desk.letter(token).state == "cancelled"
    assert [(a.method, a.path) for a in at.desk.provider.asked][-2:] == [("POST", "/v2/faxes/FX1/actions/cancel"), ("GET", "/v2/faxes/FX1")]


def test_its_webhook_says_so_later_where_it_does_so_later(at: FaxProvider) -> None:
    at.telnyx()
    token = withdrawn(at)
    at.desk.provider.answer = lambda asked: Answer(202, {"data": {"id": "FX1", "to": "+14165550133", "status": "sending"}})
    assert recalls.cancel_unwanted(at.desk.now) == 0
    assert at.desk.letter(token).state == "sent"
    at.desk.hear(at.desk.word(Verdict.BOUNCED, provider="telnyx", reason=Reason.REJECTED_BY_PROVIDER))
    assert at.desk.letter(token).state == "cancelled"


def test_a_fax_that_failed_by_itself_after_we_asked_has_failed(at: FaxProvider) -> None:
    token = withdrawn(at)
    at.too_late = True
    recalls.cancel_unwanted(at.desk.now)
    at.desk.hear(at.desk.word(Verdict.BOUNCED, reason=Reason.BAD_NUMBER))
    assert (at.desk.letter(token).state, at.desk.letter(token).reason) == ("failed", "bad_number")


def test_a_provider_that_cancels_what_nobody_asked_it_to_has_failed_it(at: FaxProvider) -> None:
    token = sent(at)
    at.desk.hear(at.desk.word(Verdict.BOUNCED, reason=Reason.REJECTED_BY_PROVIDER))
    assert at.desk.letter(token).state == "failed"


def test_a_dead_provider_is_asked_again_a_minute_later(at: FaxProvider) -> None:
    token = withdrawn(at)
    before = len(at.desk.provider.asked)
    at.desk.provider.faults = [CLOSE]
    assert recalls.cancel_unwanted(at.desk.now) == 0
    assert (len(at.desk.provider.asked), at.desk.letter(token).state) == (before + 1, "sent")
    assert not recalls.due(at.desk.now)
    assert recalls.due(at.desk.later(minutes=1))
    assert recalls.cancel_unwanted(at.desk.now) == 1


def test_a_campaign_s_faxes_are_cancelled_when_it_has_come_to_an_outcome(at: FaxProvider) -> None:
    first, second = sent(at), sent(at, "council")
    at.desk.campaign("day-bus", targets=(COMMISSIONER.__class__(id="mayor", name="Mayor", hours="always", fax=("+14165550142",)),))
    other = at.desk.write("day-bus", channel="fax", targets=("mayor",))
    at.desk.send(QueueName.FAX)
    campaign = campaigns.get("night-bus").id
    at.desk.change(Campaign, table(Campaign).c.id == campaign, state="closed", outcome="won", closed_at=at.desk.now)
    assert inquiries.cancel_waiting(campaign, at.desk.now) == 2
    assert [at.desk.letter(t).state for t in (first, second, other)] == ["cancelled", "cancelled", "sent"]
    assert at.desk.letter(second).reason == "campaign_ended"


def test_what_the_stop_left_is_called_back_by_the_fax_workers(at: FaxProvider) -> None:
    token = sent(at)
    assert not recalls.due(at.desk.now)
    at.desk.change(Campaign, state="stopped", outcome="won", stopped_from="live", final_at=at.desk.now + timedelta(minutes=10))
    assert not recalls.due(at.desk.now), "it can still be undone"
    at.desk.change(Campaign, state="closed", stopped_from=None)
    assert recalls.cancel_unwanted(at.desk.now) == 1
    assert at.desk.letter(token).state == "cancelled"


def test_a_bundle_is_not_called_back_because_one_of_its_writers_is(at: FaxProvider) -> None:
    token = withdrawn(at)
    at.desk.change(Letter, carries=True)
    assert not recalls.due(at.desk.now)
    assert at.desk.letter(token).state == "sent"


def test_what_another_provider_took_is_left_to_it(at: FaxProvider) -> None:
    token = withdrawn(at)
    at.telnyx()
    asked = len(at.desk.provider.asked)
    assert recalls.cancel_unwanted(at.desk.now) == 0
    assert (at.desk.letter(token).state, len(at.desk.provider.asked)) == ("sent", asked)
