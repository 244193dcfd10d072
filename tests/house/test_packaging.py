"""What is installed from a wheel works without the checkout; the Makefile and CI's script hold together."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.source import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_has_all_that_the_service_reads(installed: Path) -> None:
    for folder, inside in (("templates", "outreach/_templates"), ("migrations", "outreach/_migrations"),
                           ("outreach/locale", "outreach/locale"), ("outreach/web/static", "outreach/web/static")):
        ours = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        theirs = {p.relative_to(installed / inside) for p in (installed / inside).rglob("*") if p.is_file()}
        assert ours <= theirs, f"{folder}: {sorted(map(str, ours - theirs))[:5]}"


def test_an_installed_service_migrates_without_its_checkout(installed: Path, tmp_path: Path) -> None:
    code = ("import outreach, sys; from outreach import migrate; migrate.upgrade(); "
            "print(outreach.__file__, migrate.config().get_main_option('script_location')); sys.exit(not migrate.is_current())")
    env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")} | {"PYTHONPATH": str(installed),
                                                                                   "OUTREACH_DATA_DIR": str(tmp_path / "var")}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(installed / "outreach/__init__.py"), str(installed / "outreach/_migrations")]


def test_pinned_packages_all_have_hashes_and_name_no_place() -> None:
    for file in ("runtime.txt", "dev.txt"):
        text = (ROOT / "requirements" / file).read_text()
        pins = re.findall(r"^([A-Za-z0-9._\[\]-]+)==", text, re.MULTILINE)
        assert len(pins) > 50 and text.count("--hash=sha256:") >= len(pins)
        assert not re.search(r"--(index|extra-index|find-links)|@ ", text)


def test_every_dependency_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for file, wanted in (("runtime.txt", [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]),
                         ("dev.txt", [*project["project"]["dependencies"], *project["dependency-groups"]["dev"],
                                      *project["dependency-groups"]["build"]])):
        pinned = {re.sub(r"[-_.]+", "-", n).lower() for n in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==",
                                                                         (ROOT / "requirements" / file).read_text(), re.MULTILINE)}
        for requirement in wanted:
            name = re.sub(r"[-_.]+", "-", re.split(r"[<>=!\[; ]", requirement)[0]).lower()
            assert name in pinned, f"{requirement} is not in requirements/{file}: run `make lock`"


@pytest.mark.needs("make")
def test_make_alone_lists_what_there_is() -> None:
    run = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    for target in ("setup", "demo", "test", "bench", "lint", "lock", "migration", "clean"):
        assert re.search(rf"^  make {target}\s+\S", run.stdout, re.MULTILINE), target


def _make_setup(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    (folder / "requirements").mkdir()
    for file in ("Makefile", "pyproject.toml", "requirements/runtime.txt"):
        (folder / file).write_text((ROOT / file).read_text())
    return subprocess.run(["make", "--no-print-directory", "setup", f"PYTHON={python}"], cwd=folder, capture_output=True, text=True,
                          timeout=30, check=False)


@pytest.mark.needs("make")
def test_a_python_that_is_too_old_or_absent_is_told_plainly(tmp_path: Path) -> None:
    run = _make_setup(tmp_path, "")
    assert run.returncode != 0
    assert "needs Python 3.11 or newer" in run.stdout


@pytest.mark.needs("make")
def test_a_python_that_cannot_make_environments_is_told_plainly(tmp_path: Path) -> None:
    lame = tmp_path / "python3"
    lame.write_text("#!/bin/sh\ntest \"$1\" = --version && echo Python 3.11.2 && exit 0\necho ensurepip is not available\nexit 1\n")
    lame.chmod(0o755)
    run = _make_setup(tmp_path, str(lame))
    assert run.returncode != 0
    assert "python3-venv" in run.stdout and "ensurepip is not available" in run.stdout
    assert not (tmp_path / ".venv").exists()


def test_ci_s_script_is_a_sound_executable() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=60)
