"""What somebody does in a browser who makes a campaign: fill in a part's form, tick the check-list, publish."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from outreach.models import Organizer, table
from outreach.services import terms
from tests.web.desk.conftest import DeskSite

CIRCULAR = Path(__file__).parents[2] / "domain" / "circulars" / "removal.txt"
TEN = {"title": "Keep the library", "summary": "It is to close.", "deadline.date": "2031-01-24", "deadline.time": "17:00",
       "deadline.zone": "America/Toronto", "contact": "Readers, info@readers.example", "inbox": "copies@readers.example",
       "target[1].name": "School board", "target[1].email": "board@schools.example", "target[1].source_url": "https://schools.example/board",
       "letter.subject": "Keep it open", "letter.body": "Dear {{ target.salutation }},\r\n\r\nkeep it.\r\n\r\n{{ supporter.name }}"}


on_one = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For pages whose SQL other tests run on both databases."""


class Fields(html.parser.HTMLParser):
    """What a browser would post of a page's form with this action."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.inside, self.area, self.choice = action, False, "", ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.inside = a.get("action", "").endswith(self.action)
        if not self.inside or (tag == "option" and "selected" not in a):
            return
        if tag == "input" and a.get("name") and (a.get("type") not in ("checkbox", "radio") or "checked" in a):
            self.fields[a["name"]] = a.get("value", "on")
        elif tag == "textarea":
            self.area = a["name"]
            self.fields[self.area] = ""
        elif tag == "select":
            self.choice = a["name"]
            self.fields[self.choice] = ""
        elif tag == "option":
            self.fields[self.choice] = a.get("value", "?")

    def handle_endtag(self, tag: str) -> None:
        self.area = "" if tag == "textarea" else self.area

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area] += data[1:] if not self.fields[self.area] and data.startswith("\n") else data


def form(client: TestClient, path: str, action: str, **changes: str) -> dict[str, str]:
    page = client.get(path)
    assert page.status_code == 200, page.text
    parser = Fields(action)
    parser.feed(page.text)
    return parser.fields | changes


def person(desk_site: DeskSite, *, operator: bool = False, email: str = "ana@people.example") -> TestClient:
    """Somebody signed in who has accepted the terms; not in any campaign."""
    client = desk_site.signed_in(None, operator=operator, email=email)
    desk_site.desk.change(Organizer, table(Organizer).c.email == email, accepted_terms=terms.VERSION)
    return client


def began(client: TestClient, source: str = "nothing", **fields: str) -> str:
    answer = client.post("/o/new", data={"from": source, **fields})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].split("?")[0])


def saved(client: TestClient, path: str, part: str, **changes: str) -> None:
    fields = form(client, path if part.startswith("target/") else f"{path}?part={part}", "/save", **changes)
    answer = client.post(f"{path.partition('/target/')[0]}/save", data=fields)
    assert answer.status_code == 303, re.sub(r"<[^>]+>|\s+", " ", answer.text)


def ticked(client: TestClient, base: str, what: str) -> str:
    """Press the check-list's button; returns what it says."""
    revision = form(client, f"{base}/check", "/tick")["revision"]
    client.post(f"{base}/tick", data={"what": what, "on": "yes", "revision": revision})
    return client.get(f"{base}/check").text


def published(client: TestClient, base: str, **more: str) -> str:
    """Publish; returns what the desk says then."""
    answer = client.post(f"{base}/publish", data=form(client, f"{base}/check", "/publish") | {"do": "online", "anyway": "yes", **more})
    assert answer.status_code == 303, re.sub(r"<[^>]+>|\s+", " ", answer.text)
    return client.get(answer.headers["location"]).text
