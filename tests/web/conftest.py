"""The real application over a database of its own, with an invented campaign; nothing is sent, the lanes just fill."""

from __future__ import annotations

import html.parser
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.tables import empty_tables

CAMPAIGN = '''
slug = "keep-the-night-bus"
title = "Keep the night bus"
summary = "The last bus home is to be cut."
story = """First.

Second with [a link](https://bus.example/).

Third.

## Fourth

Fifth. ![picture](https://tracker.example/x.png) <script>alert(1)</script>"""
deadline = 2031-01-24T17:00:00-05:00
inbox = "copies@nightbus.example"
languages = ["en", "fr"]
country = "CA"
reference = "TC-4457"
contact = "Night Bus Riders, info@nightbus.example, +1 416 555 0111"
accent = "#ffe680"
fields = { street = "optional", phone = "off", city = "required" }
[letter]
subject = "Request to keep the night bus, file {{ campaign.reference }}"
body = """
Dear {{ target.salutation }},

{% if supporter.affiliation %}on behalf of {{ supporter.affiliation }} {% endif %}I ask you to keep the night bus.

{{ supporter.name }}
{{ supporter.city }}"""
editable = true
[fr.letter]
subject = "Demande de maintien du bus de nuit"
body = "{{ target.salutation }}, gardez le bus de nuit. {{ supporter.name }}, {{ supporter.city }}"
[call]
script = "My name is {{ supporter.name }}. Keep the bus."
[[target]]
id = "commissioner"
name = "Transit Commissioner"
salutation = "Commissioner"
source_url = "https://transit.example/contact"
timezone = "America/Toronto"
hours = "always"
email = ["commissioner@transit.example"]
fax = ["+1 416 555 0133"]
phone = ["+1 416 555 0100"]
[[target]]
id = "council"
name = "City Council"
source_url = "https://council.example/contact"
timezone = "America/Toronto"
hours = "always"
email = ["council@transit.example"]
'''


class _Fields(html.parser.HTMLParser):
    """The one form that has an e-mail field, read as a plain client reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and a.get("name") and (a.get("type") not in ("checkbox", "radio") or "checked" in a):
            self.forms[-1].setdefault(a["name"], []).append(a.get("value", "on"))
        elif tag == "textarea":
            self._area = a["name"]
            self.forms[-1][self._area] = [""]

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1][self._area][0] += data


def form_of(page: str) -> dict[str, list[str]]:
    """The fields of the page's letter form with their values."""
    parser = _Fields()
    parser.feed(page)
    return next(f for f in parser.forms if "email" in f)


@dataclass
class Site:
    """The application, and what a supporter does with it."""

    client: TestClient
    slug: str = "keep-the-night-bus"

    def form(self, **changes: str | list[str]) -> dict[str, list[str]]:
        fields = form_of(self.client.get(f"/c/{self.slug}").text)
        person: dict[str, str | list[str]] = {"name": "Jane Doe", "email": "jane@supporter.example", "city": "Toronto", "consent": "yes"}
        return fields | {k: [v] if isinstance(v, str) else v for k, v in (person | changes).items()}

    def send(self, **changes: str | list[str]) -> str:
        """Send the form; returns the status page's path."""
        answer = self.client.post(f"/c/{self.slug}", data=self.form(**changes))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


def _start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str]) -> Site:
    from outreach.app import create_app
    from outreach.db import engine, utcnow
    from outreach.services import campaigns
    from outreach.settings import get_settings

    for name in [n for n in os.environ if n.startswith("OUTREACH_")]:
        monkeypatch.delenv(name)
    known = {"DATA_DIR": str(tmp_path / "var"), "PUBLIC_URL": "http://testserver", "OPERATOR_NAME": "Open Letters Desk",
             "SECRET_KEY": "4b2f1c9e8a7d6053f1e2d3c4b5a69788", "OPERATOR_ADDRESS": "1 Test Street",
             "OPERATOR_CONTACT": "operator@letters.example",
             "MAIL_FROM": "letters@letters.example", "FAX_FROM": "+14165550199", "TWILIO_AUTH_TOKEN": "token-of-a-test",
             "TWILIO_ACCOUNT_SID": "AC0", "FAX_TRANSPORT": "twilio", "EMAIL_TRANSPORT": "smtp"}
    for name, value in (known | settings).items():
        monkeypatch.setenv(f"OUTREACH_{name}", value)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    engine.cache_clear()
    empty_tables(engine())
    (tmp_path / "bus.toml").write_text(CAMPAIGN)
    campaigns.import_campaign(tmp_path / "bus.toml", now=utcnow())
    campaigns.set_state("keep-the-night-bus", "publish", now=utcnow())
    return Site(TestClient(create_app(), follow_redirects=False, raise_server_exceptions=False, client=("127.0.0.1", 50000)))


@pytest.fixture
def open_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts the application with settings of the test's own."""
    from outreach.db import engine
    from outreach.settings import get_settings

    yield lambda **settings: _start(monkeypatch, tmp_path, settings)
    engine().dispose()
    engine.cache_clear()
    get_settings.cache_clear()


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    """The application as most operators run it: mailboxes are confirmed."""
    return open_site()
