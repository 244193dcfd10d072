"""Lists page by page: `?after=` is the cursor that the page before gave, as `next` and in its Link header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")
U = TypeVar("U")
Limit = Annotated[int, Query(ge=1, le=500, description="The most that one page holds.")]
LINK = {"Link": {"description": 'The next page, as `<…>; rel="next"`; absent on the last.', "schema": {"type": "string"}}}


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(description="What to give as `after` for the following page; null at the end. A page may be short, or empty, "
                                         "and yet not be the last.")


def linked(request: Request, response: Response, following: str | None) -> str | None:
    """Say in the Link header where the list goes on; returns `following`."""
    if following is not None:
        response.headers["link"] = f'<{request.url.path}?{request.url.include_query_params(after=following).query}>; rel="next"'
    return following


def cut(rows: Sequence[U], limit: int, cursor: Callable[[U], str]) -> tuple[Sequence[U], str | None]:
    """Of `limit` rows and one more: those of this page, and the cursor of the next."""
    return rows[:limit], cursor(rows[limit - 1]) if len(rows) > limit else None
