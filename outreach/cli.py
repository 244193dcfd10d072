"""The `outreach` command. Errors that a person can mend are printed as one text, without a traceback."""

from __future__ import annotations

import sys

import typer

from outreach import files, logs
from outreach.commands import audit, campaign, erase, exports, letters, pauses, people, run, truth
from outreach.errors import OutreachError
from outreach.settings import get_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Personal letters to decision makers by e-mail and fax: paced, sent once, with receipts.")
app.add_typer(campaign.app, name="campaign")
app.add_typer(campaign.address_app, name="address")
app.add_typer(letters.app, name="letter")
app.add_typer(exports.app, name="export")
app.add_typer(people.organizer_app, name="organizer")
app.add_typer(truth.receipts_app, name="receipts")
for command in (run.up, run.demo, run.web, run.worker, run.ticker, run.migrate, truth.stats, truth.letters, truth.sweep, truth.doctor,
                truth.send_test, erase.erase, pauses.pause, pauses.resume, pauses.pauses, audit.audit):
    app.command()(command)


def main() -> None:
    """Entry point of the console script. Exits 1 for errors of use, 0 otherwise."""
    files.close_to_others()
    try:
        logs.configure(get_settings().log_level)
        app()
    except OutreachError as e:
        print(e, file=sys.stderr)
        sys.exit(1)
