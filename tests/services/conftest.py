"""A database of its own for each test, on SQLite and on Postgres, reached exactly as the service reaches it.

The environment is what a service outside demo needs; `get_settings()` and `engine()` are forgotten before and after, so
that no test sees another's. Postgres is where OUTREACH_TEST_POSTGRES points (default: the local one, trusted); without
one those tests are skipped, which is a failure where CI=true.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from tests.plugins.no_skips import need
from tests.tables import empty_tables

POSTGRES = os.environ.get("OUTREACH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
OPERATOR = {
    "OUTREACH_OPERATOR_NAME": "Open Letters Desk",
    "OUTREACH_OPERATOR_ADDRESS": "1 Test Street, Toronto",
    "OUTREACH_OPERATOR_CONTACT": "operator@letters.example",
    "OUTREACH_MAIL_FROM": "letters@campaign.example",
    "OUTREACH_FAX_FROM": "+14165550199",
    "OUTREACH_SECRET_KEY": "4b2f1c9e8a7d6053f1e2d3c4b5a69788",
    "OUTREACH_MAX_EMAIL_RATE": "none",  # or letters to one office would be spread over hours; tests of limits set their own
    "OUTREACH_MAX_FAX_RATE": "none",
}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a Postgres database that lives as long as this process's tests."""
    with fresh_postgres() as url:
        yield url


@contextmanager
def fresh_postgres() -> Iterator[str]:
    """One of its own, for a module whose tests are about what a database knows of its tables: a `postgres_url` there."""
    name = f"outreach_test_{secrets.token_hex(6)}"
    need("postgres")
    admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield POSTGRES.rpartition("/")[0] + f"/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine that `outreach.db.engine()` gives during the test; all tables exist and are empty."""
    from outreach.db import engine
    from outreach.settings import get_settings

    for name in list(os.environ):
        if name.startswith("OUTREACH_"):
            monkeypatch.delenv(name)
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    for name, value in {"OUTREACH_DATA_DIR": str(tmp_path / "var"), "OUTREACH_DATABASE_URL": url, **OPERATOR}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)  # no .env of a working copy may leak in
    get_settings.cache_clear()
    engine.cache_clear()
    made = engine()
    empty_tables(made)
    try:
        yield made
    finally:
        made.dispose()
        engine.cache_clear()
        get_settings.cache_clear()


from tests.services.helpers import desk  # noqa: E402, F401  (a fixture for this room and the workers')
