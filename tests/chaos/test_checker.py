"""A checker that cannot fail proves nothing: each promise is broken once in a small world in which all are kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.chaos import checker, evidence, exercise, inboxes, paces
from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, Hours, rules

T0 = 1_800_000_000.0
"""08:00 UTC."""
PLACE, NUMBER, INBOX = "office@target.example", "+14165552000", "copies@chaos.example"
CAMPAIGNS = {("email", "bus"): 1, ("fax", "bus"): 2, ("email", "late"): 3, ("email", "halt"): 4}


def _id(kind: str, n: int) -> str:
    return f"{kind}{n:02}".ljust(26, "0")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)


def world() -> Evidence:
    """Six mails to one place, one each 2 s, the last one in doubt; one fax that was busy first, told of in a digest; one letter that a
    deadline ended and one that a stop did. All of it told truly."""
    e = Evidence([], [], [], [], [], [], [{"address_id": 1, "next_wake_at": None, "holder": None}], [], doubtful=1,
                 limits={PLACE: "3/6 seconds", NUMBER: "1/20 seconds"}, shares={("bus", PLACE): "2/4 seconds"},
                 hours={PLACE: Hours("08:00-09:00", "UTC"), NUMBER: Hours("13:30-24:00", "Asia/Kolkata")},
                 deadlines={"late": T0 + 30}, detours={"gone@target.example": PLACE}, inboxes={"bus": INBOX}, lines=1,
                 steps=[(90.0, -15.0), (97.0, 20.0)], called_off={"halt": {"at": T0 + 100, "mono": 100.0}},
                 woken=[{"pid": 7, "attempts": [_id("a", 0), _id("a", 1)], "taken": True, "mono": 0.5}])
    for i in range(6):
        kept = i < 5
        _letter(e, i, "email", "sent" if kept else "unknown", PLACE, [_id("a", i)], 2.0 * i)
        if kept:
            e.mail.append({"what": "kept", "message_id": f"{_id('l', i)}@campaign.example", "envid": f"{_id('a', i)}-mac",
                           "rcpts": [PLACE, INBOX], "at": T0 + 2 * i + 0.1, "mono": i})
            e.copies.append({"letter_id": _id("l", i), "inbox": INBOX, "how": "cc", "state": "sent", "digest_id": None})
    _letter(e, 9, "fax", "delivered", NUMBER, [_id("b", 0), _id("b", 1)], 0.0)
    for i, status in enumerate(("busy", "delivered")):
        e.fax.append({"what": "accepted", "sid": f"FX{i}", "to": NUMBER, "attempt": _id("b", i), "mono": 10.0 * i, "at": T0 + 20 * i})
        e.fax.append({"what": "final", "sid": f"FX{i}", "to": NUMBER, "attempt": _id("b", i), "status": status, "mono": 10.0 * i + 5})
    e.fax[2]["mono"] = 10.0
    e.copies.append({"letter_id": _id("l", 9), "inbox": INBOX, "how": "digest", "state": "sent", "digest_id": _id("d", 1)})
    e.notices.append({"id": _id("n", 1), "kind": "digest", "ref": _id("d", 1), "state": "sent"})
    e.mail.append({"what": "kept", "message_id": f"n-{_id('n', 1)}@campaign.example", "envid": "", "rcpts": [INBOX], "at": T0 + 200,
                   "mono": 200, "letters": [_id("l", 9)]})
    _letter(e, 20, "email", "expired", "ministry@target.example", [], 0.0, slug="late")
    _letter(e, 21, "email", "cancelled", "council@target.example", [], 0.0, slug="halt")
    return e


def _letter(e: Evidence, n: int, channel: str, state: str, address: str, attempts: list[str], start: float, *,
            slug: str = "bus") -> None:
    letter, campaign = _id("l", n), CAMPAIGNS[channel, slug]
    e.letters.append({"id": letter, "campaign_id": campaign, "target_id": 1, "channel": channel, "state": state,
                      "attempt_id": attempts[-1] if attempts else None, "submission_id": _id("s", n), "address_id": 1, "address": address,
                      "address_state": "ok", "campaign_state": "live", "slug": slug})
    e.attempts += [{"id": a, "letter_id": letter, "address_id": 1, "verdict": "accepted", "started_at": _moment(start + 20 * i),
                    "provider_ref": None, "address": address} for i, a in enumerate(attempts)]
    path = [None, "queued", state] if not attempts else [
        None, "queued", *["sending", "sent", "queued"] * (len(attempts) - 1), "sending", *(["sent"] if channel == "fax" else []), state]
    e.events += [{"id": 100 * n + i, "letter_id": letter, "before": before, "after": after, "why": "x"}
                 for i, (before, after) in enumerate(pairwise(path))]
    e.submissions.append({"id": _id("s", n), "email": f"p{n}@people.example", "slug": slug,
                          "campaign_id": campaign})
    e.answered.append({"email": f"p{n}@people.example", "slug": slug, "letters": 1})
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


def _restate(e: Evidence, n: int, state: str, *, then: str = "") -> None:
    """Another state, with events and counters that fit it: only what the sinks say differs. `then` is where it came from."""
    x = letter_of(e, n)
    name = f"letter:{x['state']}"
    next(c for c in e.counts if c["name"] == name and c["channel"] == x["channel"])["n"] -= 1
    e.counts.append({"campaign_id": x["campaign_id"], "target_id": 1, "channel": x["channel"], "name": f"letter:{state}", "n": 1})
    x["state"] = state
    if then:
        last = [row for row in e.events if row["letter_id"] == x["id"]][-1]
        e.events.append({**last, "id": last["id"] + 1, "before": then, "after": state})
        last["after"] = then
    elif state in checker.MOVES["sending"].split():
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


def _second_letter(e: Evidence) -> None:
    e.submissions[1]["email"] = e.submissions[0]["email"]


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


def _own_copy_twice(e: Evidence) -> None:
    """In a digest, and in a mail of its own."""
    e.notices.append({"id": _id("n", 2), "kind": "fax_copy", "ref": _id("l", 9), "state": "sent"})
    e.mail.append({**e.mail[-1], "message_id": f"n-{_id('n', 2)}@campaign.example", "letters": []})


def _cc_and_digest(e: Evidence) -> None:
    """A letter that was in Cc is in the digest as well, and the database knows it there."""
    e.mail[-1]["letters"].append(_id("l", 0))
    e.copies[0] |= {"how": "digest", "digest_id": _id("d", 1)}


def _digest_twice(e: Evidence) -> None:
    e.mail.append({**copy.deepcopy(e.mail[-1]), "at": T0 + 260, "letters": []})


def _digest_lost(e: Evidence) -> None:
    e.mail.pop()


def _digest_short(e: Evidence) -> None:
    e.copies.append({**e.copies[-1], "letter_id": _id("l", 5)})


def _digest_long(e: Evidence) -> None:
    e.mail[-1]["letters"].append(_id("l", 5))


def _digest_repeats(e: Evidence) -> None:
    e.mail[-1]["letters"] *= 2


def _digest_of_nobody(e: Evidence) -> None:
    e.notices.clear()


def _copy_untrue(e: Evidence) -> None:
    e.copies[0]["state"] = "failed"


def _copy_waits(e: Evidence) -> None:
    e.copies[0]["state"] = "offered"


def _copy_forgotten(e: Evidence) -> None:
    del e.copies[0]
    e.mail[0]["rcpts"] = [PLACE]


def _share(e: Evidence) -> None:
    """Within the address's limit, but not within what the campaign takes of it."""
    e.limits[PLACE] = "3/5 seconds"
    e.attempts[1]["started_at"] = _moment(2.1)
    e.attempts[2]["started_at"] = _moment(3.9)


def _fax_too_fast(e: Evidence) -> None:
    e.attempts[-1]["started_at"] = _moment(19)


def _fax_too_fast_at_the_sink(e: Evidence) -> None:
    e.fax[0]["at"], e.fax[2]["at"] = T0 + 1, T0 + 17


def _closed(e: Evidence) -> None:
    e.hours[PLACE] = Hours("00:00-08:00, 09:00-24:00", "UTC")
    e.mail.clear()


def _closed_at_the_sink(e: Evidence) -> None:
    """It started in time, and arrived too late."""
    e.hours[NUMBER] = Hours("13:30-13:31", "Asia/Kolkata")
    e.fax[2] |= {"at": T0 + 66, "mono": 11.0}


def _late(e: Evidence) -> None:
    _restate(e, 20, "sent", then="sending")
    e.attempts.append({**e.attempts[0], "id": _id("c", 1), "letter_id": _id("l", 20), "started_at": _moment(30),
                       "address": "ministry@target.example"})


def _late_at_the_sink(e: Evidence) -> None:
    _late(e)
    e.attempts[-1]["started_at"] = _moment(29)
    e.mail.append({**e.mail[0], "message_id": f"{_id('l', 20)}@campaign.example", "envid": f"{_id('c', 1)}-mac",
                   "rcpts": ["ministry@target.example"], "at": T0 + 35.5, "mono": 35})


def _expired_without_a_deadline(e: Evidence) -> None:
    e.deadlines.clear()


def _cancelled_without_a_stop(e: Evidence) -> None:
    e.called_off.clear()


def _goes_on(e: Evidence) -> None:
    """The clock had been later before it was set back, and was set forward again before the stop; that excuses 15 seconds."""
    _restate(e, 21, "sent", then="sending")
    e.attempts.append({**e.attempts[0], "id": _id("c", 2), "letter_id": _id("l", 21), "started_at": _moment(120.5),
                       "address": "council@target.example"})


def _goes_on_at_the_sink(e: Evidence) -> None:
    _goes_on(e)
    e.attempts[-1]["started_at"] = _moment(100)
    e.mail.append({**e.mail[0], "message_id": f"{_id('l', 21)}@campaign.example", "envid": f"{_id('c', 2)}-mac",
                   "rcpts": ["council@target.example"], "at": T0 + 105.5, "mono": 105.1})


def _given_up(e: Evidence) -> None:
    _restate(e, 0, "failed")
    letter_of(e, 0)["address"] = "gone@target.example"


def _not_taken(e: Evidence) -> None:
    e.woken[0]["taken"] = False


def _wakes_and_goes_on(e: Evidence) -> None:
    e.woken[0]["mono"] = -1


def _too_many_calls(e: Evidence) -> None:
    for row, time in zip(e.fax[2:], (4.0, 6.0), strict=True):
        row |= {"to": "+14165552001", "mono": time}


BROKEN: list[tuple[Callable[[Evidence], None], str]] = [
    (_twice, "sent twice"), (_fax_twice, "sent twice"), (_handed_over_twice, "handed over twice"), (_lost, "lost"), (_untrue, "untrue"),
    (_forever, "waiting"), (_no_end, "no end"), (_phantom, "phantom"), (_form_lost, "form lost"), (_second_letter, "second letter"),
    (_too_many_unknown, "too many unknown"), (_unknown_fax, "unknown fax"), (_no_path, "no path"), (_event_missing, "no path"),
    (_counter, "wrong counter"), (_people, "wrong counter"), (_no_attempt, "not in the ledger"), (_open, "open attempt"),
    (_fast, "too fast"), (_fast_at_the_sink, "too fast"), (_fax_too_fast, "too fast"), (_fax_too_fast_at_the_sink, "too fast"),
    (_two_calls, "two calls at once"), (_copied_twice, "copied twice"), (_own_copy_twice, "copied twice"),
    (_cc_and_digest, "copied twice"), (_copy_lost, "copy lost"), (_digest_lost, "copy lost"), (_digest_twice, "sent twice"),
    (_digest_short, "digest untrue"), (_digest_long, "digest untrue"), (_digest_repeats, "digest untrue"), (_digest_of_nobody, "phantom"),
    (_copy_untrue, "copy untrue"), (_copy_waits, "copy waiting"), (_copy_forgotten, "copy forgotten"), (_share, "share exceeded"),
    (_closed, "out of hours"), (_closed_at_the_sink, "out of hours"), (_late, "after the deadline"),
    (_late_at_the_sink, "after the deadline"), (_expired_without_a_deadline, "ended for nothing"),
    (_cancelled_without_a_stop, "ended for nothing"), (_goes_on, "after the stop"), (_goes_on_at_the_sink, "after the stop"),
    (_given_up, "given up"), (_not_taken, "lease not taken"), (_wakes_and_goes_on, "past its lease"), (_too_many_calls, "too many calls")]
JUDGES = (checker, paces, inboxes)


def test_nothing_is_found_where_every_promise_was_kept() -> None:
    assert check(world()) == []


@pytest.mark.parametrize(("doctor", "kind"), BROKEN, ids=[d.__name__.strip("_") for d, _ in BROKEN])
def test_a_broken_promise_is_found(doctor: Callable[[Evidence], None], kind: str) -> None:
    e = world()
    doctor(e)
    assert kind in {f.kind for f in check(e)}


def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


def test_every_kind_of_finding_has_been_broken_here() -> None:
    kinds = {kind for m in JUDGES for kind in re.findall(r'Finding\("([^"]+)"', _source(m))}
    assert kinds == {kind for _, kind in BROKEN}


def test_the_checker_imports_nothing_of_the_service() -> None:
    for module in (*JUDGES, evidence, exercise):
        assert not re.search(r"^\s*(?:from|import) (?:outreach|workers)", _source(module), re.MULTILINE)


def test_limit_strings_are_read() -> None:
    assert rules("3/second, 25/8 hours, 200/day") == [(3, 1), (25, 8 * 3600), (200, 86400)]


@pytest.mark.parametrize(("early", "late", "is_open"), [
    (0, 0, True), (59, 59, True), (60, 60, False), (119, 119, False), (59, 65, True), (61, 119, False), (61, 120, True), (-9, -8, True)])
def test_office_hours_are_read_in_their_own_zone(early: int, late: int, is_open: bool) -> None:
    office = Hours("13:30-13:31, 13:32-24:00, 00:00-13:30", "Asia/Kolkata")
    assert office.open_between(T0 + early, T0 + late) == is_open
    assert [office.opening(T0 + s) for s in (0, 60, 120, -1)] == [0, -1, 1, 2]


def test_a_run_that_came_near_no_promise_has_exercised_none() -> None:
    idle = Evidence([], [], [], [], [], [], [], [], lines=1)
    assert exercise.missing(idle) == list(exercise.figures(idle))


def test_what_a_run_exercised_is_counted() -> None:
    e = world()
    found = exercise.figures(e)
    assert (found["expired at the deadline"], found["cancelled by the stop"], found["copies in Cc"], found["digests"]) == (1, 1, 5, 1)
    assert {"digests of several", "mails at the next address", "gone before the deadline"} <= set(exercise.missing(e))
    assert "all lines taken" not in exercise.missing(e)
