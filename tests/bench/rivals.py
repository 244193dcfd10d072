"""The same letters sent as others would: one forked RQ job a letter, and django-post-office; into the same sink as ours."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from rq import Queue, Worker
from sqlalchemy import select, update

from outreach import db
from outreach.domain.letters import State
from outreach.models import Letter, table
from outreach.queries import delivery as queries
from outreach.services import campaigns, compose
from outreach.services.inboxes import Allowance
from outreach.services.ledger import Started
from outreach.settings import get_settings
from outreach.transports.email.message import build
from tests.bench import campaign, delivery
from tests.bench.places import Place

LETTERS, OURS, DJANGOS = 150, 4000, 1500
_LETTERS = table(Letter)


def measure_jobs(here: Place, note: Callable[..., None]) -> None:
    """Our worker against a worker of RQ's advised sort that is given a job for each letter."""
    with delivery.sink(here) as port, delivery.broker(here) as url:
        campaign.load(here.folder, "jobs", targets=delivery.LANES)
        delivery.queue_letters("jobs", LETTERS)
        theirs = _jobs(here, port, url)
        campaign.load(here.folder, "ours-jobs", targets=delivery.LANES)
        delivery.queue_letters("ours-jobs", OURS)
        note("mail_vs_job_per_letter", delivery.worker_run(here, port, url, OURS), theirs, "mails/s", "aim ≥ 15")


def _jobs(here: Place, port: int, url: str) -> float:
    with db.reading() as c:
        ids = list(c.execute(select(_LETTERS.c.id).order_by(_LETTERS.c.id)).scalars())
    queue = Queue("one-each", connection=Redis.from_url(url))
    for letter_id in ids:
        queue.enqueue("tests.bench.rivals.send_one", letter_id, port, result_ttl=0)
    worker = here.python("-c", f"from tests.bench.rivals import work; work({url!r})")
    try:
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
    said = delivery.taken(port)
    assert said["count"] == LETTERS
    return float((LETTERS - 1) / (said["last"] - said["first"]))


def work(url: str) -> None:
    """RQ's advised worker, which forks for each job; what jobs need has been imported before, and no connection is inherited."""
    Worker(["one-each"], connection=Redis.from_url(url)).work(burst=True, logging_level="ERROR")


def send_one(letter_id: str, port: int) -> None:
    """Such a job: read the letter, compose it, send it over a connection of its own, write that it was sent. No ledger, no pace."""
    db.after_fork()
    with db.reading() as c:
        letter = queries.letter(c, letter_id)
    assert letter
    now = db.utcnow()
    mail, _ = compose.mail(compose.prepare(letter), Started(db.new_id(), letter, now, time.monotonic()), get_settings(),
                           Allowance())
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail(mail.envelope_from, [mail.to.address], build(mail))
    with db.unit_of_work() as c:
        c.execute(update(_LETTERS).where(_LETTERS.c.id == letter_id).values(state=State.SENT.value, state_at=now, sent_at=now))


def measure_django(here: Place, note: Callable[..., None]) -> None:
    """Our worker against django-post-office as it comes, on a SQLite file of its own; the better of two rounds each."""
    with delivery.sink(here) as port, delivery.broker(here) as url:
        ours, theirs = [], []
        for round_ in range(2):
            slug = f"django-{round_}"
            campaign.load(here.folder, slug, targets=delivery.LANES)
            delivery.queue_letters(slug, OURS)
            theirs.append(_django(here, port, slug))
            ours.append(delivery.worker_run(here, port, url, OURS))
        note("mail_vs_django_post_office", max(ours), max(theirs), "mails/s", "aim ≥ 3")


def _django(here: Place, port: int, slug: str) -> float:
    letters = here.folder / f"{slug}.letters"
    letters.write_bytes(_ready_made(slug))
    done = subprocess.run([sys.executable, "-m", "tests.bench.django_rival", str(here.folder / f"{slug}.db"), str(port), str(letters)],
                          env=here.env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    said = delivery.taken(port)
    assert said["count"] == DJANGOS, f"{said['count']} of {DJANGOS} arrived"
    return float((DJANGOS - 1) / (said["last"] - said["first"]))


def _ready_made(slug: str) -> bytes:
    """The texts of the first letters, as JSON: what its queue is given."""
    campaign_id, now = campaigns.get(slug).id, db.utcnow()
    found: list[dict[str, Any]] = []
    with db.reading() as c:
        chosen = select(_LETTERS.c.id).where(_LETTERS.c.campaign_id == campaign_id).order_by(_LETTERS.c.id).limit(DJANGOS)
        letters = [x for i in c.execute(chosen).scalars().all() if (x := queries.letter(c, i))]
    for letter in letters:
        mail, _ = compose.mail(compose.prepare(letter), Started(db.new_id(), letter, now, time.monotonic()), get_settings(),
                               Allowance())
        found.append({"sender": mail.sender.address, "to": mail.to.address, "subject": mail.subject, "text": mail.text, "html": mail.html})
    return json.dumps(found).encode()
