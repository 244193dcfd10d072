"""Where the sandbox keeps what it got, and how it writes it: a file of content and a JSON sidecar beside it.

The sidecar is written last and renamed into place, so whoever reads sidecars sees whole things only.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outreach.settings import Settings


def root(settings: Settings) -> Path:
    return settings.data_dir / "sandbox"


def mail_dir(settings: Settings) -> Path:
    return root(settings) / "mail"


def fax_dir(settings: Settings) -> Path:
    return root(settings) / "fax"


def bounce_dir(settings: Settings) -> Path:
    """The Maildir that the sandbox's delivery status notifications arrive in."""
    return root(settings) / "bounces"


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A name that sorts by time: 19 digits of nanoseconds and 8 random hex digits."""
    return f"{time.time_ns():019d}-{secrets.token_hex(4)}"


def write(path: Path, content: bytes) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_bytes(content)
    half.replace(path)


def write_sidecar(path: Path, values: dict[str, Any]) -> None:
    write(path, json.dumps(values, ensure_ascii=False, indent=1, default=str).encode())


def read_sidecar(path: Path) -> dict[str, Any]:
    """Raises FileNotFoundError; a file that is no JSON object reads as empty."""
    try:
        values = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def sidecars(folder: Path, limit: int | None = None, *, by_change: bool = False) -> list[Path]:
    """Newest first: by name, which for mails is by time, or by when the file last changed."""
    try:
        found = [e for e in os.scandir(folder) if e.name.endswith(".json") and not e.name.startswith(".")]
        found.sort(key=(lambda e: str(e.stat().st_mtime_ns)) if by_change else (lambda e: e.name), reverse=True)
    except FileNotFoundError:
        return []
    return [folder / e.name for e in found[:limit]]
