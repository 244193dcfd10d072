"""Mails per second of one worker, from queue to SMTP sink, rendering and ledger included, against a plain smtplib loop."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.mime.text import MIMEText
from typing import Any

from sqlalchemy import func, insert, select

from outreach import db
from outreach.domain.letters import State
from outreach.models import Letter, Submission, table
from outreach.services import campaigns, lanes, moves
from tests.bench import campaign
from tests.bench.places import Place

Note = Callable[..., None]
LANES, LETTERS, ROUNDS = 50, 4000, 3
_LETTERS, _SUBMISSIONS = table(Letter), table(Submission)


@contextmanager
def sink(here: Place) -> Iterator[int]:
    """A mail sink in a process of its own; yields its port."""
    process = here.python("-m", "tests.bench.sink")
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def taken(port: int) -> dict[str, Any]:
    """What the sink has taken since it was last asked: count, first and last (s), addresses with their times."""
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rwb") as f:
        f.readline()
        f.write(b"STAT\r\n")
        f.flush()
        found: dict[str, Any] = json.loads(f.readline())
        return found


def measure(here: Place, note: Note, name: str, *, aim: str, workers: int = 1) -> None:
    """The better of three rounds each, floor (one plain loop, whatever the number of workers) and service in turns."""
    with sink(here) as port, broker(here) as url:
        floors, ours = [], []
        for round_ in range(ROUNDS):
            slug = f"{name.replace('_', '-')}-{round_}"
            floors.append(smtplib_loop(port, LETTERS))
            campaign.load(here.folder, slug, targets=LANES)
            queue_letters(slug, LETTERS)
            ours.append(worker_run(here, port, url, LETTERS, workers=workers))
        note(name, max(ours), max(floors), "mails/s", aim)


def smtplib_loop(port: int, n: int) -> float:
    """Mails/s of the plain loop: one kept connection, ready-made messages."""
    message = MIMEText(campaign.BODY, "plain", "utf-8")
    message["From"], message["To"], message["Subject"] = "letters@campaign.example", "office@target.example", "Keep the night bus"
    ready = message.as_bytes()
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        began = time.perf_counter()
        for i in range(n):
            smtp.sendmail("letters@campaign.example", [f"office{i % LANES}@target.example"], ready)
        seconds = time.perf_counter() - began
    taken(port)
    return n / seconds


@contextmanager
def broker(here: Place) -> Iterator[str]:
    """An embedded Valkey, as `outreach up` has one."""
    from outreach.settings import get_settings
    from outreach.supervisor import Valkey

    valkey = Valkey(get_settings())
    try:
        yield get_settings().broker_url
    finally:
        valkey.stop()


def queue_letters(slug: str, n: int) -> None:
    """Put n confirmed letters into the campaign's lanes, as submissions of n people would, a millisecond after one another."""
    row, now = campaigns.get(slug), db.utcnow()
    targets = campaigns.targets_of(row.id)
    submissions, letters = [], []
    for i in range(n):
        at = now - timedelta(milliseconds=n - i)
        person, target = db.new_id(at.timestamp()), targets[i % len(targets)]
        submissions.append({
            "id": person, "campaign_id": row.id, "version_id": row.version_id, "form_hash": person,
            "state": "accepted", "fingerprint": person, "channel": "email", "asked": [], "language": "en", "name": f"Person {i}",
            "email": f"person{i}@supporter.example", "street": "",
            "city": "Toronto", "postal_code": "M5V 2T6", "phone": "", "affiliation": "", "consent_version": "x", "updates": False,
            "public_name": False, "created_at": at, "confirmed_at": at})
        letters.append({
            "id": db.new_id(at.timestamp()), "campaign_id": row.id, "submission_id": person, "target_id": target.id,
            "address_id": target.addresses[0].id, "channel": "email", "state": State.QUEUED.value, "state_at": at, "fingerprint": person,
            "counts": True, "submitted_at": at, "created_at": at})
    with db.unit_of_work() as c:
        c.execute(insert(_SUBMISSIONS), submissions)
        c.execute(insert(_LETTERS), letters)
        moves.born(c, letters)
        lanes.mark(c, [t.addresses[0].id for t in targets], now)


def worker_run(here: Place, port: int, redis_url: str, n: int, *, workers: int = 1,
               look: Callable[[int, list[subprocess.Popen[bytes]]], None] = lambda _left, _workers: None) -> float:
    """Mails/s of real RQ workers until the queue is empty, by the sink's clock; `look` is called now and then with what is left."""
    env = {"OUTREACH_EMAIL_TRANSPORT": "smtp", "OUTREACH_SMTP_URL": f"smtp://127.0.0.1:{port}", "OUTREACH_REDIS_URL": redis_url,
           "OUTREACH_WORKERS_EMAIL": str(workers)}
    ticker = here.python("-m", "outreach", "ticker", **env)
    started: list[subprocess.Popen[bytes]] = [here.python("-m", "outreach", "worker", "email", **env) for _ in range(workers)]
    try:
        while left := _left():
            look(left, started)
            time.sleep(0.2)
    finally:
        for process in [ticker, *started]:
            process.terminate()
            process.wait()
    said = taken(port)
    assert said["count"] == n, f"{said['count']} of {n} arrived"
    return float(n / (said["last"] - said["first"]))


def _left() -> int:
    with db.reading() as c:
        n: int = c.execute(select(func.count()).select_from(_LETTERS).where(_LETTERS.c.state.in_(("queued", "sending")))).scalar_one()
        return n
