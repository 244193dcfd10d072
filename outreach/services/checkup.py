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
from outreach.queries import promises
from outreach.services import pauses
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
        held = pauses.held(c, get_settings())
        checks: tuple[tuple[list[str], str], ...] = (
            (promises.stuck(c, now - PATIENCE, SHOWN), "letters stuck in sending; is the ticker running?"),
            (promises.sending_without_attempt(c, SHOWN), "letters in sending without an open attempt"),
            (promises.open_without_sending(c, SHOWN), "letters with an open attempt that are not in sending for it"),
            (promises.opened_twice(c, SHOWN), "letters with two open attempts"),
            (promises.handed_over_without_attempt(c, SHOWN), "letters said to be handed over without an attempt"),
            (promises.asleep(c, now, now - PATIENCE, SHOWN, held.channels), "letters waiting in a lane that nobody will look at"),
            (promises.overdue(c, now, now - UNATTENDED, SHOWN, held.channels), "letters due and not looked at; is a worker running?"),
            (promises.at_no_address(c, now, now - PATIENCE, SHOWN),
             "letters queued at an address to which nothing goes; is the ticker running?"),
            (promises.without_events(c, SHOWN), "letters without events"),
            (promises.off_the_table(c, SHOWN), "letters whose events are no way to their state"),
            (promises.misplaced(c, SHOWN), "letters whose state and place at their target disagree"),
            (promises.twice_in_place(c, SHOWN), "letters beside another of the same person to the same target"),
            *_beyond_totals(c),
        )
        yield from (Finding("wrong", what, tuple(ids)) for ids, what in checks if ids)
        if lanes := promises.left_held(c, now - PATIENCE, SHOWN):
            yield Finding("wrong", f"lanes held by nobody who lives: {', '.join(map(str, lanes))}; is the ticker running?")
        if notices := promises.stuck_notices(c, now - PATIENCE, SHOWN):
            yield Finding("wrong", f"notices stuck in sending: {', '.join(notices)}; is the ticker running?")
        for row in promises.miscounted(c, SHOWN):
            yield Finding("wrong", f"{row.slug}: the counters differ from a recount: {row.target} by {row.channel}, "
                                   f"{row.name.removeprefix('letter:')}: {row.said} counted, {row.real} there")
        if unknown := promises.unknown(c, SHOWN):
            yield Finding("note", "letters that may or may not have been sent (unknown)", tuple(unknown))
        if doubtful := promises.at_doubtful_address(c, now, SHOWN):
            yield Finding("note", "letters at an address that somebody must look at (suspect, or not approved)", tuple(doubtful))
        if orphans := promises.orphans(c, now - OLD):
            yield Finding("note", f"{orphans} receipts older than a day speak of no letter that is known")


def _beyond_totals(c: Connection) -> Iterator[tuple[list[str], str]]:
    """Attempts beyond a life-time total, begun while it was in force: a total that was lowered afterwards is not broken."""
    seen = set()
    for row in promises.totals(c):
        for rule in parse_rules(row.limits):
            if rule.period is None and (row.address_id, rule.count) not in seen:
                seen.add((row.address_id, rule.count))
                found = promises.beyond(c, row.address_id, rule.count, row.since, SHOWN)
                yield found, f"letters tried at address {row.address_id} beyond its {rule}"
