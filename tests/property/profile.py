"""How properties are tried: the same examples each time. PROPERTY_EXAMPLES=20 tries twenty times as many, new ones each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import SearchStrategy

TIMES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))


def examples(n: int, *, steps: int = 50) -> settings:
    """Settings for `n` examples; of a walk, of at most so many steps each."""
    return settings(max_examples=n * max(TIMES, 1), stateful_step_count=steps, derandomize=not TIMES, database=None, deadline=None,
                    print_blob=True, suppress_health_check=list(HealthCheck))


def try_out(body: Callable[..., None], n: int, *explicit: dict[str, Any], **drawn: SearchStrategy[Any]) -> None:
    """Run `body` on `n` examples of what is drawn, after those given in full: for properties over a database of a test's own."""
    wrapped = given(**drawn)(body)
    for one in explicit:
        wrapped = example(**one)(wrapped)
    examples(n)(wrapped)()
