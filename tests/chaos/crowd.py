"""Campaigns, and the people who write: through the real submit, and some through the page's form, until they are answered."""

from __future__ import annotations

import html
import random
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from outreach.db import utcnow
from outreach.services import campaigns, submit
from outreach.services.forms import FormInput
from tests.chaos.plan import Form

INBOX = "copies@chaos.example"
LIMITS = ("5/4 seconds", "3/second, 15/12 seconds", "10/8 seconds, 90/minute")
"""Every eighth place has one of them, in both campaigns that share it."""
BODY = "Dear {{ target.salutation }},\n\nplease keep the night bus. It brings four hundred people home.\n\n{{ supporter.name }}"
PATIENCE = 180
"""Seconds that a supporter goes on trying."""


class Crowd:
    """Who writes. `answered` are the mailboxes whose form was taken: each must have its letters in the end."""

    def __init__(self, form: Form, seed: int, folder: Path, url: str) -> None:
        self.form, self.folder, self.url = form, folder, url
        self.chance = random.Random(seed)
        self.people = 0
        self.answered: list[dict[str, Any]] = []
        self.http = httpx.Client(trust_env=False, timeout=10)
        self.limits: dict[str, str] = {}
        self.targets: dict[str, list[str]] = {}
        """Keys by campaign."""

    def found(self) -> None:
        """Import and publish: two campaigns by e-mail that share places, one of them with an inbox, and one by fax."""
        mail = [f"office{i}@target.example" for i in range(self.form.mail_places)]
        limits = {m: LIMITS[(i // 8) % 3] for i, m in enumerate(mail) if i % 8 == 0}
        self.limits = limits
        self._import("bus", mail[:len(mail) * 3 // 4], "email", limits, INBOX)
        self._import("tram", mail[len(mail) // 4:], "email", limits, "")
        self._import("fax", [f"+1416555{2000 + i}" for i in range(self.form.fax_places)], "fax", {}, INBOX)

    def _import(self, slug: str, places: list[str], channel: str, limits: dict[str, str], inbox: str) -> None:
        lines = [f'slug = "{slug}"', f'title = "Keep the {slug}"', 'summary = "s"', 'story = "s"', 'country = "CA"', f'inbox = "{inbox}"',
                 "[letter]", 'subject = "Keep it"', f'body = """{BODY}"""', "editable = true"]
        for place in places:
            lines += ["[[target]]", f'id = "{slug}-{re.sub("[^0-9]", "", place)}"', f'name = "Office {slug} {place.partition("@")[0]}"',
                      'timezone = "UTC"', 'hours = "always"', 'source_url = "https://target.example/contact"', f'{channel} = ["{place}"]']
            lines += [f'limits = {{ {channel} = "{limits[place]}" }}'] if place in limits else []
        file = self.folder / f"{slug}.toml"
        file.write_text("\n".join(line for line in lines if line != 'inbox = ""') + "\n")
        campaigns.import_campaign(file, now=utcnow())
        campaigns.set_state(slug, "publish", now=utcnow())
        self.targets[slug] = [t.key for t in campaigns.targets_of(campaigns.get(slug).id)]

    def write(self, letters: int) -> None:
        """So many letters, of people who have not written before."""
        while letters > 0:
            slug = "fax" if self.chance.random() < self.form.faxes else self.chance.choice(("bus", "tram"))
            chosen = self.chance.sample(self.targets[slug], 1 if slug == "fax" else min(letters, self.chance.randint(1, 3)))
            self._one(slug, "fax" if slug == "fax" else "email", chosen)
            letters -= len(chosen)

    def _one(self, slug: str, channel: str, targets: list[str]) -> None:
        self.people += 1
        email = f"person{self.people}@people.example"
        if self.chance.random() < self.form.by_form:
            self._by_form(slug, channel, targets, email)
        else:
            self._by_service(slug, channel, targets, email)
        self.answered.append({"email": email, "slug": slug, "letters": len(targets)})

    def _by_service(self, slug: str, channel: str, targets: list[str], email: str) -> None:
        form = FormInput(token=submit.new_form_token(utcnow() - timedelta(seconds=30)), name="Jane Doe", email=email, city="Toronto",
                         targets=tuple(targets), channel=channel, consent=True)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                submit.submit(slug, form, network=None)
                return
            except Exception:  # the database is away, full or locked: the same form again
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def try_while_full(self) -> str:
        """What somebody sees who sends the form while the disk is full: either it is taken, and then kept, or told plainly that it was not.

        Returns the answer's status and heading.
        """
        self.people += 1
        email = f"person{self.people}@people.example"
        try:
            answer = self._post("bus", submit.new_form_token(utcnow() - timedelta(seconds=30)), "email",
                                self.targets["bus"][:1], email)
        except httpx.HTTPError as e:
            return type(e).__name__
        if answer.status_code == 303:
            self.answered.append({"email": email, "slug": "bus", "letters": 1})
        heading = re.search(r"<h1[^>]*>([^<]*)", answer.text)
        return f"{answer.status_code} {heading[1].strip() if heading else ''}".strip()

    def _post(self, slug: str, token: str, channel: str, targets: list[str], email: str) -> httpx.Response:
        return self.http.post(f"{self.url}/c/{slug}", headers={"origin": self.url}, data={
            "token": token, "name": "John Doe", "email": email, "city": "Toronto", "channel": channel, "targets": targets,
            "consent": "yes", "language": "en"})

    def _by_form(self, slug: str, channel: str, targets: list[str], email: str) -> None:
        """The page's form, sent again and again until it is answered; whatever was lost, it is one submission by its token."""
        token, end = "", time.monotonic() + PATIENCE
        while True:
            try:
                if not token:
                    page = self.http.get(f"{self.url}/c/{slug}").text
                    found = re.search(r'name="token"[^>]*value="([^"]+)"', page) or re.search(r'value="([^"]+)"[^>]*name="token"', page)
                    token = html.unescape(found[1]) if found else ""
                answer = self._post(slug, token, channel, targets, email)
                if answer.status_code == 303:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > end:
                raise AssertionError(f"the form of {slug} was not taken within {PATIENCE} s")
            time.sleep(0.3)
