"""Who holds a lane or an attempt: one process, named so that another process of the same host can tell that it is dead.

A lease is what makes a lost worker's work free again. Waiting for it takes minutes; on the same host the dead process
shows itself at once: its id is gone or belongs to a process that started at another time.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

import psutil


@lru_cache(maxsize=1)
def _place() -> str:
    """This host's boot and process-id namespace; two containers with the same host name differ in it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        boot, space = "", ""
    return f"{socket.gethostname()[:60]}/{boot}/{space}"


def _started(pid: int) -> str:
    """When a process started, in ticks since boot: unlike a time of day it does not change when the clock is set.

    Raises psutil.NoSuchProcess.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # field 22, proc(5)
    except (OSError, IndexError):
        return f"{psutil.Process(pid).create_time():.2f}"


@lru_cache(maxsize=4)
def _name(pid: int) -> str:
    return f"{_place()}/{pid}/{_started(pid)}"


def me() -> str:
    """This process's holder name; a fork has one of its own."""
    return _name(os.getpid())


def is_dead(holder: str) -> bool:
    """True only when the holder is certainly gone: a process of this host that no longer runs. Elsewhere: not known, False."""
    place, _, rest = holder.rpartition("/")
    place, _, pid = place.rpartition("/")
    if place != _place() or not pid.isdigit():
        return False
    try:
        return _started(int(pid)) != rest or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
