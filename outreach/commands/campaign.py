"""`outreach campaign …` and `outreach address …`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from outreach.commands import drafts
from outreach.db import utcnow
from outreach.errors import NotAllowed
from outreach.services import blocks, bundling, campaigns, pauses, stops
from outreach.services.changes import Waiting

app = typer.Typer(no_args_is_help=True, help="Import, publish, pause, stop and look at campaigns.")
address_app = typer.Typer(no_args_is_help=True, help="Addresses to which nothing is sent, whichever campaign asks.")

Slug = Annotated[str, typer.Argument(help="The campaign's slug.")]
REMINDER = ("make sure that the person or family concerned wants this, knows what the page says, and that it is online now; the desk's "
            "check-list asks for it, this command only writes into the audit log that it did not")
SET_ANYWAY = 4
"""With more bundles than these their pages are set only for whoever asks to see them: it takes about a second each."""
OneTarget = Annotated[str, typer.Option("--target", metavar="ID", help="Only one of its targets, by its id in the file.")]

app.command()(drafts.draft)


@app.command("import")
def import_(path: Annotated[Path, typer.Argument(help="A folder with a campaign.toml, or one TOML file.")],
            waiting: Annotated[Waiting, typer.Option(help="Where text, deadline or addresses change: send what waits as it was written, "
                                                     "ask its writers again, or cancel it.")] = Waiting.SEND,
            dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, to how many letters.")] = False) -> None:
    """Store a campaign, or what has changed in it. Lists every mistake with its line."""
    result = campaigns.import_campaign(path, now=utcnow(), waiting=waiting, dry_run=dry_run)
    for warning in result.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if dry_run:
        typer.echo(f"{result.slug}: nothing is stored; this would happen:" if result.changed else f"{result.slug}: nothing would change")
        for line in (*result.changes, *result.letters):
            typer.echo(f"  {line}")
        return
    if result.created:
        typer.echo(f"{result.slug}: imported as a draft; `outreach campaign publish {result.slug}` puts it online")
    elif result.changed:
        typer.echo(f"{result.slug}: version {result.version} ({result.state}): {'; '.join(result.changes)}")
        for line in result.letters:
            typer.echo(f"  {line}")
    else:
        typer.echo(f"{result.slug}: nothing has changed (version {result.version}, {result.state})")


@app.command()
def export(slug: Slug, out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None) -> None:
    """Print the campaign as TOML that can be imported again."""
    text = campaigns.export(slug)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"{slug}: written to {out}")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False) -> None:
    """All campaigns, the newest first."""
    rows = campaigns.list_all()
    if as_json:
        typer.echo(json.dumps([_summary(row) for row in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        typer.echo("no campaigns yet; `outreach campaign import FOLDER` makes one")
    for row in rows:
        until = f"until {row.deadline:%Y-%m-%d %H:%M} UTC" if row.deadline else "no deadline"
        typer.echo(f"{row.slug:30} {row.state:8} {until:26} {row.title}")


def _summary(row: campaigns.CampaignRow) -> dict[str, Any]:
    return {"slug": row.slug, "state": row.state, "title": row.title, "deadline": row.deadline and row.deadline.isoformat(),
            "published_at": row.published_at and row.published_at.isoformat()}


def _move(slug: str, action: str, *, agreed: bool | None = None) -> bool:
    """Whether it is another state than before."""
    before = campaigns.get(slug).state
    row = campaigns.set_state(slug, action, now=utcnow(), agreed=agreed)
    if row.state == "live" and before != "live":
        for warning in campaigns.publishing_warnings(slug):
            typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{slug}: {'was already' if row.state == before else 'is now'} {row.state}")
    return row.state != before


@app.command()
def publish(slug: Slug) -> None:
    """Put a draft online: supporters can send. The desk's check-list is not asked here."""
    if _move(slug, "publish", agreed=False):
        typer.echo(f"reminder: {REMINDER}", err=True)


@app.command()
def pause(slug: Slug, target: OneTarget = "",
          reason: Annotated[str, typer.Option(help="With --target: why; shown by `outreach pauses`.")] = "") -> None:
    """Send nothing more and take no new letters, until resumed. What waits keeps its place.

    With --target only that target's letters wait; the page goes on taking them.
    """
    if target:
        changed = pauses.pause_target(slug, target, now=utcnow(), why=reason)
        typer.echo(f"{slug}, {target}: {'is now' if changed else 'was already'} paused")
    else:
        _move(slug, "pause")


@app.command()
def resume(slug: Slug, target: OneTarget = "") -> None:
    """Go on after a pause."""
    if target:
        changed = pauses.resume_target(slug, target, now=utcnow())
        typer.echo(f"{slug}, {target}: {'goes on' if changed else 'was not paused'}")
    else:
        _move(slug, "resume")


@app.command()
def stop(slug: Slug,
         outcome: Annotated[str, typer.Option(help=f"What it came to: {', '.join(stops.OUTCOMES)}.", show_default=False)] = "",
         message: Annotated[str, typer.Option(help="What supporters read on all its pages, in the campaign's language.")] = "",
         undo: Annotated[bool, typer.Option("--undo", help="Within ten minutes: all is as it was.")] = False) -> None:
    """They have decided: hand nothing over any more, cancel what waits, and thank instead of asking.

    Nothing more starts within 5 seconds. For ten minutes it can be undone; then everything that waits is cancelled for good. Once
    more with other words replaces the words.
    """
    if undo:
        if outcome or message:
            raise NotAllowed("--undo takes neither an outcome nor a message")
        row = stops.undo(slug, now=utcnow())
        typer.echo(f"{slug}: is {row.state} again, as if it had not been stopped")
        return
    row = stops.stop(slug, outcome, message, now=utcnow())
    if row.final_at and row.state == "stopped":
        typer.echo(f"{slug}: is stopped; `outreach campaign stop {slug} --undo` brings all of it back until "
                   f"{row.final_at:%Y-%m-%d %H:%M:%S} UTC, then what waits is cancelled")
    else:
        typer.echo(f"{slug}: ended before; its pages now say what you wrote")


@app.command()
def close(slug: Slug) -> None:
    """End a campaign for good."""
    _move(slug, "close")


@app.command()
def preview(name: Annotated[str, typer.Argument(metavar="SLUG|PATH", help="An imported campaign, or a folder or file that need not be.")],
            out: Annotated[Path | None, typer.Option(help="Write text, mail and fax pages into this folder.")] = None) -> None:
    """Show the letters as their targets would get them, from an invented supporter. Sends nothing."""
    from outreach.services.previews import as_text, previews, write_previews

    now = utcnow()
    spec, found = previews(name, now=now)
    if out is None:
        typer.echo(("\n" + "-" * 72 + "\n\n").join(as_text(p) for p in found))
        return
    for path in write_previews(spec, found, out, now=now):
        typer.echo(str(path))


@app.command()
def bundle(slug: Slug, target: OneTarget = "",
           preview: Annotated[Path | None, typer.Option(metavar="FILE.pdf", help="Write the pages that would go out.")] = None,
           send: Annotated[bool, typer.Option("--send", help="Do it: it goes as the next hand-over there.")] = False,
           undo: Annotated[bool, typer.Option("--undo", help="Take apart what has not been handed over yet.")] = False) -> None:
    """What would miss the deadline, as one hand-over: a cover, the names, each one's own words. Without an option it only says so."""
    if undo:
        if send or preview:
            raise NotAllowed("--undo goes alone or with --target")
        typer.echo(f"{slug}: {bundling.undo(slug, target=target)} letters go one by one again")
        return
    found = bundling.plans(slug, target=target)
    if not found:
        typer.echo(f"{slug}: no letter would miss the deadline")
    for plan in found:
        paper = bundling.preview(plan) if not plan.why_not and (preview or len(found) <= SET_ANYWAY) else None
        _tell(plan, paper)
        if preview and paper:
            path = preview if len(found) == 1 else preview.with_stem(f"{preview.stem}-{plan.lane.target}-{plan.lane.channel.value}")
            path.write_bytes(paper)
            typer.echo(f"  {path}")
    if len(found) > SET_ANYWAY and not preview:
        typer.echo("With --target or --preview it says how many pages each has: they are set then.")
    if send:
        for plan in bundling.send(slug, target=target):
            typer.echo(f"{plan.lane.name} at {plan.lane.address}: {plan.letters} letters "
                       f"{'were added to the bundle that waits' if plan.joins else 'are one hand-over now'}")


def _size(paper: bytes | None) -> str:
    from outreach.render.pages import page_count

    return "" if paper is None else ", 1 page in all" if (pages := page_count(paper)) == 1 else f", {pages} pages in all"


def _tell(plan: bundling.Plan, paper: bytes | None) -> None:
    typer.echo(f"{plan.lane.name} at {plan.lane.address}: {plan.lane.sentence(utcnow())}")
    if plan.why_not:
        typer.echo(f"  no bundle: {plan.why_not}")
        return
    typer.echo(f"  {plan.letters} letters would {'join the bundle that waits' if plan.joins else 'be one hand-over'}{_size(paper)}")
    if plan.unasked:
        typer.echo(f"  {plan.unasked} more are late; their writers have not agreed to go in a bundle")


@address_app.command()
def block(value: Annotated[str, typer.Argument(help="An e-mail address, or a number with +.")],
          reason: Annotated[str, typer.Option(help="Why; kept in the audit log and shown to organizers.")] = "by the operator") -> None:
    """Send nothing to an address any more."""
    _told(campaigns.block_address(value, reason, now=utcnow()), "blocked")


@address_app.command()
def unblock(value: Annotated[str, typer.Argument(help="An e-mail address, or a number with +.")]) -> None:
    """Lift a block, or the suspicion that a number is wrong."""
    _told(campaigns.unblock_address(value, now=utcnow()), "no longer blocked")


@address_app.command()
def limit(value: Annotated[str, typer.Argument(help="An e-mail address, or a number with +.")],
          limits: Annotated[str | None, typer.Argument(help='A limit such as "30/hour, 200/day", or none.')] = None,
          unpin: Annotated[bool, typer.Option("--unpin", help="Go back to what the campaigns and the ceiling say.")] = False) -> None:
    """Pin a limit to an address, in the place of every campaign's and of the ceiling."""
    if (limits is None) is not unpin:
        raise typer.BadParameter("give a limit, or --unpin")
    _told(blocks.pin_limit(value, limits, now=utcnow()), "as the campaigns and the ceiling say" if unpin else f"pinned to {limits}")


def _told(result: campaigns.BlockResult, how: str) -> None:
    where = f"; written to by {', '.join(result.campaigns)}" if result.campaigns else ""
    typer.echo(f"{result.value}: {how}{where}")
