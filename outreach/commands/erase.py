"""`outreach erase`."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach.errors import NotAllowed
from outreach.services import erasures


def erase(email: Annotated[str, typer.Argument(metavar="[EMAIL]", help="A supporter's address: all campaigns.")] = "",
          submission: Annotated[str, typer.Option(help="One submission's id instead.")] = "") -> None:
    """Withdraw what still waits of a supporter and remove the personal data for good. Counts stay."""
    if bool(email.strip()) == bool(submission):
        raise NotAllowed("say whom to erase: an e-mail address, or --submission ID")
    done = erasures.submission(submission) if submission else erasures.mailbox(email.strip())
    typer.echo(f"{_many(done.submissions, 'submission')} erased, {_many(done.cancelled, 'letter')} cancelled")
    if done.gone:
        typer.echo(f"{_many(done.gone, 'letter')} cannot be recalled: gone, or under way, with the name and address in it")


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
