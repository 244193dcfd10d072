"""Compares what the sinks took with what the database says, letter by letter. Nothing of `outreach` is imported, here or there.

It is written from the design, not from the code: the table of moves below is a second copy on purpose. What concerns time is
judged in `paces.py`, what concerns inboxes in `inboxes.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.chaos import inboxes, paces
from tests.chaos.evidence import Evidence, Finding, Row, faxes, mails

MOVES = {
    None: "unconfirmed held queued", "unconfirmed": "held queued cancelled expired", "held": "queued cancelled expired",
    "queued": "sending held cancelled expired failed sent delivered", "sending": "sent delivered queued failed unknown",
    "unknown": "sent delivered failed queued", "sent": "delivered failed queued cancelled unknown", "delivered": "failed sent unknown",
    "failed": "queued sent delivered", "cancelled": "held sent delivered", "expired": "held sent delivered queued"}
GONE = frozenset({"sent", "delivered"})
AT_REST = frozenset({"sent", "delivered", "failed", "cancelled", "expired", "unknown"})


def check(e: Evidence) -> list[Finding]:
    """All broken promises; none when every one was kept."""
    return [*_twice(e), *_lost(e), *_doubt(e), *_detours(e), *_events(e), *_counters(e), *_ledger(e), *paces.pace(e), *paces.shares(e),
            *paces.hours(e), *paces.deadlines(e), *paces.stops(e), *paces.sleepers(e), *paces.lines(e), *inboxes.copies(e),
            *inboxes.digests(e)]


def _twice(e: Evidence) -> Iterable[Finding]:
    addresses = {x["id"]: {x["address"]} for x in e.letters}
    for a in e.attempts:
        addresses.setdefault(a["letter_id"], set()).add(a["address"])
    for letter, rows in mails(e).items():
        to_target = [r for r in rows if letter not in addresses or addresses[letter] & set(r["rcpts"])]
        if len(to_target) > 1:
            yield Finding("sent twice", letter, f"{len(to_target)} mails, attempts {[r['envid'][:26] for r in to_target]}")
    taken, arrived = faxes(e)
    for letter, rows in arrived.items():
        if len(rows) > 1:
            yield Finding("sent twice", letter, f"{len(rows)} faxes, attempts {[r['attempt'] for r in rows]}")
    for attempt, n in Counter(r["attempt"] for rows in taken.values() for r in rows).items():
        if n > 1:
            yield Finding("handed over twice", attempt)


def _lost(e: Evidence) -> Iterable[Finding]:
    kept_mails, (taken, arrived) = mails(e), faxes(e)
    lanes = {x["address_id"]: x for x in e.lanes}
    known = {x["id"] for x in e.letters} | {f"n-{n['id']}" for n in e.notices}
    for x in e.letters:
        kept = kept_mails.get(x["id"]) if x["channel"] == "email" else arrived.get(x["id"])
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
    for letter in [*kept_mails, *taken]:
        if letter not in known:
            yield Finding("phantom", letter, "the sink has what the database does not know")
    person_of = {s["id"]: (s["email"], s["slug"]) for s in e.submissions}
    letters = Counter(person_of[x["submission_id"]] for x in e.letters)
    for form in e.answered:
        if (there := letters[form["email"], form["slug"]]) < form["letters"]:
            yield Finding("form lost", form["email"], f"{form['letters']} letters promised, {there} kept")
    written = Counter((x["target_id"], person_of[x["submission_id"]]) for x in e.letters)
    for (target, (email, slug)), n in written.items():
        if n > 1:
            yield Finding("second letter", email, f"{n} letters to target {target} of {slug}")


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
    forms = Counter(s["campaign_id"] for s in e.submissions)
    for campaign in told | forms:
        if told[campaign] != forms[campaign]:
            yield Finding("wrong counter", f"{campaign}/submissions", f"says {told[campaign]}, there are {forms[campaign]}")
    kept, (_, arrived) = mails(e), faxes(e)
    here = {x["id"] for x in e.letters if x["id"] in kept or x["id"] in arrived}
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


def _detours(e: Evidence) -> Iterable[Finding]:
    """A letter whose first address refuses everything has gone on to its target's next one."""
    for x in e.letters:
        if x["address"] in e.detours and x["state"] not in ("unknown", "cancelled", "expired"):
            yield Finding("given up", x["id"], f"{x['state']} at {x['address']}, with {e.detours[x['address']]} untried")
