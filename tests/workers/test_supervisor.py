"""The supervisor's patience: with what is being handed over, with what dies at once, and with whoever asks twice."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from outreach import supervisor
from outreach.settings import Settings
from outreach.supervisor import Asked, Child, Valkey, halt, patience
from tests.conftest import eventually

FORKS = ("import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); pid = os.fork(); pid or os.setpgrp();\n"
         "open(os.environ['PIDS'], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)")


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]


def started(code: str, patience: float = 60, **env: str) -> Child:
    child = Child("worker-email-1", [sys.executable, "-c", code], env, patience=patience)
    child.start()
    return child


@pytest.mark.parametrize(("slice_seconds", "smtp_timeout", "http_timeout", "least"), [
    (5, 60, 30, 65), (5, 10, 30, 35), (1, 1, 1, supervisor.PATIENCE), (60, 600, 30, 90)])
def test_a_worker_gets_its_slice_and_one_answer_but_never_more_than_ninety_seconds(
        slice_seconds: float, smtp_timeout: float, http_timeout: float, least: float) -> None:
    assert patience(settings(slice_seconds=slice_seconds, smtp_timeout=smtp_timeout, http_timeout=http_timeout)) == least
    given = settings(slice_seconds=slice_seconds, smtp_timeout=smtp_timeout, http_timeout=http_timeout)
    assert {c.patience for c in supervisor.children(given, {}) if c.needs_broker} == {least}
    assert {c.patience for c in supervisor.children(given, {}) if not c.needs_broker} == {supervisor.PATIENCE}


def test_an_idle_child_is_not_waited_for() -> None:
    child = started("import time; time.sleep(600)")
    halt([child], Asked(1))
    assert child.process and child.process.returncode == -signal.SIGTERM


def test_whoever_does_not_stop_in_time_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = started(FORKS, patience=0.3, PIDS=str(pids))
    eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2, seconds=240)
    halt([child], Asked(1))
    eventually(lambda: not [p for p in pids.read_text().split() if _lives(int(p))], seconds=240)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_who_asks_a_second_time_need_not_wait(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = started(FORKS, patience=600, PIDS=str(pids))
    eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2, seconds=240)
    asked = Asked(1)
    before = signal.signal(signal.SIGALRM, asked.again)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        halt([child], asked)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert asked.times == 2
    assert child.process and child.process.returncode == -signal.SIGKILL


def test_what_dies_at_once_is_started_later_each_time() -> None:
    assert [supervisor.pause(n) for n in (0, 1, 2, 3)] == [0.2, 0.4, 0.8, 1.6]
    assert supervisor.pause(100_000) == supervisor.MOST_PAUSE
    child = started("raise SystemExit(1)")
    assert child.process
    child.process.wait(120)
    child.look()
    assert child.process is None and child.deaths == 1 and child.not_before > time.monotonic()


def test_a_worker_is_not_started_while_valkey_is_away() -> None:
    child = Child("worker-email-1", [sys.executable, "-c", "pass"], needs_broker=True)
    child.look(broker=False)
    assert child.process is None
    child.look(broker=True)
    assert child.process is not None
    child.process.wait(120)  # type: ignore[unreachable]


def test_a_valkey_that_cannot_be_started_again_is_tried_later_and_ends_nothing(tmp_path: Path) -> None:
    valkey = Valkey(settings(data_dir=tmp_path / "var"))
    process = valkey._server._process  # type: ignore[attr-defined]
    try:
        assert valkey.look()
        folder = tmp_path / "var" / "valkey"
        process.kill()
        process.wait()
        folder.rename(tmp_path / "kept")
        folder.write_text("in the way")
        assert not valkey.look()
        assert valkey._not_before > time.monotonic()
        assert not valkey.look(), "not before its pause is over"
        folder.unlink()
        (tmp_path / "kept").rename(folder)
        assert eventually(valkey.look, seconds=240)
    finally:
        valkey.stop()
    valkey.stop()
