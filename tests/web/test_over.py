"""A stopped campaign: its page, forms, status pages and call script thank, and nothing asks anybody to write or call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from outreach import tokens
from outreach.db import reading, unit_of_work, utcnow
from outreach.models import Campaign, Submission, table
from outreach.services import pauses, stops
from outreach.services.campaigns import set_state
from tests.web.conftest import Site

SLUG = "keep-the-night-bus"
PAGE = f"/c/{SLUG}"
SAID = "The council kept the bus, 9 to 2. <b>Bravo</b>"
THANKS = "Please do not write or call any more."


def stop(outcome: str = "won") -> None:
    stops.stop(SLUG, outcome, SAID, now=utcnow())


def over(outcome: str = "won") -> None:
    """Stopped, and past undoing."""
    stop(outcome)
    with unit_of_work() as c:
        c.execute(update(table(Campaign)).values(final_at=utcnow()))
    stops.finish(utcnow())


def mailed(where: str) -> str:
    s = table(Submission)
    with reading() as c:
        return f"/m/{tokens.mail_token(c.execute(select(s.c.id).where(s.c.form_hash == tokens.form_hash(where[3:]))).scalar_one())}"


def fresh(site: Site, **headers: str) -> str:
    """The campaign's page, drawn anew."""
    from outreach.web import supporter

    supporter.forget()
    answer = site.client.get(PAGE, headers=headers)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("end", [stop, over])
def test_the_page_says_what_was_reached_and_asks_for_nothing_more(site: Site, end: Callable[[], None]) -> None:
    assert THANKS not in fresh(site) and "<form" in fresh(site)
    end()
    page = fresh(site)
    assert "This campaign has reached its aim" in page and THANKS in page
    assert "The council kept the bus, 9 to 2. &lt;b&gt;Bravo&lt;/b&gt;" in page
    assert "<form" not in page and "letter.js" not in page and "mailto:" not in page and "tel:" not in page
    assert "commissioner@transit.example" not in page and "Write my letter" not in page
    assert "My name is" not in page and page.count(THANKS) == 2  # the call script says it too
    assert "days left" not in page and "countdown" not in page


@pytest.mark.parametrize(("outcome", "title"), [("changed", "Things have changed"), ("lost", "It has been decided"),
                                                ("other", "This campaign has ended")])
def test_each_outcome_has_words_of_its_own(site: Site, outcome: str, title: str) -> None:
    stop(outcome)
    assert title in fresh(site)


def test_the_thanks_speak_the_visitors_language_and_the_message_the_campaigns(site: Site) -> None:
    stop()
    page = fresh(site, **{"accept-language": "fr"})
    assert "Cette campagne a atteint son but" in page and "ne plus écrire ni appeler" in page
    assert '<p class="lines" lang="en" dir="ltr">The council kept the bus' in page


def test_an_undone_stop_leaves_no_trace(site: Site) -> None:
    where = site.send()
    before = [x for x in fresh(site).splitlines() if 'name="token"' not in x]
    status = site.client.get(where).text
    stop()
    assert site.client.get(where).text != status
    stops.undo(SLUG, now=utcnow())
    assert [x for x in fresh(site).splitlines() if 'name="token"' not in x] == before
    assert site.client.get(where).text == status


def test_a_running_process_shows_the_stop_within_a_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from outreach.web import supporter

    monkeypatch.setattr(supporter, "FRESH", 0.0)
    fresh(site)
    stop()
    site.client.get(PAGE)
    assert THANKS in site.client.get(PAGE).text
    packed = site.client.get(PAGE, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and THANKS in packed.text


@pytest.mark.parametrize("path", ["", "/preview", "/letter.pdf"])
def test_a_form_that_was_still_open_is_answered_kindly(site: Site, path: str) -> None:
    form = site.form()
    stop()
    answer = site.client.post(PAGE + path, data=form)
    assert answer.status_code == 409
    assert THANKS in answer.text and "<form" not in answer.text


@pytest.mark.parametrize("end", [stop, over])
def test_confirmation_links_and_status_pages_thank(site: Site, end: Callable[[], None]) -> None:
    where = site.send()
    link = mailed(where)
    end()
    for path in (where, link):
        page = site.client.get(path)
        assert page.status_code == 200 and THANKS in page.text and "The council kept the bus" in page.text
        assert "six-digit" not in page.text.lower() and f"{link}/confirm" not in page.text
        assert "Thank you. It is over" in page.text
        assert ("Stopped for now." in page.text) is (end is stop)
        assert "It is not sent any more." not in page.text
    for path, data in ((f"{where}/confirm", {"code": "123456"}), (f"{link}/confirm", {})):
        answer = site.client.post(path, data=data)
        assert answer.status_code in (409, 422) and THANKS in answer.text
    assert site.client.post(f"{where}/confirm", data={"code": tokens.code(link.split("-")[1])}).status_code == 409


def test_who_wants_to_be_forgotten_still_can(site: Site) -> None:
    link = mailed(site.send())
    over()
    assert site.client.get(f"{link}/erase").status_code == 200
    assert site.client.post(f"{link}/erase").status_code == 303
    assert "Your data has been erased" in site.client.get(link).text


@pytest.mark.parametrize(("what", "down"), [("everything", True), ("smtp", False), ("email", False), ("fax", False)])
def test_a_pause_of_every_channel_takes_the_form_from_the_page(site: Site, what: str, down: bool) -> None:
    pauses.pause(what, now=utcnow())
    assert ("Sending does not work at the moment" in fresh(site)) is down
    pauses.resume(what, now=utcnow())
    assert "Sending does not work at the moment" not in fresh(site)
    pauses.pause("smtp", now=utcnow())
    pauses.pause("fax", now=utcnow())
    assert "Sending does not work at the moment" in fresh(site)


def test_a_status_page_says_that_sending_is_paused(open_site: Callable[..., Site]) -> None:
    site = open_site(CONFIRM="none")
    where = site.send()
    pauses.pause("email", now=utcnow())
    assert "Waits: sending is paused." in site.client.get(where).text
    pauses.resume("email", now=utcnow())
    pauses.pause_target(SLUG, "council", now=utcnow())
    page = site.client.get(where).text
    assert page.count("Waits: sending to this office is paused.") >= 1 and "Waits: sending is paused." not in page
    assert "<h1>Where your letters are</h1>" in page
    set_state(SLUG, "pause", now=utcnow())
    assert "<h1>Your letters wait</h1>" in site.client.get(where).text
    set_state(SLUG, "resume", now=utcnow())
    pauses.resume_target(SLUG, "council", now=utcnow())
    assert "<h1>Your letters are on their way</h1>" in site.client.get(where).text
