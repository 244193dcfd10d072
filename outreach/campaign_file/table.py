"""One table of a campaign file while it is read: takes values by type, and notes each mistake instead of stopping at it."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from outreach.campaign_file import keys
from outreach.campaign_file.source import KeyPath, Source
from outreach.errors import Mistake
from outreach.settings import Settings

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"), (int, "a number"), (float, "a number with a point"), (str, "text"), (list, "a list"), (dict, "a table"),
    ((datetime, date, time), "a date or time"))


def kind_of(value: object) -> str:
    """What a TOML value is, in the words of mistakes."""
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")


def path_name(path: KeyPath) -> str:
    """`target[2].fax[1]`: places in lists are counted from 1, as people do."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part + 1}]"
        else:
            out += ("." if out else "") + (part if part.isprintable() else repr(part))
    return out


@dataclass(slots=True)
class Reading:
    """What one reading knows and finds."""

    source: Source
    settings: Settings
    now: datetime
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def mistake(self, path: KeyPath, message: str) -> None:
        self.mistakes.append(self._at(path, message))

    def warn(self, path: KeyPath, message: str) -> None:
        self.warnings.append(str(self._at(path, message)))

    def top(self) -> Table:
        return Table(self, keys.TOP, self.source.values, ())

    def _at(self, path: KeyPath, message: str) -> Mistake:
        return Mistake(self.source.file, self.source.line(path), path_name(path), message)


@dataclass(frozen=True, slots=True)
class Table:
    """`where` names its list of keys in `keys.KEYS`."""

    reading: Reading
    where: str
    values: dict[str, Any]
    path: KeyPath

    def has(self, key: str) -> bool:
        return key in self.values

    def mistake(self, message: str, *path: str | int) -> None:
        self.reading.mistake((*self.path, *path), message)

    def warn(self, message: str, *path: str | int) -> None:
        self.reading.warn((*self.path, *path), message)

    def get(self, key: str, kind: type, wanted: str) -> Any:
        """The value of `key` where it is of this kind, else None and a mistake (none for an optional key that is missing)."""
        needed = keys.required(self.where, key)
        value = self.values.get(key)
        if value is None:
            if needed:
                self.mistake(f"is missing; {wanted} must be given", key)
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.mistake(f"must be {wanted}, not {kind_of(value)}", key)
            return None
        return value

    def text(self, key: str, *, most: int, lines: bool = False) -> str:
        """One line (or several) without control characters; "" where it is missing or wrong."""
        value = self.get(key, str, "text in quotes")
        return "" if value is None else self._clean(value, most, lines, keys.required(self.where, key), key)

    def texts(self, key: str, *, most: int, items: int) -> Iterator[tuple[int, str]]:
        """The usable texts of a list, each with its place."""
        values = self.get(key, list, "a list of texts, like [\"…\", \"…\"],") or []
        if len(values) > items:
            self.mistake(f"has {len(values)} items; at most {items} are taken", key)
        for n, value in enumerate(values[:items]):
            if not isinstance(value, str):
                self.mistake(f"must be text in quotes, not {kind_of(value)}", key, n)
            elif text := self._clean(value, most, False, True, key, n):
                yield n, text

    def flag(self, key: str, default: bool) -> bool:
        value = self.get(key, bool, "true or false (without quotes)")
        return default if value is None else bool(value)

    def number(self, key: str, most: int) -> int:
        """A whole number from 0; 0 where it is missing or wrong."""
        value = self.get(key, int, "a whole number (without quotes)")
        if value is None:
            return 0
        if not 0 <= value <= most:
            self.mistake(f"must be from 0 to {most:,}", key)
            return 0
        return int(value)

    def choice(self, key: str, options: tuple[str, ...], default: str) -> str:
        value = self.get(key, str, f"one of {', '.join(options)} in quotes")
        if value is None:
            return default
        if value not in options:
            self.mistake(f"{value!r} is not possible{_meant(value, options)}; write one of {', '.join(options)}", key)
            return default
        return str(value)

    def table(self, key: str, where: str) -> Table | None:
        value = self.get(key, dict, f"a table, [{path_name((*self.path, key))}],")
        return None if value is None else Table(self.reading, where, value, (*self.path, key))

    def tables(self, key: str, where: str, most: int) -> list[Table]:
        value = self.get(key, list, f"[[{key}]] tables, at least one of which")
        if value is None:
            return []
        if not value or not all(isinstance(v, dict) for v in value):
            self.mistake(f"must be [[{key}]] tables, at least one", key)
            return []
        if len(value) > most:
            self.mistake(f"there are {len(value)}; at most {most} are taken", key)
        return [Table(self.reading, where, v, (*self.path, key, n)) for n, v in enumerate(value[:most])]

    def refuse_unknown(self, but: frozenset[str] = frozenset()) -> None:
        """Every key that is not in the list is a mistake; says which one was probably meant, or where it belongs."""
        known = keys.names(self.where)
        for key in self.values:
            if key not in known and key not in but:
                self.mistake(self._unknown(key, known), key)

    def _unknown(self, key: str, known: tuple[str, ...]) -> str:
        if self.where == keys.TOP and key in keys.NOT_YET:
            return "is not supported yet; take it out"
        if meant := _meant(key, known):
            return f"no such key{meant}"
        if self.where != keys.TOP and key in keys.names(keys.TOP):
            return "no such key here; it belongs at the top of the file, before the first [table]"
        for where in (keys.LETTER, keys.TARGET, keys.FIELDS):
            if self.where not in (where, keys.FIELDS, keys.LIMITS) and key in keys.names(where):
                return f"no such key here; it belongs in {'[[target]]' if where == keys.TARGET else f'[{where}]'}"
        return f"no such key; there are {', '.join(known)}"

    def _clean(self, value: str, most: int, lines: bool, needed: bool, *path: str | int) -> str:
        text = value.replace("\r\n", "\n").strip()
        if bad := next((c for c in text if _forbidden(c, lines)), None):
            breaks = bad in "\n\r\v\f\x85\u2028\u2029"
            self.mistake("must be one line" if breaks and not lines else
                         f"has the control character U+{ord(bad):04X}; take it out", *path)
            return ""
        if len(text) > most:
            self.mistake(f"has {len(text):,} characters; at most {most:,} are taken", *path)
            return ""
        if not text and needed:
            self.mistake("is empty", *path)
        return text


def _forbidden(c: str, lines: bool) -> bool:
    if lines and c in "\n\t":
        return False
    return unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")


def _meant(given: str, options: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(given.lower(), options, 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
