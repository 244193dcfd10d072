"""The service's processes, as `outreach up` or systemd would keep them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from outreach.settings import Settings
from outreach.supervisor import Valkey
from tests.chaos import processes
from tests.chaos.clock import VARIABLE, Clock
from tests.chaos.sleepers import Sleepers
from tests.chaos.truth import Truth

ROOT = Path(__file__).parents[2]
PARTS: dict[str, tuple[str, ...]] = {
    "web": ("web",), "ticker": ("ticker",), "email-1": ("worker", "email"), "email-2": ("worker", "email"), "fax-1": ("worker", "fax"),
    "fax-2": ("worker", "fax"), "notice-1": ("worker", "notice")}


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
    """All parts, kept alive by a thread."""

    def __init__(self, settings: Settings, folder: Path, seed: int, leases: dict[str, float]) -> None:
        self.settings, self.folder = settings, folder
        self.clock = Clock(folder / "clock")
        self.truth = Truth(folder, "arena", seed)
        (folder / "logs").mkdir(exist_ok=True)
        self.parts = {name: Part(name, argv, folder / "logs" / f"{name}.log") for name, argv in PARTS.items()}
        self.sleepers = Sleepers(settings.db_url, self.truth, leases)
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
            self.sleepers.look()

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
        for pid in self.ours():
            processes.shoot(pid)
        with suppress(Exception):
            self.valkey.stop()

    def ours(self) -> list[int]:
        """All `outreach` processes of this arena, forks whose parents were shot too: they have its clock in their environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if "outreach" in process.cmdline() and process.environ().get(VARIABLE) == str(self.folder / "clock"):
                    found.append(process.pid)
        return found

    def of_kind(self, kind: str) -> list[Part]:
        """The parts that do one kind of work."""
        return [p for n, p in self.parts.items() if n.partition("-")[0] == kind]

    def busy(self, kind: str) -> list[tuple[Part, int]]:
        """Parts of a kind with a job under way, and the fork that does it; those that sleep left out."""
        return [(p, f) for p in self.of_kind(kind) for f in p.forks() if f not in self.sleepers]
