"""Who changed what: the log of a campaign for who manages it, of the whole service for its operator; as pages and as files."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outreach.domain.roles import Right
from outreach.errors import NotFound
from outreach.render.spreadsheet import csv_head, csv_rows, json_rows
from outreach.services import audit_log
from outreach.services.exports import TYPES, Format
from outreach.web.desk.guard import Place, room, see
from outreach.web.pages import PRIVATE

ALL = "/o/operator/log"


@room("/o/c/{slug}/people/log", Right.MANAGE)
def of_campaign(request: Request, at: Place) -> Response:
    """GET: a campaign's log, the newest first."""
    before = _before(request)
    found = audit_log.page(at.here.id, before)
    return see("organizer/people_log.html", at, path=f"/o/c/{at.here.slug}/people", log=found.rows, onward=found.onward, before=before)


@room("/o/c/{slug}/people/log.{form}", Right.MANAGE, method="POST")
def campaign_file(request: Request, at: Place) -> Response:
    """POST: the whole of it as a file, csv or jsonl; a POST, since that it was taken away is noted in it."""
    return _file(request, at, at.here.id, f"{at.here.slug}-audit", audit_log.COLUMNS)


@room(ALL, Right.OPERATE)
def of_service(request: Request, at: Place) -> Response:
    """GET: everybody's log, the newest first, of all or of what has `who` and `what` in it."""
    before, who, what = _before(request), *(request.query_params.get(name, "").strip() for name in ("who", "what"))
    found = audit_log.page(None, before, who=who, what=what)
    return see("organizer/operator_log.html", at, log=found.rows, onward=found.onward, before=before, who=who, what=what,
               asked=urlencode({name: text for name, text in (("who", who), ("what", what)) if text}))


@room(ALL + ".{form}", Right.OPERATE, method="POST")
def service_file(request: Request, at: Place) -> Response:
    """POST: the whole of that."""
    return _file(request, at, None, "audit", audit_log.ALL_COLUMNS)


def _before(request: Request) -> int | None:
    given = request.query_params.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 18 else None


def _file(request: Request, at: Place, campaign_id: int | None, name: str, columns: tuple[str, ...]) -> Response:
    form = str(request.path_params["form"])
    if form not in set(Format):
        raise NotFound("there is no such export")
    name = f"{name}-{at.now:%Y-%m-%d}.{form}"
    return StreamingResponse(_lines(audit_log.take_away(campaign_id, who=at.who, now=at.now), Format(form), columns),
                             media_type=TYPES[Format(form)], headers=PRIVATE | {"content-disposition": f'attachment; filename="{name}"'})


def _lines(chunks: Iterator[list[audit_log.Entry]], form: Format, columns: tuple[str, ...]) -> Iterator[str]:
    if form is Format.CSV:
        yield csv_head(columns)
    for rows in chunks:
        yield csv_rows(columns, rows) if form is Format.CSV else json_rows({name: r[name] for name in columns} for r in rows)
