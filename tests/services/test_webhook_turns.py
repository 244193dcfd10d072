"""Programs that hang, fall behind or are gone keep nobody else waiting: neither other programs nor mails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from outreach.db import new_id, unit_of_work, utcnow
from outreach.models import Letter, LetterEvent, Webhook, WebhookDelivery, table
from outreach.services import alerts, campaigns, webhook_events, webhook_posts, webhooks
from tests.conftest import eventually
from tests.services.helpers import Desk
from tests.transports.servers import Answer, HttpServer, running
from workers import jobs

EVENTS, HOOKS, DELIVERIES = table(LetterEvent), table(Webhook), table(WebhookDelivery)


@dataclass
class Ears:
    """Programs that listen, each over a socket of its own, and the order in which they were told."""

    desk: Desk
    servers: ExitStack
    heard: list[tuple[str, Any]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    asleep: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, *events: str, slug: str | None = "night-bus", hangs: bool = False) -> str:
        def answer(asked: Any) -> Answer:
            self.heard.append((name, json.loads(asked.body)))
            if hangs:
                self.asleep.wait(20)
            return Answer(self.status.get(name, 200), {})

        server = self.servers.enter_context(running(HttpServer(answer)))
        made, _ = webhooks.add(slug, f"{server.url}/{name}", events, now=self.desk.now, who="owner@night-bus.example")
        return made

    def waits(self, hook: str, n: int, *, minutes: int = 0) -> None:
        """Queue posts of letters."""
        at = self.desk.now - timedelta(minutes=minutes)
        with unit_of_work() as c:
            for i in range(n):
                webhooks.queue(c, hook, f"letters.{minutes}.{i}", "letters", [{"event": "letter.sent", "id": i}], now=at)

    def who(self) -> list[str]:
        return [name for name, _ in self.heard]


@pytest.fixture
def ears(desk: Desk) -> Iterator[Ears]:
    desk.set(confirm="none", webhooks_to="any")
    desk.campaign()
    desk.campaign("day-bus")
    with ExitStack() as servers:
        made = Ears(desk, servers)
        yield made
        made.asleep.set()


def test_one_that_takes_nothing_rests_as_a_whole_and_longer_each_time(ears: Ears) -> None:
    hook = ears.add("bad", "letter.sent")
    ears.waits(hook, 40)
    ears.status["bad"] = 503
    assert webhook_posts.deliver(now=ears.desk.now) == 1
    pauses = []
    for _ in range(12):
        rests = ears.desk.one(Webhook).not_before - ears.desk.now
        pauses.append(rests.total_seconds())
        assert not webhook_posts.due(ears.desk.now + rests - timedelta(seconds=1))
        assert webhook_posts.deliver(now=ears.desk.later(seconds=rests.total_seconds())) == 1
    assert pauses[:4] == [5, 10, 20, 40] and max(pauses) == 900
    (shown,) = webhooks.of_campaign("night-bus")
    assert shown.failing_since and shown.not_before > ears.desk.now
    ears.status["bad"] = 200
    assert webhook_posts.deliver(now=ears.desk.later(minutes=16)) == 40
    assert webhooks.of_campaign("night-bus")[0].failing_since is None


def test_webhooks_take_turns(ears: Ears) -> None:
    for name in ("one", "other"):
        ears.waits(ears.add(name, "letter.sent"), 3)
    for _ in range(6):
        webhook_posts.deliver(now=ears.desk.later(seconds=1), most=1)
    assert ears.who() in (["one", "other"] * 3, ["other", "one"] * 3)


def test_alerts_go_before_letters_whoever_waits_longer(ears: Ears) -> None:
    busy = ears.add("busy", "letter.sent", "alert.opened")
    ears.waits(busy, 5, minutes=30)
    ears.add("other", "alert.opened", slug="day-bus")
    campaigns.set_state("day-bus", "pause", now=ears.desk.now, why="most failed")
    campaigns.set_state("night-bus", "pause", now=ears.desk.now, why="most failed")
    alerts.look(ears.desk.now)
    webhook_posts.deliver(now=ears.desk.now)
    assert [body["type"] for _, body in ears.heard[:2]] == ["alert.opened"] * 2 and set(ears.who()[:2]) == {"busy", "other"}
    assert [body["type"] for _, body in ears.heard[2:]] == ["letters"] * 5


def test_one_that_was_quiet_for_long_is_not_switched_off_for_one_failure(ears: Ears) -> None:
    hook = ears.add("seldom", "letter.sent")
    ears.status["seldom"] = 500
    ears.desk.later(days=4)
    ears.waits(hook, 1)
    webhook_posts.deliver(now=ears.desk.now)
    assert ears.desk.one(Webhook).disabled_at is None


def test_a_mail_waits_for_no_program_that_hangs(ears: Ears) -> None:
    """More of them than there are threads to post."""
    ears.desk.set(confirm="email")
    assert ears.desk.sink
    ears.desk.now = utcnow()
    for i in range(jobs.POSTERS + 1):
        ears.waits(ears.add(f"hangs{i}", "letter.sent", hangs=True), 3)
    job = threading.Thread(target=jobs.mails_and_posts)
    job.start()
    try:
        eventually(lambda: len(ears.heard) == jobs.POSTERS, seconds=10)
        began = time.monotonic()
        ears.desk.write()
        eventually(lambda: len(ears.desk.sink.mails) == 1, seconds=10)
        assert time.monotonic() - began < 2
        assert job.is_alive()
    finally:
        ears.asleep.set()
        job.join()


def test_what_comes_while_a_post_hangs_is_posted_beside_it(ears: Ears) -> None:
    ears.desk.now = utcnow()
    assert ears.desk.sink
    ears.waits(ears.add("hangs", "letter.sent", hangs=True), 3)
    ears.add("good", "alert.opened", slug="day-bus")
    job = threading.Thread(target=jobs.mails_and_posts)
    job.start()
    try:
        eventually(lambda: ears.who() == ["hangs"], seconds=10)
        campaigns.set_state("day-bus", "pause", now=utcnow(), why="most failed")
        alerts.look(utcnow())
        eventually(lambda: ears.who() == ["hangs", "good"], seconds=4)
        assert job.is_alive()
    finally:
        ears.asleep.set()
        job.join()


def test_reading_keeps_up_and_reads_its_own_campaign_only(ears: Ears) -> None:
    ears.desk.write()
    ears.desk.write("day-bus")
    letters = {row.campaign_id: row.id for row in ears.desk.rows(Letter)}
    mine, other = (letters[campaigns.get(slug).id] for slug in ("night-bus", "day-bus"))
    hook = ears.add("mine", "letter.delivered")
    ears.add("all", "letter.delivered", slug=None)
    at = ears.desk.now
    with unit_of_work() as c:
        for letter, n in ((other, 4000), (mine, 3)) * 2:
            c.execute(insert(EVENTS), [{"letter_id": letter, "at": at, "before": "sent", "after": "delivered", "why": "receipt"}] * n)
    assert webhook_events.gather(ears.desk.later(seconds=11)) == 8006 + 6
    told = [json.loads(d.body)["data"] for d in ears.desk.rows(WebhookDelivery) if d.webhook_id == hook]
    assert [e["letter"] for data in told for e in data] == [mine] * 6
    assert len({h.since_event for h in ears.desk.rows(Webhook)}) == 1, "what is nobody's is not read again"
    assert webhook_events.gather(ears.desk.now) == 0


def test_what_ended_a_week_ago_is_deleted(ears: Ears) -> None:
    hook = ears.add("one", "letter.sent")
    now = ears.desk.now
    rows = [{"id": new_id((now - timedelta(days=days, minutes=1)).timestamp()), "webhook_id": hook, "event": f"e{days}{state}",
             "kind": "letters", "rank": 1, "body": "{}", "state": state, "not_before": now, "created_at": now - timedelta(days=days),
             "ended_at": None if state == "queued" else now - timedelta(days=days)}
            for days in (6, 8) for state in ("taken", "failed", "queued")]
    with unit_of_work() as c:
        c.execute(insert(DELIVERIES), rows)
    assert webhook_posts.forget(now) == 2
    assert sorted(d.event for d in ears.desk.rows(WebhookDelivery)) == ["e6failed", "e6queued", "e6taken", "e8queued"]
