"""Where a benchmark runs: a data directory and a database of its own, the same settings for floor and service."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.conftest import free_port

POSTGRES = os.environ.get("OUTREACH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
ROOT = Path(__file__).parent.parent.parent


@dataclass
class Place:
    """The environment in which everything of one benchmark runs."""

    folder: Path
    env: dict[str, str]

    def python(self, *args: str, **more: str) -> subprocess.Popen[bytes]:
        """A process of ours in this place."""
        return subprocess.Popen([sys.executable, *args], env={**self.env, **more}, cwd=ROOT, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE)

    def cli(self, *args: str) -> str:
        return subprocess.run([sys.executable, "-m", "outreach", *args], env=self.env, cwd=ROOT, check=True, capture_output=True,
                              text=True).stdout

    @contextmanager
    def serving(self, app: str) -> Iterator[int]:
        """An ASGI app factory under uvicorn, as `outreach web` runs it; yields its port."""
        port = free_port()
        process = self.python("-c", f"import uvicorn; uvicorn.run('{app}', factory=True, port={port}, log_config=None, access_log=False)")
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    """Until something answers HTTP there."""
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=2, trust_env=False)
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def peak(process: psutil.Process) -> float:
    """The most resident memory of a process so far, MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return process.memory_info().rss / 1e6


@contextmanager
def place(name: str, admin: str = "") -> Iterator[Place]:
    """A fresh place on SQLite, or on a database of its own on the Postgres server at `admin`. Sets this process's settings too."""
    import psycopg

    from outreach import migrate
    from outreach.db import engine
    from outreach.settings import get_settings

    database = f"outreach_bench_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix=f"outreach-bench-{name}-") as folder:
        url = ""
        if admin:
            with psycopg.connect(admin, autocommit=True) as c:
                c.execute(f'CREATE DATABASE "{database}"')
            url = f"{admin.rpartition('/')[0]}/{database}"
        ours = {
            "OUTREACH_DATA_DIR": folder, "OUTREACH_DATABASE_URL": url, "OUTREACH_CONFIRM": "none", "OUTREACH_PROOF_OF_WORK": "off",
            "OUTREACH_MAX_EMAIL_RATE": "none", "OUTREACH_MAX_FAX_RATE": "none", "OUTREACH_MAIL_FROM": "letters@campaign.example",
            "OUTREACH_OPERATOR_NAME": "Bench", "OUTREACH_OPERATOR_ADDRESS": "1 Test Street",
            "OUTREACH_OPERATOR_CONTACT": "op@bench.example",
            "OUTREACH_SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "OUTREACH_LOG_LEVEL": "error", "OUTREACH_FAX_FROM": "+14165550199"}
        for key in [k for k in os.environ if k.startswith("OUTREACH_")]:
            del os.environ[key]
        os.environ.update(ours)
        get_settings.cache_clear()
        engine.cache_clear()
        migrate.upgrade()
        try:
            yield Place(Path(folder), {**os.environ, "PYTHONPATH": str(ROOT)})
        finally:
            engine().dispose()
            engine.cache_clear()
            get_settings.cache_clear()
            if admin:
                with psycopg.connect(admin, autocommit=True) as c:
                    c.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
