"""The checker's judgements of time: limits, shares, office hours, deadlines, lines; stops of a campaign and sleeping workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tests.chaos.evidence import Evidence, Finding, handed_over, rules, when

AT_ONCE = 5.0
"""Seconds: how soon a stop must hold, and how long a hand-over whose leave was asked for in time may take to reach the sink."""
BLINK = 1.0
"""Seconds between the look at an office's hours and the start in the ledger."""


def pace(e: Evidence) -> Iterable[Finding]:
    """No rolling window of an address holds more than its rules allow: by the ledger exactly, by the sink but for the way there."""
    starts: dict[str, list[float]] = defaultdict(list)
    started = {a["id"]: when(a["started_at"]) for a in e.attempts}
    for a in e.attempts:
        starts[a["address"]].append(started[a["id"]])
    arrivals: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, attempt, addresses in handed_over(e):
        if start := started.get(attempt):
            for address in addresses:
                arrivals[address].append((row["at"], row["at"] - start))
    for address, limits in e.limits.items():
        for n, seconds in rules(limits):
            if worst := _too_dense(starts[address], n, seconds):
                yield Finding("too fast", address, f"{n + 1} attempts within {worst:.3f} s, allowed {n} in {seconds} s")
            way = max((abs(w) for _, w in arrivals[address]), default=0.0)
            if way < seconds / 2 and (worst := _too_dense([t for t, _ in arrivals[address]], n, seconds - way)):
                yield Finding("too fast", address, f"{n + 1} arrivals within {worst:.3f} s, allowed {n} in {seconds} s less {way:.1f} s")


def shares(e: Evidence) -> Iterable[Finding]:
    """No campaign takes more of an address than the share that it has set itself."""
    slug_of = {x["id"]: x["slug"] for x in e.letters}
    starts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for a in e.attempts:
        starts[slug_of.get(a["letter_id"], ""), a["address"]].append(when(a["started_at"]))
    for (slug, address), share in e.shares.items():
        for n, seconds in rules(share):
            if worst := _too_dense(starts[slug, address], n, seconds):
                yield Finding("share exceeded", f"{slug} at {address}",
                              f"{n + 1} attempts within {worst:.3f} s, allowed {n} in {seconds} s")


def _too_dense(times: Sequence[float], n: int, seconds: float) -> float | None:
    """The shortest span that n + 1 of these moments share, if it is shorter than `seconds`."""
    times = sorted(times)
    spans = [late - early for early, late in zip(times, times[n:], strict=False)]
    shortest = min(spans, default=seconds)
    return shortest if shortest < seconds - 1e-6 else None


def hours(e: Evidence) -> Iterable[Finding]:
    """Nothing is handed over while its office is closed. What was void never left."""
    for a in e.attempts:
        start = when(a["started_at"])
        if a["verdict"] != "void" and (office := e.hours.get(a["address"])) and not office.open_between(start - BLINK, start):
            yield Finding("out of hours", a["id"], f"started at {start:.1f} for {a['address']}, open {office.spans} in {office.zone}")
    for row, attempt, addresses in handed_over(e):
        for address in addresses:
            if (office := e.hours.get(address)) and not office.open_between(*e.around(row, AT_ONCE)):
                yield Finding("out of hours", attempt, f"arrived at {row['at']:.1f} at {address}, open {office.spans} in {office.zone}")


def deadlines(e: Evidence) -> Iterable[Finding]:
    """What the deadline passed has expired and did not go; nothing expires without one, nor is cancelled without a stop."""
    slug_of = {x["id"]: x["slug"] for x in e.letters}
    end_of = {a["id"]: e.deadlines.get(slug_of.get(a["letter_id"], "")) for a in e.attempts}
    for a in e.attempts:
        if (end := end_of[a["id"]]) is not None and when(a["started_at"]) >= end:
            yield Finding("after the deadline", a["id"], f"started {when(a['started_at']) - end:.3f} s after it")
    for row, attempt, _ in handed_over(e):
        if (end := end_of.get(attempt)) is not None and e.around(row, AT_ONCE)[0] >= end:
            yield Finding("after the deadline", attempt, f"arrived {row['at'] - end:.3f} s after it")
    for x in e.letters:
        if x["state"] == "expired" and x["slug"] not in e.deadlines:
            yield Finding("ended for nothing", x["id"], f"expired, but {x['slug']} has no deadline")
        if x["state"] == "cancelled" and x["slug"] not in e.called_off:
            yield Finding("ended for nothing", x["id"], f"cancelled, but {x['slug']} was not stopped")


def stops(e: Evidence) -> Iterable[Finding]:
    """Five seconds after a campaign was stopped nothing of it starts any more, by the machine's clock and by the ledger."""
    slug_of = {x["id"]: x["slug"] for x in e.letters}
    letter_of = {a["id"]: a["letter_id"] for a in e.attempts}
    for row, attempt, _ in handed_over(e):
        stop = e.called_off.get(slug_of.get(letter_of.get(attempt, ""), ""))
        if stop and row["mono"] > stop["mono"] + AT_ONCE:
            yield Finding("after the stop", attempt, f"arrived {row['mono'] - stop['mono']:.1f} s after it")
    for a in e.attempts:
        if stop := e.called_off.get(slug_of.get(a["letter_id"], "")):
            ahead = sum(by for at, by in e.steps if by > 0 and stop["mono"] <= at <= stop["mono"] + AT_ONCE)
            ahead -= sum(by for at, by in e.steps if by < 0 and at < stop["mono"])  # it may have been later before
            if when(a["started_at"]) > stop["at"] + AT_ONCE + ahead:
                yield Finding("after the stop", a["id"], f"started {when(a['started_at']) - stop['at']:.1f} s after it")


def sleepers(e: Evidence) -> Iterable[Finding]:
    """What a worker held that slept past its lease is taken from it; when it wakes up, only what was under way may still arrive."""
    for slept in e.woken:
        if not slept["taken"]:
            yield Finding("lease not taken", str(slept["pid"]), f"attempts {slept['attempts']} were still open")
        late = {attempt for row, attempt, _ in handed_over(e) if attempt in slept["attempts"] and row["mono"] > slept["mono"]}
        if len(late) > 1:
            yield Finding("past its lease", str(slept["pid"]), f"handed over {sorted(late)} when it was woken")


def lines(e: Evidence) -> Iterable[Finding]:
    """One call at a time at each number, and no more calls of the provider than it has lines, by its own times."""
    ended = {r["sid"]: r["mono"] for r in e.fax if r["what"] == "final"}
    calls: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for r in e.fax:
        if r["what"] == "accepted":
            calls[r["to"]].append((r["mono"], ended.get(r["sid"], float("inf")), r["sid"]))
    for number, times in calls.items():
        for one, other in pairwise(sorted(times)):
            if other[0] < one[1]:
                yield Finding("two calls at once", number, f"{one[2]} and {other[2]}")
    most = busiest([(begin, end) for times in calls.values() for begin, end, _ in times])
    if e.lines and most > e.lines:
        yield Finding("too many calls", f"{most}", f"at once, over {e.lines} lines")


def busiest(calls: Sequence[tuple[float, float]]) -> int:
    """How many calls were under way at once at the most; one that ends when another begins is over."""
    now = most = 0
    for _, change in sorted([(begin, 1) for begin, _ in calls] + [(end, -1) for _, end in calls]):
        now += change
        most = max(most, now)
    return most
