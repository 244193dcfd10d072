"""Programs hear of alerts and letters: signed, once each, again until it is taken, and never inside our own network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from outreach.db import new_id, unit_of_work
from outreach.errors import NotAllowed, NotFound
from outreach.models import LetterEvent, Webhook, WebhookDelivery, table
from outreach.services import alerts, campaigns, webhook_events, webhook_posts, webhooks
from outreach.transports.webhook_post import is_public, post
from tests.services.helpers import Desk
from tests.transports.servers import Answer, HttpServer, running


@dataclass
class Ear:
    """A program that listens, over a real socket."""

    desk: Desk
    status: int = 200
    heard: list[Any] = field(default_factory=list)
    url: str = ""

    def answer(self, asked: Any) -> Answer:
        self.heard.append(asked)
        return Answer(self.status, {"ok": True})

    def events(self) -> list[dict[str, Any]]:
        return [e for asked in self.heard for e in json.loads(asked.body)["data"]]


@pytest.fixture
def ear(desk: Desk) -> Iterator[Ear]:
    desk.set(confirm="none", webhooks_to="any")
    desk.campaign()
    made = Ear(desk)
    with running(HttpServer(made.answer)) as server:
        made.url = f"{server.url}/heard"
        yield made


def add(ear: Ear, *events: str, slug: str | None = "night-bus") -> tuple[str, str]:
    return webhooks.add(slug, ear.url, events, now=ear.desk.now, who="owner@night-bus.example")


def test_an_alert_is_posted_once_and_signed(ear: Ear) -> None:
    _, secret = add(ear, "alert.opened")
    campaigns.set_state("night-bus", "pause", now=ear.desk.now, why="most failed")
    alerts.look(ear.desk.now)
    assert webhook_posts.due(ear.desk.now)
    assert webhook_posts.deliver(now=ear.desk.now) == 1
    assert webhook_posts.deliver(now=ear.desk.now) == 0
    (asked,) = ear.heard
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    proof = base64.b64encode(hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()).decode()
    assert asked.headers["webhook-signature"] == f"v1,{proof}"
    (event,) = ear.events()
    assert (event["kind"], event["campaign"]) == ("campaign_paused", "night-bus")


def test_letters_are_told_without_anybodys_data_and_each_change_once(ear: Ear) -> None:
    add(ear, "letter.sent", "letter.queued")
    ear.desk.write(name="Maxine Kowalski")
    ear.desk.send()
    assert webhook_events.gather(ear.desk.now) == 0, "a transaction with a lower number may still be under way"
    ear.desk.later(seconds=11)
    assert webhook_events.gather(ear.desk.now) == 2
    assert webhook_events.gather(ear.desk.now) == 0
    webhook_posts.deliver(now=ear.desk.now)
    assert [e["event"] for e in ear.events()] == ["letter.queued", "letter.sent"]
    said = str([a.body for a in ear.heard])
    assert "Kowalski" not in said and "people.example" not in said and "transit.example" not in said


def test_nothing_of_other_campaigns_is_told_but_the_operators_webhook_hears_all(ear: Ear) -> None:
    ear.desk.campaign("day-bus")
    add(ear, "letter.queued")
    ear.desk.write("day-bus")
    webhook_events.gather(ear.desk.later(seconds=11))
    assert not webhook_posts.due(ear.desk.now)
    add(ear, "letter.queued", slug=None)
    ear.desk.write("day-bus")
    assert webhook_events.gather(ear.desk.later(seconds=11)) == 1


def test_what_is_not_taken_comes_again_the_same_until_it_is(ear: Ear) -> None:
    add(ear, "letter.queued")
    ear.desk.write()
    webhook_events.gather(ear.desk.later(seconds=11))
    ear.status = 503
    assert webhook_posts.deliver(now=ear.desk.now) == 1
    assert webhook_posts.deliver(now=ear.desk.now) == 0, "not at once"
    ear.status = 200
    assert webhook_posts.deliver(now=ear.desk.later(minutes=1)) == 1
    assert ear.heard[0].body == ear.heard[1].body
    assert ear.heard[0].headers["webhook-id"] == ear.heard[1].headers["webhook-id"]
    assert ear.desk.one(WebhookDelivery).state == "taken"


def test_a_delivery_whose_sender_died_is_made_by_another(ear: Ear) -> None:
    add(ear, "letter.queued")
    ear.desk.write()
    webhook_events.gather(ear.desk.later(seconds=11))
    ear.desk.change(WebhookDelivery, state="sending", lease_until=ear.desk.now + timedelta(seconds=60))
    assert webhook_posts.deliver(now=ear.desk.now) == 0
    assert webhook_posts.deliver(now=ear.desk.later(seconds=61)) == 1


def test_one_that_takes_nothing_for_days_or_is_gone_is_switched_off(ear: Ear) -> None:
    add(ear, "letter.queued")
    ear.status = 500
    for _ in range(5):
        ear.desk.write()
        webhook_events.gather(ear.desk.later(hours=23))
        webhook_posts.deliver(now=ear.desk.now)
    assert ear.desk.one(Webhook).disabled_at is not None
    assert not webhook_posts.due(ear.desk.later(days=1))
    (shown,) = webhooks.of_campaign("night-bus")
    assert "three days" in (shown.disabled_why or "")


def test_only_its_own_campaigns_people_remove_it(ear: Ear) -> None:
    made, _ = add(ear, "letter.queued")
    ear.desk.campaign("day-bus")
    with pytest.raises(NotFound):
        webhooks.remove("day-bus", made, now=ear.desk.now, who="x")
    webhooks.remove("night-bus", made, now=ear.desk.now, who="x")
    assert webhooks.of_campaign("night-bus") == []


@pytest.mark.parametrize("url", [
    "http://hooks.example/x", "ftp://hooks.example/", "https://user:secret@hooks.example/", "https:///x", "https://[",
    "https://hooks.example:99999/", "https://" + "x" * 600 + ".example/"])
def test_an_address_must_be_https_and_plain(desk: Desk, url: str) -> None:
    desk.campaign()
    with pytest.raises(NotAllowed):
        webhooks.add("night-bus", url, ["alert.opened"], now=desk.now, who="x")


@pytest.mark.parametrize("place", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1",
                                   "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "0.0.0.0", "100.64.0.1"])
def test_inside_is_inside_in_every_spelling(place: str) -> None:
    assert not is_public(ipaddress.ip_address(place))


def test_the_public_internet_is_public() -> None:
    assert is_public(ipaddress.ip_address("192.0.32.8")) and is_public(ipaddress.ip_address("2600:1901::1"))


def test_nothing_is_posted_inside_whatever_the_name_says(ear: Ear) -> None:
    answer = post(ear.url.replace("127.0.0.1", "localhost"), b"{}", {})
    assert answer.status is None and "public internet" in answer.said
    assert ear.heard == []
    assert post(ear.url, b"{}", {}, private=True).status == 200


def test_a_later_number_with_an_earlier_time_hides_no_event(ear: Ear) -> None:
    """A sweep writes its own, older time under higher numbers."""
    add(ear, "letter.sent")
    ear.desk.write()
    letter, now = ear.desk.letter().id, ear.desk.now
    with unit_of_work() as c:
        for ago in (5, 15):
            c.execute(insert(table(LetterEvent)).values(letter_id=letter, at=now - timedelta(seconds=ago), before="queued", after="sent",
                                                        why="accepted"))
    assert webhook_events.gather(now) + webhook_events.gather(now + timedelta(minutes=1)) == 2


def test_one_that_took_something_lately_stays_however_much_waits(ear: Ear) -> None:
    made, _ = add(ear, "letter.sent")
    now, long_ago = ear.desk.now, ear.desk.now - timedelta(days=10)
    ear.desk.change(Webhook, created_at=long_ago)
    rows = [{"id": new_id((now - timedelta(minutes=10)).timestamp()), "webhook_id": made, "event": f"e{i}", "kind": "letters", "rank": 1,
             "body": "{}", "state": "queued", "not_before": now, "created_at": now} for i in range(1001)]
    taken = {**rows[0], "id": new_id((now - timedelta(hours=1)).timestamp()), "event": "ok", "state": "taken",
             "ended_at": now - timedelta(hours=1)}
    with unit_of_work() as c:
        c.execute(insert(table(WebhookDelivery)).values(taken))
        c.execute(insert(table(WebhookDelivery)), rows)
    ear.status = 500
    webhook_posts.deliver(most=1, now=now)
    assert ear.desk.one(Webhook).disabled_at is None


def test_one_that_answers_drop_by_drop_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
                while not done.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, private=True, seconds=0.5)
        done.set()
        thread.join()
    assert answer.status is None, "each drop was in time, the whole was not"
