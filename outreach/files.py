"""What the service writes holds names, addresses and letters: it is for the service's own user, not for others on the machine."""

from __future__ import annotations

import os
from pathlib import Path


def close_to_others() -> None:
    """From now on nothing that this process or its children make can be read by others, whatever umask it was started with."""
    os.umask(0o077)


def closed_folder(path: Path) -> None:
    """Make a folder that only its owner can enter; one that is there keeps the mode that somebody gave it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
