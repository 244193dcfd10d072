"""A letter at which the server hangs up each time while it takes others: the fault is the letter's, so its tries count."""

from __future__ import annotations

from sqlalchemy import Connection

from outreach.domain.letters import Reason, Verdict
from outreach.queries import inquiries as queries

BEFORE = 2
"""Hand-overs in a row that broke off before the one at which the letter is to blame; until then such a try costs none."""


def to_blame(c: Connection, letter_id: str, transport: str) -> bool:
    """Whether a letter whose hand-over has just broken off met the same the last times (attempts with reason `no_connection`),
    though the provider gave clear answers to others meanwhile."""
    run: list[str] = []
    for attempt in queries.newest_attempts(c, letter_id, 10):
        if attempt.reason == Reason.NO_CONNECTION.value:
            run.append(attempt.id)
        elif attempt.verdict not in (Verdict.OPEN.value, Verdict.VOID.value):  # void ones never came to the server
            break
    return len(run) >= BEFORE and queries.answered_since(c, transport, run[BEFORE - 1])
