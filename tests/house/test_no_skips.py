"""In CI a skip is a failure; elsewhere it says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

SKIPPING = """
import pytest
from tests.plugins import no_skips
no_skips._THERE["unicorn"] = (lambda: False, "install a unicorn")

@pytest.mark.needs("unicorn")
def test_one(): pass

def test_two(): no_skips.need("unicorn")

def test_three(): pass
"""


def run(tmp_path: Path, ci: str, source: str = SKIPPING, *more: str) -> str:
    (tmp_path / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {"CI": ci, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "pytest", "-p", "tests.plugins.no_skips", "-ra", "-q", *more, str(tmp_path)]
    return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def test_on_a_laptop_it_is_a_skip_with_a_word_of_what_to_do(tmp_path: Path) -> None:
    out = run(tmp_path, "")
    assert "1 passed, 2 skipped" in out
    assert "needs unicorn: install a unicorn" in out


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_in_ci_it_is_a_failure(tmp_path: Path, more: tuple[str, ...]) -> None:
    out = run(tmp_path, "true", SKIPPING, *more)
    assert "1 failed, 1 passed, 1 error" in out  # an error is what a failure before the test itself is called
    assert "In CI a skip is a failure" in out and "install a unicorn" in out


def test_in_ci_a_module_that_skips_itself_is_a_failure(tmp_path: Path) -> None:
    out = run(tmp_path, "true", "import pytest\npytest.skip('whole', allow_module_level=True)\n")
    assert "1 error" in out and "In CI a skip is a failure" in out
