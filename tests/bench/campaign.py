"""The campaign that benchmarks send: many targets, no limits, a letter of ordinary length."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from outreach.db import utcnow
from outreach.services import campaigns

BODY = """Dear {{ target.salutation }},

I am writing {% if supporter.affiliation %}on behalf of {{ supporter.affiliation }} {% endif %}about the
night bus (file {{ campaign.reference }}).
Every night it brings four hundred people home: nurses after the late shift, cleaners before the early one, students who cannot pay
for a taxi. The budget that is to be voted on Friday would end it without a hearing, and without anything in its place.

I ask you to keep the line until the hearing that the Transit Act promises has been held, and to publish the figures on which the
proposal rests. A city that works at night has to let its people travel at night.

I would be grateful for an answer in writing.

Yours sincerely,
{{ supporter.name }}
{{ supporter.city }} {{ supporter.postal_code }}
"""


def load(folder: Path, slug: str, *, targets: int, limits: dict[str, str] | None = None, deadline: datetime | None = None,
         hours: str = "always", zone: str = "UTC") -> None:
    """Import and publish a campaign with so many targets, by e-mail; by each channel for which there are `limits`, if there are any."""
    lines = [f'slug = "{slug}"', f'title = "Keep the night bus {slug}"', 'summary = "A line that brings people home."',
             'story = "Four hundred people a night."', 'country = "CA"', 'reference = "TC-4457"',
             *([f"deadline = {deadline:%Y-%m-%dT%H:%M:%SZ}"] if deadline else []), "[letter]",
             'subject = "Request to keep the night bus, file {{ campaign.reference }}"', f'body = """{BODY}"""', "editable = true"]
    for i in range(targets):
        lines += ["[[target]]", f'id = "t{i}"', f'name = "Office {i}"', f'timezone = "{zone}"', f'hours = "{hours}"',
                  f'email = ["office{i}.{slug}@target.example"]']
        if limits and "fax" in limits:
            lines.append(f'fax = ["+1416{5550000 + i}"]')
        if limits:
            lines += ["[target.limits]", *(f'{channel} = "{said}"' for channel, said in limits.items())]
    file = folder / f"{slug}.toml"
    file.write_text("\n".join(lines) + "\n")
    campaigns.import_campaign(file, now=utcnow())
    campaigns.set_state(slug, "publish", now=utcnow())
