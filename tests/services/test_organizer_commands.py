"""`outreach organizer …` as it is typed."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner, Result

from outreach.commands.people import organizer_app
from outreach.db import utcnow
from outreach.errors import Conflict, Malformed, NotFound
from outreach.services import links, members
from tests.services.helpers import Desk

ANN, BEA = "ann@riders.example", "bea@riders.example"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(organizer_app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_people_are_let_in_listed_shut_out_and_let_in_anew(desk: Desk) -> None:
    campaign = desk.campaign()
    first = run("invite", ANN).output
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/o/login/\S+\n", first)
    run("invite", BEA.upper(), "--campaign", "night-bus", "--role", "moderator", "--mail")
    assert [(m.email, m.role) for m in members.list_of(campaign.id)] == [(BEA, "moderator")]
    assert [n.recipient for n in desk.notices()] == [BEA]
    assert [(o["email"], o["operator"], o["campaigns"], o["password"]) for o in json.loads(run("list", "--json").output)] == [
        (ANN, True, 0, False), (BEA, False, 1, False)]
    assert f"{BEA}: 1 campaign, has not begun" in run("list").output
    run("disable", ANN)
    assert "disabled" in run("list").output
    with pytest.raises(NotFound):
        links.sign_in(first.strip().rpartition("/")[2], now=utcnow())
    with pytest.raises(Conflict):
        run("invite", ANN)
    run("enable", ANN)
    token = run("reset", ANN).output.strip().rpartition("/")[2]
    assert links.sign_in(token, now=utcnow()).stage == "full"


@pytest.mark.parametrize(("arguments", "error"), [
    (("disable", "nobody@riders.example"), NotFound), (("reset", "nobody@riders.example"), NotFound), (("invite", "no address"), Malformed),
    (("invite", ANN, "--campaign", "nothing"), NotFound)])
def test_what_cannot_be_done_is_said(desk: Desk, arguments: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        run(*arguments)
