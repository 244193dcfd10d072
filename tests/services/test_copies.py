"""The campaign's inbox: copies one by one up to its limit, digests beyond, and never a letter that waits for its copy."""

from __future__ import annotations

import csv
import io
import signal
import threading
import zipfile
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from outreach.db import new_id, unit_of_work, utcnow
from outreach.domain.copies import HOUR, Slots, used
from outreach.domain.letters import Verdict
from outreach.models import Attempt, Copy, CopySlot, Letter, Notice, table
from outreach.queue import QueueName
from outreach.services import blocks, copies, deliver, digests, inboxes, notices, privacy
from tests.conftest import eventually
from tests.services.helpers import COMMISSIONER, COPIES, Desk, mail_of, text_of
from tests.services.test_sweep import worker_process
from tests.transports.servers import CLOSE, HANG, Taken, free_port

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # no thread fails in silence

_N, _CP = table(Notice), table(Copy)


@pytest.fixture
def small(desk: Desk) -> Desk:
    """Ten mails an hour to the inbox, of which one is for digests."""
    desk.set(confirm="none", copies_per_hour="10")
    desk.campaign()
    return desk


def sign(desk: Desk, n: int, slug: str = "night-bus", **form: Any) -> list[str]:
    """So many people write, one after the other."""
    found = []
    for _ in range(n):
        desk.later(microseconds=1)
        found.append(desk.write(slug, **{"name": f"Person {desk.people + 1}", **form}))
    return found


def in_cc(desk: Desk) -> list[Taken]:
    return [m for m in desk.sink.mails if m.rcpts[1:] == [COPIES]]


def digest(desk: Desk) -> list[Taken]:
    """The digests that are due now, sent."""
    desk.sweep()
    return [m for m in desk.notify() if m.rcpts == [COPIES]]


def files(taken: Taken) -> dict[str, EmailMessage]:
    return {str(p.get_filename()).split("-")[0]: p for p in mail_of(taken).iter_attachments()}  # type: ignore[misc]


def rows(taken: Taken) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files(taken)["letters"].get_content())))


def faxes(taken: Taken) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(files(taken)["faxes"].get_content())) as archive:
        assert archive.testzip() is None
        return {n: archive.read(n) for n in archive.namelist()}


# e-mails

def test_beyond_the_threshold_copies_wait_for_one_digest(small: Desk) -> None:
    tokens = sign(small, 14)
    assert small.send() == 14
    assert len(in_cc(small)) == 9
    assert small.states() == ["sent"] * 14
    told = small.rows(Copy, _CP.c.how == "digest")
    assert {c.state for c in told} == {"offered"} and len(told) == 5
    assert digest(small) == []  # an hour from the first one
    small.later(minutes=59)
    assert digest(small) == []
    small.later(minutes=1)
    (taken,) = digest(small)
    listed = {small.letter(t).id for t in tokens} - {c.letter_id for c in small.copies() if c.how == "cc"}
    assert {r["letter"] for r in rows(taken)} == listed
    text = text_of(taken)
    for x in told:
        name = next(r["name"] for r in rows(taken) if r["letter"] == x.letter_id)
        assert text.count(name) >= 2  # in text and in HTML
    assert "Transit Commissioner" in text and "digest of letters (5)" in text
    assert mail_of(taken)["Auto-Submitted"] == "auto-generated"
    assert {c.state for c in small.copies()} == {"sent"}
    small.later(hours=5)
    assert digest(small) == []


def test_the_allowance_is_one_for_all_campaigns_of_an_inbox_and_the_strictest_holds(small: Desk) -> None:
    small.campaign("day-bus", copies_per_hour=4)
    sign(small, 2, "day-bus")
    sign(small, 6)
    small.send()
    assert len(in_cc(small)) == 3
    small.action("close", "day-bus")
    small.later(seconds=11)
    sign(small, 6)
    small.send()
    assert len(in_cc(small)) == 9


def test_a_freemail_inbox_gets_less(small: Desk) -> None:
    small.set(copies_per_hour="60")
    small.campaign("own", inbox="nightbus@gmail.com")
    sign(small, 22, "own")
    small.send()
    assert sum("nightbus@gmail.com" in m.rcpts for m in small.sink.mails) == 18


def test_no_hour_has_more_than_the_limit_and_unused_leave_comes_back(small: Desk) -> None:
    sent = []
    for _ in range(14):
        before = len(in_cc(small))
        sign(small, 4)
        small.send()
        sent += [small.now] * (len(in_cc(small)) - before)
        small.later(minutes=20)
    assert all(sum(t - HOUR < x <= t for x in sent) <= 9 for t in sent)
    assert len(sent) >= 9 * 4  # 4 hours and 40 minutes: all that the limit allows
    assert sum(s.n for s in small.rows(CopySlot)) == len(sent)


def test_two_workers_at_once_keep_the_limit(small: Desk) -> None:
    small.set(copies_per_hour="40")
    taken: list[int] = []
    ready = threading.Barrier(4)

    def worker() -> None:
        with inboxes.Allowance() as mine:
            ready.wait()
            taken.append(sum(mine.take(COPIES, small.now) for _ in range(30)))

    crowd = [threading.Thread(target=worker) for _ in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sum(taken) == 36
    assert sum(s.n for s in small.rows(CopySlot)) == 36


def test_what_a_killed_worker_held_counts_until_an_hour_after_it_could_have_used_it(small: Desk) -> None:
    small.set(copies_per_hour="13")
    dead = inboxes.Allowance()
    assert dead.take(COPIES, small.now)
    held = small.one(CopySlot).n
    assert held == 2
    sign(small, 20)
    small.send()
    assert len(in_cc(small)) == 12 - held
    small.later(hours=1, seconds=9)
    with inboxes.Allowance() as other:
        assert sum(other.take(COPIES, small.now) for _ in range(20)) == 12 - held
    small.later(seconds=1)
    with inboxes.Allowance() as other:
        assert sum(other.take(COPIES, small.now) for _ in range(20)) == held


def test_a_worker_that_slept_does_not_use_old_leave(small: Desk) -> None:
    with inboxes.Allowance() as mine:
        assert mine.take(COPIES, small.now)
        small.later(seconds=11)
        assert mine.take(COPIES, small.now)
        log = [Slots(s.n, s.until) for s in small.rows(CopySlot)]
        assert used(log, small.now) == 2


def test_workers_that_die_take_little_of_a_large_allowance_with_them(desk: Desk) -> None:
    desk.set(confirm="none", copies_per_hour="6000")
    desk.campaign()
    for n in range(12):
        assert inboxes.Allowance(f"dead {n}").take(COPIES, desk.now)
    desk.later(seconds=11)
    with inboxes.Allowance("alive") as mine:
        assert mine.take(COPIES, desk.now)


@pytest.mark.parametrize("where", ["outreach.queries.copies.log", "outreach.services.blocks.may_copy_to"])
def test_a_database_that_does_not_answer_sends_copies_to_the_digest(small: Desk, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("x", {}, Exception("gone"))

    sign(small, 2)
    with monkeypatch.context() as patch:
        patch.setattr(where, broken)
        assert small.send() == 2
    assert small.states() == ["sent"] * 2 and in_cc(small) == []
    assert [(c.how, c.state) for c in small.copies()] == [("digest", "offered")] * 2
    small.later(hours=1)
    assert len(digest(small)) == 1


def test_digests_only(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(copies="digest")
    sign(desk, 3)
    desk.send()
    assert in_cc(desk) == []
    desk.later(hours=1)
    (taken,) = digest(desk)
    assert len(rows(taken)) == 3


def test_a_campaign_that_must_not_collect_gets_figures_and_nobodys_name(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(copies="counts")
    sign(desk, 3, name="Plantedname", city="Plantedcity")
    sign(desk, 1, name="Plantedname", channel="fax")
    desk.send()
    desk.send(QueueName.FAX)
    assert all(m.rcpts == ["commissioner@transit.example"] and mail_of(m)["Cc"] is None for m in desk.sink.mails)
    desk.later(hours=1)
    (taken,) = digest(desk)
    assert files(taken) == {}
    text = text_of(taken)
    assert "Planted" not in text and "people.example" not in text
    assert "3  Transit Commissioner, e-mail" in text and "1  Transit Commissioner, fax" in text


def test_what_writers_were_promised_holds_when_the_campaign_asks_for_more_and_what_it_asks_now_when_that_is_less(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(copies="counts")
    sign(desk, 2, name="Plantedname")
    sign(desk, 1, name="Plantedname", channel="fax")
    desk.campaign(copies="each")
    desk.later(seconds=1)
    desk.send()
    desk.send(QueueName.FAX)
    sign(desk, 1, name="Named Person")
    desk.campaign(copies="counts")
    copies._mode_now.cache_clear()  # as some seconds do
    desk.send()
    assert in_cc(desk) == [] and desk.notify() == []
    desk.campaign(copies="digest")
    desk.later(hours=1)
    (taken,) = digest(desk)
    assert [r["name"] for r in rows(taken)] == ["Named Person"]
    assert "Planted" not in text_of(taken) and "(4)" in str(mail_of(taken)["Subject"])


def test_a_refused_inbox_does_not_hold_the_letter(small: Desk) -> None:
    small.sink.faults["rcpt2*"] = "550 5.1.1 no such mailbox"
    sign(small, 12)
    small.send()
    assert small.states() == ["sent"] * 12
    assert sorted((c.how, c.state) for c in small.copies()) == [("cc", "failed")] * 9 + [("digest", "offered")] * 3


def test_an_inbox_that_defers_gets_its_digest_later_and_one_that_is_none_does_not(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 2)
    small.send()
    small.later(hours=1)
    small.sink.faults["rcpt2"] = "451 4.2.0 later"
    assert digest(small) == []
    assert {c.state for c in small.copies()} == {"offered"}
    sign(small, 1)
    small.send()
    small.later(minutes=30)
    (taken,) = digest(small)
    assert len(rows(taken)) == 2  # its letters were fixed; the third one's time has not come
    assert sorted(c.state for c in small.copies()) == ["offered", "sent", "sent"]
    small.later(hours=1)
    small.sink.faults["rcpt2"] = "550 5.1.1 gone"
    assert digest(small) == []
    assert sorted(c.state for c in small.copies()) == ["failed", "sent", "sent"]
    assert small.states() == ["sent"] * 3


def test_a_retried_letter_is_copied_once(small: Desk) -> None:
    """In Cc, and in a digest."""
    first, second = sign(small, 1), sign(small, 1)
    small.sink.faults["dot"] = CLOSE
    small.set(window="1")
    small.send()
    (unknown,) = [x for x in small.letters() if x.state == "unknown"]
    small.hear(small.word(Verdict.BOUNCED, small.one(Attempt, table(Attempt).c.letter_id == unknown.id), retryable=True))
    small.later(hours=1)
    small.send()
    assert [small.letter(*t).state for t in (first, second)] == ["sent", "sent"]
    mine = [m for m in small.sink.mails if unknown.id.encode() in m.raw]
    assert [m.rcpts[1:] for m in mine] == [[COPIES], []]
    small.campaign(copies="digest")
    third = sign(small, 1)
    small.sink.faults["dot"] = CLOSE
    small.send()
    letter = small.letter(*third)
    small.later(hours=1)
    (taken,) = digest(small)
    assert [r["state"] for r in rows(taken)] == ["handed over, outcome not known"]
    small.hear(small.word(Verdict.BOUNCED, small.one(Attempt, table(Attempt).c.letter_id == letter.id), retryable=True))
    small.later(hours=1)
    small.send()
    assert small.letter(*third).state == "sent"
    small.later(hours=2)
    assert digest(small) == []
    assert all(m.rcpts[1:] == [] for m in small.sink.mails if letter.id.encode() in m.raw and COPIES not in m.rcpts[:1])


def test_nobody_who_took_a_letter_back_is_in_a_digest(small: Desk) -> None:
    small.campaign(copies="digest")
    (kept,) = sign(small, 1, name="Kept Person")
    (withdrawn,) = sign(small, 1, name="Plantedwithdrawn")
    (erased,) = sign(small, 1, name="Plantederased")
    small.send()
    privacy.withdraw(small.mailed(withdrawn), now=small.now)
    privacy.erase(small.mailed(erased), now=small.now)
    small.later(hours=1)
    (taken,) = digest(small)
    assert [r["letter"] for r in rows(taken)] == [small.letter(kept).id]
    assert "Planted" not in text_of(taken) and "taken them back: 2" in text_of(taken)
    (late,) = sign(small, 1, name="Plantedlate")
    small.send()
    small.later(hours=1)
    copies.gather(small.now)
    privacy.erase(small.mailed(late), now=small.now)  # the digest waits already
    assert digest(small) == []


def test_names_are_data_in_every_part(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 1, name="=SUM <b>&amp; {{ 7 }}")
    small.send()
    small.later(hours=1)
    (taken,) = digest(small)
    (row,) = rows(taken)
    assert row["name"].startswith("'=SUM")
    html = mail_of(taken).get_body(("html",))
    assert html is not None and "&lt;b&gt;&amp;amp;" in html.get_content()


def test_digests_come_sooner_near_the_deadline_and_at_once_after_the_end(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(copies="digest", deadline=desk.now + timedelta(hours=3))
    sign(desk, 1)
    desk.send()
    desk.later(minutes=14)
    assert digest(desk) == []
    desk.later(minutes=1)
    assert len(digest(desk)) == 1
    sign(desk, 1)
    desk.send()
    desk.action("close")
    assert len(digest(desk)) == 1


def test_a_digest_killed_in_the_middle_is_not_repeated(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 2)
    small.send()
    small.later(hours=1)
    copies.gather(small.now)
    small.change(Notice, _N.c.kind == "digest", state="sending", lease_until=small.now + timedelta(minutes=2),
                 holder="elsewhere/b/1/7/1.00")
    small.later(minutes=3)
    small.sweep()
    assert {c.state for c in small.copies()} == {"unknown"}
    small.later(hours=3)
    assert digest(small) == []
    sign(small, 1)
    small.send()
    small.later(hours=1)
    (taken,) = digest(small)
    assert len(rows(taken)) == 1


def test_a_digests_worker_killed_before_it_could_record_it_leaves_it_unknown(small: Desk) -> None:
    small.now = utcnow()
    small.campaign(copies="digest", deadline=utcnow() + timedelta(days=9))
    sign(small, 2)
    small.send()
    small.change(Copy, at=small.now - timedelta(hours=1))
    copies.gather(small.now)
    small.sink.faults["dot"] = HANG
    worker = worker_process(small, "from outreach.services.notices import *; drain(seconds=60)")
    try:
        eventually(lambda: [m for m in small.sink.mails if m.rcpts == [COPIES]], seconds=240, every=0.02)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    small.now = utcnow()
    assert small.sweep()["lapsed_notices"] == 1
    assert {c.state for c in small.copies()} == {"unknown"}
    small.later(hours=3)
    assert digest(small) == []


def test_a_mail_server_that_is_away_keeps_nothing_but_the_digest_waiting(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 2)
    small.send()
    small.later(hours=1)
    url = small.sink.url
    small.set(smtp_url=f"smtp://127.0.0.1:{free_port()}")
    assert digest(small) == []
    assert [n.state for n in small.notices() if n.kind == "digest"] == ["queued"]
    small.set(smtp_url=url)
    (taken,) = digest(small)
    assert len(rows(taken)) == 2


@pytest.mark.parametrize(("error", "state"), [(OperationalError("x", {}, Exception("gone")), "sent"), (KeyError("ours"), "failed")])
def test_a_digest_that_could_not_be_composed_has_not_gone(
        small: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str) -> None:
    def broken(*_: object) -> None:
        raise error

    small.campaign(copies="digest")
    sign(small, 1)
    small.send()
    small.later(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr("outreach.queries.copies.listed", broken)
        assert digest(small) == []
    small.later(seconds=6)
    assert len(digest(small)) == (state == "sent")
    assert [c.state for c in small.copies()] == [state]


def test_two_drains_at_once_keep_the_limit(small: Desk) -> None:
    for _ in range(12):
        sign(small, 1, targets=("commissioner", "council"))
    assert small.sink
    how = {"seconds": 20, "clock": small.clock}
    crowd = [threading.Thread(target=deliver.drain, args=(QueueName.EMAIL,), kwargs=how) for _ in range(2)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert small.states() == ["sent"] * 24
    assert 0 < len(in_cc(small)) <= 9
    assert sum(s.n for s in small.rows(CopySlot)) == len(in_cc(small)) == sum(c.how == "cc" for c in small.copies())
    assert len(small.copies()) == 24


def test_a_late_word_that_the_digest_went_is_believed(small: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    small.campaign(copies="digest")
    sign(small, 1)
    small.send()
    small.later(hours=1)
    real = notices._record

    def slept(row: Any, outcome: Any, now: Any, began: Any) -> None:
        small.later(minutes=3)
        small.sweep()
        assert [c.state for c in small.copies()] == ["unknown"]
        real(row, outcome, now, began)

    monkeypatch.setattr(notices, "_record", slept)
    assert len(digest(small)) == 1
    assert [c.state for c in small.copies()] == ["sent"]


def test_a_drop_after_the_digests_final_dot_is_not_repeated(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 2)
    small.send()
    small.later(hours=1)
    small.sink.faults["dot"] = CLOSE
    assert len(digest(small)) == 1
    assert {c.state for c in small.copies()} == {"unknown"}
    small.later(hours=3)
    assert digest(small) == []


def test_two_sweeps_at_once_make_one_digest(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 6)
    small.send()
    small.later(hours=1)
    crowd = [threading.Thread(target=copies.gather, args=(small.now,)) for _ in range(3)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(small.rows(Notice, _N.c.kind == "digest")) == 1
    (taken,) = digest(small)
    assert len(rows(taken)) == 6


def test_digests_keep_the_inboxes_pace_and_copies_leave_them_room(small: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LONGEST", 2)
    sign(small, 15)
    small.send()  # nine in Cc, six wait
    small.later(minutes=59, seconds=59)
    sign(small, 2)
    small.send()
    assert len(in_cc(small)) == 9
    small.later(seconds=1)
    got = []
    for _ in range(12):
        sign(small, 3)
        small.send()
        for m in digest(small):
            got.append((small.now, [r["letter"] for r in rows(m)]))
        small.later(minutes=10)
    starts = [a.started_at for a in small.attempts() if any(c.attempt_id == a.id and c.how == "cc" for c in small.copies())]
    starts += [at for at, _ in got]
    assert all(sum(t - HOUR < x <= t for x in starts) <= 10 for t in starts)
    told = [x for _, ids in got for x in ids]
    assert len(told) == len(set(told)) and len(got) >= 2


@pytest.mark.parametrize(("leave", "noted"), [(True, ("cc", "unknown")), (False, ("digest", "offered"))])
def test_what_a_dead_worker_may_have_copied_is_not_known_and_what_it_cannot_have_waits(
        small: Desk, leave: bool, noted: tuple[str, str]) -> None:
    holder = "elsewhere/b/1/7/1.00"
    (token,) = sign(small, 1)
    if leave:
        assert inboxes.Allowance(holder).take(COPIES, small.now)
    letter, attempt = small.letter(token), new_id()
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)).values(id=attempt, letter_id=letter.id, campaign_id=letter.campaign_id, transport="smtp",
                                                address_id=letter.address_id, holder=holder, verdict="open", started_at=small.now))
    small.change(Letter, state="sending", lease_until=small.now, attempt_id=attempt)
    small.later(seconds=1)
    small.sweep()
    assert small.letter(token).state == "unknown"
    assert [(c.how, c.state) for c in small.copies()] == [noted]


def test_a_blocked_inbox_gets_no_digest(small: Desk) -> None:
    small.campaign(copies="digest")
    sign(small, 1)
    small.send()
    small.later(hours=1)
    copies.gather(small.now)
    blocks.block_address(COPIES, "asked", now=small.now)
    assert digest(small) == []
    assert [c.state for c in small.copies()] == ["failed"]


# faxes

@pytest.fixture
def faxing(small: Desk) -> Desk:
    small.campaign(targets=(COMMISSIONER,))
    small.set(fax_lines="50")
    return small


def fax(desk: Desk, n: int) -> list[str]:
    """So many faxes, each delivered."""
    tokens = []
    for _ in range(n):
        tokens += sign(desk, 1, channel="fax")
        desk.send(QueueName.FAX)
        desk.hear(desk.word(Verdict.DELIVERED, max(desk.attempts(), key=lambda a: a.started_at)))
        desk.later(seconds=1)
    return tokens


def test_faxes_beyond_the_threshold_come_zipped(faxing: Desk) -> None:
    faxing.set(copies_per_hour="5")
    tokens = fax(faxing, 6)
    single = faxing.notify()
    assert [m.rcpts for m in single] == [[COPIES]] * 4
    assert {p.get_content_type() for m in single for p in mail_of(m).iter_attachments()} == {"application/pdf"}
    assert faxing.notify() == []
    faxing.later(hours=1)
    (taken,) = digest(faxing)
    pages = faxes(taken)
    told = {r["file"]: r for r in rows(taken)}
    assert set(pages) == set(told) == {f"fax-{faxing.letter(t).id}.pdf" for t in tokens[4:]}
    assert all(p.startswith(b"%PDF-") for p in pages.values())
    assert {r["state"] for r in told.values()} == {"delivered"}
    assert {c.state for c in faxing.copies()} == {"sent"}


def test_a_copy_of_a_fax_that_has_no_room_when_its_time_comes_goes_with_the_digest(faxing: Desk) -> None:
    faxing.set(copies_per_hour="5")
    fax(faxing, 2)
    with inboxes.Allowance() as mails:  # meanwhile letters by e-mail take what was left
        assert sum(mails.take(COPIES, faxing.now) for _ in range(9)) == 4
    assert faxing.notify() == []
    assert [(c.how, c.state) for c in faxing.copies()] == [("digest", "offered")] * 2
    faxing.later(hours=1)
    (taken,) = digest(faxing)
    assert len(faxes(taken)) == 2


def test_faxes_that_do_not_fit_follow_in_further_digests(faxing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    faxing.campaign(targets=(COMMISSIONER,), copies="digest")
    tokens = fax(faxing, 5)
    monkeypatch.setattr(digests, "pdf_of", lambda letter, at: b"%PDF-" + letter.encode() * 100_000)  # 2.6 MB
    faxing.set(digest_megabytes="8")
    faxing.later(hours=1)
    got = [m for _ in range(4) for m in digest(faxing)]
    assert [len(faxes(m)) for m in got] == [2, 2, 1]
    assert all(len(m.raw) <= 8_000_000 for m in got)
    assert sorted(n for m in got for n in faxes(m)) == sorted(f"fax-{faxing.letter(t).id}.pdf" for t in tokens)
    assert sorted(r["letter"] for m in got for r in rows(m)) == sorted(faxing.letter(t).id for t in tokens)
    assert {c.state for c in faxing.copies()} == {"sent"}


def test_a_fax_too_large_for_any_digest_is_told_without_its_pages(faxing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    faxing.campaign(targets=(COMMISSIONER,), copies="digest")
    fax(faxing, 1)
    monkeypatch.setattr(digests, "pdf_of", lambda letter, at: b"x" * 2_000_000)
    faxing.set(digest_megabytes="1")
    faxing.later(hours=1)
    (taken,) = digest(faxing)
    assert "faxes" not in files(taken) and len(rows(taken)) == 1
    assert "too large" in text_of(taken)
