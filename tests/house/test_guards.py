"""The walls of the house, held by reading its own source."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from outreach import logs
from outreach.models import Lane
from outreach.queue import JOBS, QueueName
from outreach.settings import Settings
from tests.house.source import ROOT, called, calls, is_text, modules, name, project_files, tree

MAY_COMMIT = {"outreach/db.py"}
SELECTS_ELSEWHERE = ("outreach/queries/", "outreach/migrate.py")
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level) + (node.module or ""))
    return found


def test_rules_import_nothing_but_the_standard_library_and_rules() -> None:
    for path in modules("outreach/domain"):
        for imported in _imports(path):
            top = imported.split(".")[0]
            assert top in sys.stdlib_module_names or imported.startswith("outreach.domain"), f"{name(path)} imports {imported}"


def test_only_a_unit_of_work_commits() -> None:
    found = {name(path) for path in modules() for call in calls(path)
             if called(call) == "commit" and not call.args and not call.keywords}
    assert found <= MAY_COMMIT


def _functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def test_reads_are_named_in_queries() -> None:
    found = [f"{name(path)}:{call.lineno}" for path in modules() if not name(path).startswith(SELECTS_ELSEWHERE)
             for call in calls(path) if isinstance(call.func, ast.Name) and call.func.id == "select"]
    assert found == [], "SELECTs outside outreach/queries"


def test_every_query_says_what_comes_back() -> None:
    mute = [f"{name(path)}:{f.name}" for path in modules("outreach/queries") for f in _functions(path)
            if not f.name.startswith("_") and not ast.get_docstring(f)]
    assert mute == []


@pytest.mark.parametrize("queue", list(QueueName))
def test_every_queue_has_a_worker(queue: QueueName) -> None:
    module, _, function = JOBS[queue].rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))
    assert f"workers_{queue}" in Settings.model_fields
    assert len(queue) <= (Lane.__table__.c.queue.type.length or 0)  # type: ignore[attr-defined]
    assert re.search(rf"command: \[.*\bworker\b.*\b{queue}\b", (ROOT / "docker-compose.yml").read_text()), f"no service drains {queue}"


def test_no_queue_is_made_by_a_name_of_its_own() -> None:
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rq" and name(path) != "outreach/queue.py":
                assert "Queue" not in {a.name for a in node.names}, f"{name(path)} makes queues that outreach/queue.py does not know"


def test_every_module_says_what_it_is() -> None:
    mute = [name(p) for p in modules("outreach", "workers", "tests", "migrations") if p.stat().st_size and not ast.get_docstring(tree(p))]
    assert mute == []


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|NotImplemented" r"Error)\b")
    left = [f"{name(p)}:{n}" for p in modules("outreach", "workers", "migrations", "tests") for n, line in
            enumerate(p.read_text().splitlines(), 1) if words.search(line)]
    assert left == []


def test_tests_do_not_skip_by_themselves() -> None:
    """What a test needs of the machine it says with `needs`, so that CI can refuse to go without."""
    words = re.compile(r"\b(?:pytest\.skip|skipif|importorskip|mark\.skip|xfail)\b(?!_strict)")
    found = [f"{name(p)}:{n}" for p in modules("tests") for n, line in enumerate(p.read_text().splitlines(), 1)
             if words.search(line) and p not in (ROOT / "tests/plugins/no_skips.py", Path(__file__))]
    assert found == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    hosts = re.compile(r"https?://[^ \"]*(?:/simple|//registry|registry\.|/packages/[0-9a-f]{2}/)|/(?:wor[k]|roo[t]|far[m])/"
                       r"|python[h]osted|pypi[.]org|npm[j]s[.]", re.IGNORECASE)
    found = [f"{name(p)}: {hit[0]}" for p in project_files() if p.suffix != ".svg" and is_text(p)
             if (hit := hosts.search(p.read_text(encoding="utf-8", errors="replace")))]
    assert found == []


def _log_calls() -> list[tuple[Path, ast.Call]]:
    return [(path, call) for path in modules() for call in calls(path)
            if isinstance(call.func, ast.Attribute) and call.func.attr in LOG_METHODS
            and isinstance(call.func.value, ast.Name) and call.func.value.id in ("log", "logger")]


def test_logs_carry_only_keys_that_may_be_logged() -> None:
    """Others would be withheld: add the key to `logs.KNOWN` if what it holds can never be anybody's data."""
    unknown = [f"{name(path)}:{call.lineno} {k.arg}" for path, call in _log_calls() for k in call.keywords
               if k.arg and k.arg not in logs.KNOWN | {"exc_info"}]
    assert unknown == []


def test_a_log_line_s_event_is_a_fixed_name() -> None:
    event = re.compile(r"[a-z_]+(\.[a-z_]+)*")
    wrong = [f"{name(path)}:{call.lineno}" for path, call in _log_calls()
             if not (call.args and isinstance(call.args[0], ast.Constant) and event.fullmatch(str(call.args[0].value)))]
    assert wrong == []
