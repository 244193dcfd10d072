"""A campaign file as text: its values (tomllib) and the line that each of them stands on (tree-sitter)."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from outreach.errors import CampaignFileInvalid, Mistake

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: ("target", 0, "email", 1); items of arrays count from 0."""

FILE_NAME = "campaign.toml"
LARGEST_TOML = 1024 * 1024
LARGEST_TEXT = 256 * 1024
_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Source:
    """`file` is its name as mistakes show it; `folder` is where `story_file` is looked for, None for text without one."""

    file: str
    values: dict[str, Any]
    lines: dict[KeyPath, int]
    folder: Path | None = None

    def line(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the nearest thing around it that the file has."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


def open_source(path: Path) -> Source:
    """Read a folder with a campaign.toml, or one TOML file. Raises CampaignFileInvalid: unreadable, too large, not TOML."""
    file = path / FILE_NAME if path.is_dir() else path
    shown = str(file)
    try:
        raw = file.read_bytes() if file.stat().st_size <= LARGEST_TOML else None
    except FileNotFoundError:
        why = f"this folder has no {FILE_NAME}" if path.is_dir() else "no such file or folder"
        raise CampaignFileInvalid([Mistake(str(path), None, "", why)]) from None
    except OSError as e:
        raise CampaignFileInvalid([Mistake(shown, None, "", f"cannot be read: {e.strerror}")]) from None
    if raw is None:
        raise CampaignFileInvalid([Mistake(shown, None, "", f"is larger than {LARGEST_TOML // 1024} KiB; is it a campaign file?")])
    return parse(raw, shown, file.parent)


def parse(raw: bytes, file: str, folder: Path | None = None) -> Source:
    """`raw` as TOML. Raises CampaignFileInvalid naming the line."""
    raw = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as e:
        line = raw[:e.start].count(b"\n") + 1
        raise CampaignFileInvalid([Mistake(file, line, "", "is not UTF-8 text; save the file as UTF-8")]) from None
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise CampaignFileInvalid([Mistake(file, None, "", "is nested too deeply")]) from None
    except ValueError as e:  # TOMLDecodeError, and what int() says of a number with thousands of digits
        raise CampaignFileInvalid([_syntax_mistake(str(e), file, text)]) from None
    return Source(file, values, _positions(raw), folder)


def read_beside(folder: Path, name: str) -> str:
    """The text of a file in the campaign's folder.

    Raises ValueError for a path that leads out of the folder, a link, a device, a file too large or not UTF-8.
    """
    parts = Path(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name or not parts.parts:
        raise ValueError(f"{name!r} leads out of the campaign's folder; name a file in it, like \"story.md\"")
    at = folder
    for part in parts.parts:
        at = at / part
        if at.is_symlink():
            raise ValueError(f"{name!r} is a link; put the file itself into the campaign's folder")
    try:
        with open(os.open(at, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as f:
            if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                raise ValueError(f"{name!r} is not a file")
            raw = f.read(LARGEST_TEXT + 1)
    except OSError as e:
        raise ValueError(f"{name!r} cannot be read: {e.strerror}") from None
    if len(raw) > LARGEST_TEXT:
        raise ValueError(f"{name!r} is larger than {LARGEST_TEXT // 1024} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is not UTF-8 text; save it as UTF-8") from None


def _syntax_mistake(message: str, file: str, text: str) -> Mistake:
    found = _AT.search(message)
    lines = text.split("\n")
    line = (int(found[1]) if found[1] else max(len(text.rstrip().split("\n")), 1)) if found else None
    what = _AT.sub("", message)
    if line and line <= len(lines) and ";" in lines[line - 1]:
        what += "; TOML has one key a line and no semicolons"
    return Mistake(file, line, "", f"is not TOML: {what}")


@lru_cache(maxsize=1)
def _language() -> Language:
    return Language(tree_sitter_toml.language())


def _positions(raw: bytes) -> dict[KeyPath, int]:
    """The line, from 1, of every key, table, and array item of a text that tomllib has accepted."""
    lines: dict[KeyPath, int] = {}
    many: dict[KeyPath, int] = {}  # array of tables -> how many so far
    for node in Parser(_language()).parse(raw).root_node.named_children:
        if node.type == "pair":
            _pair(node, (), lines)
        elif node.type in ("table", "table_array_element"):
            path = _header(node, many)
            for n in range(1, len(path) + 1):
                lines.setdefault(path[:n], _line(node))
            for child in node.named_children[1:]:
                if child.type == "pair":
                    _pair(child, path, lines)
    return lines


def _header(node: Node, many: dict[KeyPath, int]) -> KeyPath:
    keys = _keys(node.named_children[0])
    path: KeyPath = ()
    for n, key in enumerate(keys, 1):
        path = (*path, key)
        if n == len(keys) and node.type == "table_array_element":
            many[path] = many.get(path, 0) + 1
        if path in many:
            path = (*path, many[path] - 1)
    return path


def _pair(node: Node, above: KeyPath, lines: dict[KeyPath, int]) -> None:
    key, value = node.named_children[0], [c for c in node.named_children[1:] if c.type != "comment"]
    path = above
    for part in _keys(key):
        path = (*path, part)
        lines.setdefault(path, _line(key))
    for v in value:
        _value(v, path, lines)


def _value(node: Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    if node.type == "inline_table":
        for child in node.named_children:
            if child.type == "pair":
                _pair(child, path, lines)
    elif node.type == "array":
        for n, item in enumerate(c for c in node.named_children if c.type != "comment"):
            lines[(*path, n)] = _line(item)
            _value(item, (*path, n), lines)


def _keys(node: Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(k for child in node.named_children for k in _keys(child))
    text = (node.text or b"").decode()
    return (text,) if node.type == "bare_key" else tuple(_quoted(text))


def _quoted(text: str) -> Iterator[str]:
    try:
        yield from tomllib.loads(f"{text} = 0")
    except ValueError:  # the grammar read it otherwise than tomllib; then its line stays unknown
        yield text


def _line(node: Node) -> int:
    return int(node.start_point[0]) + 1
