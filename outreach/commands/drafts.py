"""`outreach campaign draft`: a campaign file from the circular that went round by mail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from outreach.db import utcnow
from outreach.errors import NotAllowed
from outreach.services import circulars


def draft(file: Annotated[Path, typer.Argument(help="The circular as text, HTML or a saved mail; - reads standard input.")],
          country: Annotated[str, typer.Option(help="Whose numbers those without + are: an ISO code of two letters.")] = "",
          zone: Annotated[str, typer.Option(help="The time zone of its times, where it names none; e.g. America/Toronto.")] = "",
          out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None) -> None:
    """Read a circular and print a campaign file: each line says where it was read and what to check."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as e:
        raise NotAllowed(f"{file} cannot be read: {e.strerror}") from None
    try:
        text = circulars.text_of_mail(circulars.text_of_bytes(raw))
        circular = circulars.read(text, now=utcnow(), country=country.upper(), zone=zone)
    except (KeyError, ValueError, OSError):  # ZoneInfo's ways to say so
        raise NotAllowed(f"{zone!r} is not a time zone; write one like America/Toronto") from None
    made = circulars.as_file(circular)
    if out is None:
        typer.echo(made, nl=False)
    else:
        out.write_text(made, encoding="utf-8")
        typer.echo(f"{out}: {len(circular.content.get('target', []))} targets, {len(circular.findings)} things found; check each")
