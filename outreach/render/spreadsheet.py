"""Rows as CSV that is safe to open in a spreadsheet, and as JSON Lines."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""
_CELL = r"(?:\A|(?<=[;\t\r\n]))"
"""Where a cell may begin: spreadsheets of half the world part cells at semicolons, and then quotes around a comma are none to them."""
_SIGN = r"(?=\A[\r\n]|(?:[^\S\t\r\n]|[\"\u200b\ufeff])*[=+\-@＝＋－＠\t])"
"""What a spreadsheet may read as the beginning of a formula (OWASP, CSV injection); the wide forms count where they are typed."""
_FORMULA = re.compile(_CELL + _SIGN)


def inert(value: str) -> str:
    """A cell's text that no spreadsheet takes for a formula, whatever it parts cells at: an apostrophe before it makes it text."""
    return _FORMULA.sub("'", value)


def csv_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Lines of CSV (RFC 4180), in the order of `columns`. Numbers stay numbers, times are ISO 8601, lists are joined by spaces."""
    out = StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return out.getvalue()


def csv_head(columns: Sequence[str]) -> str:
    """The first line of such a file."""
    return BOM + ",".join(columns) + "\r\n"


def json_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """One JSON object a line; times as ISO 8601."""
    return "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in rows)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return inert(" ".join(str(x) for x in value))
    return inert(str(value))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")
