"""Preview, download and own mail: the letter as it would go, for whoever does not (yet) send it from here."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

from outreach.db import utcnow
from outreach.services import campaigns
from tests.web.conftest import Site

PNG = re.compile(r'src="data:image/png;base64,([^"]+)"')


def test_the_preview_of_a_fax_is_its_page_with_the_text_beside_it(site: Site) -> None:
    answer = site.client.post("/c/keep-the-night-bus/preview", data=site.form(channel="fax", targets=["commissioner"]))
    assert answer.status_code == 200
    pictures = PNG.findall(answer.text)
    assert len(pictures) == 1 and base64.b64decode(pictures[0]).startswith(b"\x89PNG")
    assert "I ask you to keep the night bus." in answer.text and "Jane Doe" in answer.text


def test_the_preview_of_an_e_mail_shows_its_heads_and_copy(site: Site) -> None:
    page = site.client.post("/c/keep-the-night-bus/preview", data=site.form()).text
    for words in ("commissioner@transit.example", "copies@nightbus.example", "council@transit.example", "via Open Letters Desk"):
        assert words in page, words


def test_own_words_are_data_in_the_preview(site: Site) -> None:
    page = site.client.post("/c/keep-the-night-bus/preview", data=site.form(
        subject="{{ 7 * 7 }}", body="Dear [salutation], {{ supporter.email }} #read(\"x\") <b>x</b> [your name]")).text
    assert "{{ 7 * 7 }}" in page and "{{ supporter.email }}" in page
    assert "Dear Commissioner," in page and "Jane Doe" in page and "<b>x</b>" not in page


def test_an_emptied_letter_is_not_shown_as_the_campaigns(site: Site) -> None:
    for emptied in ({"subject": "", "body": ""}, {"body": ""}, {"subject": ""}):
        answer = site.client.post("/c/keep-the-night-bus/preview", data=site.form(**emptied))
        assert answer.status_code == 422 and "I ask you to keep the night bus." not in answer.text


def test_the_preview_has_the_answers_that_a_confirmed_letter_will_have(open_site: Callable[..., Site]) -> None:
    """A campaign may ask for confirmation where its operator does not."""
    site = open_site(CONFIRM="none")
    assert "jane@supporter.example" not in site.client.post("/c/keep-the-night-bus/preview", data=site.form()).text
    Path("bus.toml").write_text('confirm = "email"\n' + Path("bus.toml").read_text())
    campaigns.import_campaign(Path("bus.toml"), now=utcnow())
    page = site.client.post("/c/keep-the-night-bus/preview", data=site.form()).text
    assert "jane@supporter.example" in page and "was not verified" not in page


def test_an_empty_form_can_be_previewed_and_downloaded(site: Site) -> None:
    assert site.client.post("/c/keep-the-night-bus/preview", data={}).status_code == 200
    answer = site.client.post("/c/keep-the-night-bus/letter.pdf", data={"name": "Jane Doe"})
    assert answer.status_code == 200 and answer.content.startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"


def test_the_link_to_one_s_own_mail_has_the_copy_filled_in(site: Site) -> None:
    page = site.client.get("/c/keep-the-night-bus").text
    assert 'href="mailto:commissioner@transit.example?cc=copies%40nightbus.example&amp;subject=' in page
