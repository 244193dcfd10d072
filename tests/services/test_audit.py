"""The audit log: what concerns a campaign's addresses stands in the campaign's log too, and all of it can be read and taken away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from outreach.cli import app
from outreach.db import reading
from outreach.domain.letters import Reason
from outreach.errors import NotFound
from outreach.models import Address, table
from outreach.services import audit_log, blocks, campaigns, pauses, proposals
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

WHO = "operator@desk.example"
ELSEWHERE = replace(COUNCIL, email=("mayor@elsewhere.example",))


@pytest.fixture
def two(desk: Desk) -> Desk:
    """Two campaigns that write to the commissioner, and one that does not."""
    desk.campaign()
    desk.campaign("day-bus")
    desk.campaign("far-bus", targets=(ELSEWHERE,))
    return desk


def log_of(slug: str | None) -> list[tuple[str, str]]:
    """What it says since the campaigns were made, the oldest first."""
    campaign_id = None if slug is None else campaigns.get(slug).id
    rows = [r for r in audit_log.page(campaign_id).rows if r.what.startswith("address")]
    return [(r.what, r.detail) for r in reversed(rows)]


def address_id(value: str, channel: str) -> int:
    a = table(Address)
    with reading() as c:
        return int(c.execute(select(a.c.id).where(a.c.value == value, a.c.channel == channel)).scalar_one())


def test_what_the_operator_does_to_an_address_stands_in_the_log_of_each_campaign_that_has_it(two: Desk) -> None:
    value = "commissioner@transit.example"
    blocks.block_address(value, "asked us to", now=two.now, who=WHO)
    blocks.unblock_address(value, now=two.now, who=WHO)
    blocks.pin_limit(value, "3/hour", now=two.now, who=WHO)
    blocks.suspect_address(address_id("+14165550133", "fax"), Reason.VOICE, now=two.now)
    expected = [("address blocked", f"{value}: asked us to"), ("address unblocked", value), ("address limit", f"{value}: 3/hour"),
                ("address suspect", f"+14165550133: {Reason.VOICE.value}")]
    assert log_of("night-bus") == log_of("day-bus") == expected
    assert log_of("far-bus") == []
    operators = [r for r in audit_log.page(None).rows if r.what.startswith("address")]
    assert len(operators) == 3 * len(expected) and {r.slug for r in operators} == {None, "night-bus", "day-bus"}
    assert {r.who for r in operators} == {WHO, "outreach"}


def test_approvals_and_refusals_stand_there_too(two: Desk) -> None:
    for value, decide in (("new@transit.example", lambda n: proposals.approve(n, now=two.now, who=WHO)),
                          ("other@transit.example", lambda n: proposals.refuse(n, "a private one", now=two.now, who=WHO))):
        proposals.propose([("email", value)], now=two.now, who="owner@night-bus.example")
        two.campaign(targets=(replace(COMMISSIONER, email=(value,)),))
        decide(address_id(value, "email"))
    assert log_of("night-bus") == [("address approved", "new@transit.example"), ("address refused", "other@transit.example: a private one")]
    assert log_of("day-bus") == []


def test_the_log_is_filtered_by_who_and_what(two: Desk) -> None:
    pauses.pause("everything", now=two.now, who=WHO)
    pauses.resume("everything", now=two.now, who="100%@desk.example")
    assert [r.who for r in audit_log.page(None, who="OPERATOR@").rows] == [WHO]
    assert [r.who for r in audit_log.page(None, who="100%").rows] == ["100%@desk.example"], "no pattern"
    assert len(audit_log.page(None, what="everything").rows) == 0 < len(audit_log.page(None, what="pause").rows)


def test_the_command_prints_all_of_it_or_a_campaigns(two: Desk) -> None:
    pauses.pause("everything", now=two.now, who=WHO)
    blocks.block_address("commissioner@transit.example", "asked us to", now=two.now, who=WHO)
    text = CliRunner().invoke(app, ["audit"]).output
    assert "asked us to" in text and "paused" in text and WHO in text
    rows = [json.loads(line) for line in CliRunner().invoke(app, ["audit", "--campaign", "night-bus", "--json"]).output.splitlines()]
    assert rows[0].keys() == {"at", "who", "what", "campaign", "detail"}
    assert (rows[0]["what"], rows[0]["campaign"], rows[0]["who"]) == ("address blocked", "night-bus", WHO)
    assert {r["campaign"] for r in rows} == {"night-bus"}
    with pytest.raises(NotFound):
        raise CliRunner().invoke(app, ["audit", "--campaign", "nothing"]).exception or AssertionError
