"""`make chaos`: the full form on SQLite and on Postgres, a table of what was done and what was found.

    python -m tests.chaos [--form ci|full] [--seed N] [--database sqlite|postgres] [--keep]

Exits 1 when anything was lost, doubled, or untrue. The seed gives the same plan again; the moment of each shot is the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.chaos.clock import VARIABLE, Clock
from tests.chaos.plan import FORMS
from tests.conftest import free_port
from tests.plugins.no_skips import postgres_url

ROOT = Path(__file__).parents[2]
DISK_MB = {"ci": 96, "full": 384}
"""A little more than the run needs."""
Report = dict[str, Any]


@contextmanager
def arena_of(database: str, form: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder and an environment for one run: a database of its own, a small disk for SQLite where we may mount one."""
    from tests.chaos.run import settings_for

    with tempfile.TemporaryDirectory(prefix=f"outreach-chaos-{database}-") as name, ExitStack() as stack:
        folder = Path(name)
        Clock(folder / "clock").step(_to_noon())
        (folder / "var").mkdir()
        env = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")}
        env |= settings_for(folder, free_port(), FORMS[form]) | {
            VARIABLE: str(folder / "clock"), "PYTHONPATH": f"{Path(__file__).parent / 'site'}{os.pathsep}{ROOT}"}
        if database == "postgres":
            env["OUTREACH_DATABASE_URL"] = stack.enter_context(_postgres())
        elif _mounted(folder / "var", DISK_MB[form]):
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder / "var")], check=False)
        yield folder, env


def _to_noon() -> float:
    """Seconds to the next day's noon: offices with hours have the same day in each run."""
    now = datetime.now(UTC)
    return ((now + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0) - now).total_seconds()


def _mounted(folder: Path, megabytes: int) -> bool:
    """A small file system of its own, if this user may; see `Arena._fill` for what is done without one."""
    try:
        return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "outreach-chaos", str(folder)],
                              capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextmanager
def _postgres() -> Iterator[str]:
    import psycopg

    name = f"outreach_chaos_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url(), autocommit=True) as c:
        c.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{postgres_url().rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(postgres_url(), autocommit=True) as c:
            c.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run_all(databases: list[str], form: str, seed: int, *, keep: Path | None = None) -> list[Report]:
    """One run on each database, side by side. Raises AssertionError with the end of its log when one broke off."""
    with ExitStack() as stack:
        runs = []
        for database in databases:
            folder, env = stack.enter_context(arena_of(database, form))
            log = (folder / "run.log").open("w+")
            runs.append((database, folder, log, subprocess.Popen([sys.executable, "-m", "tests.chaos.run", str(folder), database, form,
                                                                  str(seed)], env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                                                                 stdout=log, stderr=log)))
        try:
            for *_, process in runs:
                process.wait()
        finally:
            for *_, process in runs:
                process.terminate()  # it ends its own processes first
            for *_, process in runs:
                process.wait(60)
            if keep:
                _keep(keep, [(database, folder) for database, folder, *_ in runs])
        return [_read(database, folder) for database, folder, *_ in runs]


def _keep(keep: Path, runs: list[tuple[str, Path]]) -> None:
    import shutil

    for database, folder in runs:
        shutil.rmtree(keep / database, ignore_errors=True)
        shutil.copytree(folder, keep / database, ignore=shutil.ignore_patterns("*.sock", "ballast"))


def _read(database: str, folder: Path) -> Report:
    file = folder / "report.json"
    assert file.exists(), f"the run on {database} broke off:\n" + (folder / "run.log").read_text()[-3000:]
    report: Report = json.loads(file.read_text())
    return report


def show(reports: list[Report]) -> str:
    """The table."""
    lines = [f"{'':26}" + "".join(f"{r['database']:>12}" for r in reports)]

    def line(name: str, *values: object) -> None:
        lines.append(f"{name:26}" + "".join(f"{v!s:>12}" for v in values))

    line("seed", *(r["seed"] for r in reports))
    line("seconds", *(r["seconds"] for r in reports))
    for name in ("letters", "attempts", "mails", "faxes", "kills", "faults", "unknown", "unknown_allowed"):
        line(name.replace("_", " "), *(r[name] for r in reports))
    for group in ("did", "fault_kinds", "exercised", "states"):
        lines.append("")
        for name in sorted({n for r in reports for n in r[group]}):
            line(name, *(r[group].get(name, 0) for r in reports))
    lines.append("")
    kinds = [Counter(f["kind"] for f in r["findings"]) for r in reports]
    for name in ("sent twice", "lost", *sorted({n for k in kinds for n in k} - {"sent twice", "lost"})):
        line(name, *(k[name] for k in kinds))
    for r in reports:
        lines += [f"{r['database']}: {f['kind']}: {f['about']} {f['said']}" for f in r["findings"][:20]]
        lines += [f"{r['database']}: {note}" for note in r["notes"]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--form", choices=list(FORMS), default="full")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default=None)
    parser.add_argument("--keep", type=Path, default=None, help="Copy the runs' folders there")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}", flush=True)
    reports = run_all([asked.database] if asked.database else ["sqlite", "postgres"], asked.form, seed, keep=asked.keep)
    print(show(reports))
    sys.exit(any(r["findings"] for r in reports))


if __name__ == "__main__":
    main()
