"""Tests that share something dear to make (the chaos run, a demo) go to one process of `pytest -n`, which makes it once.

By file, since pytest-xdist's own `--dist loadgroup` is lost on pytest 9.2: it marks a test by changing an id that pytest no longer
reads, and says nothing when that has no effect.
"""

from __future__ import annotations

from typing import Any

import pytest

GROUPS = {
    "tests/chaos/test_chaos.py": "chaos",
    "tests/browser/test_access.py": "demo", "tests/browser/test_going_back.py": "demo", "tests/browser/test_letter.py": "demo",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Every test by itself to whoever is free, but for the groups, which go first."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return GROUPS.get(nodeid.partition("::")[0], nodeid)

    return Scheduling(config, log)
