"""`docs/settings.md` has exactly the settings that there are.

`UPDATE_DOCS=1 make test TESTS=tests/house/test_settings_table.py` writes the table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from outreach.domain.pacing import format_rules
from outreach.settings import Settings
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "settings.md"
HEAD = "| variable | default | what it is |\n| --- | --- | --- |\n"


def shown(field: FieldInfo) -> str:
    """A default as one would write it in the environment."""
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = format_rules(value)
    elif isinstance(value, frozenset):
        value = ",".join(sorted(value))
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, Path):
        value = value.as_posix()
    return f"`{value}`" if value != "" else "(empty)"


def table() -> str:
    """The table as it should be, one row a setting, in the order of the class."""
    rows = []
    for name, field in Settings.model_fields.items():
        text = (field.description or "").replace("|", "\\|")
        assert text, f"{name} has no description"
        choices = getattr(field.annotation, "__args__", ()) if "Literal" in str(field.annotation) else ()
        if choices:
            text += " One of " + ", ".join(f"`{c}`" for c in choices if c) + "."
        rows.append(f"| `OUTREACH_{name.upper()}` | {shown(field)} | {text} |\n")
    return HEAD + "".join(rows)


def test_the_page_has_exactly_the_settings_that_there_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    start = page.index(HEAD)
    end = next((i for i in range(start, len(page)) if page.startswith("\n\n", i)), len(page) - 1) + 1
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page[:start] + table() + page[end:], encoding="utf-8")
        return
    assert page[start:end] == table(), "the table should be:\n" + table()
