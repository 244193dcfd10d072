"""How long a form's fields may be, and which names are addresses in disguise."""

from __future__ import annotations

import pytest

from outreach.domain.campaign import LetterText
from outreach.errors import FormInvalid
from outreach.render.text import editable_text
from outreach.services import campaigns, forms
from tests.services.helpers import Desk


def test_the_longest_letter_that_a_campaign_may_have_can_be_sent_and_edited(desk: Desk) -> None:
    desk.campaign(letter=LetterText("S" * 250, ("A sentence of the letter. " * 900)[:19_900] + "\n\n{{ supporter.name }}"))
    first = editable_text(campaigns.spec_of("night-bus"), "en")
    desk.signed(subject=first.subject, body=first.body)
    desk.signed(subject=first.subject, body=first.body.replace("sentence", "phrase", 1))
    assert desk.states() == ["queued", "queued"]
    with pytest.raises(FormInvalid) as caught:
        desk.write(body=first.body + "x" * 300)
    assert caught.value.errors == {"body": forms.TOO_LONG}


def test_the_campaigns_own_text_is_never_too_long(desk: Desk) -> None:
    desk.campaign(letter=LetterText("S" * 249 + " {{ campaign.title }}", "Please. {{ supporter.name }}"))
    first = editable_text(campaigns.spec_of("night-bus"), "en")
    assert len(first.subject) > forms.LIMITS["subject"]
    desk.signed(subject=first.subject, body=first.body)
    assert desk.states() == ["queued"]


@pytest.mark.parametrize("name", ["Visit pills.ca", "Jo evil.de", "spam.co.uk Jo", "Jo EVIL.DE"])
def test_a_name_that_holds_a_web_address_is_refused(desk: Desk, name: str) -> None:
    desk.campaign(letter=LetterText("S", "{{ supporter.name }} {{ supporter.affiliation }}"))
    for field in ("name", "affiliation"):
        with pytest.raises(FormInvalid) as caught:
            desk.write(**{field: name})
        assert list(caught.value.errors) == [field]


@pytest.mark.parametrize("name", ["J. R. Smith", "St. John", "Dr. Ana", "Acme Inc.", "J.R.R. Tolkien", "Jane Doe Ph.D."])
def test_a_name_with_abbreviations_is_a_name(desk: Desk, name: str) -> None:
    desk.campaign()
    desk.signed(name=name, affiliation=name)
    assert desk.states() == ["queued"]
