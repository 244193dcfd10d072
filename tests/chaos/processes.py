"""Signals to processes, and whether they were really there to hear them: a zombie takes a signal, too, and nothing happens."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def send(pid: int, what: signal.Signals) -> bool:
    """Whether there was somebody to send it to."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return False
    return True


def shoot(pid: int) -> bool:
    return send(pid, signal.SIGKILL)


def state(pid: int) -> str:
    """One letter, as proc(5) has it: R, S, D run, T is stopped, Z is dead; "" is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def runs(pid: int) -> bool:
    return state(pid) not in ("", "Z", "X")


def freeze(pid: int) -> bool:
    """Stop a process. Whether it now stands: it had not ended before."""
    if not send(pid, signal.SIGSTOP):
        return False
    for _ in range(200):
        if state(pid) in ("T", "t"):
            return True
        if not runs(pid):
            return False
        time.sleep(0.002)
    thaw(pid)
    return False


def thaw(pid: int) -> bool:
    return send(pid, signal.SIGCONT)


def shoot_at_work(pid: int) -> bool:
    """Kill a process that was certainly alive: it is stopped first. Whether that was so."""
    return freeze(pid) and shoot(pid)
