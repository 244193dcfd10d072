"""`outreach campaign …` and `outreach address …` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from outreach.commands.campaign import address_app, app
from outreach.errors import CampaignFileInvalid, NotFound

READY_MADE = Path(__file__).resolve().parents[2] / "templates" / "campaigns"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_ready_made_campaign_goes_from_file_to_live_and_back_to_file(database: Engine, tmp_path: Path) -> None:
    assert "let-irena-stay: imported as a draft" in run("import", str(READY_MADE / "let-irena-stay")).output
    assert "nothing has changed (version 1, draft)" in run("import", str(READY_MADE / "let-irena-stay")).output
    assert "is now live" in run("publish", "let-irena-stay").output
    assert "was already live" in run("publish", "let-irena-stay").output
    assert "is now paused" in run("pause", "let-irena-stay").output
    assert "is now live" in run("resume", "let-irena-stay").output
    listed = json.loads(run("list", "--json").output)
    assert [(c["slug"], c["state"]) for c in listed] == [("let-irena-stay", "live")]
    assert "let-irena-stay" in run("list").output
    out = tmp_path / "exported.toml"
    run("export", "let-irena-stay", "--out", str(out))
    assert out.read_text() == run("export", "let-irena-stay").stdout
    assert "nothing has changed" in run("import", str(out)).output
    assert "is now closed" in run("close", "let-irena-stay").output


def test_warnings_go_to_stderr_and_mistakes_are_raised_for_the_command_line_to_print(database: Engine, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('slug = "a"\ntitle = "A"\n[letter]\nsubject = "s"\nbody = "b"\n[[target]]\nname = "N"\nemail = ["n@n.example"]\n')
    assert "inbox: is missing" in run("import", str(file)).stderr
    file.write_text(file.read_text().replace("subject", "subjekt"))
    with pytest.raises(CampaignFileInvalid, match=r"c\.toml:4: letter\.subjekt: no such key; did you mean 'subject'\?"):
        run("import", str(file))
    with pytest.raises(NotFound):
        run("publish", "b")


def test_a_preview_shows_each_letter_and_writes_mail_and_fax_pages(database: Engine, tmp_path: Path) -> None:
    shown = run("preview", str(READY_MADE / "let-irena-stay")).output
    assert "To: Officer H. Brandt (e-mail removals.office@port-ellery.example, fax +14165550142, fax +14165550143)" in shown
    assert "file PE-2231-0417" in shown
    assert "Alex Example" in shown
    assert "{{" not in shown
    run("import", str(READY_MADE / "clean-water-for-lake-orsa"))
    assert run("preview", "clean-water-for-lake-orsa").output.count("Subject: ") == 2
    folder = tmp_path / "out"
    run("preview", str(READY_MADE / "let-irena-stay"), "--out", str(folder))
    assert {p.name for p in folder.iterdir()} >= {
        "removals-officer.txt", "removals-officer.html", "removals-officer.pdf", "removals-officer.1.png"}
    assert (folder / "removals-officer.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "removals-officer.1.png").read_bytes().startswith(b"\x89PNG")


def test_addresses_are_blocked_and_unblocked(database: Engine) -> None:
    run("import", str(READY_MADE / "clean-water-for-lake-orsa"))
    blocked = CliRunner().invoke(address_app, ["block", "Minister@Environment.example", "--reason", "asked"])
    assert blocked.output == "minister@environment.example: blocked; written to by clean-water-for-lake-orsa\n"
    assert "no longer blocked" in CliRunner().invoke(address_app, ["unblock", "minister@environment.example"]).output
