"""What a supporter can take back is taken back, and what is erased is nowhere any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import LargeBinary, insert, select

from outreach import tokens
from outreach.db import reading, unit_of_work
from outreach.domain.letters import Verdict
from outreach.errors import Forged, NotFound
from outreach.models import Attempt, Base, Notice, Receipt, Submission, table
from outreach.queue import QueueName
from outreach.services import media, status
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.transports.servers import CLOSE

PLANTED = {"name": "Plantedname Doe", "email": "planted@people.example", "street": "1 Plantedstreet", "city": "Plantedcity",
           "postal_code": "PLANTED 1A1", "phone": "+1 416 555 0177", "affiliation": "Plantedclub", "subject": "Plantedsubject",
           "body": "Plantedbody [your name]"}


def everything(_desk: Desk) -> str:
    """Each value of each column of each table, as text."""
    found = []
    with reading() as c:
        for t in Base.metadata.sorted_tables:
            columns = [col for col in t.columns if not isinstance(col.type, LargeBinary)]
            found += [str(tuple(row)) for row in c.execute(select(*columns))]
    return "\n".join(found)


def traces(desk: Desk) -> list[str]:
    return [line for line in everything(desk).splitlines() if "planted" in line.lower() or "555 0177" in line]


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.campaign()
    return desk


def test_an_erased_submission_leaves_no_personal_data_in_any_table(asked: Desk) -> None:
    token = asked.write(**PLANTED, targets=("commissioner", "council"))
    asked.notify()
    asked.confirm(token)
    asked.send()
    for attempt in asked.attempts():
        asked.hear(asked.word(Verdict.DELIVERED, attempt, raw='{"from": "planted@people.example"}', detail="ok"))
    again = asked.write(**PLANTED, channel="fax")
    asked.notify()
    asked.confirm(again)
    assert len(traces(asked)) > 3
    for t in (token, again):
        status.erase(asked.mailed(t), now=asked.now)
    assert traces(asked) == []
    assert asked.stats()["submissions"] == 2
    assert asked.stats()["letters"] == {"cancelled": 1, "delivered": 2}
    assert asked.counts_agree()
    found = status.view(asked.mailed(token), now=asked.now)
    assert (found.erased, found.email, found.texts) == (True, "", {})
    assert [x.state for x in found.letters] == ["delivered", "delivered"]


def test_a_bounce_that_quotes_the_letter_is_forgotten_with_it(asked: Desk) -> None:
    token = asked.signed(**PLANTED)
    asked.send()
    asked.hear(asked.word(Verdict.BOUNCED, raw="Subject: Plantedsubject", detail="returned to planted@people.example"))
    status.erase(asked.mailed(token), now=asked.now)
    assert traces(asked) == []


def test_what_was_said_of_the_mails_to_the_supporter_is_forgotten_too(asked: Desk) -> None:
    token = asked.signed(**PLANTED)
    asked.notify()
    (notice, *_) = asked.notices()
    with unit_of_work() as c:  # as it was kept before such receipts were known for what they are
        c.execute(insert(table(Receipt)).values(
            provider="sendgrid", event_id="e1", attempt_id=notice.id, verdict="delivered", recipient=PLANTED["email"], at=asked.now,
            received_at=asked.now, applied_at=asked.now, raw=f'{{"email": "{PLANTED["email"]}"}}', detail=PLANTED["email"]))
    status.erase(asked.mailed(token), now=asked.now)
    assert traces(asked) == []
    assert len(asked.rows(Receipt)) == 1


def test_what_comes_after_an_erasure_brings_nothing_back(asked: Desk) -> None:
    token = asked.signed(**PLANTED)
    asked.send()
    status.erase(asked.mailed(token), now=asked.now)
    asked.hear(asked.word(Verdict.BOUNCED, raw="Subject: Plantedsubject"))
    assert traces(asked) == []


def test_an_erased_letter_is_not_sent(asked: Desk) -> None:
    waits, unproved = asked.signed(**PLANTED), asked.write()
    for token in (waits, unproved):
        status.erase(asked.mailed(token), now=asked.now)
    assert asked.states() == ["cancelled", "cancelled"]
    asked.later(days=2)
    asked.sweep()
    assert (asked.send(), asked.notify()) == (0, [])


def test_a_withdrawn_letter_is_not_sent_and_one_on_its_way_is_not_sent_again(asked: Desk) -> None:
    token = asked.signed(targets=("commissioner", "council"))
    asked.sink.faults["dot"] = CLOSE
    asked.set(max_email_rate="none", window="1")
    asked.change(Submission, name="Jane Doe")
    asked.action("pause")
    asked.action("resume")
    assert asked.send() == 2
    assert asked.states() == ["sent", "unknown"]
    status.withdraw(asked.mailed(token), now=asked.now)
    assert asked.states() == ["sent", "unknown"]  # the truth stays
    asked.later(days=1)
    asked.sweep()
    assert asked.send() == 0
    assert status.view(token, now=asked.now).submission_state == "withdrawn"


def test_withdrawing_twice_or_after_erasing_changes_nothing(asked: Desk) -> None:
    token = asked.signed()
    mailed = asked.mailed(token)
    for act in (status.withdraw, status.withdraw, status.erase, status.erase, status.withdraw):
        act(mailed, now=asked.now)
        asked.later(minutes=1)
    assert asked.states() == ["cancelled"]
    assert asked.submission(token).withdrawn_at < asked.now - timedelta(minutes=4)
    assert asked.counts_agree()


def test_erasing_one_submission_leaves_anothers_data(asked: Desk) -> None:
    one, other = asked.signed(**PLANTED), asked.signed(name="Somebody Else")
    status.erase(asked.mailed(one), now=asked.now)
    assert asked.submission(other).name == "Somebody Else"
    assert asked.letter(other).state == "queued"


# pages

def test_the_forms_token_shows_bare_states_and_the_mailed_one_everything(asked: Desk) -> None:
    token = asked.signed(name="Jane Doe", email="jane@people.example", targets=("commissioner", "council"))
    bare, full = status.view(token, now=asked.now), status.view(asked.mailed(token), now=asked.now)
    assert (bare.proven, bare.texts, bare.email) == (False, {}, "")
    assert (full.proven, full.email) == (True, "jane@people.example")
    assert len(full.texts) == 2 and all("Jane Doe" in t.body for t in full.texts.values())
    assert [(x.target, x.state, x.place) for x in bare.letters] == [("Transit Commissioner", "queued", 1), ("City Council", "queued", 1)]
    assert [x.target for x in full.letters] == [x.target for x in bare.letters]


@pytest.mark.parametrize("token", ["", "x", "m-x", "m-01k7zt5c9m3hq8w2x4e6r8t0ya-AAAAAAAAAAAAAAAAAAAAAA", "é" * 60])
def test_a_made_up_token_opens_nothing(asked: Desk, token: str) -> None:
    with pytest.raises(NotFound):
        status.view(token)


def test_the_place_in_line_and_its_likely_time_are_told(asked: Desk) -> None:
    from dataclasses import replace

    asked.campaign(targets=(replace(COMMISSIONER, limits={"email": "2/2 hours"}), COUNCIL))
    found = []
    for _ in range(5):
        asked.later(seconds=1)
        found.append(asked.signed())
    asked.send()
    (third,) = status.view(found[2], now=asked.now).letters
    (fifth,) = status.view(found[4], now=asked.now).letters
    assert (third.place, fifth.place) == (1, 3)
    assert third.likely_at - asked.now == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=1))
    assert fifth.likely_at - asked.now == pytest.approx(timedelta(hours=4), abs=timedelta(seconds=1))
    assert "2/2 hours" in third.pace


def test_the_likely_time_knows_the_campaigns_own_share_and_other_campaigns_turns(asked: Desk) -> None:
    from dataclasses import replace

    asked.campaign(targets=(replace(COMMISSIONER, share={"email": "1/hour"}),))
    asked.campaign("day-bus", targets=(replace(COMMISSIONER, limits={"email": "4/hour"}),))
    mine = []
    for _ in range(3):
        mine.append(asked.signed())
        asked.signed("day-bus")
        asked.later(seconds=1)  # what comes at one moment has no order
    (third,) = status.view(mine[2], now=asked.now).letters
    assert third.likely_at - asked.now == pytest.approx(timedelta(hours=2), abs=timedelta(minutes=20))


def test_a_faxs_picture_is_for_whoever_proved_the_mailbox(asked: Desk) -> None:
    token, other = asked.signed(channel="fax"), asked.signed()
    letter = asked.letter(token).id
    pages = status.picture(asked.mailed(token), letter)
    assert pages[0].startswith(b"\x89PNG")
    mine, theirs = asked.mailed(token), asked.mailed(other)
    for t, x in ((token, letter), (theirs, letter), (theirs, asked.letter(other).id), (mine, "no")):
        with pytest.raises(NotFound):
            status.picture(t, x)
    status.erase(asked.mailed(token), now=asked.now)
    with pytest.raises(NotFound):
        status.picture(asked.mailed(token), letter)


def test_a_letters_recipient_can_see_that_it_is_real(asked: Desk) -> None:
    token = asked.signed(**PLANTED)
    letter = asked.letter(token).id
    told = status.verify(letter, tokens.mac("verify", letter, length=12))
    assert (told["slug"], told["target"], told["confirmed"]) == ("night-bus", "Transit Commissioner", True)
    assert "planted" not in str(told).lower()
    for given in ("", "x" * 12, tokens.mac("verify", letter, length=12)[:-1] + "!"):
        with pytest.raises(NotFound):
            status.verify(letter, given)


# media

def parts(url: str) -> tuple[str, str, str]:
    attempt, _, query = url.rpartition("/media/")[2].partition("?")
    values = dict(p.split("=", 1) for p in query.split("&"))
    return attempt.partition(".")[0], values["e"], values["s"]


def test_a_faxs_pages_are_fetched_by_a_signed_address_for_a_while(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    desk.write(channel="fax")
    desk.send(QueueName.FAX)
    (attempt,) = desk.attempts()
    found, expires, signature = parts(media.media_url(attempt.id, desk.now))
    assert found == attempt.id
    content, kind = media.fetch(attempt.id, expires, signature, desk.now)
    assert (content[:4], kind) == (b"%PDF", "application/pdf")
    assert desk.attempts()[0].media_fetched_at == desk.now
    content, kind = media.fetch(attempt.id, expires, signature, desk.now, kind="tiff")
    assert (content[:4], kind) == (b"II*\x00", "image/tiff")
    wrong: list[tuple[str, str, str]] = [
        (attempt.id, expires, signature[:-1] + ("A" if signature[-1] != "A" else "B")), (attempt.id, str(int(expires) + 60), signature),
        (attempt.id[:-1] + "0" if attempt.id[-1] != "0" else attempt.id[:-1] + "1", expires, signature), (attempt.id, expires, ""),
        (attempt.id, expires, signature[:9]), (attempt.id, "", tokens.mac("media", f"{attempt.id}.")),
        (attempt.id, "١٢", tokens.mac("media", f"{attempt.id}.١٢"))]
    for one in wrong:
        with pytest.raises(Forged):
            media.fetch(*one, desk.now)
    desk.later(minutes=61)
    with pytest.raises(Forged):
        media.fetch(attempt.id, expires, signature, desk.now)


@pytest.mark.parametrize("fetched_before", [False, True])
def test_a_fetch_of_the_pages_proves_that_an_unknown_fax_was_taken(desk: Desk, fetched_before: bool) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    token = desk.write(channel="fax")
    desk.provider.faults.append(CLOSE)
    desk.send(QueueName.FAX)
    (attempt,) = desk.attempts()
    assert (desk.letter(token).state, attempt.verdict) == ("unknown", "unknown")
    if fetched_before:
        desk.change(Attempt, media_fetched_at=desk.now)
    with pytest.raises(Forged):
        media.fetch(attempt.id, "1", "x" * 22, desk.now)
    assert desk.letter(token).state == "unknown"
    url: Any = parts(media.media_url(attempt.id, desk.now))
    for _ in range(2):
        media.fetch(*url, desk.later(minutes=1))
    letter, (attempt,) = desk.letter(token), desk.attempts()
    assert (letter.state, letter.sent_at, attempt.verdict) == ("sent", desk.now - timedelta(minutes=1), "accepted")
    assert desk.counts_agree()


@pytest.mark.parametrize("verdict", ["refused", "bounced", "delivered", "void"])
def test_a_fetch_says_nothing_against_what_is_known(desk: Desk, verdict: str) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    token = desk.write(channel="fax")
    desk.send(QueueName.FAX)
    desk.change(Attempt, verdict=verdict)
    before, (attempt,) = desk.letter(token), desk.attempts()
    url: Any = parts(media.media_url(attempt.id, desk.now))
    media.fetch(*url, desk.now)
    assert (desk.letter(token), desk.attempts()[0].verdict) == (before, verdict)


def test_the_pages_of_an_erased_letter_are_not_given_out(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    token = desk.write(**PLANTED, channel="fax")
    desk.send(QueueName.FAX)
    (attempt,) = desk.attempts()
    address: Any = parts(media.media_url(attempt.id, desk.now))
    media.fetch(*address, desk.now)
    status.erase(desk.mailed(token), now=desk.now)
    with pytest.raises(NotFound):
        media.fetch(*address, desk.now)
    assert not [n for n in desk.rows(Notice) if "planted" in str(n).lower()]
