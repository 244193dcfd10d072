"""Values that many want at the same time, made once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

FRESH = 1.0
"""Seconds for which a value is shared; longer where making it is slow."""
WORTH = 10
"""What took t seconds to make is shared for this many times t, so that making it takes at most a tenth of a process."""


Value = TypeVar("Value")


@dataclass(slots=True)
class _Slot(Generic[Value]):
    lock: threading.Lock
    mark: Any = None
    until: float = 0
    value: Value | None = None


class Shared(Generic[Value]):
    """Values that are made by whoever comes first and serve all who come within their time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._slots: dict[Any, _Slot[Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, mark: Any, make: Callable[[], Value]) -> Value:
        """The value under `key`, made anew when its time is over or it was made under another `mark`."""
        with self._lock:
            slot = self._slots.pop(key, None) or _Slot(threading.Lock())
            self._slots[key] = slot  # the newest last
            while len(self._slots) > self._most:
                del self._slots[next(iter(self._slots))]
        with slot.lock:
            if slot.value is None or slot.mark != mark or time.monotonic() >= slot.until:
                began = time.monotonic()
                slot.value = make()
                ended = time.monotonic()
                slot.mark, slot.until = mark, ended + max(FRESH, WORTH * (ended - began))
            return slot.value

    def forget(self) -> None:
        """Make everything anew."""
        with self._lock:
            self._slots.clear()
