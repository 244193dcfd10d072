"""What is done to the service. Each blow counts only when it has really been dealt, and as what it was; else it waits for its chance."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from outreach.db import utcnow
from outreach.services import stops
from tests.chaos import processes
from tests.chaos.arena import Arena, Part
from tests.chaos.evidence import path_of
from tests.chaos.scene import HALT

FULL_FOR, LOCKED_FOR = 3.0, 2.0
"""Seconds that an outage lasts."""
BRING = 0.7
"""Seconds after which it brings some."""
PATIENCE = 6.0
"""Seconds that a blow waits for a worker with a job in hand."""
UNSETTLING = ("kill valkey", "fill disk")
"""After these RQ's workers end by themselves; the kernel wakes and hangs up a fork that sleeps when its parent is gone."""
GOES = 4
"""How often a worker that had just ended its job is let go for the next."""


class Blows:
    """All of them, by the plan's words. `did` counts those that were dealt."""

    def __init__(self, arena: Arena, sinks: dict[str, subprocess.Popen[bytes]], seed: int) -> None:
        self.arena, self.sinks = arena, sinks
        self.chance = random.Random(seed)
        self.did: Counter[str] = Counter()
        self.bring: Callable[[str], None] = lambda kind: None
        """Sees to it that workers of this kind have something to do."""
        self.while_full: Callable[[], None] = lambda: None
        """Called in the middle of a full disk."""
        self._put_off = set[str]()
        """What waits until nobody sleeps; until then nobody else is put to sleep."""
        self._how = {"kill": self._kill, "arm": self._arm, "stop": self._stop, "clock": self._step, "lock": self._lock, "cut": self._cut,
                     "fill": self._fill, "halt": self._halt}

    def deal(self, what: str) -> bool:
        """One entry of the plan. Whether its moment has come; a fault has none before the sink tells of it, nor a sleep before its end."""
        word, _, rest = what.partition(" ")
        if what in UNSETTLING and self.arena.sleepers:
            self._put_off.add(what)
            return False
        if word == "stop" and self._put_off:
            return False
        self._put_off.discard(what)
        done = self._how[word](rest)
        if done and word not in ("arm", "stop"):
            self._count(what)
        return done

    def _count(self, what: str) -> None:
        self.did[what] += 1
        self.arena.truth.add("did", name=what)

    # kills and sleeps

    def _kill(self, rest: str) -> bool:
        if rest == "valkey":
            process = getattr(self.arena.valkey._server, "_process", None)
            return process is not None and processes.shoot_at_work(process.pid)
        kind, _, who = rest.partition(" ")
        if kind in ("web", "ticker"):
            return any(_killed(p) for p in self.arena.of_kind(kind))
        return self._of_a_busy_one(kind, lambda part, fork: self._shoot(f"kill {rest}", part, fork, who))

    def _shoot(self, what: str, part: Part, fork: int, who: str) -> bool:
        """At a worker's fork, at its parent while the fork works (a fork that were stopped meanwhile would die with it), or at both."""
        if who == "fork":
            return processes.shoot_at_work(fork)
        killed = _killed(part)
        if who == "parent":
            return killed and processes.runs(fork)
        both = processes.shoot_at_work(fork) and killed
        if killed and not both:
            self._count(f"{what}, of whom only the parent was there")
        return both

    def _stop(self, kind: str) -> bool:
        """SIGSTOP to a fork at work, for longer than its lease."""
        return self._of_a_busy_one(kind, lambda _part, fork: self.arena.sleepers.put(fork, kind))

    def _of_a_busy_one(self, kind: str, blow: Callable[[Part, int], bool]) -> bool:
        """Deal a blow to a worker with a job in hand; wait for one a while, and bring work if there is none."""
        end, brought = time.monotonic() + PATIENCE, time.monotonic()
        goes = 0
        while time.monotonic() < end and goes < GOES * 5:
            if busy := self.arena.busy(kind):
                goes += 1
                time.sleep(self.chance.uniform(0, 0.2) if goes % GOES else 0)
                if blow(*self.chance.choice(busy)):
                    return True
            elif time.monotonic() - brought > BRING:
                self.bring(kind)
                brought = time.monotonic()
            time.sleep(0.02)
        return False

    # what others get wrong, or do

    def _arm(self, rest: str) -> bool:
        sink, _, kind = rest.partition(" ")
        pipe = self.sinks[sink].stdin
        assert pipe is not None
        pipe.write(f"arm {kind}\n".encode())
        pipe.flush()
        return True

    def _step(self, rest: str) -> bool:
        before = self.arena.clock.offset
        self.arena.clock.step(float(rest))
        return self.arena.clock.offset == before + float(rest)

    def _halt(self, _rest: str) -> bool:
        """A campaign is stopped while letters of it wait and are being handed over."""
        self.bring(HALT)
        try:
            stops.stop(HALT, "won", "The council keeps the bus. Thank you!", now=utcnow())
        except SQLAlchemyError:
            return False
        self.arena.truth.add("called off", slug=HALT)
        return True

    # outages

    def _cut(self, _rest: str) -> bool:
        """Every connection to the database is ended by the server."""
        with psycopg.connect(path_of(self.arena.settings.db_url), autocommit=True) as c:
            cut = c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE datname = current_database() AND pid <> pg_backend_pid()").fetchall()
        return any(ended for (ended,) in cut)

    def _lock(self, _rest: str) -> bool:
        """Somebody else writes to the database for a while: a backup, an operator's shell."""
        with closing(sqlite3.connect(self.arena.settings.data_dir / "outreach.db", timeout=30, isolation_level=None)) as c:
            c.execute("BEGIN IMMEDIATE")
            time.sleep(LOCKED_FOR)
            c.execute("ROLLBACK")
        return True

    def _fill(self, _rest: str) -> bool:
        """No room on the disk of the data directory; where that is no file system of ours, no file may grow."""
        folder = self.arena.settings.data_dir
        with closing(sqlite3.connect(folder / "outreach.db", timeout=5)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # room within the log would be used first
        if os.path.ismount(folder):
            ballast = folder / "ballast"
            try:
                _fill_up(ballast)
                full = os.statvfs(folder).f_bavail == 0
                time.sleep(FULL_FOR / 2)
                self.while_full()
                time.sleep(FULL_FOR / 2)
            finally:
                ballast.unlink()
            return full
        before: list[tuple[int, Any]] = []
        for pid in self.arena.ours():
            with suppress(ProcessLookupError, PermissionError):
                before.append((pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)))
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[-1][1][1]))
        time.sleep(FULL_FOR / 2)
        self.while_full()
        time.sleep(FULL_FOR / 2)
        for pid, limit in before:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
        return bool(before)


def _killed(part: Part) -> bool:
    """Shoot a part's own process. Whether that is what it died of."""
    process = part.process
    if process is None or process.poll() is not None:
        return False
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    return process.returncode == -signal.SIGKILL


def _fill_up(file: Any) -> None:
    with file.open("wb", buffering=0) as f:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    f.write(b"\0" * size)
