"""The first pages of the desk: one's campaigns, the live desk and what keeps it up to date, letters and who may read them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from outreach.db import utcnow
from outreach.domain.letters import Reason, State, Verdict
from outreach.domain.roles import Role
from outreach.queue import QueueName
from outreach.services import desk as live
from outreach.services import troubles
from outreach.web.desk import letter_words, live_words
from tests.services.test_pace_logs import asked
from tests.web.desk.conftest import DeskSite

LIVE = "/o/c/night-bus/"


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    live.forget()
    yield
    live.forget()


@pytest.fixture
def site(desk_site: DeskSite) -> DeskSite:
    """A desk whose clock is the pages' own."""
    desk_site.desk.now = utcnow()
    desk_site.desk.set(confirm="none")
    return desk_site


def test_every_reason_and_every_trouble_has_its_words() -> None:
    assert set(letter_words.REASONS) == set(Reason) and set(letter_words.STATES) == set(letter_words.MEANS) == set(State)
    kinds = set(re.findall(r'Trouble\("(\w+)"', inspect.getsource(troubles))) | {"address_suspect", "address_blocked", "address_proposed"}
    assert set(live_words.TROUBLES) == kinds


def test_forms_that_were_turned_away_are_told_as_they_were() -> None:
    assert live_words.turned_away({"bad_input": 2}) == "2 forms were not complete; these people were shown what to mend."
    assert live_words.turned_away({"bad_input": 1, "paused": 1204}).endswith("1,204 forms were not taken because the campaign was paused.")
    assert live_words.turned_away({}) == ""


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_home_shows_each_visitor_their_own_campaigns_those_with_trouble_first(site: DeskSite) -> None:
    for slug, title in (("night-bus", "Keep the night bus"), ("day-bus", "Keep the day bus"), ("tram", "Build the tram")):
        site.desk.campaign(slug, title=title)
    site.desk.write("tram")
    site.desk.action("pause", "night-bus")
    mine = site.signed_in(Role.VIEWER, "tram", email="ada@letters.example").get("/o/").text
    assert "Build the tram" in mine and "Keep the" not in mine and "1 waiting" in text_of(mine).replace("  ", " ")
    from outreach.services.campaigns import set_state

    set_state("day-bus", "pause", now=site.desk.now, why="most letters came back")
    everything = site.signed_in(operator=True).get("/o/").text
    titles = re.findall(r"<h2><a[^>]*>([^<]+)", everything)
    assert titles[0] == "Keep the day bus" and set(titles) == {"Keep the night bus", "Keep the day bus", "Build the tram"}
    assert "Paused itself: most letters came back" in everything
    nobody = site.signed_in(None, email="new@letters.example").get("/o/").text
    assert "Begin one from the circular" in nobody and "/o/new" in nobody


def test_the_live_desk_answers_its_three_questions_and_names_no_supporter(site: DeskSite) -> None:
    desk = site.desk
    desk.campaign()
    client = site.signed_in(Role.VIEWER)
    empty = text_of(client.get(LIVE).text)
    for answer in ("Is it going out? Nothing to send yet", "What is stuck? Nothing", "Will we make the deadline? Yes"):
        assert answer in empty
    for i in range(3):
        desk.write(name="Jane Secret", email=f"jane{i}@secret.example", channel="fax" if i == 2 else "email")
    desk.send()
    live.forget()
    page = client.get(LIVE).text
    said = text_of(page)
    assert "Is it going out? Yes 2 of 3 letters are out." in said
    assert "2 e-mails to Transit Commissioner were taken by the mail server" in said
    assert "ecret" not in page and f'href="{LIVE}letters' not in page and f'href="{LIVE}levers"' not in page
    assert f'href="{LIVE}levers"' in site.signed_in(Role.OWNER).get(LIVE).text
    desk.action("pause")
    assert "Is it going out? No The campaign is paused." in text_of(client.get(LIVE).text)  # at once: a lever was used


def test_what_is_new_comes_with_its_tag_and_nothing_new_costs_nothing(site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outreach.shared.FRESH", 3600.0)  # or a minute that ends between two requests would be news
    desk = site.desk
    desk.campaign()
    desk.write()
    client = site.signed_in()
    page = client.get(LIVE)
    source = re.search(r'data-source="([^"]+)" data-tag="&#34;(\w+)&#34;" data-again="(\d+)"', page.text)
    assert source is not None
    same = client.get(source[1], headers={"if-none-match": f'"{source[2]}"'})
    assert (same.status_code, same.content) == (304, b"") and same.headers["x-look-again"] == source[3] == "3"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", same.headers["x-look-at"])
    desk.send()
    live.forget()
    fresh = client.get(source[1], headers={"if-none-match": f'"{source[2]}"'})
    assert fresh.status_code == 200 and fresh.headers["etag"] != f'"{source[2]}"' and fresh.headers["x-look-again"] == "5"
    assert "no-store" not in fresh.headers["cache-control"] and fresh.text.lstrip().startswith("<section id=\"live-answers\"")
    top = re.findall(r"^<(?:section|div) id=\"([^\"]+)\"", fresh.text, re.M)
    assert len(set(top)) == len(top) >= 6  # what the browser exchanges one by one
    desk.action("close")
    assert client.get(source[1]).headers["x-look-again"] == "60"


def test_a_desk_at_rest_costs_next_to_nothing_until_something_happens(site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outreach.shared.FRESH", 0.0)
    monkeypatch.setattr("outreach.shared.WORTH", 0.0)
    monkeypatch.setattr("outreach.shared.STANDS", 3600.0)
    desk = site.desk
    desk.campaign()
    desk.write()
    desk.write()
    desk.send()
    looks = []
    take = live.take
    monkeypatch.setattr(live, "take", lambda *a, **k: looks.append(1) or take(*a, **k))
    watching = site.signed_in(Role.VIEWER)
    tag = watching.get(f"{LIVE}now").headers["etag"]
    with asked(desk.database) as statements:
        for _ in range(5):
            rest = watching.get(f"{LIVE}now", headers={"if-none-match": tag})
            assert rest.status_code == 304 and int(rest.headers["x-look-again"]) <= 5
    selects = [s for s in statements if s.lstrip().startswith("SELECT")]
    assert len(looks) == 1 and 5 <= len(selects) <= 5 * 4, selects
    desk.action("pause")
    paused = watching.get(f"{LIVE}now", headers={"if-none-match": tag})
    assert paused.status_code == 200 and len(looks) == 2, "a lever"
    desk.action("resume")
    desk.write()
    assert watching.get(f"{LIVE}now").status_code == 200 and len(looks) == 3, "a letter"
    monkeypatch.setattr("outreach.shared.STANDS", 0.0)
    assert watching.get(f"{LIVE}now").status_code == 200 and len(looks) == 4, "and time alone, in the end"


def test_letters_are_for_those_who_may_read_them_and_mailboxes_for_fewer(site: DeskSite) -> None:
    desk = site.desk
    desk.campaign()
    desk.write(channel="fax", name="Jane Secret", email="jane@secret.example")
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, pages=1))
    letter = desk.letter()
    where = f"{LIVE}letters/{letter.id}"
    for role, reads, mailbox in ((Role.VIEWER, False, False), (Role.MODERATOR, True, False), (Role.ORGANIZER, True, True)):
        client = site.signed_in(role)
        listed, one = client.get(f"{LIVE}letters?state=delivered&channel=fax"), client.get(where)
        assert (listed.status_code == 200) == (one.status_code == 200) == reads
        if reads:
            assert "Jane Secret" in listed.text and "jane@" not in listed.text and where in listed.text
            assert ("jane@secret.example" in one.text) == mailbox and "secret.example, " in one.text
            assert "arrived, 1 page" in text_of(one.text) and "please keep the bus" in one.text
    assert site.signed_in(Role.OWNER).get(f"{LIVE}letters?state=delivered&channel=email").text.count("No letter fits.") == 1


def test_states_stand_in_elements_of_their_own_and_a_held_letter_is_not_held_for_being_confirmed(site: DeskSite) -> None:
    """Bare words in the grid of a state would fall into the column of its sign, which is narrower than any of them."""
    site.desk.campaign(moderation="all")
    site.desk.set(confirm="email")
    site.desk.signed(name="Jane Held")
    shown = {role: re.findall(r"<li class=\"is-\w+\">(.*?)</li>", site.signed_in(role).get(LIVE).text, re.S)
             for role in (Role.VIEWER, Role.MODERATOR)}
    assert len(shown[Role.VIEWER]) == len(shown[Role.MODERATOR]) == 1
    assert shown[Role.VIEWER][0].rstrip().endswith("<span>held</span>")
    assert shown[Role.MODERATOR][0].rstrip().endswith(">held</a>")
    client = site.signed_in(Role.MODERATOR)
    pages = client.get(f"{LIVE}letters").text, client.get(f"{LIVE}letters/{site.desk.letter().id}").text
    for page in pages:
        assert "Jane Held" in page and "onfirmed it" not in page


def test_a_faxs_picture_is_drawn_and_odd_addresses_are_no_page(site: DeskSite) -> None:
    site.desk.campaign()
    letter = site.desk.letter(site.desk.write(channel="fax"))
    client = site.signed_in(Role.MODERATOR)
    drawn = client.get(f"{LIVE}letters/{letter.id}/1.png")
    assert drawn.content.startswith(b"\x89PNG") and drawn.headers["cache-control"] == "no-store"
    for odd in (f"{letter.id}/2.png", f"{letter.id}/x.png", f"{letter.id}/0.png", "nobody", "%00", "..%2f..%2fetc"):
        assert client.get(f"{LIVE}letters/{odd}").status_code == 404, odd
    for odd in ("?state=x&target=%00&q=%00%ff", "?after=%00&reason=%27", f"?after={'z' * 500}", "?q=" + "q" * 5000):
        assert client.get(f"{LIVE}letters{odd}").status_code == 200, odd


def test_with_many_lanes_those_that_matter_are_shown_and_the_others_on_demand(site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from outreach.web.desk import live as page
    from tests.services.helpers import COUNCIL

    monkeypatch.setattr(page, "MOST", 3)
    offices = tuple(replace(COUNCIL, id=f"office-{i}", name=f"Office number {i}", email=(f"o{i}@city.example",)) for i in range(7))
    site.desk.campaign(targets=offices)
    for _ in range(2):
        site.desk.write(targets=("office-6",))
    site.desk.write(targets=tuple(t.id for t in offices))
    client = site.signed_in(Role.OWNER)
    few = client.get(LIVE).text
    lanes = few[few.index('id="live-lanes"'):few.index('id="live-time"')]
    assert "Office number 6" in lanes and "Office number 5" not in lanes
    assert f'<a href="{LIVE}?all=yes">Show the 4 others too</a>' in lanes
    every = client.get(f"{LIVE}?all=yes").text
    assert all(f"Office number {i}" in every[every.index('id="live-lanes"'):every.index('id="live-time"')] for i in range(7))
    assert "all=yes" in every[every.index("/now?by="):][:60], "and stays so when the page looks again"
