"""What the house's tests share: the checkout's root, and an empty database of either kind that the service's settings point at."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from outreach import db, settings
from tests.plugins.no_skips import need, postgres_url

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root() -> Path:
    return ROOT


def _forget() -> None:
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    db.engine.cache_clear()
    settings.get_settings.cache_clear()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database without a table; OUTREACH_DATABASE_URL names it."""
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path))
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        monkeypatch.setenv("OUTREACH_DATABASE_URL", url)
        _forget()
        yield url
        _forget()
        return
    need("postgres")
    name = f"outreach_house_{secrets.token_hex(5)}"
    with psycopg.connect(postgres_url(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = postgres_url().rsplit("/", 1)[0] + "/" + name
        monkeypatch.setenv("OUTREACH_DATABASE_URL", url)
        _forget()
        try:
            yield url
        finally:
            _forget()
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
