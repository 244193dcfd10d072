"""The live desk over a million letters beside the same over a thousand: milliseconds to the page's first byte, none of it from memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest import mock

import httpx
from sqlalchemy import Engine, text, update

from outreach import db
from outreach.models import Organizer, table
from outreach.services import access, audit, campaigns, moves, stats
from outreach.web.desk.guard import COOKIE
from tests.bench import campaign, delivery, scale
from tests.bench.places import Place, place

Note = Callable[..., None]
LOOKS = 60
SLUG = "bench-scale"


def measure(here: Place, note: Note, admin: str) -> None:
    """The 95th percentile of the time to the live page's first byte, in two databases in turns."""
    with ExitStack() as open_:
        many = _site(here, scale.MANY, open_)
        there = open_.enter_context(place("few", admin))
        few = _site(there, scale.FEW, open_)
        large: list[float] = []
        small: list[float] = []
        for i in range(LOOKS + 3):
            for site, times in ((many, large), (few, small)):
                took = site.look()
                if i >= 3:  # the first looks compile statements and templates
                    times.append(took)
        note("desk_1m_vs_1k_postgres", _p95(large) * 1e3, _p95(small) * 1e3, "ms", "aim < 150 ms, and ≤ 1.5 times that of a thousand")
        many.engine.dispose()


class Site:
    """A desk in a process of its own, and a browser that is signed in to it."""

    def __init__(self, engine: Engine, port: int, cookie: str) -> None:
        self.engine = engine
        self._campaign = campaigns.get(SLUG).id
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies={COOKIE: cookie}, trust_env=False, timeout=60)

    def look(self) -> float:
        """Seconds to the first byte of a page that nobody has asked for since the last lever was used."""
        with mock.patch.object(db, "engine", lambda: self.engine), db.unit_of_work() as c:
            audit.note(c, "looked at by a benchmark", at=db.utcnow(), campaign_id=self._campaign)
        began = time.perf_counter()
        with self._http.stream("GET", f"/o/c/{SLUG}/") as answer:
            next(answer.iter_raw(1))
            took = time.perf_counter() - began
            assert answer.status_code == 200, answer.status_code
        return took


def _site(here: Place, letters: int, open_: ExitStack) -> Site:
    campaign.load(here.folder, SLUG, targets=delivery.LANES)
    scale.fill(letters)
    _half_have_gone()
    cookie = access.sign_in(access.invite("bench@organizer.example").rpartition("/")[2])
    organizers = table(Organizer)
    with db.unit_of_work() as c:
        c.execute(update(organizers).values(operator=True, password="x", totp_key=b"x"))
    return Site(db.engine(), open_.enter_context(here.serving("outreach.app:create_app")), cookie)


def _half_have_gone() -> None:
    """Half of the letters were handed over, one in thirty of them in vain: attempts, events and counts of that, set-wise."""
    row, now = campaigns.get(SLUG), db.utcnow()
    gone, failed = "substr(l.id, 20, 7) % 2 = 0", "substr(l.id, 20, 7) % 60 = 0"
    if db.engine().dialect.name == "postgresql":
        gone, failed = (x.replace("substr(l.id, 20, 7)", "substr(l.id, 20, 7)::int") for x in (gone, failed))
    verdict = f"CASE WHEN {failed} THEN 'refused' ELSE 'accepted' END"
    with db.unit_of_work() as c:
        c.execute(text(
            "INSERT INTO attempts (id, letter_id, campaign_id, address_id, transport, holder, verdict, retryable, reason, started_at,"
            f" ended_at) SELECT 'a' || substr(l.id, 2), l.id, l.campaign_id, l.address_id, 'smtp', 'bench', {verdict}, :no,"
            f" CASE WHEN {failed} THEN 'no_such_mailbox' END, :now, :now FROM letters l WHERE {gone}"), {"now": now, "no": False})
        c.execute(text("UPDATE letters SET state = CASE WHEN a.verdict = 'refused' THEN 'failed' ELSE 'sent' END, reason = a.reason,"
                       " attempt_id = a.id, sent_at = a.started_at FROM attempts a WHERE a.letter_id = letters.id"))
        c.execute(text("INSERT INTO letter_events (letter_id, at, before, after, why, attempt_id) SELECT l.id, l.state_at, 'sending',"
                       " l.state, 'accepted', l.attempt_id FROM letters l WHERE l.attempt_id IS NOT NULL"))
        moved = c.execute(text("SELECT target_id, state, count(*) FROM letters WHERE attempt_id IS NOT NULL"
                               " GROUP BY target_id, state")).all()
        moves.count(c, [(row.id, target, "email", name, n * sign) for target, state, n in moved
                        for name, sign in (("letter:queued", -1), (f"letter:{state}", 1))])
    while stats.fold():
        pass
    if db.engine().dialect.name == "postgresql":
        with db.unit_of_work() as c:
            c.exec_driver_sql("ANALYZE")


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
