"""Campaigns in the database: importing, moving between states, addresses shared by all. On SQLite and on Postgres."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from outreach.errors import CampaignFileInvalid, Conflict, NotAllowed, NotFound
from outreach.models import Address, AuditEntry, Campaign, CampaignVersion, Lane, Target, TargetAddress
from outreach.services import campaigns
from outreach.settings import get_settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BUS = '''slug = "night-bus"
title = "Keep the night bus"
summary = "s"
deadline = 2027-01-22T17:00:00-05:00
inbox = "copies@nightbus.example"
[letter]
subject = "Keep the bus"
body = "Dear {{ target.salutation }}, please. {{ supporter.name }}"
[[target]]
id = "commissioner"
name = "Transit Commissioner"
timezone = "America/Toronto"
hours = "always"
email = ["commissioner@transit.example", "office@transit.example"]
fax = ["+1 416 555 0133"]
phone = ["+1 416 555 0100"]
limits = { email = "20/hour", fax = "6/hour" }
[[target]]
id = "mayor"
name = "Mayor"
email = ["mayor@town.example"]
'''


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load(text: str = BUS, *, now: datetime = NOW) -> campaigns.ImportResult:
        file = tmp_path / "campaign.toml"
        file.write_text(text, encoding="utf-8")
        return campaigns.import_campaign(file, now=now)
    return load


def rows(database: Engine, chosen: Any) -> list[Any]:
    with database.connect() as c:
        return list(c.execute(chosen))


def count(database: Engine, table: Any) -> int:
    return int(rows(database, select(func.count()).select_from(table))[0][0])


def asleep(database: Engine) -> None:
    with database.begin() as c:
        c.execute(update(Lane).values(next_wake_at=None))


def awake(database: Engine) -> set[str]:
    return {r.value for r in rows(database, select(Address.value).join(Lane, Lane.address_id == Address.id).where(
        Lane.next_wake_at.is_not(None)))}


# --- import

def test_an_import_makes_a_draft_with_targets_addresses_and_lanes(database: Engine, load: Any) -> None:
    result = load()
    assert (result.created, result.version, result.state, result.changes) == (True, 1, "draft", ("new campaign",))
    row = campaigns.get("night-bus")
    assert (row.state, row.revision, row.on_unknown, row.deadline) == ("draft", 1, "hold", datetime(2027, 1, 22, 22, tzinfo=UTC))
    assert row.fingerprint_key is not None
    assert len(row.fingerprint_key) == 32
    assert "fingerprint_key" not in repr(row)
    commissioner, mayor = campaigns.targets_of(row.id)
    assert (commissioner.key, commissioner.timezone, commissioner.hours) == ("commissioner", "America/Toronto", "always")
    assert [(a.channel, a.value, a.rank, a.limits, a.state) for a in commissioner.addresses if a.channel == "email"] == [
        ("email", "commissioner@transit.example", 0, "20/hour", "ok"), ("email", "office@transit.example", 1, "20/hour", "ok")]
    assert {(a.channel, a.value, a.limits) for a in commissioner.addresses if a.channel != "email"} == {
        ("fax", "+14165550133", "6/hour"), ("phone", "+14165550100", "")}
    assert [a.value for a in mayor.addresses] == ["mayor@town.example"]
    lanes = rows(database, select(Address.value, Lane.queue).join(Lane, Lane.address_id == Address.id))
    assert {(r.value, r.queue) for r in lanes} == {
        ("commissioner@transit.example", "email"), ("office@transit.example", "email"), ("+14165550133", "fax"),
        ("mayor@town.example", "email")}
    assert rows(database, select(Address.id).where(Address.value == "copies@nightbus.example", Address.channel == "email"))
    assert [r.what for r in rows(database, select(AuditEntry.what))] == ["campaign imported"]


def test_the_same_content_again_changes_nothing(database: Engine, load: Any) -> None:
    load()
    before = {t: count(database, t) for t in (CampaignVersion, Target, Address, TargetAddress, Lane, AuditEntry)}
    again = load("# a remark\n" + BUS, now=LATER)
    assert (again.created, again.changed, again.version) == (False, False, 1)
    assert {t: count(database, t) for t in before} == before
    assert campaigns.get("night-bus").revision == 1


def test_changed_content_is_a_new_version_and_stable_ids_keep_their_targets(database: Engine, load: Any) -> None:
    load()
    first = campaigns.get("night-bus")
    ids = {t.key: t.id for t in campaigns.targets_of(first.id)}
    changed = BUS.replace("Keep the night bus", "Save the night bus").replace('name = "Mayor"', 'name = "The Mayor"').replace(
        'email = ["commissioner@transit.example", "office@transit.example"]', 'email = ["office@transit.example", "new@transit.example"]')
    result = load(changed, now=LATER)
    assert (result.version, result.changes) == (2, ("title changed", "2 targets changed: commissioner, mayor"))
    row = campaigns.get("night-bus")
    assert (row.title, row.revision, row.fingerprint_key) == ("Save the night bus", 2, first.fingerprint_key)
    commissioner, mayor = campaigns.targets_of(row.id)
    assert {commissioner.key: commissioner.id, mayor.key: mayor.id} == ids
    assert mayor.name == "The Mayor"
    assert [(a.value, a.rank) for a in commissioner.addresses if a.channel == "email"] == [
        ("office@transit.example", 0), ("new@transit.example", 1)]
    assert campaigns.spec_of_version(first.version_id).title == "Keep the night bus"
    assert campaigns.spec_of_version(row.version_id).title == "Save the night bus"


def test_a_dropped_target_becomes_inactive_and_may_come_back(database: Engine, load: Any) -> None:
    load()
    row = campaigns.get("night-bus")
    without = BUS[:BUS.index('[[target]]\nid = "mayor"')]
    assert load(without).changes == ("1 target dropped: mayor",)
    assert [t.key for t in campaigns.targets_of(row.id)] == ["commissioner"]
    assert [(t.key, t.active) for t in campaigns.targets_of(row.id, dropped=True)] == [("commissioner", True), ("mayor", False)]
    assert load().changes == ("1 target added: mayor",)
    assert [t.key for t in campaigns.targets_of(row.id)] == ["commissioner", "mayor"]
    assert count(database, Target) == 2


def test_one_inbox_is_one_inbox_whichever_campaigns_write_to_it(database: Engine, load: Any) -> None:
    load()
    load(BUS.replace("night-bus", "day-bus").replace("20/hour", "5/hour").replace("office@transit", "Office@TRANSIT"))
    one, other = (campaigns.targets_of(campaigns.get(s).id)[0].addresses for s in ("night-bus", "day-bus"))
    assert [a.id for a in one] == [a.id for a in other]
    assert {a.limits for a in one if a.channel == "email"} == {"20/hour"}
    assert {a.limits for a in other if a.channel == "email"} == {"5/hour"}
    keys = {campaigns.get(s).fingerprint_key for s in ("night-bus", "day-bus")}
    assert len(keys) == 2


def test_a_file_with_mistakes_stores_nothing(database: Engine, load: Any) -> None:
    with pytest.raises(CampaignFileInvalid):
        load(BUS.replace("20/hour", "20/hour, half/day"))
    assert (count(database, Campaign), count(database, Address), count(database, AuditEntry)) == (0, 0, 0)


def test_two_imports_at_once_make_one_campaign(database: Engine, tmp_path: Path) -> None:
    files = []
    for n in range(8):
        files.append(tmp_path / f"{n}.toml")
        files[-1].write_text(BUS if n % 2 else BUS.replace('summary = "s"', 'summary = "t"'))
    failures: list[BaseException] = []

    def run(file: Path) -> None:
        try:
            campaigns.import_campaign(file, now=NOW)
        except BaseException as e:  # a thread's error would be lost
            failures.append(e)

    threads = [threading.Thread(target=run, args=(f,)) for f in files]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert failures == []
    numbers = sorted(r.number for r in rows(database, select(CampaignVersion.number)))
    assert numbers == list(range(1, len(numbers) + 1))
    assert (count(database, Campaign), count(database, Target), campaigns.get("night-bus").revision) == (1, 2, len(numbers))


# --- states

def test_publish_pause_resume_close_move_the_campaign_and_wake_its_lanes(database: Engine, load: Any) -> None:
    load()
    assert campaigns.live(NOW) == []
    lanes = {"commissioner@transit.example", "office@transit.example", "+14165550133", "mayor@town.example"}
    revision = campaigns.get("night-bus").revision
    for action, state in (("publish", "live"), ("pause", "paused"), ("resume", "live"), ("close", "closed")):
        asleep(database)
        row = campaigns.set_state("night-bus", action, now=LATER)
        revision += 1
        assert (row.state, row.revision) == (state, revision)
        assert awake(database) == lanes
    assert (row.published_at, row.closed_at) == (LATER, LATER)
    assert [r.what for r in rows(database, select(AuditEntry.what).order_by(AuditEntry.id))] == [
        "campaign imported", "campaign: publish", "campaign: pause", "campaign: resume", "campaign: close"]


def test_an_action_taken_twice_changes_nothing_and_a_wrong_one_is_a_conflict(database: Engine, load: Any) -> None:
    load()
    for action in ("pause", "resume"):
        with pytest.raises(Conflict, match="night-bus is draft"):
            campaigns.set_state("night-bus", action, now=NOW)
    once = campaigns.set_state("night-bus", "publish", now=NOW)
    assert campaigns.set_state("night-bus", "publish", now=LATER) == once
    campaigns.set_state("night-bus", "close", now=NOW)
    for action in ("publish", "pause", "resume"):
        with pytest.raises(Conflict, match="night-bus is closed"):
            campaigns.set_state("night-bus", action, now=NOW)
    with pytest.raises(NotFound):
        campaigns.set_state("day-bus", "publish", now=NOW)


@pytest.mark.parametrize("variable", ["OUTREACH_OPERATOR_NAME", "OUTREACH_OPERATOR_ADDRESS", "OUTREACH_OPERATOR_CONTACT"])
def test_publishing_needs_to_know_who_sends(database: Engine, load: Any, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    load()
    monkeypatch.setenv(variable, " ")
    get_settings.cache_clear()
    with pytest.raises(NotAllowed, match=f"set {variable} first"):
        campaigns.set_state("night-bus", "publish", now=NOW)
    monkeypatch.setenv("OUTREACH_DEMO", "true")
    get_settings.cache_clear()
    assert campaigns.set_state("night-bus", "publish", now=NOW).state == "live"


def test_nothing_is_published_or_resumed_after_its_deadline(database: Engine, load: Any) -> None:
    load()
    late = datetime(2027, 1, 22, 22, tzinfo=UTC)
    with pytest.raises(Conflict, match="deadline passed on 2027-01-22 22:00 UTC"):
        campaigns.set_state("night-bus", "publish", now=late)
    campaigns.set_state("night-bus", "publish", now=NOW)
    assert [c.slug for c in campaigns.live(late - timedelta(seconds=1))] == ["night-bus"]
    assert campaigns.live(late) == []
    campaigns.set_state("night-bus", "pause", now=NOW)
    with pytest.raises(Conflict):
        campaigns.set_state("night-bus", "resume", now=late)


def test_a_campaign_whose_every_address_is_blocked_is_not_published(database: Engine, load: Any) -> None:
    load(BUS[:BUS.index('[[target]]\nid = "mayor"')])
    for value in ("commissioner@transit.example", "office@transit.example", "+14165550133"):
        campaigns.block_address(value, "asked us to stop", now=NOW)
    with pytest.raises(NotAllowed, match="every address of its targets is blocked"):
        campaigns.set_state("night-bus", "publish", now=NOW)
    campaigns.unblock_address("office@transit.example", now=NOW)
    assert campaigns.set_state("night-bus", "publish", now=NOW).state == "live"


def test_a_change_of_limits_on_a_live_campaign_wakes_its_lanes(database: Engine, load: Any) -> None:
    load()
    campaigns.set_state("night-bus", "publish", now=NOW)
    asleep(database)
    result = load(BUS.replace("20/hour", "30/hour"))
    assert (result.state, result.version) == ("live", 2)
    assert "commissioner@transit.example" in awake(database)
    assert campaigns.targets_of(campaigns.get("night-bus").id)[0].addresses[0].limits == "30/hour"


def test_live_campaigns_come_with_the_nearest_deadline_first(database: Engine, load: Any) -> None:
    endless = BUS.replace("deadline = 2027-01-22T17:00:00-05:00\n", "")
    for slug, text in (("b", BUS), ("a", endless), ("c", BUS.replace("2027-01-22", "2026-12-01")), ("d", BUS)):
        load(text.replace("night-bus", slug))
        if slug != "d":
            campaigns.set_state(slug, "publish", now=NOW)
    assert [c.slug for c in campaigns.live(NOW)] == ["c", "b", "a"]
    card = campaigns.live(NOW)[0]
    assert (card.title, card.summary, card.targets, card.languages) == ("Keep the night bus", "s", 2, ("en",))
    assert [r.slug for r in campaigns.list_all()] == ["d", "c", "a", "b"]


# --- export

def test_an_exported_campaign_imports_as_the_same_campaign(database: Engine, load: Any) -> None:
    load()
    text = campaigns.export("night-bus")
    assert load(text).changed is False
    load(text.replace('"night-bus"', '"day-bus"'))
    assert campaigns.export("day-bus") == text.replace('"night-bus"', '"day-bus"')
    with pytest.raises(NotFound):
        campaigns.export("no-bus")


# --- addresses

def test_a_block_holds_for_all_campaigns_and_is_seen_at_once(database: Engine, load: Any) -> None:
    load()
    load(BUS.replace("night-bus", "day-bus"))
    asleep(database)
    result = campaigns.block_address("Mayor@Town.Example", "asked us to stop", now=LATER)
    assert (result.value, result.campaigns) == ("mayor@town.example", ("day-bus", "night-bus"))
    for slug in ("night-bus", "day-bus"):
        assert campaigns.targets_of(campaigns.get(slug).id)[1].addresses[0].state == "blocked"
    assert awake(database) == {"mayor@town.example"}
    assert "mayor@town.example (Mayor) is blocked: asked us to stop" in "\n".join(load().warnings)
    campaigns.unblock_address("mayor@town.example", now=LATER)
    assert campaigns.targets_of(campaigns.get("night-bus").id)[1].addresses[0].state == "ok"
    with pytest.raises(NotFound, match="is not blocked"):
        campaigns.unblock_address("mayor@town.example", now=LATER)


def test_an_address_can_be_blocked_before_any_campaign_names_it(database: Engine, load: Any) -> None:
    assert campaigns.block_address("+1 416 555 0133", "rings a family", now=NOW).campaigns == ()
    load()
    states = {a.value: a.state for a in campaigns.targets_of(campaigns.get("night-bus").id)[0].addresses}
    assert states["+14165550133"] == "blocked"
    assert states["+14165550100"] == "ok"


@pytest.mark.parametrize("value", ["", "mayor", "a@b", "416 555 0133", "mayor@town.example; drop table"])
def test_what_is_no_address_cannot_be_blocked(database: Engine, value: str) -> None:
    with pytest.raises(NotAllowed):
        campaigns.block_address(value, "x", now=NOW)
    assert count(database, Address) == 0
