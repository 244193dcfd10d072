"""The ticker keeps its second, whatever the mailbox of bounces or a sweep is up to; and it stops when it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from outreach.models import Attempt
from outreach.services import bounces, sweep
from outreach.settings import get_settings
from outreach.transports.email.bounces import envelope_id
from tests.conftest import eventually
from tests.services.helpers import Desk
from tests.services.test_receipts import dsn
from tests.transports.servers import running
from tests.transports.test_bounces import Imap
from workers import ticker

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@contextmanager
def ticking(desk: Desk, tick: float = 0.05) -> Iterator[list[float]]:
    """The real ticker in a thread, with a quick second; yields when it ticked."""
    ticks: list[float] = []
    desk.patch.setattr(ticker, "TICK", tick)
    desk.patch.setattr(ticker, "tick", lambda: ticks.append(time.monotonic()))
    stop = threading.Event()
    thread = threading.Thread(target=ticker.run, kwargs={"stopping": stop.is_set})
    thread.start()
    try:
        yield ticks
    finally:
        stop.set()
        began = time.monotonic()
        thread.join(30)
        assert time.monotonic() - began < ticker.PATIENCE + 2


@pytest.fixture
def silent() -> Iterator[str]:
    """An IMAP server that takes each connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"imap://u:p@127.0.0.1:{server.getsockname()[1]}/INBOX"


def test_a_mailbox_that_never_answers_holds_up_no_tick(desk: Desk, silent: str) -> None:
    desk.set(bounce_imap_url=silent)
    with ticking(desk) as ticks:
        time.sleep(3)
        assert len(ticks) > 20


def test_a_sweep_that_takes_long_holds_up_no_tick(desk: Desk) -> None:
    over = threading.Event()
    desk.patch.setattr(sweep, "sweep", lambda: over.wait(20))
    with ticking(desk) as ticks:
        time.sleep(2)
        assert len(ticks) > 15
        over.set()


def test_bounces_in_a_maildir_are_taken_beside_the_ticks(desk: Desk) -> None:
    desk.set(confirm="none", bounce_maildir=str(get_settings().data_dir / "bounces"))
    desk.campaign()
    token = desk.write()
    desk.send()
    attempt = desk.one(Attempt)
    new = get_settings().data_dir / "bounces" / "new"
    new.mkdir(parents=True)
    (new / "1.a.host").write_bytes(dsn("commissioner@transit.example", status="5.1.1", envid=envelope_id(attempt.id, get_settings().key())))
    with ticking(desk):
        eventually(lambda: desk.letter(token).state == "failed", seconds=20)


def test_bounces_in_an_imap_mailbox_are_taken_over_one_connection(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    tokens = [desk.write(), desk.write()]
    desk.send()
    mails = {n: dsn("commissioner@transit.example", status="5.1.1", envid=envelope_id(a.id, get_settings().key()))
             for n, a in enumerate(desk.attempts())}
    desk.patch.setattr(bounces, "POLL", 0.2)
    with running(Imap({})) as imap:
        desk.set(bounce_imap_url=imap.url)
        with ticking(desk):
            for n, raw in mails.items():
                imap.mails[n], imap.flags[n] = raw, set()
                eventually(lambda n=n: imap.flags[n] == {"\\Seen"}, seconds=20)  # type: ignore[misc]
            eventually(lambda: imap.commands.count("NOOP") > 3, seconds=20)
    assert {desk.letter(t).state for t in tokens} == {"failed"}
    assert [c.split()[0] for c in imap.commands].count("LOGIN") == 1
    assert imap.commands[-1] == "LOGOUT"


def test_a_mailbox_that_fails_is_tried_later_and_later(desk: Desk) -> None:
    """A login every two seconds would have an account locked."""
    desk.patch.setattr(bounces, "FIRST_PAUSE", 0.1)
    with running(Imap({}, hang="SELECT")) as imap:
        desk.patch.setattr(bounces, "SECONDS", 0.1)
        desk.set(bounce_imap_url=imap.url)
        with ticking(desk):
            time.sleep(3)
        logins = [c.split()[0] for c in imap.commands].count("LOGIN")
    assert 2 <= logins <= 5


def test_a_mailbox_that_comes_back_is_read_again(desk: Desk) -> None:
    desk.patch.setattr(bounces, "FIRST_PAUSE", 0.1)
    desk.patch.setattr(bounces, "POLL", 0.1)
    with running(Imap({1: b"From: somebody\n\nan answer, no bounce\n"}, hang="UID SEARCH")) as imap:
        desk.patch.setattr(bounces, "SECONDS", 0.2)
        desk.set(bounce_imap_url=imap.url)
        with ticking(desk):
            eventually(lambda: "UID SEARCH UNSEEN UNKEYWORD OutreachLeft" in imap.commands, seconds=20)
            imap.hang = ""
            eventually(lambda: imap.flags[1] == {"OutreachLeft"}, seconds=20)


def test_a_ticker_that_is_told_to_stop_does_not_wait_for_its_mailbox(desk: Desk, silent: str) -> None:
    desk.set(bounce_imap_url=silent)
    with ticking(desk) as ticks:
        eventually(lambda: ticks, seconds=10)
    assert not [t for t in threading.enumerate() if t.name.startswith("ticker-") and not t.daemon]

