"""Workers that are stopped (SIGSTOP) with attempts in hand, sleep past their lease, and are woken when those were taken from them.

A sleep counts only with its proof: there were attempts in the ledger under its name, it was still asleep at the end, and by then
its lease had been over for some seconds. Whether anybody had taken the attempts is for the checker to judge.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

import psycopg

from tests.chaos import processes
from tests.chaos.evidence import path_of, read
from tests.chaos.truth import Truth

MARGIN = 5.0
"""Seconds past the lease."""
LET_TAKE = 60.0
"""Seconds more in which the service may take what the sleeper held; the sweep comes every ten."""
STUCK = 0.2
"""Seconds that a transaction may stand open before it is taken for the sleeper's."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """One worker's."""

    pid: int
    kind: str
    attempts: tuple[str, ...]
    ends: float
    """When its lease has been over for a while, monotonic."""


class Sleepers:
    """Who sleeps now. `put` is called by whoever deals the blows, `look` by the thread that keeps the arena."""

    def __init__(self, url: str, truth: Truth, leases: dict[str, float]) -> None:
        self._url, self._truth, self._leases = path_of(url), truth, leases
        self._asleep: dict[int, Sleep] = {}
        self._lock = threading.Lock()
        self.did: Counter[str] = Counter()
        """Sleeps that were had to their end."""

    def __contains__(self, pid: object) -> bool:
        return pid in self._asleep

    def __len__(self) -> int:
        return len(self._asleep)

    def coming(self) -> Counter[str]:
        """Sleeps that are under way, by the plan's name."""
        return Counter(f"stop {s.kind}" for s in list(self._asleep.values()))

    def put(self, pid: int, kind: str) -> bool:
        """Stop a fork at work. Whether it now sleeps, with attempts in hand and without holding up everybody else."""
        if not processes.freeze(pid):
            return False
        attempts = tuple(r["id"] for r in read(self._url, f"SELECT id FROM attempts WHERE verdict = 'open' AND holder LIKE '%/{pid}/%'"))
        if not attempts or self._holds_up():
            processes.thaw(pid)
            return False
        with self._lock:
            self._asleep[pid] = Sleep(pid, kind, attempts, time.monotonic() + self._leases[kind] + MARGIN)
        self._truth.add("stopped", pid=pid, attempts=attempts)
        return True

    def _holds_up(self) -> bool:
        """Whoever is stopped within a transaction stops all that wait for its locks until it goes on, which tells nothing."""
        if self._url.startswith("postgresql"):
            time.sleep(STUCK)
            return bool(read(self._url, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                             f" AND xact_start < now() - interval '{STUCK} seconds' AND state <> 'active'"))
        try:
            with closing(sqlite3.connect(self._url, timeout=1, isolation_level=None)) as c:
                c.execute("BEGIN IMMEDIATE")
                c.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        return False

    def look(self) -> None:
        """Wake who has slept long enough."""
        for s in [s for s in list(self._asleep.values()) if time.monotonic() >= s.ends]:
            try:
                taken = self._taken(s)
            except (psycopg.Error, sqlite3.Error, AssertionError):  # no answer just now
                continue
            if taken or time.monotonic() >= s.ends + LET_TAKE or processes.state(s.pid) != "T":
                self._wake(s, taken=taken)

    def _taken(self, s: Sleep) -> bool:
        names = ", ".join(f"'{a}'" for a in s.attempts)
        return not read(self._url, f"SELECT id FROM attempts WHERE verdict = 'open' AND id IN ({names})")

    def _wake(self, s: Sleep, *, taken: bool) -> None:
        slept = processes.state(s.pid) == "T"
        if slept:  # whoever did not has proved nothing
            self._truth.add("woken", pid=s.pid, attempts=s.attempts, taken=taken, late=round(time.monotonic() - s.ends + MARGIN, 1))
            self.did[f"stop {s.kind}"] += 1
        processes.thaw(s.pid)
        with self._lock:
            del self._asleep[s.pid]
