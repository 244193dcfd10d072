"""The service's processes, as `outreach up` or systemd would keep them, and what can be done to them."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from outreach.settings import Settings
from outreach.supervisor import Valkey
from tests.chaos.clock import VARIABLE, Clock
from tests.chaos.truth import Truth

ROOT = Path(__file__).parents[2]
PARTS: dict[str, tuple[str, ...]] = {
    "web": ("web",), "ticker": ("ticker",), "email-1": ("worker", "email"), "email-2": ("worker", "email"), "fax-1": ("worker", "fax"),
    "fax-2": ("worker", "fax"), "notice-1": ("worker", "notice")}
FULL_FOR, LOCKED_FOR = 3.0, 2.0
"""Seconds that an outage lasts."""


@dataclass
class Part:
    """One process, started again whenever it has died."""

    name: str
    argv: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    not_before: float = 0.0

    def look(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is None or time.monotonic() >= self.not_before:
            self.not_before = time.monotonic() + 0.5
            with self.log.open("ab") as out:
                self.process = subprocess.Popen([sys.executable, "-m", "outreach", *self.argv], cwd=ROOT, stdin=subprocess.DEVNULL,
                                                stdout=out, stderr=out, start_new_session=True)

    def forks(self) -> list[int]:
        """Ids of what it has forked for the job under way. (psutil reads all of /proc for this, too dear to ask often.)"""
        if self.process is None:
            return []
        try:
            return [int(p) for p in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]
        except OSError:
            return []


class Arena:
    """All parts, kept alive by a thread. `did` counts what was really done."""

    def __init__(self, settings: Settings, folder: Path, seed: int, leases: dict[str, float]) -> None:
        self.settings, self.folder, self.leases = settings, folder, leases
        self.clock = Clock(folder / "clock")
        self.chance = random.Random(seed)
        self.truth = Truth(folder, "arena", seed)
        self.did: Counter[str] = Counter()
        self.postgres = settings.db_url.startswith("postgresql")
        (folder / "logs").mkdir(exist_ok=True)
        self.parts = {name: Part(name, argv, folder / "logs" / f"{name}.log") for name, argv in PARTS.items()}
        self.sinks: dict[str, subprocess.Popen[bytes]] = {}
        self.stopped: dict[int, float] = {}
        """Processes that sleep, by id: when they are woken (monotonic)."""
        self.while_full: Callable[[], None] = lambda: None
        """Called in the middle of a full disk."""
        self.valkey = Valkey(settings)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    # life

    def start(self) -> None:
        for part in self.parts.values():
            part.look()
        self._thread.start()

    def _keep(self) -> None:
        """Start what has died, wake what has slept long enough."""
        while not self._ending.wait(0.1):
            self.valkey.look()
            for part in self.parts.values():
                part.look()
            for pid in [p for p, at in self.stopped.items() if time.monotonic() >= at]:
                del self.stopped[pid]
                self.truth.add("woken", pid=pid)
                _signal(pid, signal.SIGCONT)

    def stop(self) -> list[str]:
        """Ask all to end, as an operator would. Returns the names of those that had to be killed."""
        self._ending.set()
        self._thread.join()
        running = {n: p.process for n, p in self.parts.items() if p.process and p.process.poll() is None}
        for process in running.values():
            process.terminate()
        stubborn = []
        for name, process in running.items():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                stubborn.append(name)
        self.kill_all()
        return stubborn

    def kill_all(self) -> None:
        """Whatever of ours still runs, forks whose parents were shot too."""
        self._ending.set()
        for pid in self._ours():
            _shoot(pid)
        with suppress(Exception):
            self.valkey.stop()

    def _ours(self) -> list[int]:
        """All `outreach` processes of this arena, forks whose parents were shot too: they have its clock in their environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if "outreach" in process.cmdline() and process.environ().get(VARIABLE) == str(self.folder / "clock"):
                    found.append(process.pid)
        return found

    # what is done to them

    def do(self, what: str) -> None:
        """One entry of the plan."""
        word, _, rest = what.partition(" ")
        done = {"kill": self._kill, "arm": self._arm, "stop": self._stop, "clock": self._step, "lock": self._lock, "cut": self._cut,
                "fill": self._fill}[word](rest)
        if done:
            self.did[what] += 1
            self.truth.add("did", name=what)

    def _part(self, kind: str) -> Part:
        return self.chance.choice([p for n, p in self.parts.items() if n.partition("-")[0] == kind])

    def _fork(self, kind: str) -> tuple[Part, int] | None:
        """One that has work in hand, and its fork; waits for it a while."""
        end = time.monotonic() + 3
        while time.monotonic() < end:
            busy = [(p, f) for n, p in self.parts.items() if n.partition("-")[0] == kind for f in p.forks() if f not in self.stopped]
            if busy:
                time.sleep(self.chance.uniform(0, 0.2))
                return self.chance.choice(busy)
            time.sleep(0.02)
        return None

    def _kill(self, rest: str) -> bool:
        if rest == "valkey":
            process = getattr(self.valkey._server, "_process", None)
            return process is not None and _shoot(process.pid)
        kind, _, who = rest.partition(" ")
        found = self._fork(kind) if kind not in ("web", "ticker") else None
        part = found[0] if found else self._part(kind)
        if who == "fork" and found:
            return _shoot(found[1])
        forks = part.forks() if who == "both" else []
        return part.process is not None and any([_shoot(pid) for pid in (part.process.pid, *forks)])

    def _arm(self, rest: str) -> bool:
        sink, _, kind = rest.partition(" ")
        pipe = self.sinks[sink].stdin
        assert pipe is not None
        pipe.write(f"arm {kind}\n".encode())
        pipe.flush()
        return False  # counted by the sink, when it has happened

    def _stop(self, kind: str) -> bool:
        """SIGSTOP to a fork at work, for longer than its lease."""
        found = self._fork(kind)
        for _ in range(20):
            if found is None or not _signal(found[1], signal.SIGSTOP):
                return False
            if self._writable():
                break
            _signal(found[1], signal.SIGCONT)
            time.sleep(0.05)
        else:
            return False
        self.truth.add("stopped", pid=found[1])
        self.stopped[found[1]] = time.monotonic() + self.leases[kind] + 5
        return True

    def _writable(self) -> bool:
        """SQLite has one writer at a time: whoever is stopped within a transaction stops them all until it goes on, which tells nothing."""
        if self.postgres:
            return True
        try:
            with closing(sqlite3.connect(self.settings.data_dir / "outreach.db", timeout=1, isolation_level=None)) as c:
                c.execute("BEGIN IMMEDIATE")
                c.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        return True

    def _step(self, rest: str) -> bool:
        self.clock.step(float(rest))
        return True

    def _cut(self, _rest: str) -> bool:
        """Every connection to the database is ended by the server."""
        url = self.settings.db_url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND pid <> pg_backend_pid()")
        return True

    def _lock(self, _rest: str) -> bool:
        """Somebody else writes to the database for a while: a backup, an operator's shell."""
        with closing(sqlite3.connect(self.settings.data_dir / "outreach.db", timeout=30, isolation_level=None)) as c:
            c.execute("BEGIN IMMEDIATE")
            time.sleep(LOCKED_FOR)
            c.execute("ROLLBACK")
        return True

    def _fill(self, _rest: str) -> bool:
        """No room on the disk of the data directory; where that is no file system of ours, no file may grow."""
        with closing(sqlite3.connect(self.settings.data_dir / "outreach.db", timeout=5)) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # room within the log would be used first
        if os.path.ismount(self.settings.data_dir):
            ballast = self.settings.data_dir / "ballast"
            try:
                _fill_up(ballast)
                time.sleep(FULL_FOR / 2)
                self.while_full()
                time.sleep(FULL_FOR / 2)
            finally:
                ballast.unlink()
            return True
        before: list[tuple[int, Any]] = []
        for pid in self._ours():
            with suppress(ProcessLookupError, PermissionError):
                before.append((pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)))
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[-1][1][1]))
        time.sleep(FULL_FOR / 2)
        self.while_full()
        time.sleep(FULL_FOR / 2)
        for pid, limit in before:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
        return True


def _shoot(pid: int) -> bool:
    return _signal(pid, signal.SIGKILL)


def _signal(pid: int, what: signal.Signals) -> bool:
    """Whether it was there to hear it."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return False
    return True


def _fill_up(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as f:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    f.write(b"\0" * size)


