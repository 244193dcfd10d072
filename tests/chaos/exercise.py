"""Whether a run has really put the service to its promises: a limit that nobody comes near, a deadline before which all is gone,
or an inbox with room for everything prove nothing."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.chaos.evidence import Evidence, mails, when
from tests.chaos.paces import busiest


def figures(e: Evidence) -> dict[str, int]:
    """How often each thing came about that must."""
    tried = defaultdict(set)
    for a in e.attempts:
        tried[a["letter_id"]].add(a["address"])
    on = [x for x in e.letters if x["state"] in ("sent", "delivered") and any(g in tried[x["id"]] for g in e.detours)]
    ended = {r["sid"]: r["mono"] for r in e.fax if r["what"] == "final"}
    calls = [(r["mono"], ended.get(r["sid"], float("inf"))) for r in e.fax if r["what"] == "accepted"]
    slug_of = {x["id"]: x["slug"] for x in e.letters}
    of_share = Counter((slug_of.get(a["letter_id"], ""), a["address"]) for a in e.attempts)
    listed = [len(r.get("letters", ())) for rows in mails(e).values() for r in rows]
    how = Counter(c["how"] for c in e.copies if c["state"] == "sent")
    wrote = {x["submission_id"] for x in e.letters}
    return {
        "forms sent a second time": sum(s["id"] not in wrote for s in e.submissions),
        "expired at the deadline": sum(x["state"] == "expired" for x in e.letters),
        "gone before the deadline": sum(x["state"] == "sent" and x["slug"] in e.deadlines for x in e.letters),
        "cancelled by the stop": sum(x["state"] == "cancelled" for x in e.letters),
        "gone before the stop": sum(x["state"] == "sent" and x["slug"] in e.called_off for x in e.letters),
        "mails at the next address": sum(x["channel"] == "email" for x in on),
        "faxes at the next number": sum(x["channel"] == "fax" for x in on),
        "all lines taken": int(busiest(calls) == e.lines) if e.lines else 0,
        "attempts under a share": sum(n for key, n in of_share.items() if key in e.shares),
        "office openings used": _openings(e),
        "copies in Cc": how["cc"], "copies by themselves": how["mail"], "copies in digests": how["digest"],
        "digests": sum(n > 0 for n in listed), "digests of several": sum(n > 1 for n in listed)}


def _openings(e: Evidence) -> int:
    """The most openings of one office in which something went: with one there was no closing in between."""
    used: dict[str, set[int]] = defaultdict(set)
    for a in e.attempts:
        if a["address"] in e.hours:
            used[a["address"]].add(e.hours[a["address"]].opening(when(a["started_at"])))
    return max((len(u - {-1}) for u in used.values()), default=0)


LEAST = {"office openings used": 2}


def missing(e: Evidence) -> list[str]:
    """What did not come about in this run."""
    return [name for name, n in figures(e).items() if n < LEAST.get(name, 1)]
