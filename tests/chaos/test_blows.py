"""A blow counts only when it has been dealt: what had nothing to hit, or has not come about yet, is still to come."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.chaos import processes, sleepers, truth
from tests.chaos.clock import Clock
from tests.chaos.mail_sink import MailSink
from tests.chaos.plan import FORMS, plan, still_to_come
from tests.chaos.sleepers import Sleepers
from tests.chaos.truth import Truth


@contextmanager
def somebody(code: str = "import time; time.sleep(600)") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until_dead(pid: int) -> None:
    while processes.runs(pid):
        time.sleep(0.01)


def test_a_shot_at_who_works_is_one() -> None:
    with somebody() as process:
        assert processes.shoot_at_work(process.pid)
        assert process.wait(10) == -signal.SIGKILL


def test_a_shot_at_who_has_just_ended_is_none() -> None:
    with somebody("pass") as process:
        _until_dead(process.pid)  # nobody has waited for it yet: a signal finds a zombie
        assert not processes.shoot_at_work(process.pid)
        assert process.wait(10) == 0


def test_what_was_not_done_or_not_as_such_is_still_to_come() -> None:
    steps = [["kill fax fork", "arm mail defer_rcpt"], ["kill fax fork", "stop fax"]]
    assert still_to_come(steps, {"kill fax fork": 1, "kill fax both, of whom only the parent was there": 1, "arm mail defer_rcpt": 2}) == {
        "kill fax fork": 1, "stop fax": 1}
    assert not still_to_come(steps, {"kill fax fork": 2, "arm mail defer_rcpt": 1, "stop fax": 1})


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_without_anything_done_the_whole_plan_is_still_to_come(database: str) -> None:
    steps = plan(FORMS["ci"], database, 1)
    assert still_to_come(steps, {}).total() == sum(len(step) for step in steps)


@pytest.fixture
def asleep(tmp_path: Path) -> Sleepers:
    """With a ledger in which nothing is open."""
    with closing(sqlite3.connect(tmp_path / "x.db")) as c:
        c.execute("PRAGMA journal_mode=WAL")
        c.execute("CREATE TABLE attempts (id TEXT, verdict TEXT, holder TEXT)")
    Clock(tmp_path / "clock")
    return Sleepers(f"sqlite:///{tmp_path / 'x.db'}", Truth(tmp_path, "arena", 1), {"fax": -sleepers.MARGIN})


def _ledger(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "x.db")) as c:
        c.execute(statement)
        c.commit()


def test_only_who_has_attempts_in_hand_is_put_to_sleep(asleep: Sleepers, tmp_path: Path) -> None:
    with somebody() as process:
        assert not asleep.put(process.pid, "fax")
        assert process.pid not in asleep and processes.state(process.pid) != "T"
        _ledger(tmp_path, f"INSERT INTO attempts VALUES ('a1', 'open', 'host/boot/1/{process.pid}/9')")
        assert asleep.put(process.pid, "fax")
        assert process.pid in asleep and processes.state(process.pid) == "T"
        assert not asleep.did and asleep.coming() == {"stop fax": 1}


def test_a_sleep_counts_once_its_attempts_were_taken_and_it_is_woken(asleep: Sleepers, tmp_path: Path) -> None:
    with somebody() as process:
        _ledger(tmp_path, f"INSERT INTO attempts VALUES ('a1', 'open', 'host/boot/1/{process.pid}/9')")
        asleep.put(process.pid, "fax")
        asleep.look()
        assert not asleep.did  # its lease is over, but nobody has taken what it holds
        _ledger(tmp_path, "UPDATE attempts SET verdict = 'unknown'")
        asleep.look()
        assert asleep.did == {"stop fax": 1} and not asleep and processes.state(process.pid) != "T"
    (woken,) = [r for r in truth.read(tmp_path / "arena.jsonl") if r["what"] == "woken"]
    assert woken["taken"] and woken["attempts"] == ["a1"]


def test_a_sleep_that_somebody_else_ended_proves_nothing(asleep: Sleepers, tmp_path: Path) -> None:
    with somebody() as process:
        _ledger(tmp_path, f"INSERT INTO attempts VALUES ('a1', 'open', 'host/boot/1/{process.pid}/9')")
        asleep.put(process.pid, "fax")
        process.kill()
        _until_dead(process.pid)
        asleep.look()
        assert not asleep.did and not asleep


def test_a_fault_whose_moment_did_not_come_waits_for_the_next_transaction(tmp_path: Path) -> None:
    Clock(tmp_path / "clock")
    sink = MailSink(Truth(tmp_path, "mail", 1))
    sink.truth.armed.append("defer_data")

    async def talk() -> bytes:
        server = await asyncio.start_server(sink.talk, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        envelope = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<%s@target.example>\r\n"
        writer.write(envelope % b"gone1" + b"RSET\r\n" + envelope % b"office1" + b"DATA\r\nMessage-ID: <x@y>\r\n\r\nHello\r\n.\r\nQUIT\r\n")
        said = await reader.read()
        server.close()
        return said

    answers = [line[:3] for line in asyncio.run(talk()).split(b"\r\n")]
    assert answers == [b"220", b"250", b"550", b"250", b"250", b"250", b"354", b"451", b"221", b""]
    assert [r["kind"] for r in truth.read(tmp_path / "mail.jsonl")] == ["defer_data"] and not sink.truth.armed
