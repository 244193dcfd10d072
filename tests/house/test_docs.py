"""The documents point at things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source import ROOT, name, project_files

PAGES = [p for p in project_files() if p.suffix == ".md"]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+\s+(.+?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)} points at {link}"
        assert there == ROOT or ROOT in there.parents, f"{name(page)} points outside the project: {link}"
        if anchor and there.suffix == ".md":
            assert anchor in _anchors(there), f"{name(page)} points at {link}"


def test_each_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(p.name for p in folder.glob("0*.md"))
    assert decisions
    assert [d for d in decisions if d not in index] == []
    assert [d[:4] for d in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]


def test_the_readme_starts_with_running_and_testing_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 0 < readme.index("make demo") < readme.index("make test") < readme.index("\n## ", readme.index("make test"))
    assert readme.index("make demo") < 2500


def test_the_documents_name_the_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        used = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
        assert used <= targets, f"{name(page)}: {used - targets}"


def test_the_licence_is_the_agpl_s_own_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.lstrip().startswith("GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3, 19 November 2007")
    assert len(text.split()) == 5535
