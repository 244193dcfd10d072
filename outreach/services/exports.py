"""A campaign's letters, submissions and receipts as files: streamed page by page, each taking-away written into the audit log.

No session is open while somebody downloads slowly. What changes meanwhile may be missing or be there as it was; nothing is there
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from outreach.db import reading, unit_of_work
from outreach.domain.roles import Right
from outreach.queries import exports as queries
from outreach.render import spreadsheet
from outreach.services import audit, campaigns
from outreach.services.campaigns import CampaignRow

PAGE = 1000
"""Rows that are read, and sent, at a time."""
Row = Mapping[str, Any]


class Kind(StrEnum):
    """What can be taken away."""

    LETTERS = "letters"
    SUBMISSIONS = "submissions"
    RECEIPTS = "receipts"


class Format(StrEnum):
    """As what."""

    CSV = "csv"
    JSONL = "jsonl"


TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSONL: "application/x-ndjson"}
_LETTER = ("id", "submission", "target", "channel", "address", "state", "reason", "provider_ref", "tries", "created_at", "state_at",
           "sent_at", "delivered_at")
_WRITER = ("name", "email", "city", "affiliation")
_SUBMISSION = ("id", "state", "channel", "targets", "language", "updates", "public_name", "edited", "consent_version", "created_at",
               "confirmed_at", "withdrawn_at", "erased_at")
_PERSON = ("name", "email", "street", "city", "postal_code", "phone", "affiliation", "subject", "body")
_RECEIPT = ("id", "letter", "target", "attempt", "provider", "verdict", "reason", "pages", "detail", "provider_ref", "at", "received_at")
PERSONAL = frozenset({*_WRITER, *_PERSON})
"""Columns with what supporters wrote of themselves: only for those who may read it."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file to be: its name, media type, columns, and its content in pieces of about a thousand rows, made as they are asked for."""

    name: str
    content_type: str
    columns: tuple[str, ...]
    pieces: Iterator[str]


def columns_of(kind: Kind, *, personal: bool) -> tuple[str, ...]:
    """What stands in each row of an export."""
    plain, more = {Kind.LETTERS: (_LETTER, _WRITER), Kind.SUBMISSIONS: (_SUBMISSION, _PERSON), Kind.RECEIPTS: (_RECEIPT, ())}[kind]
    return (*plain, *more) if personal else plain


def export(slug: str, kind: Kind, form: Format, *, rights: frozenset[Right], now: datetime, who: str = audit.COMMAND_LINE) -> Export:
    """Begin an export; personal columns are in it only with the right to read them. Raises NotFound.

    It is in the audit log before the first row leaves.
    """
    campaign = campaigns.get(slug)
    personal = Right.READ in rights
    columns = columns_of(kind, personal=personal)
    noted(campaign, f"{kind.value} as {form.value}" + ("" if personal or kind is Kind.RECEIPTS else ", without personal data"), now, who)
    pages = _SOURCES[kind](campaign.id, personal)
    pieces = _as_csv(columns, pages) if form is Format.CSV else (spreadsheet.json_rows(_narrowed(columns, p)) for p in pages)
    return Export(file_name(slug, kind.value, now, form.value), TYPES[form], columns, pieces)


def noted(campaign: CampaignRow, what: str, now: datetime, who: str) -> None:
    """Write down that something was taken away."""
    with unit_of_work() as c:
        audit.note(c, "exported", at=now, who=who, campaign_id=campaign.id, detail=what)


def file_name(slug: str, what: str, now: datetime, ending: str) -> str:
    """"night-bus-letters-2026-11-23.csv"; the day is UTC's."""
    return f"{slug}-{what}-{now:%Y-%m-%d}.{ending}"


def _as_csv(columns: Sequence[str], pages: Iterator[list[Row]]) -> Iterator[str]:
    yield spreadsheet.csv_head(columns)
    for page in pages:
        yield spreadsheet.csv_rows(columns, page)


def _narrowed(columns: Sequence[str], rows: list[Row]) -> Iterator[Row]:
    return ({name: row[name] for name in columns} for row in rows)


def _letters(campaign_id: int, personal: bool) -> Iterator[list[Row]]:
    last = ""
    while True:
        with reading() as c:
            rows = queries.letters(c, campaign_id, last, PAGE, personal=personal)
            refs = queries.provider_refs(c, campaign_id, rows[0].id, rows[-1].id) if rows else {}
        if rows:
            yield [{**r._mapping, "provider_ref": refs.get(r.id)} for r in rows]
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def _submissions(campaign_id: int, personal: bool) -> Iterator[list[Row]]:
    with reading() as c:
        keys = queries.target_keys(c, campaign_id)
    last: tuple[datetime, str] | None = None
    while True:
        with reading() as c:
            rows = queries.submissions(c, campaign_id, last, PAGE, personal=personal)
        if rows:
            yield [{**r._mapping, "targets": [keys[t] for t in r.asked if t in keys]} for r in rows]
        if len(rows) < PAGE:
            return
        last = rows[-1].created_at, rows[-1].id


def _receipts(campaign_id: int, _personal: bool) -> Iterator[list[Row]]:
    last = ""
    while True:
        with reading() as c:
            ids = queries.letter_ids(c, campaign_id, last, PAGE)
            rows = queries.receipts(c, campaign_id, ids[0], ids[-1]) if ids else []
        if rows:
            yield [r._mapping for r in rows]
        if len(ids) < PAGE:
            return
        last = ids[-1]


_SOURCES: Mapping[Kind, Callable[[int, bool], Iterator[list[Row]]]] = {
    Kind.LETTERS: _letters, Kind.SUBMISSIONS: _submissions, Kind.RECEIPTS: _receipts}
