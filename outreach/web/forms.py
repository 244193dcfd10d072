"""Reading posted forms, whatever is in them: text that the database can hold, or a clear refusal; never a traceback."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

MOST_FIELDS = 500

Posted = dict[str, list[str]]


async def read_form(request: Request) -> Posted:
    """The form's fields, each with its values in order. Files are not read. Raises HTTPException 400, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            return await _multipart(request)
        body = await request.body()
    except ClientDisconnect as e:
        raise HTTPException(400) from e
    if kind not in ("application/x-www-form-urlencoded", "") and body:
        raise HTTPException(415)
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace", max_num_fields=MOST_FIELDS)
    except ValueError as e:
        raise HTTPException(400) from e
    return _gathered(pairs)


async def _multipart(request: Request) -> Posted:
    try:
        async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
            return _gathered([(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    except HTTPException as e:
        raise HTTPException(413 if e.status_code == 413 else 400) from e
    except (MultiPartException, UnicodeError, LookupError, ValueError, KeyError, AssertionError) as e:
        raise HTTPException(400) from e


def _gathered(pairs: list[tuple[str, str]]) -> Posted:
    fields: Posted = {}
    for name, value in pairs:
        # No database of ours takes NUL or half a surrogate pair, and neither means anything in a letter.
        plain = value.isascii() and "\0" not in value
        fields.setdefault(name, []).append(value if plain else value.replace("\0", "").encode("utf-8", "replace").decode())
    return fields


def first(fields: Posted, name: str) -> str:
    """The field's first value, "" when it is not there."""
    return given(fields, name) or ""


def given(fields: Posted, name: str) -> str | None:
    """The field's first value, None when it is not there: emptied is not left out."""
    values = fields.get(name)
    return values[0] if values else None
