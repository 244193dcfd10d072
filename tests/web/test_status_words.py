"""The status page claims nothing that nobody knows: what each state says, and what it must not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from outreach import tokens
from outreach.db import reading, unit_of_work, utcnow
from outreach.models import Attempt, Breaker, Campaign, Lane, Letter, ServiceDay, Submission, table
from outreach.services import media
from tests.web.conftest import Site

_LETTERS, _LANES, _SUBMISSIONS = table(Letter), table(Lane), table(Submission)


@pytest.fixture
def unproved(open_site: Callable[..., Site]) -> Iterator[Site]:
    yield open_site(CONFIRM="none", MAX_EMAIL_RATE="none", MAX_FAX_RATE="none")


def card(site: Site, where: str) -> str:
    """The words of the only letter's card."""
    page = site.client.get(where).text
    return re.sub(r"<[^>]+>", " ", page.split('class="lc-words"')[1].split("</ol>")[0])


def in_state(state: str, reason: str | None = None, **values: object) -> None:
    with unit_of_work() as c:
        c.execute(update(_LETTERS).values(state=state, reason=reason, **values))


@pytest.mark.parametrize(("channel", "state", "says", "not_so"), [
    ("email", "sent", "passes it on", "office’s mail server took"),
    ("email", "delivered", "mail server has accepted it", "into the mailbox"),
    ("fax", "sending", "being handed to the fax provider", "called now"),
    ("email", "sending", "being handed to the mail server", "called now"),
    ("fax", "unknown", "sent again only if it turns out that it has not", "never"),
    ("email", "unknown", "sent again only if it turns out that it has not", "twice, as")])
def test_no_state_claims_what_nobody_has_said(unproved: Site, channel: str, state: str, says: str, not_so: str) -> None:
    where = unproved.send(channel=channel, targets=["commissioner"])
    in_state(state)
    assert says in card(unproved, where) and not_so not in card(unproved, where)


@pytest.mark.parametrize("reason", ["refused_by_recipient", "bounced", "rejected_as_spam", "deferred"])
def test_what_a_mail_server_said_is_not_put_into_the_office_s_mouth(unproved: Site, reason: str) -> None:
    """It may be the one of our own provider that refuses."""
    where = unproved.send(targets=["council"])
    in_state("queued" if reason == "deferred" else "failed", reason)
    assert "mail server" in card(unproved, where) or "undeliverable" in card(unproved, where)
    assert "office’s mail server" not in card(unproved, where)


def test_a_campaign_that_sends_again_does_not_say_that_it_will_not(unproved: Site) -> None:
    where = unproved.send(targets=["council"])
    in_state("unknown")
    with unit_of_work() as c:
        c.execute(update(table(Campaign)).values(on_unknown="resend"))
    assert "sent again after a while" in card(unproved, where) and "may then get it twice" in card(unproved, where)
    assert "sent again only" not in card(unproved, where)


def test_a_letter_of_which_nothing_is_known_has_not_got_as_far_as_sent(unproved: Site) -> None:
    where = unproved.send(targets=["council"])
    in_state("unknown")
    page = unproved.client.get(where).text
    assert [bool(done) for done in re.findall(r"<li( class=\"done\")?>(?:Written|In the queue|Sent|Delivered)<", page)] == [
        True, True, False, False]


def looked_at(ago: timedelta, **values: object) -> None:
    """When somebody was to look at the lanes."""
    with unit_of_work() as c:
        c.execute(update(_LANES).values(next_wake_at=utcnow() - ago, **values))


HELD_UP = "Sending is held up at the moment"


def test_a_letter_that_is_due_and_that_nobody_sends_says_so(unproved: Site) -> None:
    where = unproved.send(targets=["council"])
    assert "It goes out in a moment." in card(unproved, where)
    looked_at(timedelta(minutes=1))
    assert "It goes out in a moment." in card(unproved, where)
    looked_at(timedelta(minutes=3))
    assert HELD_UP in card(unproved, where) and "nothing is lost" in card(unproved, where)
    assert "in a moment" not in card(unproved, where).replace(HELD_UP, "")
    assert "Your letter waits" in unproved.client.get(where).text
    with unit_of_work() as c:
        c.execute(update(_LANES).values(holder="a worker", held_until=utcnow() + timedelta(minutes=5)))
    assert "It goes out in a moment." in card(unproved, where)
    with unit_of_work() as c:
        c.execute(update(_LANES).values(next_wake_at=None, held_until=utcnow() - timedelta(minutes=3)))
    assert HELD_UP in card(unproved, where), "who held it has gone, and nobody noticed"
    with unit_of_work() as c:
        c.execute(update(_LANES).values(next_wake_at=None, holder=None, held_until=None))
    assert "It goes out in a moment." in card(unproved, where)
    in_state("queued", state_at=utcnow() - timedelta(minutes=3))
    assert HELD_UP in card(unproved, where), "nobody means to look"


def test_a_letter_that_is_not_due_is_not_held_up(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none", MAX_EMAIL_RATE="1/hour")
    first, second = (site.send(email=f"jane{n}@supporter.example", targets=["council"]) for n in range(2))
    with reading() as c:
        letter = c.execute(select(_LETTERS).order_by(_LETTERS.c.submitted_at)).first()
        assert letter is not None
    with unit_of_work() as c:
        c.execute(insert(table(Attempt)).values(
            id="a" * 26, letter_id=letter.id, campaign_id=letter.campaign_id, address_id=letter.address_id, transport="smtp", holder="h",
            verdict="accepted", started_at=utcnow()))
        c.execute(update(_LETTERS).where(_LETTERS.c.id == letter.id).values(state="sent", sent_at=utcnow()))
    looked_at(timedelta(minutes=9))
    assert "no bounce so far" in card(site, first)
    assert HELD_UP not in card(site, second) and "1 an hour" in card(site, second)


def test_a_provider_that_cannot_be_used_holds_letters_up(unproved: Site) -> None:
    where = unproved.send(targets=["council"])
    for since, held_up in ((timedelta(seconds=20), False), (timedelta(minutes=4), True)):
        with unit_of_work() as c:
            c.execute(table(Breaker).delete())
            c.execute(insert(table(Breaker)).values(
                transport="smtp", until=utcnow() + timedelta(minutes=5), trips=3, since=utcnow() - since, why="down"))
        assert (HELD_UP in card(unproved, where)) is held_up


def test_a_day_whose_letters_are_used_up_says_when_the_next_begins(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none", MAX_EMAIL_RATE="none", MAX_PER_DAY="5")
    where = site.send(targets=["council"])
    assert "in a moment" in card(site, where)
    with unit_of_work() as c:
        c.execute(insert(table(ServiceDay)).values(day=f"{utcnow():%Y-%m-%d}", used=5))
    assert "in a moment" not in card(site, where) and "It goes out about" in card(site, where)


# the fax's picture

LONG = "\n\n".join(f"Paragraph {n}: " + "keep the night bus, since so many of us depend on it every single night. " * 6 for n in range(30))


def pictures(site: Site, link: str) -> list[int]:
    """The pages that are drawn, each of which must be there."""
    found = re.findall(r'<img class="faxpage" src="([^"]+)"', site.client.get(link).text)
    assert all(site.client.get(url).status_code == 200 for url in found)
    return [int(re.search(r"/(\d+)\.png", url)[1]) for url in found]  # type: ignore[index]


def mailed(where: str) -> str:
    with reading() as c:
        submission = c.execute(select(_SUBMISSIONS.c.id).where(_SUBMISSIONS.c.form_hash == tokens.form_hash(where[3:]))).scalar_one()
    return f"/m/{tokens.mail_token(submission)}"


def test_the_picture_has_all_the_pages_of_the_letter_before_any_receipt(site: Site) -> None:
    where = site.send(channel="fax", targets=["commissioner"], body=LONG, subject="Long")
    shown = pictures(site, mailed(where))
    assert len(shown) >= 3 and shown == list(range(1, len(shown) + 1))
    short = site.send(channel="fax", targets=["commissioner"], email="joe@supporter.example")
    assert pictures(site, mailed(short)) == [1]


def test_the_picture_shows_this_writer_s_own_pages_of_a_bundle(unproved: Site) -> None:
    first, second = (unproved.send(channel="fax", targets=["commissioner"], email=f"{n}@supporter.example") for n in range(2))
    with unit_of_work() as c:
        carrier, member = c.execute(select(_LETTERS.c.id).order_by(_LETTERS.c.submitted_at)).scalars()
        c.execute(update(_LETTERS).values(state="delivered", delivered_at=utcnow(), attempt_id="a" * 26))
        c.execute(update(_LETTERS).where(_LETTERS.c.id == carrier).values(carries=True))
        c.execute(update(_LETTERS).where(_LETTERS.c.id == member).values(carried_by=carrier))
        row = c.execute(select(_LETTERS).where(_LETTERS.c.id == carrier)).one()
        c.execute(insert(table(Attempt)).values(id="a" * 26, letter_id=carrier, campaign_id=row.campaign_id, address_id=row.address_id,
                                                transport="twilio", holder="h", verdict="delivered", started_at=utcnow(), pages=45))
    assert pictures(unproved, mailed(first)) == pictures(unproved, mailed(second)) == [1]


def test_a_receipt_that_counts_no_pages_leaves_the_count_to_us(unproved: Site) -> None:
    where = unproved.send(channel="fax", targets=["commissioner"], body=LONG, subject="Long")
    in_state("delivered", delivered_at=utcnow())
    pages = len(pictures(unproved, mailed(where)))
    assert f"{pages} pages" in unproved.client.get(where).text


def test_the_pages_are_counted_once_and_not_at_each_look(unproved: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    where = unproved.send(channel="fax", targets=["commissioner"])
    assert pictures(unproved, mailed(where)) == [1]
    monkeypatch.setattr(media, "own_pdf_of", lambda *_: pytest.fail("rendered again"))
    for _ in range(3):
        assert "faxpage" in unproved.client.get(mailed(where)).text
