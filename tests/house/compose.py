"""Reads the part of YAML that docker-compose.yml uses: nested maps, lists of words, inline lists, anchors and `<<: *merge`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_LINE = re.compile(r"^(?P<indent> *)(?P<text>[^#\s].*?)(?:\s+#.*)?$")


def load(path: Path) -> dict[str, Any]:
    """The file as plain values. Raises ValueError for what is beyond this reader (tabs, block scalars, flow maps)."""
    source = path.read_text(encoding="utf-8")
    if "\t" in source or re.search(r":\s*[|>{]", source):
        raise ValueError("tabs, block scalars and flow maps are not read here")
    lines = [(len(m["indent"]), m["text"]) for line in source.splitlines() if (m := _LINE.match(line))]
    value, rest = _block(lines, 0, {})
    if rest or not isinstance(value, dict):
        raise ValueError(f"not understood: {rest[:1]}")
    return value


def _block(lines: list[tuple[int, str]], indent: int, anchors: dict[str, Any]) -> tuple[Any, list[tuple[int, str]]]:
    if lines and lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            items.append(_scalar(lines[0][1][2:]))
            lines = lines[1:]
        return items, lines
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        key, colon, text = lines[0][1].partition(":")
        if not colon:
            raise ValueError(f"no colon in {lines[0][1]!r}")
        key, text, lines = key.strip().strip('"'), text.strip(), lines[1:]
        anchor = ""
        if text.startswith("&"):
            anchor, _, text = text[1:].partition(" ")
        if key == "<<":
            found = {**anchors[text.lstrip("*")], **found}
            continue
        if text:
            value: Any = _scalar(text)
        elif lines and lines[0][0] > indent:
            value, lines = _block(lines, lines[0][0], anchors)
        else:
            value = None
        if key in found and key not in _merged(anchors):
            raise ValueError(f"{key} stands twice")
        found[key] = value
        if anchor:
            anchors[anchor] = value
    return found, lines


def _merged(anchors: dict[str, Any]) -> set[str]:
    return {key for value in anchors.values() if isinstance(value, dict) for key in value}


def _scalar(text: str) -> Any:
    if text.startswith(("[", '"')):
        return json.loads(text)
    return {"true": True, "false": False}.get(text, int(text) if re.fullmatch(r"\d+", text) else text)
