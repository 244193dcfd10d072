"""What all tables share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Integer, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase

from outreach.db import JSONText, UTCDateTime


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={
        "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: JSONText, list[int]: JSONText, list[str]: JSONText}


def table(model: type[Base]) -> Table:
    """The Core table of a model: statements are written against tables, since no letter is ever loaded as an object."""
    return cast(Table, model.__table__)


Id = String(26)
CLUSTERED = {"sqlite_with_rowid": False}
"""SQLite keeps such a table in the order of its id instead of beside an index of it: half the pages of each commit."""
BigKey = BigInteger().with_variant(Integer, "sqlite")


def one_of(column: str, values: Iterable[Any]) -> str:
    """A condition for constraints. No IN: SQLite builds a table of its values anew for each row that is written."""
    return "(" + " OR ".join(f"{column} = '{value}'" for value in sorted(v.value for v in values)) + ")"
