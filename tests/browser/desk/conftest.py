"""The desk in a real browser: the application over a database of its own, served on loopback, with somebody signed in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page

from outreach.app import create_app
from outreach.db import utcnow
from outreach.domain.roles import Role
from outreach.web.desk.guard import COOKIE
from tests.conftest import free_port
from tests.services.conftest import database, postgres_url
from tests.services.helpers import Desk, desk
from tests.web.desk.conftest import DeskSite, desk_site

__all__ = ["database", "desk", "desk_site", "postgres_url"]


@dataclass
class ServedDesk:
    """A desk of services whose pages a browser can open. The clock is the real one: `desk.now` begins there."""

    url: str
    site: DeskSite
    open_page: Callable[..., Page]

    @property
    def desk(self) -> Desk:
        return self.site.desk

    def signed_in(self, role: Role = Role.OWNER, slug: str = "night-bus", *, email: str = "", **how: Any) -> Page:
        """A browser of somebody with this role in the campaign; `how` is for its context (viewport, color_scheme, …)."""
        cookie = self.site.signed_in(role, slug, email=email).cookies[COOKIE]
        page = self.open_page(base_url=self.url, **how)
        page.context.add_cookies([{"name": COOKIE, "value": cookie, "domain": "127.0.0.1", "path": "/o/", "httpOnly": True,
                                   "sameSite": "Lax"}])
        return page


@pytest.fixture
def served(desk_site: DeskSite, open_page: Callable[..., Page]) -> Iterator[ServedDesk]:
    """The desk's pages at a spare port. Tests of this room run on SQLite alone: pages do not know the database."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    desk_site.desk.set(public_url=url)
    desk_site.desk.now = utcnow()
    server = uvicorn.Server(uvicorn.Config(create_app(), port=port, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield ServedDesk(url, desk_site, open_page)
    server.should_exit = True
    thread.join()
