"""Loaded by every Python process of the arena before anything else: gives `outreach.db` the arena's clock when it is imported.

The service has no hook for this; its processes run unchanged, with the commands that an operator would use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from tests.chaos.clock import VARIABLE, Clock


class _Patcher(MetaPathFinder):
    """Finds `outreach.db` as always, and exchanges its `utcnow` once it is there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "outreach.db":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_patch(module: ModuleType) -> None:
            run(module)
            module.utcnow = self._clock.now  # type: ignore[attr-defined]

        spec.loader.exec_module = run_and_patch  # type: ignore[method-assign]
        return spec


def install(path: str) -> None:
    """Patch this process; to be called before anything of `outreach` is imported."""
    if "outreach.db" in sys.modules:
        raise RuntimeError("too late: outreach.db has been imported")
    sys.meta_path.insert(0, _Patcher(Clock(Path(path))))


if os.environ.get(VARIABLE):
    install(os.environ[VARIABLE])
