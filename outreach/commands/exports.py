"""`outreach export`: a campaign's letters, submissions or receipts, faxes or report, as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from outreach.db import utcnow
from outreach.domain.roles import ALL
from outreach.services import archives, exports, reports_pdf
from outreach.services.exports import Format, Kind

app = typer.Typer(no_args_is_help=True, help="Letters, submissions and receipts as CSV or JSON Lines; the faxes as sent; a report.")
Slug = Annotated[str, typer.Argument(help="The campaign's slug.")]
AsFormat = Annotated[Format, typer.Option("--format", help="csv opens in a spreadsheet, jsonl is one JSON object a line.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")]


@app.command()
def letters(slug: Slug, form: AsFormat = Format.CSV, out: Out = None) -> None:
    """Each letter: to whom, how, its state, when it went, and who wrote it."""
    _write(slug, Kind.LETTERS, form, out)


@app.command()
def submissions(slug: Slug, form: AsFormat = Format.CSV, out: Out = None) -> None:
    """Each form that was sent, with what its writer put into it."""
    _write(slug, Kind.SUBMISSIONS, form, out)


@app.command()
def receipts(slug: Slug, form: AsFormat = Format.CSV, out: Out = None) -> None:
    """Whatever providers have said of the campaign's letters."""
    _write(slug, Kind.RECEIPTS, form, out)


@app.command()
def faxes(slug: Slug, out: Annotated[Path, typer.Option(help="The ZIP file to write.")],
          after: Annotated[str, typer.Option(help="Go on after this letter's id: a file holds a limited number of faxes.")] = "") -> None:
    """The faxes as they were sent, as one ZIP of PDFs."""
    found = archives.faxes(slug, now=utcnow(), after=after)
    with out.open("wb") as file:
        for piece in found.pieces:
            file.write(piece)
    typer.echo(f"{out}: {found.count} faxes")
    if found.following:
        typer.echo(f"there are more: outreach export faxes {slug} --after {found.following} --out …")


@app.command()
def report(slug: Slug, out: Annotated[Path, typer.Option(help="The PDF file to write.")]) -> None:
    """A report to print: counts and charts, without anybody's data."""
    out.write_bytes(reports_pdf.report(slug, now=utcnow()).content)
    typer.echo(str(out))


def _write(slug: str, kind: Kind, form: Format, out: Path | None) -> None:
    found = exports.export(slug, kind, form, rights=ALL, now=utcnow())
    if out is None:
        for piece in found.pieces:
            sys.stdout.write(piece)
        return
    with out.open("w", encoding="utf-8", newline="") as file:
        file.writelines(found.pieces)
    typer.echo(str(out))
