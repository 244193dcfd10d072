"""`outreach erase`: the operator forgets a mailbox over all campaigns, or one submission."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from outreach.cli import app
from outreach.db import engine
from outreach.errors import NotAllowed, NotFound
from outreach.models import AuditEntry
from outreach.settings import get_settings
from tests.services.helpers import Desk
from tests.services.test_privacy import PLANTED, traces


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_mailbox_is_forgotten_over_all_campaigns(desk: Desk) -> None:
    desk.campaign()
    desk.campaign("day-bus")
    gone = desk.signed(**PLANTED)
    desk.send()
    waiting = desk.signed("day-bus", **PLANTED)
    other = desk.signed("day-bus")
    told = run("erase", " Planted@people.example").output
    assert "2 submissions erased" in told
    assert "1 letter cancelled" in told
    assert "1 letter cannot be recalled" in told
    assert traces(desk) == []
    assert desk.letter(waiting).state == "cancelled"
    assert desk.letter(gone).state == "sent"
    assert desk.letter(gone).withdrawn_at is not None
    assert (desk.letter(other).state, desk.submission(other).erased_at) == ("queued", None)
    entries = [e for e in desk.rows(AuditEntry) if e.what == "personal data erased"]
    assert len(entries) == 1
    assert "planted" not in entries[0].detail.lower()
    assert "0 submissions erased" in run("erase", "planted@people.example").output


def test_one_submission_is_forgotten_by_its_id(desk: Desk) -> None:
    desk.campaign()
    token, other = desk.signed(**PLANTED), desk.signed()
    assert "1 submission erased" in run("erase", "--submission", desk.submission(token).id).output
    assert traces(desk) == []
    assert desk.submission(other).name == "Jane Doe"


def test_erase_wants_one_thing_that_exists(desk: Desk) -> None:
    for arguments in ((), ("not an address",), ("a@b.example", "--submission", "x")):
        with pytest.raises(NotAllowed):
            run("erase", *arguments)
    with pytest.raises(NotFound):
        run("erase", "--submission", "nothing")


def test_figures_and_letters_call_a_target_by_its_id(desk: Desk) -> None:
    desk.campaign()
    desk.signed()
    row = json.loads(run("stats", "night-bus", "--json").output)["targets"][0]
    assert (row["target"], row["name"]) == ("commissioner", "Transit Commissioner")
    assert json.loads(run("letters", "night-bus", "--json").output)[0]["target"] == row["target"]
    assert "Transit Commissioner by email" in run("stats", "night-bus").output


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_page_of_the_file_keeps_what_was_erased(desk: Desk) -> None:
    desk.campaign()
    for n in range(40):  # enough that whole pages become free
        desk.signed(**{**PLANTED, "email": f"planted{n}@people.example", "body": f"{PLANTED['body']} {'planted words ' * 200}"})
    file = get_settings().data_dir / "outreach.db"

    def kept() -> bool:
        with engine().connect() as c:
            c.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"planted words" in file.read_bytes()

    assert kept()
    for n in range(40):
        run("erase", f"planted{n}@people.example")
    assert not kept()
