"""Values that many want at the same time, made once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
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


class Lately(Generic[Value]):
    """Values that hold for a while after the moment of which they are, as long as what they were made of is the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Any, tuple[datetime, Value]] = {}

    def get(self, key: Any, at: datetime, stands: timedelta, make: Callable[[], Value]) -> Value:
        """The value under `key` if it is of `at` or of up to `stands` before; else made anew. Two who come at once may both make it."""
        kept = self._kept.get(key)
        if kept is not None and timedelta(0) <= at - kept[0] < stands:
            return kept[1]
        value = make()
        with _LATELY:
            self._kept.pop(key, None)
            self._kept[key] = at, value  # the newest last
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return value

    def forget(self) -> None:
        """Everything is made anew: another database, in a test."""
        with _LATELY:
            self._kept.clear()


_LATELY = threading.Lock()
