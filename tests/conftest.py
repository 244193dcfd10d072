"""What every room's tests may use: the whole service as a stranger would start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def eventually(look: Callable[[], Any], *, seconds: float = 180, every: float = 0.1) -> Any:
    """The first truthy answer of `look`; fails with its last answer when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come true within {seconds} s; last answer: {found!r}")
        time.sleep(every)


@dataclass
class Service:
    """A running `outreach up` (or `demo`) over a data directory of its own."""

    url: str
    data_dir: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client = field(repr=False, default_factory=httpx.Client)

    def cli(self, *args: str) -> str:
        """Run an `outreach` command in the service's environment; returns what it prints."""
        done = subprocess.run([sys.executable, "-m", "outreach", *args], env=self.env, capture_output=True, text=True, timeout=240,
                              check=False, cwd=self.data_dir.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running(folder: Path, command: str = "up", **settings: str) -> Iterator[Service]:
    """The whole service while the block runs, on a spare port; loopback only."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")}
    env |= {"OUTREACH_DATA_DIR": str(folder / "var"), "OUTREACH_PORT": str(port), "OUTREACH_PUBLIC_URL": url,
            "OUTREACH_OPERATOR_NAME": "Test desk", "OUTREACH_OPERATOR_ADDRESS": "1 Test Street, Toronto",
            "OUTREACH_OPERATOR_CONTACT": "operator@letters.example", "OUTREACH_MAIL_FROM": "letters@letters.example",
            "OUTREACH_FAX_FROM": "+14165550199", "PYTHONPATH": str(Path(__file__).parent.parent), **settings}
    log = folder / f"{command}.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "outreach", command], env=env, stdout=out, stderr=out, cwd=folder,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    service = Service(url, folder / "var", env, process, log)
    try:
        _wait_until_ready(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_ready(service: Service) -> None:
    def answers() -> bool:
        assert service.process.poll() is None, service.log.read_text()[-2000:]
        try:
            return service.http.get(service.url + "/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    eventually(answers, seconds=240)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo, whole: sample campaigns, sandbox, embedded Valkey, SQLite."""
    with running(tmp_path_factory.mktemp("demo"), "demo") as started:
        yield started
