"""`outreach organizer …`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from outreach.db import utcnow
from outreach.domain.roles import Role
from outreach.services import campaigns, invitations, organizers

organizer_app = typer.Typer(no_args_is_help=True, help="People who may use the desk.")
Email = Annotated[str, typer.Argument(help="The organizer's e-mail address.")]


@organizer_app.command()
def invite(email: Annotated[str, typer.Argument(help="Whom to let in.")],
           campaign: Annotated[str, typer.Option(metavar="SLUG", help="Make them a member of this campaign.")] = "",
           role: Annotated[Role, typer.Option(help="What they are there.")] = Role.OWNER,
           operator: Annotated[bool, typer.Option("--operator", help="Let them run the whole service.")] = False,
           mail: Annotated[bool, typer.Option("--mail", help="Send them the link, too.")] = False) -> None:
    """Print a one-time login link, good for two days. The first organizer of a service becomes its operator."""
    part = (campaigns.get(campaign).id, role.value) if campaign else None
    typer.echo(invitations.invite(email, operator=operator, campaign=part, mail=mail))


@organizer_app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False) -> None:
    """Everybody who may use the desk."""
    rows = organizers.list_all()
    if as_json:
        typer.echo(json.dumps([{
            "email": r.email, "name": r.name, "operator": r.operator, "campaigns": r.campaigns, "password": r.password is not None,
            "second_factor": r.totp_key is not None, "disabled": r.disabled_at is not None,
            "seen_at": r.seen_at and r.seen_at.isoformat()} for r in rows], ensure_ascii=False, indent=2))
        return
    for r in rows:
        words = ["operator" if r.operator else "", f"{r.campaigns} campaign{'' if r.campaigns == 1 else 's'}",
                 "" if r.password else "has not begun", "" if r.totp_key or not r.password else "no second factor",
                 "disabled" if r.disabled_at else ""]
        typer.echo(f"{r.email}: {', '.join(w for w in words if w)}")


@organizer_app.command()
def disable(email: Email) -> None:
    """Shut somebody out at once; their sessions end, their API tokens stop."""
    organizers.disable(email, now=utcnow())
    typer.echo(f"{email}: disabled; `outreach organizer enable` lets them in again")


@organizer_app.command()
def enable(email: Email) -> None:
    """Let somebody sign in again who was disabled."""
    organizers.enable(email, now=utcnow())
    typer.echo(f"{email}: enabled")


@organizer_app.command()
def reset(email: Email, mail: Annotated[bool, typer.Option("--mail", help="Send them the link, too.")] = False) -> None:
    """For somebody who lost password or second factor: forget both, end their sessions, and print a one-time link."""
    organizers.reset(email, now=utcnow())
    typer.echo(invitations.invite(email, mail=mail))
