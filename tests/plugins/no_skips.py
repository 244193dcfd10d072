"""Tests that need something of the machine say so; on a laptop they are skipped with a clear word, in CI a skip is a failure.

Use `@pytest.mark.needs("chromium")`, or `need("postgres")` inside a fixture.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import socket
from collections.abc import Callable, Generator
from functools import lru_cache
from urllib.parse import urlsplit

import pytest

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


def postgres_url() -> str:
    """Where tests may make databases of their own; OUTREACH_TEST_POSTGRES."""
    return os.environ.get("OUTREACH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def chromium_path() -> str | None:
    """The machine's own browser; playwright downloads none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _answers(url: str, port: int) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or port), timeout=2):
            return True
    except OSError:
        return False


_THERE: dict[str, tuple[Callable[[], bool], str]] = {
    "chromium": (lambda: chromium_path() is not None, "install chromium"),
    "spandsp": (lambda: ctypes.util.find_library("spandsp") is not None, "install libspandsp2"),
    "postgres": (lambda: _answers(postgres_url(), 5432), "start Postgres, or name one in OUTREACH_TEST_POSTGRES"),
    "redis": (lambda: _answers(os.environ.get("OUTREACH_TEST_REDIS", "redis://127.0.0.1:6379"), 6379),
              "start Redis, or name one in OUTREACH_TEST_REDIS"),
    "make": (lambda: shutil.which("make") is not None, "install make"),
}


@lru_cache
def is_there(name: str) -> bool:
    """Whether this machine has what tests call `name`. Raises KeyError for a name nobody defined."""
    return _THERE[name][0]()


def need(*names: str) -> None:
    """Skip the running test unless the machine has all of these; in CI that skip fails the run."""
    for name in names:
        if not is_there(name):
            pytest.skip(f"needs {name}: {_THERE[name][1]}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"needs(*names): what the machine must have: {', '.join(_THERE)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        need(*mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"In CI a skip is a failure. {why}"
