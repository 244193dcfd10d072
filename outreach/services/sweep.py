"""Repairs, every ten seconds: whatever was left half-way by something that died is found here and brought on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import or_, update

from outreach import holders
from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Reason, State
from outreach.logs import get
from outreach.models import Lane, Submission, table
from outreach.queries import lanes as lane_queries
from outreach.queries import upkeep
from outreach.services import (
    alerts,
    asking,
    brakes,
    bringing,
    budgets,
    bundles,
    clearing,
    closing,
    confirm_rules,
    copies,
    inquiries,
    lanes,
    ledger,
    mailboxes,
    moderation,
    moves,
    notices,
    once,
    pauses,
    receipts,
    reroute,
    revivals,
    scrubbing,
    sessions,
    stats,
    stops,
    throttle,
    webhook_events,
    webhook_posts,
)
from outreach.settings import get_settings

log = get()
_LANES, _SUBMISSIONS = table(Lane), table(Submission)
MOST = 500
ONCE_A_MINUTE = 10
"""What takes longer is looked at by the sweep that falls into the first seconds of a minute: one in six."""


def sweep(now: datetime | None = None) -> dict[str, int]:
    """Run every repair once. Returns what was done, by name, zeros left out.

    One that fails stops none of the others; when all have had their turn, the first failure is raised.
    """
    now = now or utcnow()
    dead = dead_holders()
    steps: dict[str, Callable[[], int]] = {
        "lapsed_attempts": lambda: ledger.close_lapsed(now, dead),
        "lapsed_notices": lambda: notices.close_lapsed(now, dead),
        "freed_lanes": lambda: _free_lanes(now, dead),
        "ended": lambda: stops.finish(now),
        "paused_themselves": lambda: brakes.pause_failing(now),
        "withdrawn": lambda: _cancel_waiting(now),
        "reviews_closed": lambda: moderation.close_left_behind(now),
        "bundles_mended": lambda: bundles.mend(now),
        "unanswered_expired": lambda: asking.expire_unanswered(now),  # before those that the deadline ends
        "expired": lambda: _expire_letters(now),
        "rerouted": lambda: reroute.bring_on(now, foreign=now.second < ONCE_A_MINUTE).letters,  # of what has not just ended
        "unconfirmed_expired": lambda: _expire_unconfirmed(now),
        "closed": lambda: closing.close_ended(now),
        "reminded": lambda: _remind(now),
        "asked_again": lambda: asking.ask_due(now),
        "woken_lanes": lambda: _wake_forgotten(now),
        "orphans_matched": lambda: receipts.retry_orphans(now),
        "revived": lambda: revivals.go_on_all(now),
        "letters_brought_in_line": lambda: bringing.go_on_all(now),
        "counts_folded": lambda: stats.fold(now=now),
        "networks_forgotten": lambda: _forget(now),
        "proved_by_fetch": lambda: _prove_by_fetch(now),
        "resent": lambda: inquiries.resend(now),  # after all that may prove something
        "digests": lambda: copies.gather(now),
        "costs_settled": lambda: budgets.settle(now),
        "alerts_changed": lambda: alerts.look(now, forecasts=now.second < ONCE_A_MINUTE),
        "events_gathered": lambda: webhook_events.gather(now),
        "posts_forgotten": lambda: webhook_posts.forget(now),
        "scrubbed": lambda: scrubbing.scrub_due(now),
    }
    done, failures = dict[str, int](), list[Exception]()
    for name, step in steps.items():
        try:
            if n := step():
                done[name] = n
        except Exception as e:
            log.exception("sweep.step_failed", step=name)
            failures.append(e)
    if done:
        log.info("sweep", **done)
    if failures:
        raise failures[0]
    return done


def dead_holders() -> list[str]:
    """Holders of lanes, open attempts and notices that certainly no longer run."""
    with reading() as c:
        names = upkeep.holders(c)
    return sorted(n for n in names if holders.is_dead(n))


def _free_lanes(now: datetime, dead: list[str]) -> int:
    with unit_of_work() as c:
        lane_queries.locked(c, lane_queries.held_by_any(c))
        return c.execute(update(_LANES).where(_LANES.c.holder.is_not(None), or_(_LANES.c.held_until < now, _LANES.c.holder.in_(dead)))
                         .values(holder=None, held_until=None, next_wake_at=now)).rowcount


def _cancel_waiting(now: datetime) -> int:
    """Letters that wait although they were withdrawn (requeued before the withdrawal was seen) or their campaign has closed."""
    return (clearing.clear(upkeep.withdrawn, State.CANCELLED, Reason.WITHDRAWN, now)
            + clearing.clear(upkeep.of_closed, State.CANCELLED, Reason.CAMPAIGN_CLOSED, now))


def _expire_letters(now: datetime) -> int:
    return clearing.clear(lambda c, most: upkeep.late(c, now, most), State.EXPIRED, Reason.DEADLINE, now)


def _prove_by_fetch(now: datetime) -> int:
    """Faxes handed over without a clear answer whose pages the provider had fetched before we knew that."""
    with reading() as c:
        found = upkeep.fetched_unknowns(c, MOST)
    for attempt_id in found:
        with unit_of_work() as c:
            receipts.fetched(c, attempt_id, now)
    return len(found)


def _expire_unconfirmed(now: datetime) -> int:
    with unit_of_work() as c:
        old = upkeep.never_confirmed(c, now - confirm_rules.WEEK, now - confirm_rules.FROM_MAIL, now, MOST)
        if not old:
            return 0
        moves.apply(c, moves.of(upkeep.unconfirmed_letters(c, old), State.EXPIRED, Reason.NOT_CONFIRMED), now)
        c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id.in_(old), _SUBMISSIONS.c.state == "unconfirmed").values(state="expired"))
        return len(old)


def _remind(now: datetime) -> int:
    """One reminder for each submission that is still unconfirmed when its time has come."""
    reminded = 0
    with reading() as c:
        ripe = [(row.id, person) for row in upkeep.taking_letters(c, now)
                for person in upkeep.not_reminded(c, row.id, confirm_rules.made_between(now, row.deadline), MOST)]
    for group in (ripe[i:i + MOST] for i in range(0, len(ripe), MOST)):
        with unit_of_work() as c:
            for campaign_id, r in group:
                notices.add(c, "remind", r.id, recipient=r.email, campaign_id=campaign_id, submission_id=r.id, now=now)
        reminded += len(group)
    if reminded:
        notices.ring_soon()
    return reminded


def _wake_forgotten(now: datetime) -> int:
    """Lanes in which something waits and nobody means to look: the mark was lost with whoever cleared it."""
    with unit_of_work() as c:
        forgotten = upkeep.forgotten_lanes(c, MOST, pauses.held(c, get_settings()).channels)
        lanes.mark(c, forgotten, now)
        return len(forgotten)


def _forget(now: datetime) -> int:
    """Network hashes live a day."""
    with unit_of_work() as c:
        throttle.forget(c, now)
        once.forget(c, now)
        sessions.forget(c, now)
        mailboxes.forget(c, now)
        return c.execute(update(_SUBMISSIONS).where(
            _SUBMISSIONS.c.network.is_not(None), _SUBMISSIONS.c.created_at < now - timedelta(days=1)).values(network=None)).rowcount
