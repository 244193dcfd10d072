"""The arena's clock: real time plus an offset in a shared file, so that all processes see a step at the same moment.

What libfaketime would do for `outreach.db.utcnow`, the one clock of the service. Monotonic time goes on, as it does when
somebody sets a machine's clock. Standard library only.
"""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

VARIABLE = "CHAOS_CLOCK"
"""Names the file, for `site/sitecustomize.py`."""


class Clock:
    """A view of the offset in `path`, which is made when it is not there."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as f:
            self._kept = mmap.mmap(f.fileno(), 8)

    @property
    def offset(self) -> float:
        """Seconds that the arena is ahead of real time."""
        found: float = struct.unpack_from("d", self._kept)[0]
        return found

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def step(self, seconds: float) -> None:
        """Set all clocks forward, or back."""
        struct.pack_into("d", self._kept, 0, self.offset + seconds)
