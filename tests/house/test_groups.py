"""What one process makes for several tests is made once, however many processes there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.groups import GROUPS

ROOT = Path(__file__).parents[2]
TESTS = """
import os, pathlib, time
import pytest

@pytest.mark.parametrize("n", range(6))
def test_it(n):
    time.sleep(0.1)
    with (pathlib.Path(__file__).parent / "log").open("a") as log:
        log.write(f"{os.getpid()}\\n")
"""


@pytest.mark.parametrize(("file", "together"), [("tests/chaos/test_chaos.py", True), ("tests/web/test_other.py", False)])
def test_a_group_is_one_process_s(tmp_path: Path, file: str, together: bool) -> None:
    assert (file in GROUPS) is together
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.plugins.groups\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", "tests"], cwd=tmp_path, env=env | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    processes = (tmp_path / file).with_name("log").read_text().split()
    assert len(processes) == 6
    assert (len(set(processes)) == 1) is together


def test_each_group_is_of_files_that_are_there() -> None:
    assert [f for f in GROUPS if not (ROOT / f).exists()] == []
