"""The order of an answer that must not become the way to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func


def afterwards(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """To put in order, once they are found, the few rows that are wanted of very many: SQLite would rather go through the whole table
    in the order of its key than sort, even for five rows that a small index knows."""
    return func.coalesce(column, "")
