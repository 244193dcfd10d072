"""Three mails a day to a supporter's mailbox, whoever typed it; what is more waits, and nothing ties the mailbox to what it wrote."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from outreach.db import reading
from outreach.domain.dedupe import fingerprint, mailbox_hash
from outreach.errors import NotFound
from outreach.models import Address, Base, Campaign, Letter, MailboxUse, Notice, Receipt, Submission, Suppression, table
from outreach.queue import QueueName
from outreach.services import confirm, erasures, mailboxes, notices, scrubbing, status
from outreach.settings import get_settings
from tests.services.helpers import COMMISSIONER, Desk, text_of
from tests.services.test_notices import while_it_is_handed_over

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

VICTIM = "victim@people.example"


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.campaign()
    desk.campaign("day-bus")
    return desk


def heap(desk: Desk, n: int, slug: str = "night-bus") -> list[str]:
    """Forms that a stranger sends in one mailbox's name, a second apart."""
    found = []
    for i in range(n):
        desk.later(seconds=1)
        found.append(desk.write(slug, email=f"Victim+{i}@people.example", name="Somebody Else"))
    return found


def codes(desk: Desk, tokens: list[str]) -> list[str]:
    return [desk.code(t) for t in tokens]


def told(desk: Desk, tokens: list[str]) -> list[int]:
    """Which of these submissions the next mails are about, in the order in which they go."""
    known, seen = codes(desk, tokens), list[int]()
    for taken in desk.notify():
        seen += [i for i, code in enumerate(known) if code in text_of(taken)]
    return seen


def wait_until(desk: Desk, at: datetime) -> None:
    desk.now = at


# the cap

def test_three_a_day_over_all_campaigns_and_the_rest_follows_the_newest_first(asked: Desk) -> None:
    forms = [heap(asked, 1, ("night-bus", "day-bus")[i % 2])[0] for i in range(8)]
    assert told(asked, forms) == [5, 6, 7], "the newest three, in the order in which they came"
    assert told(asked, forms) == []
    asked.later(hours=23)
    assert told(asked, forms) == []
    asked.later(hours=2)
    late = heap(asked, 1)
    assert told(asked, [*forms, *late]) == [3, 4, 8]
    asked.later(hours=25)
    assert told(asked, [*forms, *late]) == [0, 1, 2]
    asked.later(days=3)
    asked.sweep()
    assert not [n for n in asked.notices() if n.state != "sent" and n.kind == "confirm"]


def test_three_a_day_hold_for_forms_sent_at_once(asked: Desk) -> None:
    crowd = [threading.Thread(target=asked.write, kwargs={"email": VICTIM}) for _ in range(10)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(asked.notify()) == 3


def test_three_a_day_hold_for_workers_that_send_at_once(asked: Desk) -> None:
    heap(asked, 9)
    others = [asked.write() for _ in range(4)]
    assert asked.sink
    crowd = [threading.Thread(target=notices.drain, kwargs={"seconds": 1, "clock": asked.clock}) for _ in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sum("victim" in m.rcpts[0].lower() for m in asked.sink.mails) == 3
    assert len(asked.sink.mails) == 3 + len(others)


def test_a_strangers_forms_do_not_keep_somebody_from_confirming(asked: Desk) -> None:
    heap(asked, 3)
    assert len(asked.notify()) == 3
    asked.later(minutes=5)
    own = asked.write(email=VICTIM)
    assert told(asked, [own]) == []
    assert status.view(own, now=asked.now).submission_state == "unconfirmed"
    asked.later(hours=25)
    asked.sweep()
    assert told(asked, [own]) == [0]
    asked.confirm(own)
    assert asked.letter(own).state == "queued"


def test_a_reminder_takes_no_place_from_a_first_mail(asked: Desk) -> None:
    first = heap(asked, 2)
    assert told(asked, first) == [0, 1]
    asked.later(days=1, hours=2)
    asked.sweep()
    assert [n.kind for n in asked.notices() if n.state == "queued"] == ["remind", "remind"]
    newer = heap(asked, 2)
    assert told(asked, newer) == [0, 1], "of three places one is left, which a reminder may not have"
    assert [n.state for n in asked.notices() if n.kind == "remind"] == ["queued", "queued"]
    third = heap(asked, 1)
    assert told(asked, third) == [0]
    asked.later(days=1, hours=2)
    assert len(asked.notify()) == 2


def test_reminders_alone_leave_a_place(asked: Desk) -> None:
    forms = heap(asked, 3)
    asked.notify()
    asked.later(days=1, hours=2)
    asked.sweep()
    assert len(asked.notify()) == 2, "three are due"
    own = asked.write(email=VICTIM)
    assert told(asked, [own]) == [0]
    assert len(forms) == 3


def test_nobody_is_reminded_before_the_first_mail_or_at_its_heels(asked: Desk) -> None:
    heap(asked, 4)
    asked.notify()
    asked.later(hours=25)
    (late,) = [n for n in asked.notices() if n.state == "queued" and n.kind == "confirm"]
    asked.sweep()
    assert late.submission_id not in {n.submission_id for n in asked.notices() if n.kind == "remind"}
    asked.notify()
    asked.later(hours=20)
    asked.sweep()
    assert late.submission_id not in {n.submission_id for n in asked.notices() if n.kind == "remind"}
    asked.later(hours=5)
    asked.sweep()
    assert late.submission_id in {n.submission_id for n in asked.notices() if n.kind == "remind"}


def test_what_makes_no_more_sense_is_dropped_and_leaves_its_place_to_others(asked: Desk) -> None:
    heap(asked, 1)
    asked.notify()
    asked.later(hours=2)
    heap(asked, 2)
    asked.notify()
    own = heap(asked, 1)
    closed = heap(asked, 1, "day-bus")
    assert asked.notify() == []
    asked.action("close", "day-bus")
    asked.later(hours=23)
    assert told(asked, [*own, *closed]) == [0], "one place has come free, and the newest has no use for it"
    assert [n.state for n in asked.notices() if n.submission_id == asked.submission(closed[0]).id] == ["dropped"]


def test_past_the_deadline_a_mail_that_was_put_off_is_dropped(asked: Desk) -> None:
    asked.campaign("soon", deadline=asked.now + timedelta(hours=20))
    heap(asked, 3)
    asked.notify()
    late = heap(asked, 1, "soon")
    asked.notify()
    asked.later(hours=25)
    assert asked.notify() == []
    (notice,) = [n for n in asked.notices() if n.submission_id == asked.submission(late[0]).id]
    assert (notice.state, notice.reason) == ("dropped", "withdrawn")


def test_a_heap_of_forms_does_not_write_to_its_victim_for_weeks(asked: Desk) -> None:
    heap(asked, 60)
    days = []
    for _ in range(12):
        days.append(len([m for m in asked.notify() if b"remind" not in m.raw]))
        asked.later(hours=25)
    assert days[0] == 3 and sum(days) <= 3 * 8
    assert not [n for n in asked.notices() if n.state == "queued" and n.kind == "confirm"]
    assert {n.reason for n in asked.notices() if n.state == "dropped"} == {"rate_limited"}
    asked.sweep()
    unmailed = {n.submission_id for n in asked.notices() if n.state == "dropped"}
    assert unmailed and {s.state for s in asked.rows(Submission) if s.id in unmailed} == {"expired"}


def test_a_mail_that_is_tried_again_keeps_its_place(asked: Desk) -> None:
    forms = heap(asked, 3)
    asked.sink.faults["rcpt1"] = "451 4.2.0 greylisted"
    assert told(asked, forms) == [1, 2]
    others = heap(asked, 2)
    assert told(asked, others) == []
    asked.later(minutes=1)
    assert told(asked, [*forms, *others]) == [0]


def test_a_mail_that_has_not_started_gives_its_place_back(asked: Desk) -> None:
    asked.write(email=VICTIM)
    asked.sink.faults["mail"] = "421 4.3.2 closing down"
    asked.notify()
    assert sum(u.n for u in asked.rows(MailboxUse)) == 0
    for _ in range(3):
        asked.later(seconds=10)
        asked.notify()
    assert (len(asked.sink.mails), sum(u.n for u in asked.rows(MailboxUse))) == (1, 1)


def test_never_mail_me_again_drops_what_was_put_off(asked: Desk) -> None:
    forms = heap(asked, 5)
    asked.notify()
    confirm.never_again(asked.mailed(forms[4]), now=asked.now)
    asked.later(days=2)
    asked.sweep()
    assert asked.notify() == []
    assert {n.state for n in asked.notices() if n.kind == "confirm"} <= {"sent", "dropped"}


# the time to confirm

def test_whoever_gets_the_mail_late_has_three_days_from_it(asked: Desk) -> None:
    asked.campaign("long", deadline=None)
    token = asked.write("long", email=VICTIM)
    asked.later(days=6, hours=23)
    assert told(asked, [token]) == [0]
    sent = asked.now
    asked.later(days=2, hours=23)
    asked.sweep()
    assert status.view(asked.mailed(token), now=asked.now).confirm_until == sent + timedelta(days=3)
    asked.confirm(token)
    assert asked.letter(token).state == "queued"


def test_a_submission_does_not_expire_before_it_has_had_its_mail(asked: Desk) -> None:
    asked.campaign("long", deadline=None)
    token = asked.write("long", email=VICTIM)  # and no mail goes: all is paused, or the mail server is away
    asked.later(days=20)
    asked.sweep()
    assert asked.submission(token).state == "unconfirmed"
    assert asked.submission(token).erased_at is None
    assert status.view(token, now=asked.now).submission_state == "unconfirmed"
    assert told(asked, [token]) == [0]
    asked.later(days=3, seconds=1)
    asked.sweep()
    assert asked.submission(token).state == "expired"
    asked.later(days=6)
    asked.sweep()
    assert asked.submission(token).erased_at is None
    asked.later(days=1)
    asked.sweep()
    assert asked.submission(token).erased_at is not None


def test_a_mail_that_was_put_off_changes_nothing_of_what_the_forms_page_says(asked: Desk) -> None:
    heap(asked, 3)
    asked.notify()
    known, other = asked.write(email=VICTIM), asked.write()
    asked.notify()
    for hours in (1, 12, 24, 30):
        asked.later(hours=hours)
        asked.notify()
        one, two = (status.view(t, now=asked.now) for t in (known, other))
        assert (one.submission_state, one.confirm_until, [x.state for x in one.letters]) == (
            two.submission_state, two.confirm_until, [x.state for x in two.letters])


def test_a_question_that_is_asked_late_does_not_expire_before_its_mail(asked: Desk) -> None:
    asked.signed(email=VICTIM)
    asked.notify()
    asked.change(Submission, asked_at=asked.now)
    asked.change(Letter, state="unconfirmed", counts=False)
    asked.sweep()
    assert [n.kind for n in asked.notices() if n.state == "queued"] == ["ask"]
    asked.later(days=8)
    asked.sweep()
    assert [s.asked_at is None for s in asked.rows(Submission)] == [False]
    assert len(asked.notify()) == 1
    asked.later(days=4)
    asked.sweep()
    assert [s.asked_at is None for s in asked.rows(Submission)] == [True]


# what is left

def naming(_desk: Desk, *emails: str) -> list[str]:
    """What ties these mailboxes to anything, for somebody who has the database and every key of ours."""
    with reading() as c:
        keys = [k for (k,) in c.execute(table(Campaign).select().with_only_columns(table(Campaign).c.fingerprint_key)) if k]
        marks = {mailbox_hash(get_settings().key(), e) for e in emails} | {fingerprint(k, e) for k in keys for e in emails}
        found = []
        for t in Base.metadata.sorted_tables:
            if t.name not in (MailboxUse.__tablename__, Suppression.__tablename__):
                found += [f"{t.name}: {row}" for row in c.execute(t.select()) if any(m in str(row) for m in marks)]
        return found


@pytest.mark.parametrize("how", ["by its link", "by the operator"])
def test_after_an_erasure_no_key_leads_from_the_mailbox_to_what_it_wrote(asked: Desk, how: str) -> None:
    token = asked.write(email=VICTIM, targets=("commissioner", "council"))
    asked.notify()
    asked.confirm(token)
    asked.send()
    waiting = asked.write("day-bus", email=VICTIM)
    asked.notify()
    asked.later(days=2)
    asked.sweep()
    assert len(naming(asked, VICTIM)) > 4
    if how == "by the operator":
        assert erasures.mailbox(VICTIM, now=asked.now).submissions == 2
    else:
        for t in (token, waiting):
            status.erase(asked.mailed(t), now=asked.now)
    assert naming(asked, VICTIM) == []
    assert [x.state for x in asked.letters(token)] == ["sent", "sent"] and asked.counts_agree()
    assert [x.state for x in status.view(asked.mailed(token), now=asked.now).letters] == ["sent", "sent"]


def test_a_scrubbed_campaign_leads_nowhere_even_while_it_still_has_its_key(asked: Desk) -> None:
    asked.signed(email=VICTIM)
    other = asked.signed(email="other@people.example")
    asked.notify()
    asked.send()
    asked.action("close")
    asked.change(Letter, table(Letter).c.id == asked.letter(other).id, state="sending")
    asked.later(days=31)
    assert scrubbing.scrub_due(asked.now) == 1
    assert asked.one(Campaign, table(Campaign).c.slug == "night-bus").fingerprint_key
    assert naming(asked, VICTIM) == []


def test_what_nobody_confirmed_leads_nowhere_once_it_is_scrubbed(asked: Desk) -> None:
    asked.write(email=VICTIM)
    for days in (0, 1, 7, 7):
        asked.later(days=days, minutes=1)
        asked.sweep()
        asked.notify()
    assert naming(asked, VICTIM) == []


def test_a_mail_under_way_during_an_erasure_brings_nothing_back(asked: Desk) -> None:
    token = asked.write(email=VICTIM)
    asked.sink.faults["rcpt1"] = "451 4.3.0 not now"
    while_it_is_handed_over(asked, lambda: None)
    real = notices._record

    def erased_meanwhile(*args: Any) -> None:
        status.erase(asked.mailed(token), now=asked.now)
        real(*args)

    asked.patch.setattr(notices, "_record", erased_meanwhile)
    asked.notify()
    asked.patch.setattr(notices, "_record", real)
    assert naming(asked, VICTIM) == []
    asked.later(minutes=1)
    assert asked.notify() == []
    assert (naming(asked, VICTIM), [n.recipient for n in asked.rows(Notice)]) == ([], [""])


def test_the_cap_goes_on_over_an_erasure(asked: Desk) -> None:
    forms = heap(asked, 3)
    asked.notify()
    for token in forms:
        status.erase(asked.mailed(token), now=asked.now)
    own = asked.write(email=VICTIM)
    assert told(asked, [own]) == []
    asked.later(hours=25)
    assert told(asked, [own]) == [0]


def test_what_the_cap_counts_tells_no_moment_and_goes_after_a_day(asked: Desk) -> None:
    asked.later(minutes=17, seconds=3)
    asked.write(email=VICTIM)
    asked.notify()
    (use,) = asked.rows(MailboxUse)
    assert use.until == datetime(2026, 11, 24, 16, 0, tzinfo=use.until.tzinfo)
    asked.later(hours=24, minutes=42)
    asked.sweep()
    assert len(asked.rows(MailboxUse)) == 1
    asked.later(minutes=2)
    asked.sweep()
    assert asked.rows(MailboxUse) == []


def test_who_has_erased_a_letter_may_write_again(asked: Desk) -> None:
    first = asked.signed(email=VICTIM)
    asked.send()
    status.erase(asked.mailed(first), now=asked.now)
    again = asked.signed(email=VICTIM)
    assert asked.letter(again).state == "queued", "nothing is left that could tell it from a first one"
    assert asked.counts_agree()


def test_what_a_provider_called_a_mail_of_ours_is_forgotten_with_it(asked: Desk) -> None:
    token = asked.write(email=VICTIM)
    asked.notify()
    (notice,) = asked.notices()
    asked.hear(asked.word(None, SimpleNamespace(address_id=asked.rows(Address)[0].id, id=notice.id), recipient=VICTIM,
                          provider="sendgrid", event_id="a hash of the mailbox", provider_ref="what it is called there"))
    assert [(r.attempt_id, r.event_id) for r in asked.rows(Receipt)] == [(notice.id, "a hash of the mailbox")]
    status.erase(asked.mailed(token), now=asked.now)
    (kept,) = asked.rows(Receipt)
    assert (kept.event_id, kept.provider_ref, kept.message_id, kept.recipient) == (f"erased {kept.id}", None, None, "")


# never mail me again

def test_never_mail_me_again_forgets_at_once_what_nobody_confirmed(asked: Desk) -> None:
    token = asked.write(email=VICTIM, name="Plantedname Doe")
    asked.notify()
    confirm.never_again(asked.mailed(token), now=asked.now)
    s = asked.submission(token)
    assert (s.state, s.name, s.email, s.erased_at) == ("withdrawn", "", "", asked.now)
    assert asked.letter(token).state == "cancelled" and asked.counts_agree()
    assert naming(asked, VICTIM) == []
    assert [x.mailbox for x in asked.rows(Suppression)] == [mailbox_hash(get_settings().key(), VICTIM)]
    confirm.never_again(asked.mailed(token), now=asked.now)
    assert status.view(asked.mailed(token), now=asked.now).erased


def test_never_mail_me_again_keeps_a_letter_that_was_confirmed(asked: Desk) -> None:
    token = asked.signed(email=VICTIM)
    confirm.never_again(asked.mailed(token), now=asked.now)
    assert (asked.submission(token).erased_at, asked.letter(token).state) == (None, "queued")


def test_what_expired_is_forgotten_too_by_never_mail_me_again(asked: Desk) -> None:
    token = asked.write(email=VICTIM)
    asked.notify()
    asked.later(days=8)
    asked.sweep()
    confirm.never_again(asked.mailed(token), now=asked.now)
    assert asked.submission(token).erased_at == asked.now
    assert asked.letter(token).state == "expired" and asked.counts_agree()


def test_what_was_taken_back_unconfirmed_is_scrubbed_like_what_expired(asked: Desk) -> None:
    token, kept = asked.write(email=VICTIM), asked.signed()
    status.withdraw(asked.mailed(token), now=asked.now)
    status.withdraw(asked.mailed(kept), now=asked.now)
    asked.later(days=13)
    assert scrubbing.scrub_due(asked.now) == 0
    asked.later(days=1)
    assert scrubbing.scrub_due(asked.now) == 1
    assert asked.submission(token).erased_at and asked.submission(kept).erased_at is None


def test_a_letter_that_went_unproved_and_was_taken_back_too_late_is_kept_as_long_as_others(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    token = desk.write()
    desk.send(QueueName.EMAIL)
    status.withdraw(desk.mailed(token), now=desk.now)
    desk.later(days=15)
    assert scrubbing.scrub_due(desk.now) == 0
    with pytest.raises(NotFound):
        confirm.never_again("m-nothing")


def test_a_day_is_counted_to_the_full_hour() -> None:
    at = datetime(2026, 3, 1, 10, 0)
    assert mailboxes.counted_until(at) == datetime(2026, 3, 2, 10, 0)
    assert mailboxes.counted_until(at + timedelta(microseconds=1)) == datetime(2026, 3, 2, 11, 0)
    assert mailboxes.counted_until(at + timedelta(minutes=59, seconds=59)) == datetime(2026, 3, 2, 11, 0)
