"""What holds personal data is for the service's own user, whatever umask it was started with."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach.sandbox import box
from outreach.settings import Settings
from tests.conftest import eventually, running
from tests.workers.test_up import CAMPAIGN, write


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """The umask that most machines start with."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What others on this machine could read or enter."""
    found = [(p.lstat().st_mode, p) for p in (folder, *folder.rglob("*"))]
    return [f"{stat.filemode(mode)} {p}" for mode, p in found if mode & 0o077 and not stat.S_ISLNK(mode)]


def test_all_that_the_whole_service_writes_is_closed_to_others(tmp_path: Path) -> None:
    with running(tmp_path, OUTREACH_DEMO="true", OUTREACH_EMAIL_TRANSPORT="sandbox", OUTREACH_FAX_TRANSPORT="sandbox") as service:
        (tmp_path / "bus.toml").write_text(CAMPAIGN)
        service.cli("campaign", "import", str(tmp_path / "bus.toml"))
        service.cli("campaign", "publish", "night-bus")
        write(service, 1)
        mails = box.mail_dir(Settings(data_dir=service.data_dir))
        eventually(lambda: box.sidecars(mails), seconds=240)
        eventually(lambda: list(service.data_dir.glob("valkey/**/*.aof")), seconds=60)
        assert {p.name for p in service.data_dir.iterdir()} >= {"outreach.db", "outreach.db-wal", "sandbox", "valkey", "secret_key"}
        assert open_to_others(service.data_dir) == []
    assert open_to_others(service.data_dir) == []


def test_what_a_command_writes_is_closed_to_others(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")} | {"OUTREACH_DATA_DIR": str(tmp_path / "var")}
    subprocess.run([sys.executable, "-m", "outreach", "migrate"], env=env, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "var" / "outreach.db").exists()
    assert open_to_others(tmp_path / "var") == []


@pytest.mark.parametrize("code", [
    "from outreach.db import engine; engine().connect()", "from outreach.settings import get_settings; get_settings().key()",
    "from outreach.settings import get_settings; from outreach import supervisor\nwith supervisor.alone(get_settings()): pass"])
def test_whoever_makes_the_data_directory_makes_it_closed(tmp_path: Path, code: str) -> None:
    root = Path(__file__).parents[2]
    env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")} | {
        "OUTREACH_DATA_DIR": str(tmp_path / "deep" / "var"), "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert stat.S_IMODE((tmp_path / "deep" / "var").stat().st_mode) == 0o700


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var").chmod(0o750)  # the operator's own choice, such as a group that makes backups
    env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")} | {"OUTREACH_DATA_DIR": str(tmp_path / "var")}
    subprocess.run([sys.executable, "-m", "outreach", "migrate"], env=env, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o750
