"""A campaign as TOML that a person can read and edit, and that reads back as the same campaign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import tomli_w

from outreach.campaign_file import keys
from outreach.domain.campaign import FIELD_DEFAULTS, CampaignSpec, TargetSpec

_TABLES = frozenset({"letter", "call", "fields", "target"})
_LONGEST_LINE = 110
_BACKSLASH = "\\"
_QUOTES = re.compile(r'"{2,}|"\Z')
"""Quotes that a multi-line string cannot hold as they are: runs of them, and one at its very end."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def write_campaign(spec: CampaignSpec) -> str:
    """The whole campaign as one TOML text, its story in it; what equals the default is left out."""
    blocks = ["\n".join(_top(spec)), _table("letter", {"subject": spec.letter.subject, "body": spec.letter.body,
                                                        "editable": spec.editable})]
    blocks += [_table(f"{_key(tag)}.letter", {"subject": t.subject, "body": t.body}) for tag, t in spec.translations.items()]
    if spec.call_script:
        blocks.append(_table("call", {"script": spec.call_script}))
    blocks += [_target(t) for t in spec.targets]
    return "\n\n".join(blocks) + "\n"


def _top(spec: CampaignSpec) -> Iterator[str]:
    usual = {f.name: f.default for f in fields(CampaignSpec)}
    for name in keys.names(keys.TOP):
        if name in _TABLES or name == "story_file":
            continue
        value: Any = getattr(spec, name)
        if name in ("slug", "title") or (value and value != usual[name]):
            yield _line(name, value)
    if spec.fields != FIELD_DEFAULTS:
        yield _inline("fields", spec.fields)


def _target(target: TargetSpec) -> str:
    lines = ["[[target]]"]
    usual = {f.name: f.default for f in fields(TargetSpec)}
    for name in ("id", *(n for n in keys.names(keys.TARGET) if n not in ("id", "limits", "share"))):
        value: Any = getattr(target, name)
        if value and value != usual[name]:
            lines.append(_line(name, value))
    if target.limits:
        lines.append(_inline("limits", target.limits))
    if target.share:
        lines.append(_inline("share", target.share))
    return "\n".join(lines)


def _table(name: str, values: dict[str, Any]) -> str:
    return "\n".join([f"[{name}]", *(_line(k, v) for k, v in values.items())])


def _line(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return _list(name, value)
    if hasattr(value, "isoformat"):
        return f"{name} = {value.isoformat()}"
    if isinstance(value, str) and "\n" in value and not _CONTROLS.search(value):
        return f'{name} = """\n{_QUOTES.sub(_escaped, value.replace(_BACKSLASH, _BACKSLASH * 2))}"""'
    return tomli_w.dumps({name: value}).rstrip("\n")


def _list(name: str, values: Iterable[str]) -> str:
    items = [_text(v) for v in values]
    line = f"{name} = [{', '.join(items)}]"
    return line if len(line) <= _LONGEST_LINE else "\n".join([f"{name} = [", *(f"    {i}," for i in items), "]"])


def _escaped(quotes: re.Match[str]) -> str:
    return (_BACKSLASH + '"') * len(quotes[0])


def _inline(name: str, values: dict[str, str]) -> str:
    return f"{name} = {{ {', '.join(f'{_key(k)} = {_text(v)}' for k, v in values.items())} }}"


def _text(value: str) -> str:
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _key(name: str) -> str:
    return tomli_w.dumps({name: ""}).rpartition(" = ")[0]
