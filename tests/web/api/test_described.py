"""The description is whole: every operation says what it does, what it needs and how it fails, and docs/api.md names it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.api.test_access import operations

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
WRITES = {"put", "post", "patch", "delete"}


def test_every_operation_is_described() -> None:
    assert len(operations()) > 30
    names = [described["operationId"] for _, _, described in operations()]
    assert len(names) == len(set(names))
    for method, path, described in operations():
        assert described["description"], path
        assert described["security"] == [{"token": []}], path
        for status in ("401", "403", "404", "422"):
            assert list(described["responses"][status]["content"]) == ["application/problem+json"], (path, status)
        key = [p for p in described.get("parameters", []) if p["name"] == "Idempotency-Key"]
        assert bool(key) is (method in WRITES), path


def test_the_manual_names_every_address() -> None:
    for _, path, _ in operations():
        last = re.sub(r"/{\w+}$", "/{id}", path).rpartition("/")[2]
        known = {"{id}": "{id}", "{kind}": "exports/letters"}.get(last, last)
        assert known in DOCS, path
    for name in set(re.findall(r"problem:([a-z-]+)", DOCS)):
        assert name in "\n".join(p.read_text() for p in (Path(__file__).parents[3] / "outreach" / "web" / "api").glob("*.py"))
