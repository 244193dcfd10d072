"""The checker's judgement of what campaign inboxes got: each letter once, digests that say what they claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.chaos.evidence import Evidence, Finding, mails


def copies(e: Evidence) -> Iterable[Finding]:
    """An inbox has each letter once at the most: in the letter's own mail, in one of the fax's own, or in a digest."""
    had = _had(e)
    for (letter, inbox), n in had.items():
        if n > 1:
            yield Finding("copied twice", letter, f"{n} copies to {inbox}")
    noted = {(c["letter_id"], c["inbox"]) for c in e.copies}
    for c in e.copies:
        there = had[c["letter_id"], c["inbox"]]
        if c["state"] == "sent" and not there:
            yield Finding("copy lost", c["letter_id"], f"the copy to {c['inbox']} ({c['how']}) is said to be sent")
        if c["state"] == "failed" and there:
            yield Finding("copy untrue", c["letter_id"], f"the copy to {c['inbox']} ({c['how']}) is said to have failed")
        if c["state"] == "offered":
            yield Finding("copy waiting", c["letter_id"], f"the copy to {c['inbox']} ({c['how']}) has not gone")
    for x in e.letters:
        own = e.inboxes.get(x["slug"])
        if own and x["state"] in ("sent", "delivered") and (x["id"], own) not in noted:
            yield Finding("copy forgotten", x["id"], f"nobody means to tell {own} of it")


def _had(e: Evidence) -> Counter[tuple[str, str]]:
    """How often each inbox got each letter, in whatever form."""
    targets = {x["id"]: x["address"] for x in e.letters}
    own_mail = {f"n-{n['id']}": n["ref"] for n in e.notices if n["kind"] == "fax_copy"}
    tried = {(a["letter_id"], a["address"]) for a in e.attempts}
    had: Counter[tuple[str, str]] = Counter()
    for message, rows in mails(e).items():
        for row in rows:
            for address in row["rcpts"]:
                if message in targets and address != targets[message] and (message, address) not in tried:
                    had[message, address] += 1
                if message in own_mail:
                    had[own_mail[message], address] += 1
                for letter in row.get("letters", ()):
                    had[letter, address] += 1
    return had


def digests(e: Evidence) -> Iterable[Finding]:
    """A digest lists just the letters that the database says it does."""
    claimed: dict[str, set[str]] = {}
    for c in e.copies:
        if c["digest_id"]:
            claimed.setdefault(c["digest_id"], set()).add(c["letter_id"])
    kept = mails(e)
    for n in e.notices:
        if n["kind"] != "digest":
            continue
        for row in kept.get(f"n-{n['id']}", ()):
            listed, meant = set(row.get("letters", ())), claimed.get(n["ref"], set())
            if listed != meant or len(row.get("letters", ())) != len(listed):
                yield Finding("digest untrue", n["id"], f"lists {len(row.get('letters', ()))} letters, claims {len(meant)}: "
                              f"{sorted(listed ^ meant)[:3]}")
