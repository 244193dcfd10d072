"""`outreach audit`: who changed what."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach.render.spreadsheet import json_rows
from outreach.services import audit_log, campaigns


def audit(campaign: Annotated[str, typer.Option(metavar="SLUG", help="Only what concerns this campaign.")] = "",
          as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Who changed what, the newest first: of the whole service, or of a campaign."""
    for rows in audit_log.whole(campaigns.get(campaign).id if campaign else None):
        if as_json:
            typer.echo(json_rows(rows), nl=False)
            continue
        for r in rows:
            where = f" [{r['campaign']}]" if r["campaign"] and not campaign else ""
            typer.echo(f"{r['at']:%Y-%m-%d %H:%M:%S} UTC  {r['who']}: {r['what']}{where}{': ' if r['detail'] else ''}{r['detail']}")
