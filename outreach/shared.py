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
STANDS = 15.0
"""Seconds for which a value is shared while nothing happens to what it is made of: some of it is a matter of time alone."""


Value = TypeVar("Value")


@dataclass(slots=True)
class _Slot(Generic[Value]):
    lock: threading.Lock
    mark: Any = None
    pulse: Any = None
    made: float = 0
    until: float = 0
    value: Value | None = None


class Shared(Generic[Value]):
    """Values that are made by whoever comes first and serve all who come within their time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._slots: dict[Any, _Slot[Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, mark: Any, make: Callable[[], Value], *, pulse: Any = None) -> Value:
        """The value under `key`, made anew when it was made under another `mark`, or its time is over.

        Whoever can tell cheaply whether anything has happened gives a `pulse`: while it is the same, the time is `STANDS`.
        """
        with self._lock:
            slot = self._slots.pop(key, None) or _Slot(threading.Lock())
            self._slots[key] = slot  # the newest last
            while len(self._slots) > self._most:
                del self._slots[next(iter(self._slots))]
        with slot.lock:
            began = time.monotonic()
            still = pulse is not None and slot.pulse == pulse and began < slot.made + STANDS
            if slot.value is None or slot.mark != mark or (began >= slot.until and not still):
                slot.value = make()
                ended = time.monotonic()
                slot.mark, slot.pulse, slot.made, slot.until = mark, pulse, ended, ended + max(FRESH, WORTH * (ended - began))
            return slot.value

    def forget(self) -> None:
        """Make everything anew."""
        with self._lock:
            self._slots.clear()
