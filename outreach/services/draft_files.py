"""A draft's content and the campaign file's text: the same keys, read and written without loss, with the file's own checks.

The content is what TOML holds, as JSON: tables, lists, texts, numbers, flags. Only moments of time become ISO text.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import tomli_w

from outreach.campaign_file import keys
from outreach.campaign_file.deadline import read_deadline
from outreach.campaign_file.source import parse
from outreach.campaign_files import read_text, write_campaign
from outreach.domain.campaign import CampaignSpec
from outreach.errors import CampaignFileInvalid
from outreach.settings import get_settings

Content = dict[str, Any]
Notes = Mapping[str, Iterable[str]]
"""Comments by the path of the key above which they stand, like "target[1].fax"."""
FILE = "campaign.toml"
MOST = 600_000
"""Characters of a file that the desk takes: a request has a megabyte, and its text may grow in transit."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of a campaign file say of a draft: the campaign when it has no mistakes; mistakes by key; warnings."""

    spec: CampaignSpec | None
    mistakes: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    def at(self, key: str) -> list[str]:
        """The mistakes of one key, and of the items in its list."""
        return [m for k, m in self.mistakes if k == key or k.startswith((f"{key}[", f"{key}."))]


def content_of(text: str, now: datetime) -> Content:
    """The content of a campaign file, mistakes and all; a relative deadline becomes a date. Raises CampaignFileInvalid if it is no TOML."""
    values: Content = _plain(parse(text.encode("utf-8", "replace"), FILE).values)
    if isinstance(values.get("deadline"), str) and values["deadline"].strip().startswith("+"):
        try:
            values["deadline"] = read_deadline(values["deadline"], now).isoformat()
        except ValueError:
            pass  # the checks will say what is wrong with it
    return values


def content_of_spec(spec: CampaignSpec) -> Content:
    """The content of a campaign as its exported file has it."""
    found: Content = _plain(tomllib.loads(write_campaign(spec)))
    return found


def check(content: Content, now: datetime) -> Checked:
    """All that the campaign file's checks find."""
    try:
        spec, warnings = read_text(text_of(content), get_settings(), now)
    except CampaignFileInvalid as e:
        return Checked(None, tuple((m.key, m.message) for m in e.mistakes), ())
    return Checked(spec, (), tuple(re.sub(r"^campaign\.toml(?::\d+)?: ", "", w) for w in warnings))


def text_of(content: Content, notes: Notes | None = None) -> str:
    """The content as a campaign file that people can read, its keys in the documentation's order."""
    values = dict(content)
    moment = values.get("deadline")
    if isinstance(moment, str):
        try:
            values["deadline"] = datetime.fromisoformat(moment)
        except ValueError:
            pass
    text = "\n\n".join(b for b in _blocks(values, notes or {}) if b) + "\n"
    try:
        if tomllib.loads(text) == values:
            return text
    except ValueError:
        pass
    return tomli_w.dumps(values, multiline_strings=False)  # keys and values that no campaign file has: whole, if not beautiful


def _blocks(values: Content, notes: Notes) -> Iterator[str]:
    tables = ("letter", "call", "target")
    known = [k for k in keys.names(keys.TOP) if k in values and k not in tables]
    others = [k for k in values if k not in keys.names(keys.TOP) and not isinstance(values[k], dict)]
    yield "\n".join([*_comments(notes, ""), *(line for k in (*known, *others) for line in (*_comments(notes, k), _line(k, values[k])))])
    for name in ("letter", *(k for k, v in values.items() if isinstance(v, dict) and k not in keys.names(keys.TOP)), "call"):
        table = values.get(name)
        if not isinstance(table, dict):
            continue
        if name not in tables:
            yield from (_table([f"[{_key(name)}.{_key(k)}]"], v, f"{name}.{k}", notes) for k, v in table.items()
                        if isinstance(v, dict))
        else:
            yield _table([f"[{name}]"], table, name, notes)
    targets = values.get("target")
    for n, target in enumerate(targets if isinstance(targets, list) else ()):
        yield _table([*_comments(notes, f"target[{n + 1}]"), "[[target]]"], target if isinstance(target, dict) else {}, f"target[{n + 1}]",
                     notes)


def _table(head: list[str], table: Content, path: str, notes: Notes) -> str:
    return "\n".join([*head, *(line for k, v in table.items() for line in (*_comments(notes, f"{path}.{k}"), _line(k, v)))])


def _comments(notes: Notes, path: str) -> Iterator[str]:
    for note in notes.get(path, ()):
        yield "# " + re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", note).strip()


def _key(name: str) -> str:
    return tomli_w.dumps({name: 0}).rpartition(" = ")[0]


def _line(name: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(tomli_w.dumps({k: v}).rstrip("\n") for k, v in value.items() if not isinstance(v, dict))
        return f"{_key(name)} = {{ {inner} }}"
    if isinstance(value, list):
        items = [tomli_w.dumps({"x": v}).removeprefix("x = ").rstrip("\n") for v in value if not isinstance(v, (dict, list))]
        line = f"[{', '.join(items)}]"
        return f"{_key(name)} = " + (line if len(line) < 100 else "[\n    " + ",\n    ".join(items) + ",\n]")
    if isinstance(value, datetime):
        return f"{_key(name)} = {value.isoformat()}"
    many = isinstance(value, str) and "\n" in value
    return tomli_w.dumps({name: value}, multiline_strings=many).rstrip("\n")


def _plain(value: Any) -> Any:
    """What JSON can hold, and the database: moments as ISO text, no numbers that are none, no half surrogate pairs."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    return value


def same(one: Content, other: Content) -> bool:
    """Whether two contents are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
