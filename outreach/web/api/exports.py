"""Exports: letters, submissions and receipts as files; the faxes as sent; a report to print. Each is written into the audit log."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outreach.services import archives, exports, reports_pdf
from outreach.services.exports import TYPES, Format, Kind
from outreach.web.api.caller import ID
from outreach.web.api.paging import LINK
from outreach.web.api.route import Guarded
from outreach.web.api.shapes import ALWAYS, See, TakeAway, TakeLetters

router = APIRouter(route_class=Guarded, tags=["exports"])
_ROWS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The rows, streamed. CSV is UTF-8 with a byte order mark; cells that a spreadsheet would take for formulas "
                              "begin with an apostrophe.",
               "content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")}}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}


def _named(name: str) -> dict[str, str]:
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "no-store"}


@router.get("/campaigns/{slug}/exports/faxes", operation_id="export_faxes", response_class=Response, responses={
    **ALWAYS, 200: {"description": f"A ZIP of PDFs, at most {archives.MOST}, with an index.", "headers": LINK,
                    "content": {"application/zip": _BYTES}}})
def export_faxes(request: Request, at: TakeLetters,
                 after: Annotated[str | None, Query(pattern=ID, description="Go on after this letter.")] = None) -> Response:
    """The faxes as they were sent."""
    found = archives.faxes(at.slug, now=at.now, after=after or "", who=at.who)
    headers = _named(found.name)
    if found.following:
        headers["link"] = f'<{request.url.path}?{request.url.include_query_params(after=found.following).query}>; rel="next"'
    return StreamingResponse(found.pieces, 200, headers, "application/zip")


@router.get("/campaigns/{slug}/exports/{kind}", operation_id="export_rows", response_class=Response, responses={**ALWAYS, **_ROWS})
def export_rows(at: TakeAway, kind: Kind, format: Annotated[Format, Query()] = Format.JSONL) -> Response:
    """All letters, submissions or receipts. What supporters wrote of themselves is in it only with the right to read it."""
    found = exports.export(at.slug, kind, format, rights=at.rights, now=at.now, who=at.who)
    return StreamingResponse(found.pieces, 200, _named(found.name), TYPES[format])


@router.get("/campaigns/{slug}/report", operation_id="get_report", response_class=Response, responses={
    **ALWAYS, 200: {"description": "A PDF.", "content": {"application/pdf": _BYTES}}})
def get_report(at: See) -> Response:
    """Counts and charts to print, without anybody's data."""
    made = reports_pdf.report(at.slug, now=at.now)
    return Response(made.content, 200, _named(made.name), "application/pdf")
