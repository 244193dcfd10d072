"""A campaign changes while letters wait: the organizer chooses what becomes of them, and is told of how many first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outreach.commands.campaign import app
from outreach.domain.campaign import LetterText
from outreach.models import AuditEntry, CampaignVersion
from outreach.services import blocks, campaigns
from outreach.services.campaign_import import ImportResult
from outreach.services.changes import Waiting
from tests.services.helpers import COMMISSIONER, COUNCIL, LETTER, NOW, Desk, mail_of
from tests.services.test_stop import everything

NEW_TEXT = LetterText("Keep the night tram", LETTER.body)


def change(desk: Desk, waiting: Waiting = Waiting.SEND, *, dry_run: bool = False, **new: Any) -> ImportResult:
    """Import a new version of the campaign as `Desk.campaign` made it, with these differences."""
    spec = replace(campaigns.spec_of("night-bus"), **new)
    return campaigns.store_campaign(spec, now=desk.now, waiting=waiting, dry_run=dry_run)


def test_what_was_written_is_sent_as_it_was_written_unless_something_else_is_chosen(desk: Desk) -> None:
    desk.campaign()
    desk.signed()
    result = change(desk, letter=NEW_TEXT)
    assert result.letters == ("1 letter waits and will be sent as written",)
    desk.signed()
    desk.send()
    assert sorted(str(mail_of(m)["Subject"]) for m in desk.sink.mails) == ["Keep the night bus", "Keep the night tram"]


def test_waiting_letters_can_be_cancelled(desk: Desk) -> None:
    desk.campaign()
    sent = desk.signed()
    desk.send()
    queued, unconfirmed = desk.signed(), desk.write()
    result = change(desk, Waiting.CANCEL, letter=NEW_TEXT)
    assert result.letters == ("2 letters cancelled",)
    assert {(desk.letter(t).state, desk.letter(t).reason) for t in (queued, unconfirmed)} == {("cancelled", "organizer")}
    assert desk.letter(sent).state == "sent"
    assert desk.submission(unconfirmed).state == "expired"  # there is nothing left to confirm
    assert desk.send() == 0
    assert desk.counts_agree()
    desk.signed(email=desk.submission(queued).email)  # and the place at the target is free for a new letter
    assert desk.send() == 1


def test_an_address_concerns_the_letters_to_its_target_only(desk: Desk) -> None:
    desk.campaign()
    there, elsewhere = desk.signed(), desk.signed(targets=("council",))
    new = (replace(COMMISSIONER, email=("office@transit.example",)), COUNCIL)
    result = change(desk, Waiting.CANCEL, targets=new)
    assert result.letters == ("1 letter cancelled",)
    assert (desk.letter(there).state, desk.letter(elsewhere).state) == ("cancelled", "queued")


def test_a_new_address_is_told_with_how_many_letters_move_there(desk: Desk) -> None:
    desk.campaign()
    desk.signed(), desk.write(), desk.signed(channel="fax")
    result = change(desk, targets=(replace(COMMISSIONER, email=("office@transit.example",), fax=()), COUNCIL))
    assert result.letters == ("3 letters wait and will be sent as written", "2 letters moved to another address of the same target",
                              "1 letter ended: no address is left")


@pytest.mark.parametrize("new", [{"summary": "other"}, {"endorsers": ("Riders",)},
                                 {"targets": (replace(COMMISSIONER, role="Chair"), COUNCIL)}])
def test_what_does_not_concern_letters_leaves_them_alone(desk: Desk, new: dict[str, Any]) -> None:
    desk.campaign()
    token = desk.signed()
    result = change(desk, Waiting.CANCEL, **new)
    assert (result.changed, result.letters) == (True, ())
    assert desk.letter(token).state == "queued"


def test_a_later_deadline_says_how_many_come_back_and_none_do_where_they_are_to_be_cancelled(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(hours=2))
    desk.signed(), desk.signed()
    desk.later(hours=3)
    desk.sweep()
    assert desk.states() == ["expired"] * 2
    assert change(desk, Waiting.CANCEL, deadline=NOW + timedelta(hours=4)).letters == ()
    assert desk.states() == ["expired"] * 2
    assert change(desk, deadline=NOW + timedelta(days=2)).letters == (
        "2 letters that the deadline had ended wait again", "2 letters wait and will be sent as written")
    assert desk.states() == ["queued"] * 2
    assert desk.counts_agree()


def test_an_earlier_deadline_is_told_and_ends_what_has_not_gone_by_then(desk: Desk) -> None:
    desk.campaign()
    token = desk.signed()
    result = change(desk, deadline=NOW + timedelta(hours=1))
    assert result.letters[-1] == "the deadline is earlier now: what has not gone by then expires"
    desk.later(hours=1)
    assert desk.send() == 0
    desk.sweep()
    assert (desk.letter(token).state, desk.letter(token).reason) == ("expired", "deadline_passed")
    change(desk, deadline=NOW + timedelta(hours=2))
    assert desk.send() == 1


def test_a_deadline_that_comes_back_does_not_send_to_an_address_that_was_blocked_meanwhile(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(hours=1))
    token = desk.signed()
    desk.later(hours=2)
    desk.sweep()
    blocks.block_address("commissioner@transit.example", "asked us to", now=desk.now)
    result = change(desk, deadline=NOW + timedelta(days=2))
    assert "1 letter ended: no address is left" in result.letters
    assert (desk.letter(token).state, desk.letter(token).reason) == ("failed", "address_blocked")
    assert desk.send() == 0
    assert desk.counts_agree()


def test_a_paused_campaign_brings_letters_back_and_sends_them_when_it_goes_on(desk: Desk) -> None:
    desk.campaign(deadline=NOW + timedelta(hours=1))
    desk.signed()
    desk.later(hours=2)
    desk.sweep()
    desk.action("pause")
    change(desk, deadline=NOW + timedelta(days=2))
    assert desk.states() == ["queued"]
    assert desk.send() == 0
    desk.action("resume")
    assert desk.send() == 1


def test_a_dry_run_says_it_all_and_changes_nothing(desk: Desk) -> None:
    desk.campaign()
    desk.signed(), desk.write()
    before = everything()
    told = change(desk, Waiting.CANCEL, dry_run=True, letter=NEW_TEXT, title="New")
    assert (told.version, told.changes, told.letters) == (2, ("title, letter changed",), ("2 letters cancelled",))
    assert everything() == before
    assert change(desk, Waiting.CANCEL, letter=NEW_TEXT, title="New") == told


def test_a_dry_run_of_a_new_campaign_leaves_none(desk: Desk) -> None:
    desk.campaign()
    spec = replace(campaigns.spec_of("night-bus"), slug="day-bus")
    assert campaigns.store_campaign(spec, now=desk.now, dry_run=True).created
    assert [c.slug for c in campaigns.list_all()] == ["night-bus"]
    assert len(desk.rows(CampaignVersion)) == 1


def test_the_command_shows_what_becomes_of_letters(desk: Desk, tmp_path: Path) -> None:
    desk.campaign(deadline=None, targets=(COUNCIL,))
    desk.signed(targets=("council",))
    file = tmp_path / "campaign.toml"
    file.write_text(campaigns.export("night-bus").replace("Keep the night bus", "Keep the night tram"))
    run = CliRunner()
    shown = run.invoke(app, ["import", str(file), "--waiting", "cancel", "--dry-run"])
    assert "night-bus: nothing is stored; this would happen:" in shown.output and "  1 letter cancelled" in shown.output
    assert desk.states() == ["queued"]
    assert "nothing would change" in run.invoke(app, ["import", str(_as_it_is(tmp_path)), "--dry-run"]).output
    done = run.invoke(app, ["import", str(file), "--waiting", "cancel"])
    assert "night-bus: version 2 (live): title, letter changed\n  1 letter cancelled\n" in done.output
    assert desk.states() == ["cancelled"]
    assert "1 letter cancelled" in desk.rows(AuditEntry)[-1].detail
    assert run.invoke(app, ["import", str(file), "--waiting", "keep"]).exit_code == 2


def _as_it_is(folder: Path) -> Path:
    file = folder / "same.toml"
    file.write_text(campaigns.export("night-bus"))
    return file
