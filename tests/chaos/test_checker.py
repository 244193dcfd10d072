"""A checker that cannot fail proves nothing: each promise is broken once in a small world in which all are kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import checker
from tests.chaos.checker import Evidence, check, rules

T0 = 1_800_000_000.0
PLACE, NUMBER, INBOX = "office@target.example", "+14165552000", "copies@chaos.example"


def _id(kind: str, n: int) -> str:
    return f"{kind}{n}".ljust(26, "0")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)


def world() -> Evidence:
    """Six mails to one place, one each 2 s, the last one in doubt; one fax that was busy first; all of it told truly."""
    e = Evidence([], [], [], [], [], [], [{"address_id": 1, "next_wake_at": None, "holder": None}], [], doubtful=1,
                 limits={PLACE: "3/6 seconds"})
    for i in range(6):
        kept = i < 5
        _letter(e, i, "email", "sent" if kept else "unknown", PLACE, [_id("a", i)], 2.0 * i)
        if kept:
            e.mail.append({"what": "kept", "message_id": f"{_id('l', i)}@campaign.example", "envid": f"{_id('a', i)}-mac",
                           "rcpts": [PLACE, INBOX], "at": T0 + 2 * i + 0.1, "mono": i})
            e.copies.append({"letter_id": _id("l", i), "inbox": INBOX, "how": "cc", "state": "sent"})
    _letter(e, 9, "fax", "delivered", NUMBER, [_id("b", 0), _id("b", 1)], 0.0)
    for i, status in enumerate(("busy", "delivered")):
        e.fax.append({"what": "accepted", "sid": f"FX{i}", "to": NUMBER, "attempt": _id("b", i), "mono": 10.0 * i})
        e.fax.append({"what": "final", "sid": f"FX{i}", "to": NUMBER, "attempt": _id("b", i), "status": status, "mono": 10.0 * i + 5})
    return e


def _letter(e: Evidence, n: int, channel: str, state: str, address: str, attempts: list[str], start: float) -> None:
    letter, campaign = _id("l", n), 1 if channel == "email" else 2
    e.letters.append({"id": letter, "campaign_id": campaign, "target_id": 1, "channel": channel, "state": state, "attempt_id": attempts[-1],
                      "submission_id": _id("s", n), "address_id": 1, "address": address, "address_state": "ok", "campaign_state": "live",
                      "slug": "bus"})
    e.attempts += [{"id": a, "letter_id": letter, "address_id": 1, "verdict": "accepted", "started_at": _moment(start + 20 * i),
                    "provider_ref": None, "address": address} for i, a in enumerate(attempts)]
    path = [None, "queued", *["sending", "sent", "queued"] * (len(attempts) - 1), "sending", *(["sent"] if channel == "fax" else []), state]
    e.events += [{"id": 100 * n + i, "letter_id": letter, "before": before, "after": after, "why": "x"}
                 for i, (before, after) in enumerate(pairwise(path))]
    e.submissions.append({"id": _id("s", n), "email": f"p{n}@people.example", "slug": "bus"})
    e.answered.append({"email": f"p{n}@people.example", "slug": "bus", "letters": 1})
    for name, target in ((f"letter:{state}", 1), ("submissions", 0)):
        key = {"campaign_id": campaign, "target_id": target, "channel": channel if target else "", "name": name}
        found = next((c for c in e.counts if {**c, "n": 0} == {**key, "n": 0}), None)
        if found:
            found["n"] += 1
        else:
            e.counts.append({**key, "n": 1})


def letter_of(e: Evidence, n: int) -> dict[str, Any]:
    return next(x for x in e.letters if x["id"] == _id("l", n))


def _twice(e: Evidence) -> None:
    e.mail.append({**copy.deepcopy(e.mail[0]), "rcpts": [PLACE], "at": T0 + 60})


def _fax_twice(e: Evidence) -> None:
    e.fax[1]["status"] = "delivered"


def _handed_over_twice(e: Evidence) -> None:
    e.fax.append({**e.fax[2], "sid": "FX7", "mono": 50.0})
    e.fax.append({**e.fax[3], "sid": "FX7", "status": "busy", "mono": 51.0})


def _lost(e: Evidence) -> None:
    del e.mail[0]


def _untrue(e: Evidence) -> None:
    _restate(e, 0, "failed")


def _restate(e: Evidence, n: int, state: str) -> None:
    """Another state, with events and counters that fit it: only what the sinks say differs."""
    x = letter_of(e, n)
    name = f"letter:{x['state']}"
    next(c for c in e.counts if c["name"] == name and c["channel"] == x["channel"])["n"] -= 1
    e.counts.append({"campaign_id": x["campaign_id"], "target_id": 1, "channel": x["channel"], "name": f"letter:{state}", "n": 1})
    x["state"] = state
    if state in checker.MOVES["sending"].split():
        [row for row in e.events if row["letter_id"] == x["id"]][-1]["after"] = state
    elif state == "queued":
        e.events.append({"id": 10**6, "letter_id": x["id"], "before": "sent", "after": "queued", "why": "x"})


def _forever(e: Evidence) -> None:
    _restate(e, 0, "queued")


def _no_end(e: Evidence) -> None:
    e.events.pop()
    x = letter_of(e, 9)
    x["state"] = "sent"
    next(c for c in e.counts if c["name"] == "letter:delivered")["name"] = "letter:sent"


def _phantom(e: Evidence) -> None:
    e.mail.append({"what": "kept", "message_id": f"{_id('z', 1)}@campaign.example", "envid": "", "rcpts": ["x@y.example"], "at": T0,
                   "mono": 0})


def _form_lost(e: Evidence) -> None:
    e.answered.append({"email": "nobody@people.example", "slug": "bus", "letters": 2})


def _too_many_unknown(e: Evidence) -> None:
    e.doubtful = 0


def _unknown_fax(e: Evidence) -> None:
    _restate(e, 9, "unknown")
    e.events[-1]["before"], e.events[-2]["after"] = "sending", "sending"
    del e.events[-2]
    e.doubtful = 2


def _no_path(e: Evidence) -> None:
    e.events[1]["after"] = "delivered"


def _event_missing(e: Evidence) -> None:
    e.events = [row for row in e.events if row["letter_id"] != _id("l", 0)]


def _counter(e: Evidence) -> None:
    e.counts[0]["n"] += 1


def _people(e: Evidence) -> None:
    next(c for c in e.counts if c["name"] == "submissions")["n"] -= 1


def _no_attempt(e: Evidence) -> None:
    e.attempts = [a for a in e.attempts if a["id"] != _id("a", 0)]


def _open(e: Evidence) -> None:
    e.attempts[5]["verdict"] = "open"


def _fast(e: Evidence) -> None:
    """The fourth attempt starts a hundredth of a second too early."""
    e.attempts[3]["started_at"] = _moment(5.99)


def _fast_at_the_sink(e: Evidence) -> None:
    for i in range(4):
        e.mail[i]["at"] = T0 + 2.5 + 0.6 * i


def _two_calls(e: Evidence) -> None:
    e.fax[2]["mono"] = 4.0


def _copied_twice(e: Evidence) -> None:
    e.mail.append({**copy.deepcopy(e.mail[0]), "rcpts": [INBOX], "at": T0 + 60})


def _copy_lost(e: Evidence) -> None:
    e.mail[0]["rcpts"] = [PLACE]


BROKEN: list[tuple[Callable[[Evidence], None], str]] = [
    (_twice, "sent twice"), (_fax_twice, "sent twice"), (_handed_over_twice, "handed over twice"), (_lost, "lost"), (_untrue, "untrue"),
    (_forever, "waiting"), (_no_end, "no end"), (_phantom, "phantom"), (_form_lost, "form lost"), (_too_many_unknown, "too many unknown"),
    (_unknown_fax, "unknown fax"), (_no_path, "no path"), (_event_missing, "no path"), (_counter, "wrong counter"),
    (_people, "wrong counter"), (_no_attempt, "not in the ledger"), (_open, "open attempt"), (_fast, "too fast"),
    (_fast_at_the_sink, "too fast"), (_two_calls, "two calls at once"), (_copied_twice, "copied twice"), (_copy_lost, "copy lost")]


def test_nothing_is_found_where_every_promise_was_kept() -> None:
    assert check(world()) == []


@pytest.mark.parametrize(("doctor", "kind"), BROKEN, ids=[d.__name__.strip("_") for d, _ in BROKEN])
def test_a_broken_promise_is_found(doctor: Callable[[Evidence], None], kind: str) -> None:
    e = world()
    doctor(e)
    assert kind in {f.kind for f in check(e)}


def test_every_kind_of_finding_has_been_broken_here() -> None:
    kinds = set(re.findall(r'Finding\("([^"]+)"', Path(checker.__file__).read_text()))
    assert kinds == {kind for _, kind in BROKEN}


def test_the_checker_imports_nothing_of_the_service() -> None:
    assert not re.search(r"^\s*(?:from|import) (?:outreach|workers)", Path(checker.__file__).read_text(), re.MULTILINE)


def test_limit_strings_are_read() -> None:
    assert rules("3/second, 25/8 hours, 200/day") == [(3, 1), (25, 8 * 3600), (200, 86400)]
