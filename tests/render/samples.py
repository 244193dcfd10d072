"""Invented people, offices and campaigns for the rendering tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outreach.domain.campaign import CampaignSpec, LetterText, TargetSpec
from outreach.render.fax import FaxDocument
from outreach.render.text import Person, RenderedLetter

TARGET = TargetSpec(
    "commissioner",
    "Transit Commissioner",
    salutation="Commissioner",
    role="Head of Service",
    organization="City Transit",
    postal_address="City Transit\n1 Depot Road\nToronto ON  M5V 2T6",
    timezone="America/Toronto",
    fax=("+14165550133",),
)
PERSON = Person("Zoë Łukasz", "zoe@supporter.example", street="12 Sample Street", city="Toronto", postal_code="M5V 2T6")
SUBJECT = "Keep the night bus, file {{ campaign.reference }}"
BODY = """Dear {{ target.salutation }},

I write {% if supporter.affiliation %}on behalf of {{ supporter.affiliation }} {% endif %}about file {{ campaign.reference }}.

Yours sincerely,
{{ supporter.name }}
{{ supporter.affiliation }}
{{ supporter.city }}"""
NOON = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)


def campaign(body: str = BODY, subject: str = SUBJECT, **changes: Any) -> CampaignSpec:
    spec = CampaignSpec(
        "night-bus",
        "Keep the night bus",
        "…",
        "…",
        LetterText(subject, body),
        True,
        (TARGET,),
        reference="TC-4457",
        deadline=datetime(2027, 1, 22, 22, tzinfo=UTC),
        contact="Riders, info@nightbus.example",
        languages=("en", "fr"),
        translations={
            "fr": LetterText("Dossier {{ campaign.reference }}", "Bonjour {{ target.salutation }},\n\n{{ supporter.name }}")
        },
    )
    return replace(spec, **changes)


def document(letter: RenderedLetter | None = None, **changes: Any) -> FaxDocument:
    doc = FaxDocument(
        letter=letter or RenderedLetter("Keep the night bus", "Dear Commissioner,\n\nPlease keep it.\n\nZoë Łukasz"),
        person=PERSON,
        target=TARGET,
        fax_number="+14165550133",
        reference="TC-4457",
        language="en",
        stamped_at=NOON,
        sender_phone="+14165550198",
        operator_name="Night Letters",
        verify_url="https://letters.example/v/abc-123",
    )
    return replace(doc, **changes)
