"""What the checker judges by: the sinks' files, the database by SQL of our own, what the crowd was told, and what was done to it all.

Nothing of `outreach` is imported.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

Row = dict[str, Any]
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RULE = re.compile(r"(\d+)/\s*(\d*)\s*(second|minute|hour|day)s?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: `kind` names it, `about` is a letter, an address, a counter."""

    kind: str
    about: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """When an office is open: "09:00-12:00, 14:00-24:00" every day, in the time of `zone`."""

    spans: str
    zone: str

    def open_between(self, early: float, late: float) -> bool:
        """Whether it is open at some moment from `early` to `late`, seconds since the epoch, an hour apart at the most."""
        begin, end = self._of_day(early), self._of_day(late)
        if begin > end:  # over midnight
            return self._meets(begin, 86400.0) or self._meets(0.0, end)
        return self._meets(begin, end)

    def opening(self, at: float) -> int:
        """Which of the day's openings this moment falls into, -1 when it is closed."""
        spans = [span.strip().split("-") for span in self.spans.split(",")]
        return next((i for i, (opens, closes) in enumerate(spans) if _of_day(opens) <= self._of_day(at) < _of_day(closes)), -1)

    def _of_day(self, at: float) -> float:
        """Seconds since midnight there."""
        ahead = datetime.fromtimestamp(at, ZoneInfo(self.zone)).utcoffset()
        return (at + (ahead.total_seconds() if ahead else 0)) % 86400

    def _meets(self, begin: float, end: float) -> bool:
        spans = (span.strip().split("-") for span in self.spans.split(","))
        return any(_of_day(opens) <= end and begin < _of_day(closes) for opens, closes in spans)


def _of_day(clock: str) -> float:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0


@dataclass(slots=True)
class Evidence:
    """All that a judgement needs."""

    mail: list[Row]
    fax: list[Row]
    letters: list[Row]
    attempts: list[Row]
    events: list[Row]
    counts: list[Row]
    """Counters and deltas, summed up: campaign_id, target_id, channel, name, n."""
    lanes: list[Row]
    submissions: list[Row]
    copies: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)

    # what the campaigns ask for

    answered: list[Row] = field(default_factory=list)
    """Forms that were taken: email, slug, letters."""
    limits: dict[str, str] = field(default_factory=dict)
    """By address."""
    shares: dict[tuple[str, str], str] = field(default_factory=dict)
    """By campaign and address."""
    hours: dict[str, Hours] = field(default_factory=dict)
    """By address."""
    deadlines: dict[str, float] = field(default_factory=dict)
    """By campaign, seconds since the epoch by the arena's clock."""
    detours: dict[str, str] = field(default_factory=dict)
    """Addresses that refuse everything, and their targets' next ones."""
    inboxes: dict[str, str] = field(default_factory=dict)
    """By campaign."""
    lines: int = 0
    """Calls that the fax provider may have under way at once; 0: as many as it likes."""

    # what was done

    doubtful: int = 0
    """How many hand-overs may have been left in doubt by what was done."""
    steps: list[tuple[float, float]] = field(default_factory=list)
    """Steps of the clock: when (monotonic), by how many seconds."""
    called_off: dict[str, Row] = field(default_factory=dict)
    """By campaign: when its stop had been answered, `at` by the arena's clock and `mono` by the machine's."""
    woken: list[Row] = field(default_factory=list)
    """Workers that slept past their lease: `attempts` that they held, `mono` when they were woken, whether those had been `taken`."""

    def around(self, row: Row, seconds: float) -> tuple[float, float]:
        """From when to when, by the arena's clock, whatever a sink noted may have begun within the `seconds` before, steps included."""
        steps = [by for at, by in self.steps if row["mono"] - seconds <= at <= row["mono"]]
        return row["at"] - seconds - sum(s for s in steps if s > 0), row["at"] - sum(s for s in steps if s < 0)


def gather(url: str, **known: Any) -> Evidence:
    """Read the database: a path of SQLite or a URL of Postgres."""
    return Evidence(
        letters=read(url, "SELECT l.id, l.campaign_id, l.target_id, l.channel, l.state, l.attempt_id, l.submission_id, l.address_id,"
                          " a.value AS address, a.state AS address_state, c.state AS campaign_state, c.slug FROM letters l"
                          " JOIN addresses a ON a.id = l.address_id JOIN campaigns c ON c.id = l.campaign_id"),
        attempts=read(url, "SELECT t.id, t.letter_id, t.address_id, t.verdict, t.started_at, t.provider_ref, a.value AS address"
                           " FROM attempts t JOIN addresses a ON a.id = t.address_id"),
        events=read(url, "SELECT id, letter_id, before, after, why FROM letter_events ORDER BY id"),
        counts=read(url, "SELECT campaign_id, target_id, channel, name, SUM(n) AS n FROM (SELECT campaign_id, target_id, channel, name, n"
                         " FROM counters UNION ALL SELECT campaign_id, target_id, channel, name, delta FROM counter_deltas) x"
                         " GROUP BY campaign_id, target_id, channel, name"),
        lanes=read(url, "SELECT address_id, next_wake_at, holder FROM lanes"),
        submissions=read(url, "SELECT s.id, s.email, s.campaign_id, c.slug FROM submissions s JOIN campaigns c ON c.id = s.campaign_id"),
        copies=read(url, "SELECT letter_id, inbox, how, state, digest_id FROM copies"),
        notices=read(url, "SELECT id, kind, ref, state FROM notices"), **known)


def read(url: str, query: str) -> list[Row]:
    """What the database answers; it may be locked, or its connections be cut, just now. Raises AssertionError when it stays so."""
    for _ in range(50):
        try:
            return _postgres(url, query) if url.startswith("postgresql") else _sqlite(url, query)
        except (sqlite3.OperationalError, psycopg.OperationalError):
            time.sleep(0.2)
    raise AssertionError("the database does not answer")


def _sqlite(path: str, query: str) -> list[Row]:
    with closing(sqlite3.connect(path)) as c:
        c.row_factory = sqlite3.Row
        return [dict(r) for r in c.execute(query)]


def _postgres(url: str, query: str) -> list[Row]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as c:
        return c.execute(query).fetchall()


# what the sinks say, by letter

def mails(e: Evidence) -> dict[str, list[Row]]:
    """Kept mails by Message-ID's local part."""
    found = defaultdict(list)
    for row in e.mail:
        if row["what"] == "kept":
            found[row["message_id"].partition("@")[0]].append(row)
    return found


def faxes(e: Evidence) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """By letter: faxes that were taken, and those whose pages arrived."""
    letter_of = {a["id"]: a["letter_id"] for a in e.attempts}
    taken, arrived = defaultdict(list), defaultdict(list)
    for row in e.fax:
        if row["what"] == "accepted":
            taken[letter_of.get(row["attempt"], "")].append(row)
        elif row["what"] == "final" and row["status"] == "delivered":
            arrived[letter_of.get(row["attempt"], "")].append(row)
    return taken, arrived


def handed_over(e: Evidence) -> list[tuple[Row, str, list[str]]]:
    """All that the sinks took of letters: their row, the attempt, and the addresses that got it."""
    return ([(r, r["envid"][:26].lower(), r["rcpts"]) for r in e.mail if r["what"] == "kept"]
            + [(r, r["attempt"], [r["to"]]) for r in e.fax if r["what"] == "accepted"])


def rules(text: str) -> list[tuple[int, float]]:
    """A limit string as (count, seconds)."""
    return [(int(n), int(many or 1) * _UNITS[unit]) for n, many, unit in _RULE.findall(text)]


def when(value: Any) -> float:
    """A moment as either database gives it, in seconds since the epoch."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return float((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def path_of(url: str) -> str:
    """What `gather` reads, from a SQLAlchemy URL."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else url.replace("+psycopg", "")


def sink_files(folder: Path) -> tuple[Path, Path]:
    return folder / "mail.jsonl", folder / "fax.jsonl"
