"""A bundle is one hand-over of many letters: whatever becomes of it becomes of all who are in it, and of nobody else."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pypdfium2 as pdfium
import pytest

from outreach import tokens
from outreach.domain.letters import Reason, Verdict
from outreach.models import Copy, LetterEvent, Submission, table
from outreach.queue import QueueName
from outreach.services import bundle_papers, bundling, media, status
from outreach.web.status_words import told
from tests.services.helpers import COMMISSIONER, COPIES, Desk, hold_up, mail_of
from tests.transports.servers import CLOSE

OFFICE = replace(COMMISSIONER, limits={"email": "4/hour", "fax": "4/hour"})


def a_late_lane(desk: Desk, channel: str) -> Desk:
    """An office that takes four an hour, an hour to go, seven letters; four of them bound: the first, and the last three."""
    desk.set(confirm="none")
    desk.campaign(targets=(OFFICE,), deadline=desk.now + timedelta(minutes=59))
    for n in range(7):
        desk.write(name=f"Writer {n + 1}", channel=channel)
        desk.later(milliseconds=1)
    bundling.send("night-bus", now=desk.now)
    return desk


@pytest.fixture
def bound(desk: Desk) -> Desk:
    return a_late_lane(desk, "email")


@pytest.fixture
def faxes(desk: Desk) -> Desk:
    return a_late_lane(desk, "fax")


def in_it(desk: Desk) -> list[Any]:
    return [x for x in sorted(desk.letters(), key=lambda x: x.created_at) if x.carries or x.carried_by]


def states(desk: Desk) -> dict[str, int]:
    """Of the letters in the bundle."""
    return dict(Counter(x.state for x in in_it(desk)))


def token_of(letter: Any) -> str:
    return tokens.mail_token(letter.submission_id)


def words_of(pdf: bytes) -> str:
    document = pdfium.PdfDocument(io.BytesIO(pdf))
    try:
        return "\n".join(p.get_textpage().get_text_range() for p in document)
    finally:
        document.close()


def writers_in(text: str) -> list[int]:
    return [n for n in range(1, 8) if f"Writer {n}" in text]


def papers(mail: EmailMessage) -> str:
    attached, = (part for part in mail.walk() if part.get_content_type() == "application/pdf")
    return words_of(attached.get_content())


def fetched(desk: Desk, n: int = -1) -> str:
    """What the provider gets that fetches the pages of a fax."""
    form = dict(parse_qsl(desk.provider.asked[n].body.decode()))
    url = urlsplit(form["MediaUrl"])
    query = parse_qs(url.query)
    attempt = url.path.rsplit("/", 1)[-1].partition(".")[0]
    return words_of(media.fetch(attempt, query["e"][0], query["s"][0], desk.now, kind="pdf")[0])


def pause_for_pace(desk: Desk) -> None:
    desk.later(minutes=16)


def test_it_goes_first_as_one_mail_from_the_operator_with_all_of_them_in_it(bound: Desk) -> None:
    assert bound.send() == 1
    taken, = bound.sink.mails
    mail = mail_of(taken)
    assert mail["Subject"] == "4 letters: Keep the night bus"
    assert mail["Message-ID"] == f"<{in_it(bound)[0].id}@{'campaign.example'}>"
    assert str(mail["From"]) == "Open Letters Desk <letters@campaign.example>"
    assert mail["Reply-To"] == mail["Cc"] == COPIES
    assert writers_in(papers(mail)) == [1, 5, 6, 7]
    assert states(bound) == {"sent": 4}
    assert sorted(bound.states()) == ["queued"] * 3 + ["sent"] * 4
    assert bound.counts_agree()
    assert len(bound.attempts()) == len(bound.rows(Copy)) == 1


def test_the_others_go_one_by_one_and_all_before_the_deadline(bound: Desk) -> None:
    for _ in range(4):
        bound.send()
        pause_for_pace(bound)
    bound.sweep()
    assert bound.states() == ["sent"] * 7
    assert [len(m.rcpts) for m in bound.sink.mails] == [2] * 4
    assert all(x.sent_at is not None for x in bound.letters())


def test_each_life_is_written_down_with_the_hand_over_it_was_in(bound: Desk) -> None:
    bound.send()
    attempt, = bound.attempts()
    for x in in_it(bound):
        path = [(e.before, e.after, e.why, e.attempt_id) for e in bound.rows(LetterEvent, table(LetterEvent).c.letter_id == x.id)]
        assert path == [(None, "queued", "submitted", None), ("queued", "sending", "handed_over", attempt.id),
                        ("sending", "sent", "accepted", attempt.id)]


def test_a_drain_that_has_read_them_one_by_one_does_not_send_one_for_all(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(OFFICE,), deadline=desk.now + timedelta(minutes=59))
    for n in range(7):
        desk.write(name=f"Writer {n + 1}")
        desk.later(milliseconds=1)
    hold_up(desk.patch, lambda: bundling.send("night-bus", now=desk.now) and None)
    desk.send()
    assert writers_in(papers(mail_of(desk.sink.mails[0]))) == [1, 5, 6, 7]
    assert len(desk.sink.mails) == 1


def test_a_delivery_is_everybodys(faxes: Desk) -> None:
    faxes.send(QueueName.FAX)
    assert states(faxes) == {"sent": 4}
    faxes.hear(faxes.word(Verdict.DELIVERED, pages=2))
    assert states(faxes) == {"delivered": 4}
    assert all(x.delivered_at == faxes.now for x in in_it(faxes))
    assert faxes.counts_agree()
    for x in in_it(faxes):
        view = status.view(token_of(x), now=faxes.now)
        assert "Delivered in a bundle of 4 letters" in told(view.letters[0], view, faxes.now).then


def test_the_provider_gets_the_bundle_and_each_writer_sees_only_their_own_page(faxes: Desk) -> None:
    faxes.send(QueueName.FAX)
    assert writers_in(fetched(faxes)) == [1, 5, 6, 7]
    carrier = in_it(faxes)[0]
    own = media.own_pdf_of(carrier.id, faxes.now)
    assert writers_in(words_of(own)) == [1]
    assert status.picture(token_of(carrier), carrier.id)


def test_a_bounce_is_everybodys(bound: Desk) -> None:
    bound.send()
    bound.hear(bound.word(Verdict.BOUNCED, reason=Reason.NO_MAILBOX))
    assert states(bound) == {"failed": 4}
    assert {x.reason for x in in_it(bound)} == {"no_such_mailbox"}


def test_a_final_refusal_is_everybodys(bound: Desk) -> None:
    bound.sink.faults["rcpt1"] = "550 5.1.1 no such user"
    bound.send()
    assert states(bound) == {"failed": 4}
    assert bound.counts_agree()


def test_another_address_takes_over_the_whole_of_it(desk: Desk) -> None:
    desk.set(confirm="none")
    office = replace(OFFICE, email=("commissioner@transit.example", "office@transit.example"))
    desk.campaign(targets=(office,), deadline=desk.now + timedelta(minutes=59))
    for n in range(7):
        desk.write(name=f"Writer {n + 1}")
        desk.later(milliseconds=1)
    bundling.send("night-bus", now=desk.now)
    desk.sink.faults["rcpt1"] = "550 5.1.1 no such user"
    for _ in range(4):
        desk.send()
        desk.sweep()
        desk.later(minutes=10)
    assert len({x.address_id for x in in_it(desk)}) == 1
    taken = next(m for m in desk.sink.mails if "4 letters" in mail_of(m)["Subject"])
    assert taken.rcpts[0] == "office@transit.example"
    assert states(desk) == {"sent": 4}
    assert desk.counts_agree()


def test_a_server_that_says_later_gets_the_whole_of_it_again(bound: Desk) -> None:
    bound.sink.faults["rcpt1"] = "451 4.7.1 later"
    bound.send()
    assert states(bound) == {"queued": 4}
    for _ in range(3):
        pause_for_pace(bound)
        bound.send()
    bundle = [m for m in bound.sink.mails if "4 letters" in mail_of(m)["Subject"]]
    assert len(bundle) == 1
    assert states(bound) == {"sent": 4}
    assert writers_in(papers(mail_of(bundle[0]))) == [1, 5, 6, 7]


def test_what_is_not_known_of_it_is_known_of_nobody_and_a_receipt_tells_all(bound: Desk) -> None:
    bound.sink.faults["dot"] = CLOSE
    bound.send()
    assert states(bound) == {"unknown": 4}
    for _ in range(3):
        pause_for_pace(bound)
        bound.sweep()
        bound.send()
    assert len([m for m in bound.sink.mails if "4 letters" in mail_of(m)["Subject"]]) == 1
    first = bound.attempts()[0]
    bound.hear(bound.word(Verdict.DELIVERED, first))
    assert states(bound) == {"delivered": 4}
    assert bound.counts_agree()


class Killed(BaseException):
    """Nothing below it catches this."""


def test_a_worker_killed_in_the_middle_leaves_all_of_them_unknown(bound: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(bundle_papers, "as_mail", die)
        with pytest.raises(Killed):
            bound.send()
    assert states(bound) == {"sending": 4}
    assert bound.sink.mails == []
    bound.later(minutes=30)  # longer than any lease
    bound.sweep()
    assert states(bound) == {"unknown": 4}
    assert bound.counts_agree()
    bound.hear(bound.word(Verdict.BOUNCED, bound.attempts()[0], reason=Reason.MAILBOX_FULL))
    assert states(bound) == {"failed": 4}


def test_who_withdraws_before_the_hand_over_is_not_in_it(bound: Desk) -> None:
    hold_up(bound.patch, lambda: status.withdraw(token_of(in_it(bound)[-1]), now=bound.now))
    bound.send()
    assert writers_in(papers(mail_of(bound.sink.mails[0]))) == [1, 5, 6]
    assert states(bound) == {"sent": 3, "cancelled": 1}


def test_who_withdraws_while_it_is_under_way_is_not_in_the_next_try(faxes: Desk) -> None:
    faxes.send(QueueName.FAX)
    gone = in_it(faxes)[-1]
    status.withdraw(token_of(gone), now=faxes.now)
    assert states(faxes) == {"sent": 4}
    faxes.hear(faxes.word(Verdict.BOUNCED, reason=Reason.BUSY, retryable=True))
    assert states(faxes) == {"queued": 4}
    for _ in range(4):
        faxes.later(minutes=7)
        faxes.send(QueueName.FAX)
    again = next(n for n, a in enumerate(faxes.attempts()) if n and a.letter_id == in_it(faxes)[0].id)
    assert writers_in(fetched(faxes, again)) == [1, 5, 6]
    assert states(faxes) == {"sent": 3, "cancelled": 1}
    faxes.hear(faxes.word(Verdict.DELIVERED, faxes.attempts()[again]))
    assert states(faxes) == {"delivered": 3, "cancelled": 1}
    assert faxes.counts_agree()


def test_if_the_carriers_writer_withdraws_while_it_is_under_way_a_busy_line_ends_it_for_nobody_else(faxes: Desk) -> None:
    faxes.send(QueueName.FAX)
    carrier, *members = in_it(faxes)
    status.withdraw(token_of(carrier), now=faxes.now)
    faxes.hear(faxes.word(Verdict.BOUNCED, reason=Reason.BUSY, retryable=True))
    now = {x.id: x for x in faxes.letters()}
    assert now[carrier.id].state == "failed"
    assert [now[x.id].state for x in members] == ["queued"] * 3
    assert [now[x.id].carries for x in members] == [True, False, False]
    for _ in range(4):
        faxes.later(minutes=7)
        faxes.send(QueueName.FAX)
    bundle = next(n for n, a in enumerate(faxes.attempts()) if a.letter_id == members[0].id)
    assert writers_in(fetched(faxes, bundle)) == [5, 6, 7]
    assert faxes.counts_agree()


def test_who_is_erased_before_the_provider_fetches_the_pages_is_not_on_them(faxes: Desk) -> None:
    faxes.send(QueueName.FAX)
    for x in in_it(faxes)[:2]:
        status.erase(token_of(x), now=faxes.now)
    assert writers_in(fetched(faxes)) == [6, 7]


def test_an_end_of_the_campaign_is_everybodys(bound: Desk) -> None:
    bound.action("close")
    bound.sweep()
    assert states(bound) == {"cancelled": 4}
    assert bound.counts_agree()


def test_letters_that_have_a_place_keep_it_while_they_are_carried(bound: Desk) -> None:
    again = bound.one(Submission, table(Submission).c.id == in_it(bound)[-1].submission_id).email
    bound.write(name="Writer 7", email=again)
    assert len([x for x in bound.letters() if x.counts]) == 7
