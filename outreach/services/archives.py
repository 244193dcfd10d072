"""A campaign's faxes as they were sent: a ZIP of PDFs, made while it is downloaded, each page drawn again as it was stamped."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, cast

from outreach.db import reading
from outreach.errors import NotFound
from outreach.logs import get
from outreach.queries import exports as queries
from outreach.render import spreadsheet
from outreach.render.template import CannotRender
from outreach.services import audit, campaigns
from outreach.services.exports import file_name, noted
from outreach.services.media import pdf_of

log = get()
MOST = 500
"""Faxes in one file: each takes about a tenth of a second to draw, and a download must not last for ever."""
MOST_PARTS = 20
"""Parts that are listed; further ones are found from the last one's `following`."""
INDEX = "index.csv"
_COLUMNS = ("file", "letter", "target", "state", "sent_at", "pages", "note")
ERASED, UNDRAWN = "erased at its writer’s wish", "could not be drawn again"


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP file to be: its name, how many faxes it holds, its content in pieces, and after which letter the next one goes on."""

    name: str
    count: int
    pieces: Iterator[bytes]
    following: str | None
    """None when these are the last."""


def faxes(slug: str, *, now: datetime, after: str = "", who: str = audit.COMMAND_LINE) -> Archive:
    """Begin an archive of the faxes handed over, in the order of their letters, from the one after `after` on. Raises NotFound.

    A bundle is one file. One that was erased stands in the index only.
    """
    campaign = campaigns.get(slug)
    with reading() as c:
        rows = queries.faxes(c, campaign.id, after, MOST + 1)
    more, rows = len(rows) > MOST, rows[:MOST]
    noted(campaign, f"{len(rows)} faxes as a ZIP", now, who)
    following = str(rows[-1].id) if more else None
    return Archive(file_name(slug, "faxes", now, "zip"), len(rows), _zip(rows), following)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files that a campaign's faxes fill: from which fax to which, counted from 1, and after which letter it begins."""

    first: int
    last: int
    after: str


def parts(campaign_id: int) -> tuple[list[Part], bool]:
    """The files that the faxes handed over would fill, and whether there are more than are listed."""
    with reading() as c:
        ids = queries.fax_ids(c, campaign_id, MOST * MOST_PARTS + 1)
    more, ids = len(ids) > MOST * MOST_PARTS, ids[:MOST * MOST_PARTS]
    return [Part(at + 1, min(at + MOST, len(ids)), ids[at - 1] if at else "") for at in range(0, len(ids), MOST)], more


def _zip(rows: Sequence[Any]) -> Iterator[bytes]:
    pipe = _Pipe()
    index: list[dict[str, Any]] = []
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_STORED) as archive:  # a PDF is compressed already
        for row in rows:
            pdf, note = _pdf(row)
            name = f"{row.target}-{row.started_at:%Y%m%d-%H%M}-{row.id}.pdf" if pdf else ""
            index.append({"file": name, "letter": row.id, "target": row.target, "state": row.state, "sent_at": row.started_at,
                          "pages": row.pages, "note": note})
            if pdf:
                archive.writestr(zipfile.ZipInfo(name, row.started_at.timetuple()[:6]), pdf)
                yield pipe.taken()
        archive.writestr(INDEX, spreadsheet.csv_head(_COLUMNS) + spreadsheet.csv_rows(_COLUMNS, index))
    yield pipe.taken()


def _pdf(row: Any) -> tuple[bytes | None, str]:
    """The pages, or why there are none."""
    if row.erased and not row.carries:
        return None, ERASED
    try:
        return pdf_of(row.id, row.started_at), ""
    except NotFound:
        return None, ERASED
    except CannotRender:
        log.exception("export.without_pages", letter=row.id)
        return None, UNDRAWN


class _Pipe:
    """A file that only takes: what was written since the last look is taken out, so that no archive is ever whole in memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        """What was written since."""
        found, self._parts = b"".join(self._parts), []
        return found
