"""The page behind the mail that asks a writer again: what is asked, and the button that answers."""

from __future__ import annotations

from dataclasses import replace

from outreach.db import utcnow
from outreach.domain.campaign import LetterText
from outreach.services import campaigns, changes
from tests.web.conftest import Site
from tests.web.test_over import SLUG, mailed


def test_the_mailed_page_asks_and_its_button_answers(site: Site) -> None:
    where = site.send()
    link = mailed(where)
    site.client.post(f"{link}/confirm")
    spec = campaigns.spec_of(SLUG)
    campaigns.store_campaign(replace(spec, letter=LetterText("New", spec.letter.body)), now=utcnow(), waiting=changes.Waiting.ASK)
    asked = site.client.get(link).text
    assert "Shall your letter still go?" in asked and "Request to keep the night bus" in asked and f'action="{link}/confirm"' in asked
    assert "One more step" in asked and "Waits until you say whether it shall still go." in asked
    bare = site.client.get(where).text
    assert "We have asked you by mail" in bare and "/confirm" not in bare and "six digits" not in bare
    assert site.client.post(f"{link}/confirm").status_code == 303
    assert "Shall your letter still go?" not in site.client.get(link).text
    assert {x["state"] for x in site.client.get(f"{where}.json").json()["letters"]} == {"queued"}
