"""The two links: bare states with the form's token, everything with the mailed one; nothing acts on GET."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from outreach import tokens
from outreach.db import reading, unit_of_work, utcnow
from outreach.models import Letter, Notice, Submission
from outreach.services import campaigns
from tests.web.conftest import Site

_LETTERS, _SUBMISSIONS = Letter.__table__, Submission.__table__
_MAILED = "behind the link in the mail we sent you"


def _submission(where: str) -> str:
    with reading() as c:
        return str(c.execute(select(_SUBMISSIONS.c.id).where(_SUBMISSIONS.c.form_hash == tokens.form_hash(where[3:]))).scalar_one())


def _states() -> list[str]:
    with reading() as c:
        return list(c.execute(select(_LETTERS.c.state).order_by(_LETTERS.c.id)).scalars())


def test_the_json_has_exactly_what_others_rely_on(site: Site) -> None:
    where = site.send()
    letters = site.client.get(f"{where}.json").json()["letters"]
    assert [(x["target"], x["channel"], x["state"]) for x in letters] == [
        ("Transit Commissioner", "email", "unconfirmed"), ("City Council", "email", "unconfirmed")]
    assert all(set(x) == {"target", "channel", "state", "at"} for x in letters)


def test_status_pages_are_kept_by_nobody(site: Site) -> None:
    where = site.send()
    for path in (where, f"{where}.json", f"/m/{tokens.mail_token(_submission(where))}"):
        headers = site.client.get(path).headers
        assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"
        assert "noindex" in headers["x-robots-tag"]


def test_the_code_confirms_and_a_wrong_one_is_told_beside_the_field(site: Site) -> None:
    where = site.send()
    wrong = site.client.post(f"{where}/confirm", data={"code": "000000"})
    assert wrong.status_code == 422 and 'id="e-code"' in wrong.text
    assert set(_states()) == {"unconfirmed"}
    right = site.client.post(f"{where}/confirm", data={"code": f" {tokens.code(_submission(where))} "})
    assert right.status_code == 303 and right.headers["location"] == where
    assert set(_states()) == {"queued"}


def test_following_the_mailed_link_alone_confirms_nothing(site: Site) -> None:
    where = site.send()
    link = f"/m/{tokens.mail_token(_submission(where))}"
    for path in (link, f"{link}/withdraw", f"{link}/erase", f"{link}/never"):
        assert site.client.get(path).status_code == 200
    assert set(_states()) == {"unconfirmed"}
    assert site.client.post(f"{link}/confirm").status_code == 303
    assert set(_states()) == {"queued"}


def test_the_bare_page_shows_neither_text_nor_person(site: Site) -> None:
    where = site.send(body="A sentence of my very own, [your name].", subject="Mine")
    page = site.client.get(where).text
    assert "very own" not in page and "jane@supporter.example" not in page and "Jane Doe" not in page
    full = site.client.get(f"/m/{tokens.mail_token(_submission(where))}").text
    assert "A sentence of my very own, Jane Doe." in full


def test_the_bare_token_opens_no_door_of_the_mailed_one(site: Site) -> None:
    where = site.send()
    token = where[3:]
    assert site.client.post(f"/m/{token}/confirm").status_code == 404
    assert site.client.post(f"/m/{token}/erase").status_code == 404
    assert site.client.get(f"/s/{token}/letters/x/1.png").status_code == 404


def test_a_fax_shows_its_picture_to_its_writer_only(site: Site) -> None:
    where = site.send(channel="fax", targets=["commissioner"])
    mailed = tokens.mail_token(_submission(where))
    with reading() as c:
        letter = c.execute(select(_LETTERS.c.id)).scalar_one()
    assert site.client.get(f"/s/{mailed}/letters/{letter}/1.png").content.startswith(b"\x89PNG")
    for path in (f"/s/{where[3:]}/letters/{letter}/1.png", f"/s/{mailed}/letters/{letter}/9.png", f"/s/{mailed}/letters/other/1.png",
                 f"/s/{mailed}x/letters/{letter}/1.png"):
        assert site.client.get(path).status_code == 404


def test_withdrawing_takes_back_what_waits(site: Site) -> None:
    link = f"/m/{tokens.mail_token(_submission(site.send()))}"
    site.client.post(f"{link}/confirm")
    assert site.client.post(f"{link}/withdraw").status_code == 303
    assert set(_states()) == {"cancelled"}
    assert "You took it back" in site.client.get(link).text


def test_erasing_leaves_no_trace_of_the_person(site: Site) -> None:
    where = site.send()
    link = f"/m/{tokens.mail_token(_submission(where))}"
    site.client.post(f"{link}/erase")
    page = site.client.get(link).text
    assert "Your data has been erased" in page and "Jane Doe" not in page
    with reading() as c:
        row = c.execute(select(_SUBMISSIONS)).one()
    assert (row.name, row.email, row.city) == ("", "", "")


def test_never_again_asks_first_and_then_drops_the_letter(site: Site) -> None:
    link = f"/m/{tokens.mail_token(_submission(site.send()))}"
    assert "You get no more mail" in site.client.post(f"{link}/never").text
    assert set(_states()) == {"cancelled"}


def _set(**values: object) -> None:
    with unit_of_work() as c:
        c.execute(update(_LETTERS).values(**values))


@pytest.mark.parametrize(("state", "reason", "words"), [
    ("sending", None, "being handed to the mail server"), ("unknown", None, "no answer came back"),
    ("sent", None, "Sent, no bounce so far."),
    ("failed", "no_such_mailbox", "mailbox does not exist"), ("queued", "mailbox_full", "mailbox was full"),
])
def test_each_state_has_plain_words(site: Site, state: str, reason: str | None, words: str) -> None:
    where = site.send(targets=["council"])
    site.client.post(f"{where}/confirm", data={"code": tokens.code(_submission(where))})
    _set(state=state, reason=reason)
    page = site.client.get(where).text
    assert words in page
    assert "has arrived" not in page and "uccess" not in page


def test_a_delivered_fax_carries_the_stamp(site: Site) -> None:
    where = site.send(channel="fax", targets=["commissioner"])
    site.client.post(f"{where}/confirm", data={"code": tokens.code(_submission(where))})
    at = utcnow().replace(year=2026, month=11, day=23, hour=19, minute=5)
    _set(state="delivered", sent_at=at, delivered_at=at, state_at=at)
    page = site.client.get(where).text
    assert re.search(r"Received 14:05<small>23 Nov 2026, 1 page</small>", page)
    assert "Your letter has arrived" in page


def test_a_waiting_letter_knows_its_place_and_time(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none", MAX_EMAIL_RATE="1/hour")
    for n in range(3):
        where = site.send(email=f"jane{n}@supporter.example", targets=["council"])
    page = site.client.get(where).text
    assert "Your e-mail is third in line." in page
    assert re.search(r"This office takes 1 an hour, so about (\w{3} \d+ \w+, )?\d\d:\d\d\.", page)


def test_without_confirmation_the_page_speaks_of_no_mail(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none")
    page = site.client.get(site.send()).text
    assert "Your e-mail is next in line." in page and "mail we sent you" not in page


def test_without_confirmation_the_private_link_is_a_button_away(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none")
    where = site.send()
    assert "Send me my private link" in site.client.get(where).text
    assert site.client.get(f"{where}/link").status_code == 405
    answer = site.client.post(f"{where}/link")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{where}?sent=link#acts")
    assert answer.headers["cache-control"] == "no-store"
    page = site.client.get(answer.headers["location"]).text
    assert "on its way to the e-mail address" in page and "jane@supporter.example" not in page
    with reading() as c:
        notice = c.execute(select(Notice.__table__)).one()
    assert (notice.kind, notice.recipient, notice.submission_id) == ("link", "jane@supporter.example", _submission(where))
    assert _MAILED not in page


def test_a_confirmed_letters_page_sends_its_link_again_and_an_unconfirmed_ones_does_not(site: Site) -> None:
    where = site.send()
    assert "/link" not in site.client.get(where).text
    site.client.post(f"{where}/confirm", data={"code": tokens.code(_submission(where))})
    page = site.client.get(where).text
    assert _MAILED in page and "Send me the link again" in page


def test_a_campaign_that_confirms_by_itself_is_told_of_as_such(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none")
    Path("bus.toml").write_text('confirm = "email"\n' + Path("bus.toml").read_text())
    campaigns.import_campaign(Path("bus.toml"), now=utcnow())
    where = site.send()
    site.client.post(f"{where}/confirm", data={"code": tokens.code(_submission(where))})
    assert _MAILED in site.client.get(where).text


def test_what_is_promised_about_privacy_can_be_done(open_site: Callable[..., Site]) -> None:
    page = open_site(CONFIRM="none").client.get("/privacy").text
    assert "with the link in the mail that we send you" not in page
    assert "the page that shows where your letters are sends it to you" in page


def test_the_confirmation_s_time_is_over_after_a_week(site: Site) -> None:
    where = site.send()
    with unit_of_work() as c:
        c.execute(update(_SUBMISSIONS).values(created_at=utcnow() - timedelta(days=8)))
        c.execute(update(Notice.__table__).values(state="sent", sent_at=utcnow() - timedelta(days=8)))
    answer = site.client.post(f"{where}/confirm", data={"code": tokens.code(_submission(where))})
    assert answer.status_code == 409 and "The time to confirm this letter is over" in answer.text


def test_the_recipient_can_see_that_a_letter_is_real(site: Site) -> None:
    site.send(targets=["council"])
    with reading() as c:
        letter = c.execute(select(_LETTERS.c.id)).scalar_one()
    real = f"/v/{letter}-{tokens.mac('verify', letter, length=12)}"
    page = site.client.get(real).text
    assert "This letter is real" in page and "City Council" in page and "not verified" in page and "Jane" not in page
    assert site.client.get(real[:-1] + ("a" if real[-1] != "a" else "b")).status_code == 404


@pytest.mark.parametrize("path", ["/s/nothing", "/s/nothing.json", "/m/m-nothing-x", "/s/%00", "/m/m-é", "/s/" + "a" * 500, "/v/x", "/v/-"])
def test_a_wrong_token_is_a_plain_not_found(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 404
