"""The people who write: through the real submit, and some through the page's form, until they are answered."""

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
from tests.chaos.scene import HALT, LATE, Scene

PATIENCE = 180
"""Seconds that a supporter goes on trying."""
BROUGHT = {"email": 6, "fax": 2, HALT: 12}
"""Letters that are written where a blow waits for its chance."""
REPEATS = 0.04
"""How many of the forms are followed by one that somebody sends a second time."""


class Crowd:
    """Who writes. `answered` are the mailboxes whose form was taken: each must have its letters in the end."""

    def __init__(self, form: Form, seed: int, folder: Path, url: str) -> None:
        self.form, self.folder, self.url = form, folder, url
        self.chance = random.Random(seed)
        self.people = 0
        self.answered: list[dict[str, Any]] = []
        self._firsts: list[tuple[str, list[str], str]] = []
        """Who has written once: campaign, targets, mailbox."""
        self.http = httpx.Client(trust_env=False, timeout=10)
        self.scene = Scene(form, utcnow())
        self.targets: dict[str, list[str]] = {}
        """Keys by campaign."""

    def found(self) -> None:
        """Import and publish the campaigns."""
        for slug, file in self.scene.write(self.folder):
            campaigns.import_campaign(file, now=utcnow())
            campaigns.set_state(slug, "publish", now=utcnow())
            self.targets[slug] = [t.key for t in campaigns.targets_of(campaigns.get(slug).id)]

    def begin(self) -> None:
        """Letters of the campaigns that will be stopped, or end by their deadline, more than can go until then; more faxes than lines."""
        for slug in (LATE, HALT):
            for _ in range(self.form.special):
                self._one(slug, "email", self.chance.sample(self.targets[slug], 1), by_form=False)

        for number in self.targets["fax"][:2 * self.form.lines]:
            self._one("fax", "fax", [number], by_form=False)

    def bring(self, kind: str) -> None:
        """A few more letters for workers of this kind, or of the campaign that is about to be stopped."""
        if kind == "notice":
            for _ in range(3):
                self.repeat()
        for _ in range(BROUGHT.get(kind, 0)):
            slug = {"email": "bus", HALT: HALT}.get(kind, "fax")
            self._one(slug, "fax" if slug == "fax" else "email", self.chance.sample(self.targets[slug], 1), by_form=False)

    def repeat(self) -> None:
        """Somebody who has written sends another form for the same offices: no second letter comes of it, but a mail that says so."""
        if self._firsts:
            slug, targets, email = self._firsts.pop(self.chance.randrange(len(self._firsts)))
            self._by_service(slug, "email", targets, email)

    def write(self, letters: int) -> None:
        """So many letters, of people who have not written before."""
        while letters > 0:
            channel = "fax" if self.chance.random() < self.form.faxes else "email"
            slug = self.chance.choice(("fax", "wire") if channel == "fax" else ("bus", "tram"))
            chosen = self.chance.sample(self.targets[slug], 1 if channel == "fax" else min(letters, self.chance.randint(1, 3)))
            self._one(slug, channel, chosen, by_form=self.chance.random() < self.form.by_form)
            letters -= len(chosen)
            if self.chance.random() < REPEATS:
                self.repeat()

    def _one(self, slug: str, channel: str, targets: list[str], *, by_form: bool) -> None:
        self.people += 1
        email = f"person{self.people}@people.example"
        if by_form:
            self._by_form(slug, channel, targets, email)
        else:
            self._by_service(slug, channel, targets, email)
            if slug in ("bus", "tram"):
                self._firsts.append((slug, targets, email))
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
