"""The room where a campaign's letters, submissions, receipts, faxes and report are taken away as files."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outreach.domain.roles import Right
from outreach.errors import NotFound
from outreach.services import archives, exports, reports_pdf, stats
from outreach.services.exports import TYPES, Format, Kind
from outreach.web.desk.guard import Place, back, room, see

_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
_ABOUT = {
    Kind.LETTERS: "One row a letter: to whom, by which channel, its state and why, when it went out and arrived.",
    Kind.SUBMISSIONS: "One row a form that was sent: when, from which language, to which offices, confirmed or taken back.",
    Kind.RECEIPTS: "One row for each thing that a mail server or fax provider said about a letter.",
}


@room("/o/c/{slug}/exports", Right.EXPORT)
def overview(request: Request, at: Place) -> Response:
    """GET: what there is to take away, and what it holds."""
    figures = stats.stats(at.here.slug, ahead=False, now=at.now)
    letters = figures["letters"]
    counts = {Kind.LETTERS: sum(letters.values()), Kind.SUBMISSIONS: figures["submissions"], Kind.RECEIPTS: None}
    parts, more = archives.parts(at.here.id) if at.may(Right.READ) else ([], False)
    return see("organizer/exports.html", at, personal=at.may(Right.READ), parts=parts, more=more, most=archives.MOST, tables=[
        {"kind": kind.value, "about": about, "count": counts[kind], "formats": [f.value for f in Format],
         "columns": exports.columns_of(kind, personal=at.may(Right.READ))} for kind, about in _ABOUT.items()])


@room("/o/c/{slug}/exports/{name}", Right.EXPORT)
def download(request: Request, at: Place) -> Response:
    """GET letters.csv, submissions.jsonl, receipts.csv, faxes.zip (?after=), report.pdf. Raises NotFound for another name."""
    name = str(request.path_params["name"])
    if name == "report.pdf":
        made = reports_pdf.report(at.here.slug, now=at.now, who=at.who)
        return Response(made.content, 200, _as_file(made.name), "application/pdf")
    if name == "faxes.zip":
        return _faxes(request, at)
    kind, _, form = name.partition(".")
    if kind not in list(Kind) or form not in list(Format):
        raise NotFound("there is no such export")
    found = exports.export(at.here.slug, Kind(kind), Format(form), rights=at.rights, now=at.now, who=at.who)
    return StreamingResponse(found.pieces, 200, _as_file(found.name), found.content_type or TYPES[Format(form)])


def _faxes(request: Request, at: Place) -> Response:
    after = request.query_params.get("after", "")
    if not at.may(Right.READ):
        raise NotFound("there is no such export")
    if after and not _ID.fullmatch(after):
        raise NotFound("there is no such export")
    found = archives.faxes(at.here.slug, now=at.now, after=after, who=at.who)
    if not found.count:
        return back(at, f"/o/c/{at.here.slug}/exports", "No fax has gone out yet.", bad=True)
    headers = _as_file(found.name)
    if found.following:
        headers["link"] = f'<{request.url.path}?after={found.following}>; rel="next"'
    return StreamingResponse(found.pieces, 200, headers, "application/zip")


def _as_file(name: str) -> dict[str, str]:
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "no-store"}
