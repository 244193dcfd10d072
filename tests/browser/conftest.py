"""A real browser (the machine's own chromium) against the whole demo service, started by `tests/conftest.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.plugins.no_skips import chromium_path

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run"]
expect.set_options(timeout=60_000)  # a loaded machine answers when it can


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=chromium_path(), args=QUIET)
    yield started
    started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a browser context of its own; fails when a page asked another host for anything or broke a script."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def opened(**how: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en"} | how))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith(("http://127.0.0.1:", "data:", "blob:")) else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" and "status of 4" not in m.text else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def pytest_configure(config: pytest.Config) -> None:
    """The mark by which these tests can be left out: `-m "not browser"`."""
    config.addinivalue_line("markers", "browser: drives a real browser")
