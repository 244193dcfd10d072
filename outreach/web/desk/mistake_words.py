"""What the checks of a campaign file say, in the words of somebody who sees the editor's fields and no file."""

from __future__ import annotations

import re

from outreach.services.draft_files import Content
from outreach.web.desk.editor_fields import PARTS, Field, target_fields, translated
from outreach.web.desk.editor_values import amiss, shown

MISSING = ("is missing", "is empty")
"""How messages begin of what is simply not there yet."""


def said(key: str, message: str, content: Content) -> str:
    """One mistake as a line of a list: "Title: still to be filled in"."""
    field = field_of(key, content)
    label = _label(key, content, field)
    if message.startswith(MISSING):
        return f"{label}: still to be filled in"
    typed = amiss(field, shown(field, content))[0] if field is not None else ""
    return f"{label}: {typed or message}"


def field_of(key: str, content: Content) -> Field | None:
    """The editor's field in which a mistake is mended; None when none has it."""
    if m := re.match(r"target\[(\d+)\]", key):
        fields = target_fields(int(m[1]) - 1)
    else:
        fields = [*(f for part in PARTS.values() for f in part), *translated(content)]
    return next((f for f in fields if key == f.name or key.startswith((f"{f.name}[", f"{f.name}."))), None)


def _label(key: str, content: Content, field: Field | None) -> str:
    if field is None:
        return key or "The file"
    targets = content.get("target")
    if not field.name.startswith("target[") or not isinstance(targets, list) or len(targets) < 2:
        return field.label
    n = int(field.name[7:].partition("]")[0])
    name = targets[n - 1].get("name") if n <= len(targets) and isinstance(targets[n - 1], dict) else ""
    return f"{field.label} ({name or f'target {n}'})"
