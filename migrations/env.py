"""Alembic's entry: on the connection that `outreach.migrate` brings, or, from the command line, on the service's own database."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from outreach import db, migrate
from outreach.models import Base


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Our own column types as plain ones: a migration must still run when today's code is gone."""
    if kind == "type" and isinstance(item, db.UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, db.JSONText):
        return "sa.Text()"
    return False


def run(connection: Connection) -> None:
    """Migrate on `connection`, whose transaction is its owner's."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_item=render_item, compare_type=True,
                      compare_server_default=True, render_as_batch=connection.dialect.name == "sqlite")
    context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations run on a connection; --sql is not supported.")
if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    with migrate.alone() as own:
        run(own)
