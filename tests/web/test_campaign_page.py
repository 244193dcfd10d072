"""The supporter's page: what it shows, what its form does, and that nothing typed is lost or believed."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from outreach.campaign_files import spec_to_json
from outreach.db import reading, unit_of_work, utcnow
from outreach.models import Campaign, CampaignVersion, Letter, Report, Submission
from outreach.services import campaigns, stats
from outreach.web import supporter
from tests.conftest import eventually
from tests.web.conftest import CAMPAIGN, Site, form_of


def _count(model: type) -> int:
    with reading() as c:
        return int(c.execute(select(func.count()).select_from(model)).scalar_one())


def test_the_page_tells_who_is_asked_by_when_and_how_to_reach_them(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus").text
    for words in ("Keep the night bus", "Transit Commissioner", "City Council", "+1 416-555-0133", "tel:+14165550100",
                  "mailto:commissioner@transit.example", "Friday, 24 January 2031, 17:00", "(Toronto time)", "days left", "TC-4457"):
        assert words in page, words


def test_the_story_is_cleaned_and_asks_nobody_else_for_anything(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus").text
    assert '<a href="https://bus.example/"' in page
    assert "tracker.example" not in page and "alert(1)</script>" not in page
    assert 'src="http' not in page and 'href="//' not in page


def test_the_sheet_has_a_place_for_each_detail_and_hides_what_is_empty(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus").text
    assert '<span data-field="name" data-blank="your name" class="blank">your name</span>' in page
    assert '<span data-if="affiliation" hidden>on behalf of ' in page


def test_consents_are_three_and_none_is_ticked(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus").text
    for name in ("consent", "updates", "public_name"):
        assert f'type="checkbox" id="f-{name}" name="{name}" value="yes"' in page
    assert {"consent", "updates", "public_name"}.isdisjoint(form_of(page))


def test_the_form_starts_with_the_channel_that_reaches_everybody(site: Site) -> None:
    fields = form_of(site.client.get("/c/keep-the-night-bus").text)
    assert fields["channel"] == ["email"]
    assert fields["targets"] == ["commissioner", "council"]


def test_each_visit_gets_a_token_of_its_own_plain_or_packed(site: Site) -> None:
    one = site.client.get("/c/keep-the-night-bus", headers={"accept-encoding": "identity"})
    two = site.client.get("/c/keep-the-night-bus", headers={"accept-encoding": "gzip"})
    assert two.headers["content-encoding"] == "gzip" and "content-encoding" not in one.headers
    tokens = {form_of(one.text)["token"][0], form_of(two.text)["token"][0]}
    assert len(tokens) == 2
    assert one.text.replace(form_of(one.text)["token"][0], "") == two.text.replace(form_of(two.text)["token"][0], "")


def test_the_whole_page_weighs_at_most_60_kb_compressed(site: Site) -> None:
    total = 0
    for path in ("/c/keep-the-night-bus", "/static/outreach.css", "/static/letter.js", "/static/sheet.woff2", "/static/poster.woff2",
                 "/accent/ffe680.css", "/static/icon.svg"):
        answer = site.client.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200, path
        total += len(gzip.compress(answer.content)) if not path.endswith("woff2") else len(answer.content)
    assert total <= 60_000


def test_a_sent_form_leads_to_its_status_page(site: Site) -> None:
    where = site.send()
    assert where.startswith("/s/")
    assert site.client.get(where).status_code == 200
    assert _count(Letter) == 2


def test_a_form_sent_twice_is_one_submission(site: Site) -> None:
    fields = site.form()
    first = site.client.post("/c/keep-the-night-bus", data=fields)
    again = site.client.post("/c/keep-the-night-bus", data=fields)
    assert first.headers["location"] == again.headers["location"]
    assert _count(Submission) == 1


def test_mistakes_are_told_beside_their_fields_and_nothing_typed_is_lost(site: Site) -> None:
    fields = site.form(name="see www.spam.example", email="nobody", city="", street="1 <i> Way", consent="",
                       body="My own words, “quoted” & <b>bold</b>.")
    answer = site.client.post("/c/keep-the-night-bus", data=fields)
    assert answer.status_code == 422
    assert "<title>Error:" in answer.text and 'href="#f-email"' in answer.text and 'id="e-email"' in answer.text
    assert 'aria-describedby="e-email' in answer.text and 'aria-invalid="true"' in answer.text
    kept = form_of(answer.text)
    for name in ("name", "email", "street", "token"):
        assert kept[name] == fields[name], name
    assert kept["body"] == ["My own words, “quoted” & <b>bold</b>."]
    assert "<b>bold</b>" not in answer.text
    assert _count(Submission) == 0


def test_an_emptied_letter_is_refused_beside_its_fields_and_stays_as_it_was_typed(site: Site) -> None:
    answer = site.client.post("/c/keep-the-night-bus", data=site.form(subject="", body=" \r\n", name="Jane of the Bus"))
    assert answer.status_code == 422
    assert 'id="e-subject"' in answer.text and 'id="e-body"' in answer.text
    assert re.search(r'<details class="own-words" open>', answer.text)
    kept = form_of(answer.text)
    assert (kept["subject"], kept["body"][0].strip(), kept["name"]) == ([""], "", ["Jane of the Bus"])
    assert _count(Submission) == 0
    half = form_of(site.client.post("/c/keep-the-night-bus", data=site.form(subject="Mine", body="")).text)
    assert (half["subject"], half["body"]) == (["Mine"], [""])


def test_the_campaigns_text_can_be_put_back_with_all_else_kept(site: Site) -> None:
    offered = site.form()
    emptied = site.client.post("/c/keep-the-night-bus", data=site.form(subject="", body="", name="Jane of the Bus", street="1 Bus Way"))
    button = re.search(r'<button[^>]*name="restore" value="(\w+)" formaction="(/c/keep-the-night-bus)#write"', emptied.text)
    assert button and 'name="restore"' not in site.client.get("/c/keep-the-night-bus").text
    answer = site.client.post(button[2], data=form_of(emptied.text) | {"restore": [button[1]]})
    assert answer.status_code == 200 and "error-summary" not in answer.text and 'name="restore"' not in answer.text
    kept = form_of(answer.text)
    assert (kept["subject"], kept["body"]) == (offered["subject"], offered["body"])
    assert (kept["name"], kept["street"], kept["email"]) == (["Jane of the Bus"], ["1 Bus Way"], ["jane@supporter.example"])
    assert _count(Submission) == 0


def test_the_sheet_has_each_line_of_the_writers_address_apart(site: Site) -> None:
    page = site.client.post("/c/keep-the-night-bus", data=site.form(name="Jane Doe", email="x", city="Toronto")).text
    sender = page[page.index('<p class="from"'):page.index('<p class="to lines"')]
    name, street, town = sender.split('<span class="line"')[1:]
    assert ">Jane Doe<" in name and "hidden" in street.partition(">")[0] and ">Toronto<" in town


def test_a_client_that_leaves_the_letter_fields_out_gets_them_back_as_the_page_has_them(site: Site) -> None:
    fields = site.form(name="")
    offered = {n: fields.pop(n) for n in ("subject", "body")}
    kept = form_of(site.client.post("/c/keep-the-night-bus", data=fields).text)
    assert {n: kept[n] for n in offered} == offered
    assert site.client.post("/c/keep-the-night-bus", data=fields | {"name": ["Jane Doe"]}).status_code == 303


def test_the_list_of_mistakes_follows_the_page(site: Site) -> None:
    page = site.client.post("/c/keep-the-night-bus", data=site.form(name="", email="", city="", consent="")).text
    summary = page[page.index("error-summary"):page.index("</ul>", page.index("error-summary"))]
    places = [summary.index(f'href="#f-{name}"') for name in ("name", "email", "city", "consent")]
    assert places == sorted(places)
    for field in ("Your full name", "Your e-mail address", "Town or city"):
        assert summary.count(f"{field}: Fill this in, please.") == 1


def test_a_target_without_a_fax_is_named_as_the_trouble(site: Site) -> None:
    answer = site.client.post("/c/keep-the-night-bus", data=site.form(channel="fax"))
    assert answer.status_code == 422
    assert answer.text.count("City Council cannot be reached by fax. Choose e-mail, or take the tick from that office.") == 2
    assert site.client.post("/c/keep-the-night-bus", data=site.form(channel="fax", targets=["commissioner"])).status_code == 303


def test_an_old_form_gets_a_fresh_token_and_keeps_what_was_typed(site: Site) -> None:
    from outreach.tokens import new_form_token

    old = new_form_token(datetime.now(UTC) - timedelta(days=3))
    answer = site.client.post("/c/keep-the-night-bus", data=site.form(token=old))
    assert answer.status_code == 422
    kept = form_of(answer.text)
    assert kept["token"] != [old] and kept["name"] == ["Jane Doe"]


@pytest.mark.parametrize("action", ["pause", "close"])
def test_a_campaign_that_does_not_send_says_so_and_offers_other_ways(site: Site, action: str) -> None:
    fields = site.form()
    campaigns.set_state("keep-the-night-bus", action, now=utcnow())
    answer = site.client.post("/c/keep-the-night-bus", data=fields)
    assert answer.status_code == 409
    supporter.forget()
    page = site.client.get("/c/keep-the-night-bus").text
    for text in (answer.text, page):
        assert "letter.pdf" in text and "mailto:" in text and "tel:" in text
        assert "data-send" not in text
    assert _count(Submission) == 0


def test_after_the_deadline_the_page_says_so(site: Site) -> None:
    spec, past = campaigns.spec_of("keep-the-night-bus"), utcnow() - timedelta(minutes=1)
    with unit_of_work() as c:
        c.execute(update(CampaignVersion.__table__).values(definition=spec_to_json(replace(spec, deadline=past))))
        c.execute(update(Campaign.__table__).values(deadline=past, revision=Campaign.__table__.c.revision + 1))
    campaigns._spec.cache_clear()
    supporter.forget()
    page = site.client.get("/c/keep-the-night-bus").text
    assert "The deadline has passed" in page and "data-send" not in page


def test_a_change_to_the_campaign_shows_within_seconds(site: Site) -> None:
    assert "Sending is paused" not in site.client.get("/c/keep-the-night-bus").text
    campaigns.set_state("keep-the-night-bus", "pause", now=utcnow())
    eventually(lambda: "Sending is paused" in site.client.get("/c/keep-the-night-bus").text, seconds=240)
    page = site.client.get("/c/keep-the-night-bus").text
    assert page.index("<h1>") < page.index("Sending is paused") < page.index('id="story"')


def test_drafts_and_unknown_campaigns_are_not_there(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "draft.toml"
    file.write_text(CAMPAIGN.replace("keep-the-night-bus", "a-draft"))
    campaigns.import_campaign(file, now=utcnow())
    for path in ("/c/a-draft", "/c/no-such", "/c/%00", "/c/%F0%9F%9A%8C", "/c/" + "x" * 3000, "/c/a-draft/report"):
        answer = site.client.get(path)
        assert answer.status_code == 404, path
        assert "There is no such page" in answer.text


def test_french_is_served_to_who_asks_for_it(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus", headers={"accept-language": "de;q=0.5, fr-CA, en;q=0.1"}).text
    assert '<html lang="fr" dir="ltr">' in page and "Votre adresse électronique" in page and "gardez le bus de nuit" in page
    assert 'lang="en"' in site.client.get("/c/keep-the-night-bus?lang=en", headers={"accept-language": "fr"}).text
    answer = site.client.post("/c/keep-the-night-bus", data=site.form(name="", language="fr"))
    assert "Veuillez remplir ce champ." in answer.text


def test_a_filled_trap_and_a_missing_consent_are_refused_and_counted(site: Site) -> None:
    assert site.client.post("/c/keep-the-night-bus", data=site.form(website="https://spam.example")).status_code == 422
    assert site.client.post("/c/keep-the-night-bus", data=site.form(consent="")).status_code == 422
    assert sum(stats.stats("keep-the-night-bus")["refused"].values()) == 2


def test_live_campaigns_stand_on_the_first_page_with_the_deadline_that_their_own_page_tells(site: Site) -> None:
    page = site.client.get("/").text
    assert 'href="/c/keep-the-night-bus"' in page and "Friday 24 January 2031, 17:00 (Toronto time)" in page.replace("Friday, ", "Friday ")
    campaigns.set_state("keep-the-night-bus", "close", now=utcnow())
    assert "No campaign is running" in site.client.get("/").text


def test_the_privacy_page_is_made_of_what_campaigns_ask(site: Site) -> None:
    page = site.client.get("/privacy").text
    for words in ("copies@nightbus.example", "Transit Commissioner", "Street and number (optional)", "operator@letters.example"):
        assert words in page, words
    assert "Telephone" not in page[page.index("What each campaign asks for"):]


def test_a_report_reaches_the_operator_s_log(site: Site) -> None:
    assert site.client.post("/c/keep-the-night-bus/report", data={"reason": " "}).status_code == 422
    assert site.client.post("/c/keep-the-night-bus/report", data={"reason": "It pursues a person."}).status_code == 200
    assert _count(Report) == 1
