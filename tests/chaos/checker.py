"""Compares what the sinks took with what the database says, letter by letter. Its own SQL, nothing of `outreach` imported.

It is written from the design, not from the code: the table of moves below is a second copy on purpose.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

Row = dict[str, Any]
MOVES = {
    None: "unconfirmed held queued", "unconfirmed": "held queued cancelled expired", "held": "queued cancelled expired",
    "queued": "sending held cancelled expired failed sent delivered", "sending": "sent delivered queued failed unknown",
    "unknown": "sent delivered failed queued", "sent": "delivered failed queued cancelled unknown", "delivered": "failed sent unknown",
    "failed": "queued sent delivered", "cancelled": "held sent delivered", "expired": "held sent delivered queued"}
GONE = frozenset({"sent", "delivered"})
AT_REST = frozenset({"sent", "delivered", "failed", "cancelled", "expired", "unknown"})
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RULE = re.compile(r"(\d+)/\s*(\d*)\s*(second|minute|hour|day)s?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: `kind` names it, `about` is a letter, an address, a counter."""

    kind: str
    about: str
    said: str = ""


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
    answered: list[Row] = field(default_factory=list)
    """Forms that were taken: email, slug, letters."""
    limits: dict[str, str] = field(default_factory=dict)
    """By address."""
    doubtful: int = 0
    """How many hand-overs may have been left in doubt by what was done."""


def gather(url: str, **known: Any) -> Evidence:
    """Read the database: a path of SQLite or a URL of Postgres."""
    read = _sqlite if not url.startswith("postgresql") else _postgres
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
        submissions=read(url, "SELECT s.id, s.email, c.slug FROM submissions s JOIN campaigns c ON c.id = s.campaign_id"),
        copies=read(url, "SELECT letter_id, inbox, how, state FROM copies"),
        notices=read(url, "SELECT id, kind, ref, state FROM notices"), **known)


def _sqlite(path: str, query: str) -> list[Row]:
    with closing(sqlite3.connect(path)) as c:
        c.row_factory = sqlite3.Row
        return [dict(r) for r in c.execute(query)]


def _postgres(url: str, query: str) -> list[Row]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as c:
        return c.execute(query).fetchall()  # type: ignore[arg-type]


def check(e: Evidence) -> list[Finding]:
    """All broken promises; none when every one was kept."""
    return [*_twice(e), *_lost(e), *_doubt(e), *_events(e), *_counters(e), *_ledger(e), *_pace(e), *_lines(e), *_copies(e)]


# what the sinks say, by letter

def _mails(e: Evidence) -> dict[str, list[Row]]:
    """Kept mails by Message-ID's local part."""
    found = defaultdict(list)
    for row in e.mail:
        if row["what"] == "kept":
            found[row["message_id"].partition("@")[0]].append(row)
    return found


def _faxes(e: Evidence) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """By letter: faxes that were taken, and those whose pages arrived."""
    letter_of = {a["id"]: a["letter_id"] for a in e.attempts}
    taken, arrived = defaultdict(list), defaultdict(list)
    for row in e.fax:
        if row["what"] == "accepted":
            taken[letter_of.get(row["attempt"], "")].append(row)
        elif row["what"] == "final" and row["status"] == "delivered":
            arrived[letter_of.get(row["attempt"], "")].append(row)
    return taken, arrived


def _twice(e: Evidence) -> Iterable[Finding]:
    address = {x["id"]: x["address"] for x in e.letters}
    for letter, rows in _mails(e).items():
        to_target = [r for r in rows if letter not in address or address[letter] in r["rcpts"]]
        if len(to_target) > 1:
            yield Finding("sent twice", letter, f"{len(to_target)} mails, attempts {[r['envid'][:26] for r in to_target]}")
    taken, arrived = _faxes(e)
    for letter, rows in arrived.items():
        if len(rows) > 1:
            yield Finding("sent twice", letter, f"{len(rows)} faxes, attempts {[r['attempt'] for r in rows]}")
    for attempt, n in Counter(r["attempt"] for rows in taken.values() for r in rows).items():
        if n > 1:
            yield Finding("handed over twice", attempt)


def _lost(e: Evidence) -> Iterable[Finding]:
    mails, (taken, arrived) = _mails(e), _faxes(e)
    lanes = {x["address_id"]: x for x in e.lanes}
    known = {x["id"] for x in e.letters}
    for x in e.letters:
        kept = mails.get(x["id"]) if x["channel"] == "email" else arrived.get(x["id"])
        if x["state"] in GONE and not kept and not (x["state"] == "sent" and taken.get(x["id"])):
            yield Finding("lost", x["id"], f"{x['state']}, but the sink never had it")
        if x["state"] not in GONE | {"unknown"} and kept:
            yield Finding("untrue", x["id"], f"{x['state']}, but the sink has it")
        if x["channel"] == "fax" and x["state"] == "sent":
            yield Finding("no end", x["id"], "a fax in sent: its call is over")
        if x["state"] not in AT_REST:
            lane = lanes.get(x["address_id"], {"next_wake_at": None, "holder": None})
            woken = lane["next_wake_at"] is not None or lane["holder"] is not None
            yield Finding("waiting", x["id"], f"{x['state']}; " + ("its lane will be looked at" if woken else "nothing will wake it")
                          + f"; address {x['address_state']}, campaign {x['campaign_state']}")
    for letter in [*mails, *taken]:
        if letter not in known and not letter.startswith("n-") and (letter not in {n["id"] for n in e.notices}):
            yield Finding("phantom", letter, "the sink has what the database does not know")
    letters = Counter(x["submission_id"] for x in e.letters)
    of_person = {(s["email"], s["slug"]): letters[s["id"]] for s in e.submissions}
    for form in e.answered:
        if (kept_letters := of_person.get((form["email"], form["slug"]))) != form["letters"]:
            yield Finding("form lost", form["email"], f"{form['letters']} letters promised, {kept_letters} kept")


def _doubt(e: Evidence) -> Iterable[Finding]:
    """What cannot be asked may stay unknown, within its bound; a fax can be asked."""
    unknown = [x for x in e.letters if x["state"] == "unknown"]
    if len(unknown) > e.doubtful:
        yield Finding("too many unknown", f"{len(unknown)}", f"at most {e.doubtful} hand-overs were put in doubt")
    for x in unknown:
        if x["channel"] == "fax":
            yield Finding("unknown fax", x["id"], "the provider could have been asked")


def _events(e: Evidence) -> Iterable[Finding]:
    """Each letter's events are one path through the table, and end where it is."""
    path: dict[str, list[Row]] = defaultdict(list)
    for row in e.events:
        path[row["letter_id"]].append(row)
    for x in e.letters:
        at = None
        for step in path[x["id"]]:
            if step["before"] != at or step["after"] not in MOVES[step["before"]].split():
                yield Finding("no path", x["id"], f"at {at}: {step['before']} → {step['after']} ({step['why']})")
            at = step["after"]
        if at != x["state"]:
            yield Finding("no path", x["id"], f"its events end in {at}, it is {x['state']}")


def _counters(e: Evidence) -> Iterable[Finding]:
    """Counters equal the letters, and what they say has gone equals what the sinks have."""
    said = {(r["campaign_id"], r["target_id"], r["channel"], r["name"]): int(r["n"]) for r in e.counts
            if r["name"].startswith("letter:") and r["n"]}
    found = Counter((x["campaign_id"], x["target_id"], x["channel"], f"letter:{x['state']}") for x in e.letters)
    for key in said.keys() | found.keys():
        if said.get(key, 0) != found[key]:
            yield Finding("wrong counter", "/".join(map(str, key)), f"says {said.get(key, 0)}, there are {found[key]}")
    told = Counter({r["campaign_id"]: int(r["n"]) for r in e.counts if r["name"] == "submissions"})
    people = {x["campaign_id"]: set[str]() for x in e.letters}
    for x in e.letters:
        people[x["campaign_id"]].add(x["submission_id"])
    for campaign, ids in people.items():
        if told[campaign] != len(ids):
            yield Finding("wrong counter", f"{campaign}/submissions", f"says {told[campaign]}, there are {len(ids)}")
    mails, (_, arrived) = _mails(e), _faxes(e)
    here = {x["id"] for x in e.letters if x["id"] in mails or x["id"] in arrived}
    doubted = {x["id"] for x in e.letters if x["state"] == "unknown"}
    gone = sum(n for key, n in said.items() if key[3] in ("letter:sent", "letter:delivered"))
    if gone != len(here - doubted):
        yield Finding("wrong counter", "sent and delivered", f"says {gone}, the sinks have {len(here - doubted)} that are not in doubt")


def _ledger(e: Evidence) -> Iterable[Finding]:
    """Nothing was handed over without an attempt, and nothing is open now."""
    attempts = {a["id"] for a in e.attempts}
    letters = {x["id"] for x in e.letters}
    for row in e.mail:
        if row["what"] == "kept" and row["message_id"].partition("@")[0] in letters and row["envid"][:26].lower() not in attempts:
            yield Finding("not in the ledger", row["message_id"])
    for row in e.fax:
        if row["what"] == "accepted" and row["attempt"] not in attempts:
            yield Finding("not in the ledger", row["sid"])
    for a in e.attempts:
        if a["verdict"] == "open":
            yield Finding("open attempt", a["id"], a["letter_id"])


def _pace(e: Evidence) -> Iterable[Finding]:
    """No rolling window of an address holds more than its rules allow: by the ledger exactly, by the sink but for the way there."""
    starts: dict[str, list[float]] = defaultdict(list)
    started = {a["id"]: when(a["started_at"]) for a in e.attempts}
    for a in e.attempts:
        starts[a["address"]].append(started[a["id"]])
    arrivals: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in e.mail:
        if row["what"] == "kept" and (start := started.get(row["envid"][:26].lower())):
            for address in row["rcpts"]:
                arrivals[address].append((row["at"], row["at"] - start))
    for address, limits in e.limits.items():
        for n, seconds in rules(limits):
            if worst := _too_dense(sorted(starts[address]), n, seconds):
                yield Finding("too fast", address, f"{n + 1} attempts within {worst:.3f} s, allowed {n} in {seconds} s")
            way = max((abs(w) for _, w in arrivals[address]), default=0.0)
            if way < seconds / 2 and (worst := _too_dense(sorted(t for t, _ in arrivals[address]), n, seconds - way)):
                yield Finding("too fast", address, f"{n + 1} arrivals within {worst:.3f} s, allowed {n} in {seconds} s less {way:.1f} s")


def _too_dense(times: Sequence[float], n: int, seconds: float) -> float | None:
    """The shortest span that n + 1 of these moments share, if it is shorter than `seconds`."""
    spans = [late - early for early, late in zip(times, times[n:], strict=False)]
    shortest = min(spans, default=seconds)
    return shortest if shortest < seconds - 1e-6 else None


def _lines(e: Evidence) -> Iterable[Finding]:
    """One call at a time at each number, by the provider's own times."""
    ended = {r["sid"]: r["mono"] for r in e.fax if r["what"] == "final"}
    calls: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for r in e.fax:
        if r["what"] == "accepted":
            calls[r["to"]].append((r["mono"], ended.get(r["sid"], float("inf")), r["sid"]))
    for number, times in calls.items():
        for one, other in pairwise(sorted(times)):
            if other[0] < one[1]:
                yield Finding("two calls at once", number, f"{one[2]} and {other[2]}")


def _copies(e: Evidence) -> Iterable[Finding]:
    """An inbox has each letter once at the most, whether in the letter's own mail or in one of its own."""
    targets = {x["id"]: x["address"] for x in e.letters}
    had: Counter[tuple[str, str]] = Counter()
    for letter, rows in _mails(e).items():
        for row in rows:
            for address in row["rcpts"]:
                if letter in targets and address != targets[letter]:
                    had[letter, address] += 1
    for (letter, inbox), n in had.items():
        if n > 1:
            yield Finding("copied twice", letter, f"{n} copies to {inbox}")
    for c in e.copies:
        if c["how"] == "cc" and c["state"] == "sent" and not had[c["letter_id"], c["inbox"]]:
            yield Finding("copy lost", c["letter_id"], f"the copy to {c['inbox']} is said to be sent")


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
