"""What nobody knows is found out where somebody can be asked, guessed nowhere, and sent again only by rule or by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from outreach import holders
from outreach.db import new_id
from outreach.domain.letters import Reason, Verdict
from outreach.models import Attempt, AuditEntry, Campaign, Letter, LetterEvent, table
from outreach.queue import QueueName
from outreach.services import inquiries, polls, receipts
from outreach.transports.base import ReceiptWord
from tests.services.faxes import LOST, Fax, FaxProvider
from tests.services.helpers import COMMISSIONER, Desk, mail_of
from tests.transports.servers import CLOSE, Answer, Asked

NUMBER = "+14165550133"
SHAPES = ["twilio", "telnyx"]


@pytest.fixture
def at(desk: Desk) -> FaxProvider:
    """A fax provider; its desk has a campaign with one office."""
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign(targets=(COMMISSIONER,))
    return FaxProvider(desk)


def lost(at: FaxProvider, how: Answer | str = LOST["500 after taking it"], *, kept: bool = True) -> str:
    """A fax whose hand-over went unanswered; returns its status token."""
    token = at.desk.write(channel="fax")
    at.lost, at.keeps = [how], kept
    assert at.desk.send(QueueName.FAX) == 1
    assert at.desk.letter(token).state == "unknown"
    return token


def asked(at: FaxProvider, **later: float) -> int:
    """Time passes; then the provider is asked where it should be."""
    at.desk.later(**later)
    return inquiries.ask(at.desk.now) if inquiries.due(at.desk.now) else 0


def path(desk: Desk, letter_id: str) -> list[tuple[str | None, str, str]]:
    return [(e.before, e.after, e.why) for e in desk.rows(LetterEvent, table(LetterEvent).c.letter_id == letter_id)]


@pytest.mark.parametrize(("how", "shape"), [*((how, "twilio") for how in LOST), ("no answer", "telnyx"), ("breaks off", "telnyx")])
def test_a_fax_that_was_taken_without_an_answer_is_found_by_asking(at: FaxProvider, how: str, shape: str) -> None:
    if shape == "telnyx":
        at.telnyx()
    token = lost(at, LOST[how])
    assert asked(at, seconds=5) == 0, "its receipt is given a moment"
    assert asked(at, seconds=40) == 1
    attempt = at.desk.one(Attempt)
    assert (at.desk.letter(token).state, attempt.verdict, attempt.provider_ref) == ("sent", "accepted", "FX1")
    assert attempt.line_until is not None, "its call is still under way"
    assert at.desk.letter(token).sent_at == max(at.faxes[0].created, attempt.started_at), "not when we asked"
    at.faxes[0].status = "delivered"
    at.desk.later(minutes=3)
    assert polls.poll(at.desk.now) == 1
    assert (at.desk.letter(token).state, at.desk.one(Attempt).line_until) == ("delivered", None)
    assert asked(at, minutes=10) == 0
    assert at.posts == 1
    assert at.desk.counts_agree()


def test_what_has_arrived_by_then_is_known_at_once_and_its_line_is_free(at: FaxProvider) -> None:
    first = lost(at)
    at.faxes[0].status = "delivered"
    other = at.desk.write(channel="fax")
    assert at.desk.send(QueueName.FAX) == 0, "the line may be taken"
    assert asked(at, minutes=1) == 1
    assert at.desk.letter(first).state == "delivered"
    assert at.desk.send(QueueName.FAX) == 1
    assert at.desk.letter(other).state == "sent"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fax_that_was_never_taken_goes_again_with_its_try_and_its_line_given_back(at: FaxProvider, shape: str) -> None:
    if shape == "telnyx":
        at.telnyx()
    token = lost(at, kept=False)
    assert asked(at, seconds=60) == 0, "it may still be under way"
    assert (at.desk.letter(token).state, at.desk.one(Attempt).inquiry) == ("unknown", "the provider does not list it")
    assert asked(at, seconds=90) == 1
    letter, attempt = at.desk.letter(token), at.desk.one(Attempt)
    assert (letter.state, letter.tries, attempt.verdict, attempt.line_until, attempt.inquiry) == ("queued", 0, "void", None, None)
    at.desk.later(minutes=2)
    assert at.desk.send(QueueName.FAX) == 1
    assert (at.desk.letter(token).state, len(at.faxes), at.posts) == ("sent", 1, 2)
    assert path(at.desk, letter.id)[-3:] == [("unknown", "queued", "not_started"), ("queued", "sending", "handed_over"),
                                             ("sending", "sent", "accepted")]
    assert at.desk.counts_agree()


@pytest.mark.parametrize("answer", [Answer(500, {}), Answer(200, {"faxes": []}, cut=True), CLOSE], ids=str)
def test_absence_does_not_count_where_the_list_may_not_be_whole(at: FaxProvider, answer: Answer | str) -> None:
    token = lost(at, kept=False)
    at.lists = [answer]
    assert asked(at, minutes=10) == 0
    assert (at.desk.letter(token).state, at.desk.one(Attempt).inquiry) == ("unknown", "the provider could not be asked")
    assert asked(at, seconds=10) == 0, "not again at once"
    assert at.lists == []
    assert asked(at, minutes=2) == 1
    assert at.desk.letter(token).state == "queued"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_list_is_read_to_its_end(at: FaxProvider, shape: str) -> None:
    if shape == "telnyx":
        at.telnyx()
    token = lost(at)
    sought, at.page = at.faxes[0], 2
    for n in range(5):  # others' faxes to the same office, each with an id of its own
        at.add(created=at.desk.now + timedelta(seconds=n + 1), media_url=f"{at.desk.provider.url}/media/{new_id()}.tiff")
        at.faxes[-1].client_state = "bm90IG91cnM="
    at.shows_media = True
    sought.media_url = ""
    assert asked(at, minutes=1) == 1
    assert (at.desk.letter(token).state, at.desk.one(Attempt).provider_ref) == ("sent", sought.ref)


def test_a_second_page_that_cannot_be_had_proves_nothing(at: FaxProvider) -> None:
    token = lost(at, kept=False)
    at.lists = [Answer(200, {"faxes": [], "meta": {"next_page_url": f"{at.desk.provider.url}/Faxes?Page=1"}}), Answer(503, {})]
    assert asked(at, minutes=10) == 0
    assert at.desk.letter(token).state == "unknown"


def test_between_two_candidates_nobody_guesses(at: FaxProvider) -> None:
    token = lost(at)
    at.add()
    assert [asked(at, minutes=1), asked(at, minutes=10), asked(at, hours=3)] == [0, 0, 0]
    letter, attempt = at.desk.letter(token), at.desk.one(Attempt)
    assert (letter.state, attempt.inquiry) == ("unknown", "the provider lists 2 faxes to this number since then")
    [question] = inquiries.open_questions("night-bus")
    assert [question[k] for k in ("id", "target", "address", "inquiry")] == [letter.id, "commissioner", NUMBER, attempt.inquiry]
    assert question["asked_at"] == at.desk.now.isoformat()


@pytest.mark.parametrize("shape", SHAPES)
def test_our_own_id_decides_where_it_is_listed(at: FaxProvider, shape: str) -> None:
    if shape == "telnyx":
        at.telnyx()
    token = lost(at)
    at.shows_media = True
    at.faxes.insert(0, Fax("FX7", NUMBER, at.desk.now))
    at.faxes.append(Fax("FX8", NUMBER, at.desk.now, status="delivered"))
    assert asked(at, minutes=1) == 1
    assert (at.desk.letter(token).state, at.desk.one(Attempt).provider_ref) == ("sent", "FX1")


def test_a_fax_that_is_known_for_another_letter_s_is_not_taken_for_this_one(at: FaxProvider) -> None:
    first = at.desk.write(channel="fax")
    at.desk.send(QueueName.FAX)
    at.desk.hear(at.desk.word(Verdict.DELIVERED, provider_ref="FX1"))
    at.desk.later(seconds=20)
    second = lost(at, kept=False)
    assert asked(at, minutes=5) == 1
    assert (at.desk.letter(first).state, at.desk.letter(second).state) == ("delivered", "queued")


def test_a_fax_in_the_other_direction_or_of_long_ago_is_none(at: FaxProvider) -> None:
    at.add(direction="inbound")
    at.add(created=at.desk.now - timedelta(hours=1))
    token = lost(at, kept=False)
    assert asked(at, minutes=5) == 1
    assert at.desk.letter(token).state == "queued"


def test_a_callback_that_only_informs_proves_that_the_provider_has_it(at: FaxProvider) -> None:
    token = lost(at)
    at.desk.hear(at.desk.word(None, provider_ref="FX1", detail="processing"))
    at.add()  # a second one, which would leave doubt
    assert asked(at, minutes=1) == 1
    assert (at.desk.letter(token).state, at.desk.one(Attempt).provider_ref) == ("sent", "FX1")


def test_a_callback_that_comes_while_we_ask_is_believed_and_not_the_list(at: FaxProvider) -> None:
    token = lost(at, kept=False)

    def late(asked: Asked) -> Answer | str:
        at.desk.hear(at.desk.word(None, provider_ref="FX1", detail="processing"))
        return FaxProvider.answer(at, asked)

    at.desk.provider.answer = late
    assert asked(at, minutes=5) == 0
    assert at.desk.letter(token).state == "unknown"
    assert asked(at, minutes=2) == 1
    assert at.desk.letter(token).state == "sent"


def test_a_final_word_that_came_too_early_to_be_matched_is_matched_once_the_fax_is_found(at: FaxProvider) -> None:
    token = lost(at)
    at.faxes[0].status = "delivered"
    word = at.desk.word(Verdict.DELIVERED, provider_ref="FX1", attempt_id=None)
    from outreach.transports.fax.twilio_words import word_of_fax

    known = word_of_fax({"sid": "FX1", "status": "delivered", "to": NUMBER}, now=at.desk.now)
    assert known
    assert at.desk.hear(ReceiptWord(word.provider, known.event_id, Verdict.DELIVERED, NUMBER, at.desk.now, provider_ref="FX1")) == 1
    assert at.desk.letter(token).state == "unknown"
    assert asked(at, minutes=1) == 1
    at.desk.later(hours=1)
    receipts.retry_orphans(at.desk.now)
    assert at.desk.letter(token).state == "delivered"


def test_a_worker_that_may_only_have_been_stopped_is_given_longer(at: FaxProvider) -> None:
    token = lost(at, kept=False)
    at.desk.change(Attempt, reason=Reason.LEASE_EXPIRED.value, holder=holders.me())
    assert asked(at, minutes=10) == 0
    assert asked(at, minutes=10) == 1
    assert at.desk.letter(token).state == "queued"


@pytest.mark.parametrize("what", ["withdrawn", "deadline_passed", "campaign_closed"])
def test_what_may_not_go_any_more_ends_with_its_reason_once_it_is_known_not_to_have_gone(at: FaxProvider, what: str) -> None:
    token = lost(at, kept=False)
    if what == "withdrawn":
        at.desk.change(Letter, withdrawn_at=at.desk.now)
    elif what == "deadline_passed":
        at.desk.change(Campaign, deadline=at.desk.now)
    else:
        at.desk.action("close")
    assert asked(at, minutes=5) == 1
    assert (at.desk.letter(token).state, at.desk.letter(token).reason) == ("failed", what)
    at.desk.sweep()
    assert at.desk.send(QueueName.FAX) == 0


def test_a_stop_that_can_be_undone_leaves_absence_undrawn(at: FaxProvider) -> None:
    token = lost(at, kept=False)
    at.desk.change(Campaign, state="stopped", outcome="won", stopped_from="live", final_at=at.desk.now + timedelta(minutes=10))
    assert asked(at, minutes=5) == 0
    at.desk.change(Campaign, state="live", outcome=None, stopped_from=None, final_at=None)
    assert asked(at, minutes=5) == 1
    assert at.desk.letter(token).state == "queued"


def test_a_fax_whose_pages_were_fetched_gets_its_name_by_asking(at: FaxProvider) -> None:
    token = lost(at)
    at.desk.change(Attempt, media_fetched_at=at.desk.now)
    at.desk.sweep()
    assert (at.desk.letter(token).state, at.desk.one(Attempt).provider_ref) == ("sent", None)
    assert asked(at, minutes=1) == 1
    assert at.desk.one(Attempt).provider_ref == "FX1"
    at.faxes[0].status = "delivered"
    at.desk.later(minutes=3)
    assert polls.poll(at.desk.now) == 1
    assert at.desk.letter(token).state == "delivered"


def test_another_provider_s_fax_is_not_asked_about(at: FaxProvider) -> None:
    lost(at, kept=False)
    at.telnyx()
    assert not inquiries.due(at.desk.later(minutes=5))


def test_a_dead_provider_is_asked_about_one_fax_and_the_others_come_next(at: FaxProvider) -> None:
    at.desk.campaign(targets=(COMMISSIONER, *(COMMISSIONER.__class__(id=f"t{n}", name="T", hours="always", fax=(f"+1416555014{n}",))
                                              for n in range(2))))
    at.desk.write(channel="fax", targets=("t0", "t1"))
    at.lost, at.keeps = [Answer(500, {})] * 2, True
    assert at.desk.send(QueueName.FAX) == 2
    before = len(at.desk.provider.asked)
    at.lists = [CLOSE]
    assert asked(at, minutes=1) == 0
    assert len(at.desk.provider.asked) == before + 1
    assert inquiries.due(at.desk.now)
    assert asked(at, seconds=1) == 1
    assert at.desk.states() == ["sent", "unknown"]
    assert asked(at, minutes=2) == 1
    assert at.desk.states() == ["sent", "sent"]


# the campaign's rule


@pytest.fixture
def again(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
    desk.campaign(targets=(COMMISSIONER,), on_unknown="resend")
    return desk


def mail_lost(desk: Desk) -> str:
    desk.sink.faults["dot"] = "close"
    token = desk.write()
    desk.send()
    assert desk.letter(token).state == "unknown"
    return token


def test_a_campaign_that_chose_so_sends_an_unanswered_mail_again_under_the_same_name(again: Desk) -> None:
    token = mail_lost(again)
    again.later(minutes=14)
    assert "resent" not in again.sweep()
    again.later(minutes=2)
    assert again.sweep()["resent"] == 1
    letter = again.letter(token)
    assert (letter.state, letter.reason, letter.tries) == ("queued", "outcome_unknown", 1)
    assert again.send() == 1
    first, second = again.sink.mails
    assert mail_of(first)["Message-ID"] == mail_of(second)["Message-ID"]
    assert (mail_of(first)["Cc"] is not None, mail_of(second)["Cc"]) == (True, None), "the inbox may have had its copy"
    assert again.letter(token).state == "sent"
    assert again.counts_agree()


def test_a_campaign_that_did_not_choose_so_holds_it(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign()
    token = mail_lost(desk)
    desk.later(days=1)
    desk.sweep()
    assert desk.letter(token).state == "unknown"


def test_a_late_receipt_of_the_first_try_stops_the_second(again: Desk) -> None:
    token = mail_lost(again)
    again.later(minutes=16)
    again.sweep()
    again.hear(again.word(Verdict.DELIVERED))
    assert again.letter(token).state == "delivered"
    assert again.send() == 0


@pytest.mark.parametrize("how", ["withdrawn", "closed", "late", "out of tries", "delivered"])
def test_the_rule_sends_nothing_again_that_may_not_go(again: Desk, how: str) -> None:
    token = mail_lost(again)
    match how:
        case "withdrawn":
            again.change(Letter, withdrawn_at=again.now)
        case "closed":
            again.action("close")
        case "late":
            again.change(Campaign, deadline=again.now)
        case "out of tries":
            again.change(Letter, tries=12)
        case _:
            again.hear(again.word(Verdict.DELIVERED))
    again.later(minutes=30)
    assert "resent" not in again.sweep()
    assert again.letter(token).state == ("delivered" if how == "delivered" else "unknown")


def test_the_rule_ends_with_the_tries(again: Desk) -> None:
    again.sink.faults["dot*"] = "close"
    token = again.write()
    for _ in range(20):
        again.send()
        again.later(minutes=20)
        again.sweep()
    assert (again.letter(token).state, len(again.attempts())) == ("unknown", 12)


def test_the_rule_sends_no_fax_again_that_its_provider_may_have(again: Desk) -> None:
    at = FaxProvider(again)
    token = lost(at)
    at.add()  # two candidates, between which nobody guesses
    for _ in range(60):
        asked(at, hours=1)
        assert "resent" not in again.sweep()
    assert again.letter(token).state == "unknown"
    assert (at.posts, again.one(Attempt).inquiry) == (1, "the provider lists 2 faxes to this number since then")


def test_the_rule_sends_no_fax_again_that_its_provider_was_never_asked_about(again: Desk) -> None:
    at = FaxProvider(again)
    token = lost(at)
    at.lists = [CLOSE] * 1000
    for _ in range(60):
        asked(at, minutes=2)
        assert "resent" not in again.sweep()
    assert (again.letter(token).state, again.one(Attempt).inquiry) == ("unknown", "the provider could not be asked")
    again.later(days=3)  # by now it is asked no more
    again.sweep()
    assert (again.letter(token).state, at.posts) == ("unknown", 1)


def test_a_fax_of_a_provider_that_cannot_be_asked_any_more_goes_again_once_that_one_has_given_up(again: Desk) -> None:
    at = FaxProvider(again)
    token = lost(at)
    at.telnyx()
    again.later(minutes=20)
    assert "resent" not in again.sweep(), "it may still be tried there"
    again.later(minutes=13)
    assert again.sweep()["resent"] == 1
    assert again.letter(token).state == "queued"


# an organizer


def test_an_organizer_who_knows_that_it_went_says_so(again: Desk) -> None:
    token = mail_lost(again)
    letter = again.letter(token)
    inquiries.resolve(letter.id, "sent", who="ada@desk.example", now=again.now)
    assert (again.letter(token).state, again.letter(token).reason) == ("sent", "organizer")
    note = again.rows(AuditEntry)[-1]
    assert (note.who, note.what, note.detail) == ("ada@desk.example", "unknown letter: sent", f"letter {letter.id}")
    again.later(days=1)
    again.sweep()
    assert again.letter(token).state == "sent"


def test_an_organizer_may_send_it_again_at_once(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign(targets=(COMMISSIONER,))
    token = mail_lost(desk)
    inquiries.resolve(desk.letter(token).id, "resend", now=desk.now)
    assert (desk.letter(token).state, desk.letter(token).reason) == ("queued", "organizer")
    assert desk.send() == 1
    assert desk.letter(token).state == "sent"
    assert desk.counts_agree()


def test_an_organizer_can_only_resolve_what_is_unknown_and_send_what_may_go(again: Desk) -> None:
    from outreach.errors import Conflict, NotFound

    token = mail_lost(again)
    letter = again.letter(token)
    with pytest.raises(NotFound):
        inquiries.resolve(new_id(), "sent", now=again.now)
    again.change(Letter, withdrawn_at=again.now)
    with pytest.raises(Conflict, match="withdrawn"):
        inquiries.resolve(letter.id, "resend", now=again.now)
    inquiries.resolve(letter.id, "sent", now=again.now)
    with pytest.raises(Conflict, match="is sent"):
        inquiries.resolve(letter.id, "sent", now=again.now)
def test_a_worker_that_wakes_up_with_the_proof_is_believed_though_its_fax_was_taken_for_void(at: FaxProvider) -> None:
    from outreach.services import ledger

    token, seen = at.desk.write(channel="fax"), []

    def slow(asked: Asked) -> Answer | str:
        if asked.method == "POST" and not seen:
            seen.append(asked)
            later = at.desk.now + timedelta(minutes=30)
            assert ledger.close_lapsed(later, []) == 1
            assert inquiries.ask(later + timedelta(minutes=30)) == 1
            assert at.desk.letter(token).state == "queued"
        return FaxProvider.answer(at, asked)

    at.desk.provider.answer = slow
    at.desk.set(http_timeout="30")
    at.desk.send(QueueName.FAX)
    assert (at.desk.letter(token).state, at.desk.one(Attempt).verdict) == ("sent", "accepted")
    assert at.posts == 1
    assert at.desk.counts_agree()
