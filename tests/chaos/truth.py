"""What a sink really took, one JSON line each, written before the sender hears of it; and how the arena arms its faults.

A sink is a process of its own. It reads its standard input: `arm KIND` makes one of the next hand-overs go wrong; the end of
the input ends it. It prints its port first. Standard library only.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from tests.chaos.clock import Clock


class Truth:
    """The file of what happened at this sink."""

    def __init__(self, folder: Path, name: str, seed: int) -> None:
        self._file = (folder / f"{name}.jsonl").open("a", buffering=1)
        self._clock = Clock(folder / "clock")
        self.armed: deque[str] = deque()
        self.random = random.Random(seed)

    def add(self, what: str, **fields: Any) -> None:
        """One line: what happened, when by the arena's clock (`at`) and by the machine's (`mono`)."""
        self._file.write(json.dumps({"what": what, "at": self.now(), "mono": time.monotonic(), **fields}) + "\n")

    def now(self) -> float:
        """The arena's time, seconds since the epoch."""
        return self._clock.now().timestamp()

    def next_fault(self, *kinds: str) -> str:
        """The first armed fault of these kinds; "" when none is."""
        for kind in self.armed:
            if kind in kinds:
                self.armed.remove(kind)
                return kind
        return ""


async def obey(truth: Truth) -> None:
    """Arm what the arena asks for, until its end of the pipe is closed."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().split():
        if line[0] == "arm":
            truth.armed.append(line[1])


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of a truth file; one that is still being written is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]
