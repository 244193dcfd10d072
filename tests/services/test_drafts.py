"""Drafts and campaign files say the same; a circular's draft is one that `campaign import` takes once it is filled in."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from outreach.campaign_files import read_campaign, read_text, write_campaign
from outreach.commands.drafts import draft
from outreach.errors import CampaignFileInvalid, NotAllowed
from outreach.render.files import template_dir
from outreach.services import checklist, circulars, versions
from outreach.services.draft_files import check, content_of, content_of_spec, text_of
from outreach.settings import get_settings
from tests.services.helpers import COMMISSIONER, NOW, Desk

THEN = datetime(2027, 1, 12, 15, tzinfo=UTC)
CIRCULARS = sorted((Path(__file__).parents[1] / "domain" / "circulars").glob("*.[th][xt]*"))


@pytest.mark.parametrize("path", CIRCULARS, ids=lambda p: p.stem)
def test_what_is_printed_of_a_circular_is_a_campaign_file_once_its_blanks_are_filled_in(path: Path) -> None:
    text = circulars.as_file(circulars.read(path.read_text(encoding="utf-8"), now=THEN))
    values = tomllib.loads(text)
    needed = {"slug": "a-slug", "title": "A title", "summary": "s", "deadline": datetime(2027, 6, 1, 17, tzinfo=UTC),
              "inbox": "copies@readers.example", "contact": "readers@readers.example"}
    blanks = [k for k in needed if not values.get(k)]
    blanks += [f"letter.{k}" for k in ("subject", "body") if not values["letter"][k]] + ["target.name"] * (not values["target"][0]["name"])
    assert len(blanks) <= 10 and text.count("FILL IN") >= len(blanks)
    for key in ("subject", "body"):
        values["letter"][key] = values["letter"][key] or "Text"
    if not any(t.get("email") or t.get("fax") for t in values["target"]):
        values["target"][0]["email"] = ["office@ministry.example"]
    filled = {**values, **{k: values.get(k) or v for k, v in needed.items()}}
    spec, _warnings = read_text(text_of(filled), get_settings(), THEN)
    assert {a for t in spec.targets for a in (*t.email, *t.fax)}
    assert read_text(write_campaign(spec), get_settings(), THEN)[0] == spec


def test_the_command_reads_a_file_or_what_is_piped_into_it(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(draft)
    path, made = CIRCULARS[0], tmp_path / "made.toml"
    printed = CliRunner().invoke(app, [str(path)])
    piped = CliRunner().invoke(app, ["-", "--out", str(made)], input=path.read_text(encoding="utf-8"))
    assert printed.exit_code == piped.exit_code == 0
    assert made.read_text(encoding="utf-8") == printed.output and tomllib.loads(printed.output)["target"]
    assert isinstance(CliRunner().invoke(app, [str(path), "--zone", "Mars"]).exception, NotAllowed)
    assert isinstance(CliRunner().invoke(app, [str(tmp_path / "nothing")]).exception, NotAllowed)


def test_a_saved_mail_is_read_as_its_reader_would_see_it() -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ana <ana@people.example>", "Fwd: Sauvons la bibliothèque"
    mail.set_content("Écrivez à: minister@ministry.example\n" + "é" * 200, cte="base64")
    mail.add_alternative("<p>Écrivez</p>", subtype="html")
    found = circulars.read(circulars.text_of_mail(mail.as_string()), now=THEN)
    assert found.content["title"] == "Sauvons la bibliothèque"
    assert [t["email"] for t in found.content["target"]] == [["minister@ministry.example"]]


@pytest.mark.parametrize("text", ["From: a\nContent-Type: multipart/mixed\n\n--x", "Subject: x\nMIME-Version: 1\nContent-Type: text/plain; "
                                  "charset=nonsense\nContent-Transfer-Encoding: base64\n\n=", "Note: this is no mail", ""])
def test_what_is_no_whole_mail_stays_as_it_is(text: str) -> None:
    assert isinstance(circulars.read(circulars.text_of_mail(text), now=THEN).content, dict)


def test_old_encodings_are_read() -> None:
    for raw in (b"caf\xe9", "café".encode(), "café".encode("utf-16"), b"\xef\xbb\xbfcaf\xc3\xa9"):
        assert circulars.text_of_bytes(raw) == "café"


@pytest.mark.parametrize("folder", sorted(p.parent for p in template_dir().glob("campaigns/*/campaign.toml")), ids=lambda p: p.name)
def test_a_campaign_goes_through_a_draft_without_loss(folder: Path) -> None:
    spec, _ = read_campaign(folder, get_settings(), NOW)
    content = content_of_spec(spec)
    assert check(content, NOW).spec == spec
    assert check(content_of(text_of(content), NOW), NOW).spec == spec


VALUES = st.recursive(st.text() | st.integers(-10**6, 10**6) | st.booleans() | st.floats(),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)
NAMES = st.sampled_from(["slug", "title", "story", "deadline", "fields", "letter", "call", "target", "fr", "languages", "x y", "goal"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_a_draft_holds_can_be_written_read_again_and_checked(content: dict[str, object]) -> None:
    try:
        plain = content_of(text_of(content), NOW)
    except CampaignFileInvalid:  # half a surrogate pair: no file has it, and no form can post it
        return
    assert content_of(text_of(plain), NOW) == plain
    assert check(plain, NOW).spec is None or "slug" in plain


def test_what_differs_between_two_versions_is_told_field_by_field(desk: Desk) -> None:
    desk.campaign()
    old = versions.spec_of(1, 1)
    letter = replace(old.letter, body=old.letter.body.replace("please keep the bus.", "please keep the bus.\nIt is late."))
    moved = replace(COMMISSIONER, name="Commissioner of Transit", fax=())
    found = {d.where: d for d in versions.between(old, replace(old, letter=letter, targets=(moved,), goal=50))}
    assert ("added", "It is late.") in found["letter, body"].lines
    assert (found["goal"].before, found["goal"].after, found["goal"].kind) == ("", "50", "added")
    assert found["target commissioner, name"].after == "Commissioner of Transit"
    assert found["target commissioner, fax"].kind == found["target council, email"].kind == "removed"
    assert not versions.between(old, old)


@pytest.mark.parametrize(("answer", "done"), [(True, True), (False, False), (None, False)])
def test_the_inbox_is_reachable_when_a_name_server_says_so(desk: Desk, answer: bool | None, done: bool) -> None:
    from outreach.services import drafts, publishing
    from outreach.services.access import Visitor

    campaign = desk.campaign()
    visitor = Visitor(1, "ana@people.example", "", False, "", False)
    draft = drafts.of_campaign(campaign, visitor)
    checked = publishing.ready(draft, desk.now)
    draft = checklist.look_up(draft, publishing.spec_of(checked), lambda _domain: answer, who="ana", now=desk.now)
    (item,) = [i for i in checklist.items(draft, checked, visitor, now=desk.now, first=False) if i.key == "inbox"]
    assert item.done is done


@pytest.mark.parametrize(("body", "fields", "open_points"), [
    ("I live in {{ supporter.city }} and write.", {}, {"holes"}),
    ("I live in {{ supporter.city }} and write.", {"city": "required"}, set()),
    ("{% if supporter.city %}I live in {{ supporter.city }}.{% endif %}\nWell?", {}, set()),
    ("Yours,\n{{ supporter.name }}\n{{ supporter.city }}", {}, set()),
    ("It is [number] years, or ____.", {}, {"blanks"})])
def test_the_check_list_tells_of_holes_that_a_letter_would_have(body: str, fields: dict[str, str], open_points: set[str]) -> None:
    content = {"slug": "bus", "title": "Bus", "summary": "Bus.", "fields": fields, "letter": {"subject": "Bus", "body": body},
               "target": [{"name": "Mayor", "fax": ["+14165550142"], "timezone": "America/Toronto"}]}
    spec = check(content, NOW).spec
    assert spec is not None
    assert {i.key for i in checklist.gaps(spec) if not i.done} == open_points
    assert checklist.hours(spec).done
    assert not checklist.hours(replace(spec, targets=(replace(spec.targets[0], timezone="UTC"),))).done
