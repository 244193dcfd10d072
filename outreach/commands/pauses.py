"""`outreach pause|resume|pauses`: what is not sent for the time being, whichever campaign asks."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from outreach.db import utcnow
from outreach.errors import NotAllowed
from outreach.services import campaigns
from outreach.services import pauses as service

Everything = Annotated[bool, typer.Option("--everything", help="All letters on all channels, and our own mails.")]
Provider = Annotated[str, typer.Option(help=f"One provider, or all of a channel: {', '.join(service.NAMES)}.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why; kept in the audit log and shown by `outreach pauses`.")]


def pause(everything: Everything = False, provider: Provider = "", reason: Why = "") -> None:
    """Hand nothing over to a provider, or to any, until resumed. Works within seconds; what waits keeps its place."""
    what = _what(everything, provider)
    typer.echo(f"{what}: {'is now paused' if service.pause(what, now=utcnow(), why=reason) else 'was already paused'}")


def resume(everything: Everything = False, provider: Provider = "") -> None:
    """Go on after such a pause."""
    what = _what(everything, provider)
    typer.echo(f"{what}: {'goes on' if service.resume(what, now=utcnow()) else 'was not paused'}")
    if rest := [row.what for row in service.listed()]:
        typer.echo(f"still paused: {', '.join(rest)}", err=True)


def pauses(as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False) -> None:
    """All that is paused now: everything, channels, providers, targets, and whole campaigns."""
    rows: list[dict[str, str | None]] = [{"kind": r.kind, "what": r.what, "since": r.at.isoformat(), "who": r.who, "why": r.why}
                                         for r in service.listed()]
    rows += [{"kind": "campaign", "what": c.slug, "since": None, "who": None, "why": None}
             for c in campaigns.list_all() if c.state == "paused"]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        typer.echo("nothing is paused")
    for row in rows:
        since = f"since {row['since'][:16].replace('T', ' ')} UTC by {row['who']}" if row["since"] and row["who"] else ""
        typer.echo(f"{row['kind']:10} {row['what']:30} {since}  {row['why'] or ''}".rstrip())


def _what(everything: bool, provider: str) -> str:
    if everything == bool(provider):
        raise NotAllowed("say what: --everything, or --provider with one of " + ", ".join(service.NAMES))
    return service.EVERYTHING if everything else provider
