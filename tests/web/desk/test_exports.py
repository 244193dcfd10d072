"""The exports room: files of every kind, who may take what, and the log of it."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
from sqlalchemy import update

from outreach.db import unit_of_work
from outreach.domain.letters import Verdict
from outreach.domain.roles import Role
from outreach.models import AuditEntry, Campaign, table
from outreach.queue import QueueName
from outreach.services import archives
from tests.services.helpers import Desk
from tests.web.desk.conftest import DeskSite

BASE = "/o/c/night-bus/exports"


def faxed(desk: Desk, **changes: str) -> str:
    """A fax that was sent and received."""
    token = desk.signed(channel="fax", **changes)
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, desk.attempts()[-1], pages=1))
    desk.later(minutes=5)
    return token


def test_the_room_leads_to_every_file(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    faxed(desk_site.desk)
    client = desk_site.signed_in(Role.ORGANIZER)
    page = client.get(BASE).text
    assert "1 fax " in page
    for name, kind in (("letters.csv", "text/csv"), ("letters.jsonl", "application/x-ndjson"), ("submissions.csv", "text/csv"),
                       ("submissions.jsonl", "application/x-ndjson"), ("receipts.csv", "text/csv"),
                       ("receipts.jsonl", "application/x-ndjson"), ("faxes.zip", "application/zip"), ("report.pdf", "application/pdf")):
        assert f'href="{BASE}/{name}"' in page
        answer = client.get(f"{BASE}/{name}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert "attachment; filename*=UTF-8''night-bus-" in answer.headers["content-disposition"]
        assert len(answer.content) > 50
    assert [e.detail for e in desk_site.desk.rows(AuditEntry) if e.what == "exported"][:2] == ["letters as csv", "letters as jsonl"]
    assert [e.detail for e in desk_site.desk.rows(AuditEntry) if e.what == "exported"][-1] == "report as pdf"
    assert {e.who for e in desk_site.desk.rows(AuditEntry) if e.what == "exported"} == {"organizer@night-bus.example"}
    for name in ("letters.exe", "members.csv", "letters", ".csv", "faxes.zip?after=../x"):
        assert client.get(f"{BASE}/{name}").status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MODERATOR])
def test_it_is_closed_to_those_who_may_not_export(desk_site: DeskSite, role: Role) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(role)
    for name in ("", "/letters.csv", "/faxes.zip", "/report.pdf"):
        assert client.get(BASE + name).status_code == 403
    assert "exported" not in [e.what for e in desk_site.desk.rows(AuditEntry)]


def test_what_people_type_is_no_formula_in_a_spreadsheet(desk_site: DeskSite) -> None:
    desk = desk_site.desk
    desk.campaign()
    nasty = ("=HYPERLINK(1)", "+1 416", "-2+3", "＝1")
    tokens = [desk.write(name="Jane Doe", city=x) for x in nasty]
    assert len(tokens) == len(nasty)
    answer = desk_site.signed_in(Role.OWNER).get(f"{BASE}/submissions.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sorted(r["city"] for r in rows) == sorted(f"'{x}" for x in nasty)
    assert all(not v.startswith(("=", "+", "-", "@", "\t", "\r")) for r in rows for v in r.values())
    told = [json.loads(line) for line in desk_site.signed_in(Role.OWNER).get(f"{BASE}/submissions.jsonl").text.splitlines()]
    assert sorted(r["city"] for r in told) == sorted(nasty)  # as it was typed, for programs


def test_faxes_come_as_they_were_sent_and_erased_ones_do_not(desk_site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    from outreach.services import erasures

    monkeypatch.setattr(archives, "MOST", 2)
    desk = desk_site.desk
    desk.campaign()
    for n in range(3):
        faxed(desk, email=f"p{n}@people.example")
    erasures.mailbox("p0@people.example", now=desk.now)
    client = desk_site.signed_in(Role.OWNER)
    page = client.get(BASE).text
    assert "Faxes 1 to 2" in page
    assert "Fax 3" in page
    first = client.get(f"{BASE}/faxes.zip")
    following = first.headers["link"].partition(">")[0][1:]
    assert f'href="{following}"' in page
    index, pages = unpacked(first.content)
    assert [bool(r["file"]) for r in index] == [False, True]
    assert index[0]["note"] == archives.ERASED
    rest, further = unpacked(client.get(following).content)
    assert len(rest) == len(further) == len(pages) == 1
    assert all(p.startswith(b"%PDF") for p in (*pages, *further))
    assert {r["letter"] for r in (*index, *rest)} == {x.id for x in desk.letters()}


def unpacked(content: bytes) -> tuple[list[dict[str, str]], list[bytes]]:
    """A ZIP's index, and its PDFs."""
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert found.testzip() is None
        index = list(csv.DictReader(io.StringIO(found.read(archives.INDEX).decode("utf-8-sig"))))
        assert sorted(r["file"] for r in index if r["file"]) == sorted(n for n in found.namelist() if n != archives.INDEX)
        return index, [found.read(r["file"]) for r in index if r["file"]]


def test_another_campaigns_rows_are_never_in_it(desk_site: DeskSite) -> None:
    desk = desk_site.desk
    desk.campaign()
    desk.campaign("day-bus")
    desk.signed("night-bus", name="Nora Night")
    desk.signed("day-bus", name="Dora Day")
    client = desk_site.signed_in(Role.OWNER)
    for name in ("letters.csv", "submissions.csv", "submissions.jsonl"):
        text = client.get(f"{BASE}/{name}").text
        assert "Nora Night" in text
        assert "Dora Day" not in text


def test_a_report_is_made_of_any_campaign(desk_site: DeskSite) -> None:
    desk = desk_site.desk
    desk.campaign(title="# *Bold* $1 #import \"x\" <b>")
    client = desk_site.signed_in(Role.OWNER)
    assert client.get(f"{BASE}/report.pdf").content.startswith(b"%PDF")  # nothing has been written yet
    faxed(desk)
    with unit_of_work() as c:
        c.execute(update(table(Campaign)).values(state="closed", closed_at=desk.now, outcome="won", outcome_message="Kept."))
    assert client.get(f"{BASE}/report.pdf").content.startswith(b"%PDF")
