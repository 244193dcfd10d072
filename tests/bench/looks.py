"""Looking at a desk in a process of its own, over a million letters beside a thousand, in two databases in turns, while letters come."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle, islice
from unittest import mock

import httpx
import psutil
from sqlalchemy import Engine, update

from outreach import db
from outreach.models import Organizer, table
from outreach.services import access, audit, campaigns, moves
from outreach.web.desk.guard import COOKIE
from tests.bench.places import Place

Note = Callable[..., None]
LOOKS, WARM = 60, 3
TENTH = 100_000
MOVING = 12
"""Lanes to which somebody has written between two looks: what was foretold of them is old."""


class Site:
    """A desk in a process of its own, and a browser that is signed in to it."""

    def __init__(self, slug: str, engine: Engine, port: int, cookie: str) -> None:
        self.engine = engine
        self._slug, self._campaign = slug, campaigns.get(slug).id
        self._lanes = cycle([(t.id, a.channel) for t in campaigns.targets_of(self._campaign) for a in t.addresses])
        self._server = next(p for p in psutil.Process().children() if any(c.laddr.port == port for c in p.net_connections()))
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies={COOKIE: cookie}, trust_env=False, timeout=120)

    def look(self, page: str = "") -> float:
        """Seconds to the first byte of a page that nobody has asked for since the last lever was used, nor since letters came."""
        with mock.patch.object(db, "engine", lambda: self.engine), db.unit_of_work() as c:
            audit.note(c, "looked at by a benchmark", at=db.utcnow(), campaign_id=self._campaign)
            moves.count(c, [(self._campaign, *lane, "letter:queued", 1) for lane in islice(self._lanes, MOVING)])
        began = time.perf_counter()
        with self._http.stream("GET", f"/o/c/{self._slug}/{page}") as answer:
            next(answer.iter_raw(1))
            took = time.perf_counter() - began
            assert answer.status_code == 200, answer.status_code
        return took

    def take_away(self, name: str) -> tuple[int, float, float]:
        """Download an export; how many lines it has, and the most resident memory of the server over the first tenth of a million of
        them and over all, MB."""
        lines, early, most = 0, 0.0, 0.0
        with self._http.stream("GET", f"/o/c/{self._slug}/exports/{name}") as answer:
            assert answer.status_code == 200, answer.status_code
            for piece in answer.iter_bytes():
                lines += piece.count(b"\n")
                most = max(most, self._server.memory_info().rss / 1e6)
                early = most if lines < TENTH else early
        return lines, early, most


def opened(here: Place, slug: str, open_: ExitStack) -> Site:
    """The desk of the campaign that is in this place's database, until `open_` closes."""
    cookie = access.sign_in(access.invite("bench@organizer.example").rpartition("/")[2])
    organizers = table(Organizer)
    with db.unit_of_work() as c:
        c.execute(update(organizers).values(operator=True, password="x", totp_key=b"x"))
    return Site(slug, db.engine(), open_.enter_context(here.serving("outreach.app:create_app")), cookie)


def compare(note: Note, name: str, many: Site, few: Site, page: str = "") -> None:
    """The 95th percentile of the time to a page's first byte, in two databases in turns."""
    took: dict[Site, list[float]] = {many: [], few: []}
    for i in range(LOOKS + WARM):
        for site, times in took.items():
            seconds = site.look(page)
            if i >= WARM:  # the first looks compile statements and templates
                times.append(seconds)
    note(name, _p95(took[many]) * 1e3, _p95(took[few]) * 1e3, "ms", "aim < 150 ms, and ≤ 1.5 times that of a thousand")


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
