"""`outreach doctor`: settings, services, and the promises that the database must keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from outreach import migrate, queue
from outreach.db import reading, utcnow
from outreach.domain.pacing import parse_rules
from outreach.queries import promises, traces, upkeep
from outreach.services import confirm_rules, pauses, polls
from outreach.settings import Settings, SettingsInvalid, get_settings
from outreach.transports.fax.ours import check_sender
from outreach.transports.registry import fax_transport, mail_transport

PATIENCE = timedelta(minutes=2)
"""The sweep repairs what was left half-way within ten seconds; what is older than this is not repaired."""
UNATTENDED = timedelta(minutes=5)
"""A lane that is due this long is drained by nobody."""
OLD = timedelta(days=1)
SHOWN = 20
"""Of letters with one trouble, so many are named."""


@dataclass(frozen=True, slots=True)
class Finding:
    level: str
    """ok, note or wrong"""
    what: str
    letters: tuple[str, ...] = ()
    """Ids of letters concerned, the first `SHOWN`."""

    def __str__(self) -> str:
        if not self.letters:
            return self.what
        head, colon, tail = self.what.partition("; ")
        return f"{head}: {', '.join(self.letters)}{' …' if len(self.letters) >= SHOWN else ''}{colon}{tail}"


def findings(now: datetime | None = None) -> Iterator[Finding]:
    """Everything worth knowing, the worst not first but each with what to do."""
    settings = get_settings()
    yield from _settings(settings)
    try:
        if not migrate.is_current():
            yield Finding("wrong", "the database is not at this version's schema: run `outreach migrate`")
            return
        yield Finding("ok", "database reachable, schema current")
        yield from _promises(now or utcnow())
    except SQLAlchemyError as e:
        yield Finding("wrong", f"the database does not answer ({type(e).__name__}): check OUTREACH_DATABASE_URL")
    try:
        queue.redis().ping()
        yield Finding("ok", "Redis answers")
    except (RedisError, OSError):
        yield Finding("wrong", "Redis does not answer: check OUTREACH_REDIS_URL, or start `outreach up`")


def _settings(s: Settings) -> Iterator[Finding]:
    if s.data_dir.exists() and s.data_dir.stat().st_mode & 0o077:
        yield Finding("note", f"others on this machine can look into OUTREACH_DATA_DIR ({s.data_dir}), where letters are kept; "
                              "if nobody needs that: chmod 700")
    if "sandbox" in (s.email_transport, s.fax_transport):
        yield Finding("note", "the sandbox is in use: nothing leaves this machine")
    for name, value in (("OPERATOR_NAME", s.operator_name), ("OPERATOR_ADDRESS", s.operator_address),
                        ("OPERATOR_CONTACT", s.operator_contact)):
        if not value and not s.demo:
            yield Finding("wrong", f"OUTREACH_{name} is empty: campaigns cannot be published without it")
    if s.email_transport != "sandbox" and s.mail_domain in ("localhost", ""):
        yield Finding("wrong", "OUTREACH_MAIL_FROM has no real domain: mail from it will be refused")
    if not s.verp and s.email_transport != "sendgrid":
        yield Finding("note", "OUTREACH_VERP is false: a bounce counts only where it gives back our headers or our envelope id")
    for wrong in _transports(s):
        yield Finding("wrong", wrong)
    if s.public_url.startswith("http://") and "127.0.0.1" not in s.public_url and "localhost" not in s.public_url:
        yield Finding("wrong", "OUTREACH_PUBLIC_URL is not https: personal data would travel in the open")


def _transports(s: Settings) -> Iterator[str]:
    """What the real transports lack."""
    checks: list[Callable[[], object]] = []
    if s.email_transport != "sandbox":
        checks.append(lambda: mail_transport(s))
    if s.fax_transport != "sandbox":
        checks += [lambda: check_sender(s.fax_from), lambda: fax_transport(s)]
    said = set()
    for check in checks:
        try:
            check()
        except SettingsInvalid as e:
            if str(e) not in said:
                yield str(e)
            said.add(str(e))


def _promises(now: datetime) -> Iterator[Finding]:
    """Each promise in one statement over the whole database: on Postgres each sees one moment."""
    with reading() as c:
        yield from (Finding("wrong", what, tuple(ids)) for ids, what in _letters(c, now) if ids)
        yield from (Finding("wrong", what) for what in _others(c, now))
        yield from (Finding("wrong", what) for what in _counts(c))
        yield from (Finding("note", what, tuple(ids)) for ids, what in _notes(c, now) if ids)
        if orphans := promises.orphans(c, now - OLD):
            yield Finding("note", f"{orphans} receipts older than a day speak of no letter that is known")


def _letters(c: Connection, now: datetime) -> Iterator[tuple[list[str], str]]:
    """What must be so of no letter, and the letters of which it is."""
    held, lately = pauses.held(c, get_settings()), now - PATIENCE
    yield promises.stuck(c, lately, SHOWN), "letters stuck in sending; is the ticker running?"
    yield promises.sending_without_attempt(c, SHOWN), "letters in sending without an open attempt"
    yield promises.open_without_sending(c, SHOWN), "letters with an open attempt that are not in sending for it"
    yield promises.opened_twice(c, SHOWN), "letters with two open attempts"
    yield promises.handed_over_without_attempt(c, SHOWN), "letters said to be handed over without an attempt"
    yield promises.asleep(c, now, lately, SHOWN, held.channels), "letters waiting in a lane that nobody will look at"
    yield promises.overdue(c, now, now - UNATTENDED, SHOWN, held.channels), "letters due and not looked at; is a worker running?"
    yield promises.at_no_address(c, now, lately, SHOWN), "letters queued at an address to which nothing goes; is the ticker running?"
    yield promises.past_their_time(c, lately, SHOWN), "letters that wait though their time is over; is the ticker running?"
    yield promises.calls_unended(c, lately - polls.UNTIL, SHOWN), "faxes that nobody asks about any more; is a fax worker running?"
    yield promises.without_events(c, SHOWN), "letters without events"
    yield promises.off_the_table(c, SHOWN), "letters whose events are no way to their state"
    yield promises.misplaced(c, SHOWN), "letters whose state and place at their target disagree"
    yield promises.twice_in_place(c, SHOWN), "letters beside another of the same person to the same target"
    yield from _beyond_totals(c)


def _others(c: Connection, now: datetime) -> Iterator[str]:
    """What must be so of nothing else."""
    if lanes := promises.left_held(c, now - PATIENCE, SHOWN):
        yield f"lanes held by nobody who lives: {', '.join(map(str, lanes))}; is the ticker running?"
    if notices := promises.stuck_notices(c, now - PATIENCE, SHOWN):
        yield f"notices stuck in sending: {', '.join(notices)}; is the ticker running?"
    if forms := _unconfirmed(c, now - PATIENCE):
        yield f"submissions unconfirmed past their time: {', '.join(forms)}; is the ticker running?"
    if named := traces.of_erased(c, SHOWN):
        yield f"submissions that were erased and still name their writer: {', '.join(named)}; `outreach erase --submission ID` once more"
    if counts := traces.of_days_past(c, now - PATIENCE):
        yield f"counts of mails to a mailbox are kept for longer than a day ({counts}); is the ticker running?"


def _unconfirmed(c: Connection, at: datetime) -> list[str]:
    return upkeep.never_confirmed(c, at - confirm_rules.WEEK, at - confirm_rules.FROM_MAIL, at, SHOWN)


def _counts(c: Connection) -> Iterator[str]:
    for row in promises.miscounted(c, SHOWN):
        place = f"{row.target} by {row.channel}, " if row.target else ""
        yield (f"{row.slug}: the counters differ from a recount: {place}{row.name.removeprefix('letter:')}: "
               f"{row.said} counted, {row.real} there")
    for row in promises.hours_astray(c, SHOWN):
        place = f"{row.channel}, " if row.channel else ""
        yield (f"{row.slug}: the counts by the hour differ from those of all time: {place}{row.name.removeprefix('letter:')}: "
               f"{row.said} by the hour, {row.real} in all")


def _notes(c: Connection, now: datetime) -> Iterator[tuple[list[str], str]]:
    """What is no broken promise and yet worth knowing, with the letters concerned."""
    yield promises.unknown(c, SHOWN), "letters that may or may not have been sent (unknown)"
    yield promises.at_doubtful_address(c, now, SHOWN), "letters at an address that somebody must look at (suspect, or not approved)"
    yield promises.held_since(c, now - OLD, SHOWN), "letters that have waited for a moderator for more than a day"
    yield promises.without_receipt(c, SHOWN), "faxes of which the provider never said whether they arrived; they stay sent"


def _beyond_totals(c: Connection) -> Iterator[tuple[list[str], str]]:
    """Attempts beyond a life-time total, begun while it was in force: a total that was lowered afterwards is not broken."""
    seen = set()
    for row in promises.totals(c):
        for rule in parse_rules(row.limits):
            if rule.period is None and (row.address_id, rule.count) not in seen:
                seen.add((row.address_id, rule.count))
                found = promises.beyond(c, row.address_id, rule.count, row.since, SHOWN)
                yield found, f"letters tried at address {row.address_id} beyond its {rule}"
