"""`outreach stats|letters|sweep|doctor|send-test|receipts`: what is true, and what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from outreach.db import utcnow
from outreach.services import bounces, checkup, forecast, inquiries, probes
from outreach.services import stats as figures
from outreach.services import sweep as sweeping

receipts_app = typer.Typer(no_args_is_help=True, help="Receipts that come as mail.")
Slug = Annotated[str, typer.Argument(help="The campaign's slug.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def stats(slug: Slug, as_json: AsJson = False) -> None:
    """A campaign's figures: submissions, refusals, letters by state, target and channel; what will miss the deadline."""
    found = figures.stats(slug, ahead=as_json)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"{slug}: {found['submissions']} submissions")
    for state, n in found["letters"].items():
        typer.echo(f"  {state:12} {n:8}")
    for row in found["targets"]:
        typer.echo(f"  {row['name']} by {row['channel']}: " + ", ".join(f"{n} {s}" for s, n in row["letters"].items()))
    now = utcnow()
    for lane in forecast.of_campaign(slug, now=now):
        typer.echo(f"  {lane.name} at {lane.address}: {lane.sentence(now)}")
    for reason, n in found["refused"].items():
        typer.echo(f"  refused, {reason}: {n}")


def letters(slug: Slug, as_json: AsJson = False,
            unknown: Annotated[bool, typer.Option("--unknown", help="Those of unknown outcome, with what is known.")] = False,
            ) -> None:
    """A campaign's letters, one by one, the oldest first."""
    rows = inquiries.open_questions(slug) if unknown else figures.letters(slug)
    if as_json:
        sys.stdout.write("[")
        for place, row in enumerate(rows):
            sys.stdout.write(("," if place else "") + "\n" + json.dumps(row, ensure_ascii=False))
        sys.stdout.write("\n]\n")
        return
    for row in rows:
        if unknown:
            what = "; ".join(row[k] for k in ("detail", "inquiry") if row[k]) or "no receipt so far"
            typer.echo(f"{row['id']}  {row['transport']:8} {row['started_at'][:16]} {row['target']:24} {row['address']}: {what}")
        else:
            typer.echo(f"{row['id']}  {row['state']:12} {row['channel']:6} {row['target']:24} {row['reason'] or ''}")


def sweep() -> None:
    """Repair what a dead process left half-way, at once instead of within ten seconds."""
    done = sweeping.sweep()
    for name, n in done.items():
        typer.echo(f"{name}: {n}")
    if not done:
        typer.echo("nothing to repair")


def doctor(as_json: AsJson = False) -> None:
    """Check settings, services and the database's promises. Exits 1 if something is wrong."""
    found = list(checkup.findings())
    wrong = any(f.level == "wrong" for f in found)
    if as_json:
        typer.echo(json.dumps({"ok": not wrong, "findings": [
            {"level": f.level, "what": f.what, "letters": list(f.letters)} for f in found]}, ensure_ascii=False))
    else:
        for finding in found:
            typer.echo(f"{finding.level:7} {finding}")
    if wrong:
        raise typer.Exit(1)


def send_test(to: Annotated[str, typer.Argument(help="An e-mail address of your own.")]) -> None:
    """Hand one test mail to the configured e-mail provider and say what it answered."""
    typer.echo(probes.send_test(to))


@receipts_app.callback()
def _group() -> None:
    """Keeps `receipts dsn` a sub-command while it is the only one."""


@receipts_app.command()
def dsn(file: Annotated[Path | None, typer.Argument(help="The bounce; standard input without it.")] = None) -> None:
    """Take one bounce or delivery notification (RFC 3464), e.g. from a mail server's pipe."""
    raw = file.read_bytes() if file else sys.stdin.buffer.read()
    typer.echo(f"{bounces.take_message(raw)} new")
