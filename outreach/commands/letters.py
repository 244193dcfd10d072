"""`outreach letter resolve|retry`: what an organizer knows of a letter, or wants tried again."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach.domain.letters import Reason
from outreach.errors import NotAllowed
from outreach.services import inquiries, retries

app = typer.Typer(no_args_is_help=True, help="Letters of unknown outcome, and failed ones that shall be tried again.")


@app.command()
def resolve(letter_id: Annotated[str, typer.Argument(help="The letter's id, from `outreach letters SLUG --unknown`.")],
            sent: Annotated[bool, typer.Option("--sent", help="It arrived, or is on its way.")] = False,
            resend: Annotated[bool, typer.Option("--resend", help="Send it again, even if it may arrive twice.")] = False) -> None:
    """Say what became of a letter of which nobody could find out."""
    if sent == resend:
        raise NotAllowed("say one of --sent and --resend")
    typer.echo(f"{letter_id}: now {inquiries.resolve(letter_id, 'sent' if sent else 'resend').value}")


@app.command()
def retry(slug: Annotated[str, typer.Argument(help="The campaign's slug.")],
          reason: Annotated[str, typer.Option(help="Only those that failed for this reason, e.g. busy.")] = "") -> None:
    """Queue a campaign's failed letters again, with all their tries before them."""
    try:
        wanted = Reason(reason) if reason else None
    except ValueError as e:
        raise NotAllowed(f"{reason!r} is no reason; `outreach letters {slug}` shows those of its letters") from e
    done = retries.retry(slug, wanted)
    left = f"; {done.left} left as they are (taken back, erased, or their place is taken)" if done.left else ""
    typer.echo(f"{slug}: {done.queued} queued again{left}{'; more are left: run it again to go on' if done.more else ''}")
