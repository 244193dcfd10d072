"""Drain lanes: take due ones, hand over what their pace allows on a kept connection, record what came of it, go on.

No database session is open while a provider is talked to; each hand-over is in the ledger before it starts.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from outreach import holders
from outreach.db import reading, unit_of_work, utcnow
from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.errors import TransportDown
from outreach.logs import get
from outreach.queries import attempts, delivery
from outreach.queries import lanes as lane_queries
from outreach.queries.delivery import Waiting
from outreach.queue import QueueName
from outreach.services import breakers, budgets, compose, lanes, leases, ledger, moves, paces, setbacks
from outreach.services.compose import Prepared
from outreach.services.copies import NO_COPY, Offer
from outreach.services.inboxes import Allowance
from outreach.services.ledger import Done, Started, Terms, Unanswered
from outreach.services.paces import Pace
from outreach.settings import Settings, SettingsInvalid, get_settings
from outreach.transports.base import Accepted, NotStarted, Outcome, OutgoingFax, OutgoingMail, Refused, Unknown, each
from outreach.transports.registry import fax_transport, mail_transport, transport_name

log = get()
T = TypeVar("T")
BATCH = 50
"""Letters of one lane that are read at a time."""
LINGER = 0.3
"""Seconds that a drain which has run dry waits for more before it ends: cheaper than a fork for each letter."""
DOWN = timedelta(seconds=5)
UNKNOWNS = 3
"""Outcomes not known in a row that open the provider's breaker."""
MOST_LANES = 64
CALLED_OFF = timedelta(seconds=2)
"""A hand-over that starts later than so long after its commit asks again whether it still may."""
LOOK = 1.0
"""Seconds after which a drain that is busy looks whether limits or hours have changed."""


def drain(queue: QueueName, *, seconds: float | None = None, clock: Callable[[], datetime] = utcnow) -> int:
    """Drain the due lanes of `queue` for about `seconds`. Returns how many hand-overs were made."""
    settings = get_settings()
    return Drain(queue, settings, clock).run(settings.slice_seconds if seconds is None else seconds)


@dataclass(slots=True)
class Drain:
    """One RQ job's worth of draining."""

    queue: QueueName
    settings: Settings
    clock: Callable[[], datetime] = utcnow
    holder: str = field(default_factory=holders.me)
    handed_over: int = 0
    _down_until: datetime | None = None
    _troubled: bool = False
    """Whether the provider's breaker has been open: the next clear answer closes it for all."""
    _paces: dict[int, Pace] = field(default_factory=dict)
    """Of the lanes held now, by address."""
    _kept: ExitStack = field(default_factory=ExitStack)
    _copies: Allowance = field(default_factory=Allowance)
    _session: Any = None
    _done: list[Done] = field(default_factory=list)
    """Handed over, outcome not recorded yet."""
    _unknowns: int = 0
    """Outcomes not known, in a row."""
    provider: str = field(init=False)
    """The name under which this drain's provider has its breaker, its lines and its pauses."""
    patience: float = field(init=False)
    """Seconds that one hand-over may take at the most."""
    lease: timedelta = field(init=False)

    def __post_init__(self) -> None:
        channel = Channel(self.queue.value)
        self.provider = transport_name(channel, self.settings)
        self.patience, self.lease = leases.patience(channel, self.settings), leases.lease(channel, self.settings)

    def run(self, seconds: float) -> int:
        """Drain until `seconds` are over or nothing is due. Returns how many hand-overs were made."""
        end = time.monotonic() + seconds
        dry_since = time.monotonic()
        self._down_until, self._troubled = breakers.open_until(self.provider, self.clock())
        with self._kept, self._copies:
            while time.monotonic() < end:
                most = self._lanes_wanted()
                held = lanes.hold(self.queue, self.holder, self.clock(), lease=self.lease, most=most) if most else None
                if held and held.address_ids:
                    self._drain_held(held, end)
                    dry_since = time.monotonic()
                elif time.monotonic() - dry_since > LINGER:
                    break
                else:
                    time.sleep(0.02)
        return self.handed_over

    def _lanes_wanted(self) -> int:
        """How many lanes are worth taking: none while the provider is down, of fax lanes as many as lines are free, of others half,
        so that the next worker finds something to do."""
        if self._is_down():
            return 0
        with reading() as c:
            if self.queue is not QueueName.FAX:
                return min(MOST_LANES, (lane_queries.due(c, self.queue.value, self.clock(), 2 * MOST_LANES) + 1) // 2)
            return max(0, min(MOST_LANES, self.settings.fax_lines - delivery.lines_taken(c, self.provider, self.clock())))

    def _drain_held(self, held: lanes.Hold, end: float) -> None:
        # Whatever goes wrong below, somebody looks again; the sweep closes attempts that stayed open.
        next_look: dict[int, datetime | None] = {a: self.clock() + DOWN for a in held.address_ids}
        try:
            changed = True
            while changed:
                with reading() as c:
                    rules = delivery.lane_targets(c, held.address_ids)
                    self._paces = {p.address_id: p for p in paces.of(c, rules, self.clock(), self.settings)}
                usable = [p for p in self._paces.values() if p.usable]
                changed = not self._is_down() and self._hand_over_all(usable, rules, end)
            with reading() as c:
                next_look = {p.address_id: self._next_look(c, p) for p in usable}
        finally:
            lanes.release(held, next_look)

    def _terms(self, transport: str) -> Terms:
        """The line is taken until the provider has given up."""
        line = timedelta(minutes=self.settings.fax_ttl_minutes + 2) if self.queue is QueueName.FAX else None
        return Terms(self.holder, transport, self.lease, line, self.settings.max_per_day,
                     self.settings.fax_lines, random.random, budgets.estimates if self.queue is QueueName.FAX else None)

    def _connect(self) -> Terms:
        """Open the connection that this drain keeps, unless it is open. Raises TransportDown."""
        transport = fax_transport(self.settings) if self.queue is QueueName.FAX else mail_transport(self.settings)
        if self._session is None:
            self._session = self._kept.enter_context(transport.connect())
        return self._terms(transport.name)

    def _is_down(self) -> bool:
        return self._down_until is not None and self._down_until > self.clock()

    def _down(self, why: str, *, auth: bool, retry_after: timedelta | None = None) -> None:
        """The provider cannot be used now: nothing is tried for a while, and the next try opens a new connection."""
        self._down_until = breakers.trip(self.provider, why, self.clock(), auth=auth, retry_after=retry_after)
        self._troubled = True
        self._session = None
        log.warning("transport.down", queue=self.queue.value, auth=auth, why=why[:200])

    def _hand_over_all(self, by_lane: list[Pace], rules: Sequence[Any], end: float) -> bool:
        """Rounds of windows of hand-overs: each commit carries the last window's outcomes and the next one's attempts.

        A round reads what may start; all of it is committed before the next round reads, so that nothing is offered twice.
        True if limits or hours have changed meanwhile, so that the rest of the round is not to be started under the old ones.
        """
        offered: set[str] = set()
        terms: Terms | None = None
        looked = time.monotonic()
        try:
            while time.monotonic() < end and not self._is_down() and (ready := self._round(by_lane, offered)):
                terms = terms or self._connected()
                for window in self._windows(ready):
                    if terms is None or self._is_down() or time.monotonic() >= end:
                        break
                    if time.monotonic() - looked > LOOK:
                        looked = time.monotonic()
                        with reading() as c:
                            if delivery.lane_targets(c, sorted({r.address_id for r in rules})) != rules:
                                return True
                    now = self.clock()
                    if going := [(ready, pace) for ready, pace in window if pace.is_open(ready.letter.target_id, now)]:
                        self._hand_over_window(terms, going)
                        self._close_troubled()
        finally:
            if terms:
                self._commit(terms, [])
        return False

    def _windows(self, ready: Sequence[T]) -> Iterator[Sequence[T]]:
        """Slices to be handed over together; one at a time while the provider is in trouble, since each spends a place in the pace."""
        at = 0
        while at < len(ready):
            size = 1 if self._troubled else self.settings.window
            yield ready[at:at + size]
            at += size

    def _commit(self, terms: Terms, starts: list[Waiting]) -> list[Started]:
        """The ledger's commit. What has been handed over must not be forgotten: when the database refuses (a deadlock, a lost
        connection), nothing new is started and the outcomes are offered again. If it had committed all the same, the attempts
        that it opened are told to be void: nobody is to wonder what became of them."""
        try:
            started = ledger.commit(terms, self._done, starts, self.clock()) if starts or self._done else []
        except Unanswered as e:
            log.warning("ledger.refused", error=type(e.__cause__).__name__, count=len(self._done))
            void = [Done(attempt, NotStarted("the ledger did not answer", down=False), self.clock()) for attempt in e.attempts]
            for wait in (0.1, 0.5, 2.0):
                time.sleep(wait)
                try:
                    ledger.commit(terms, [*self._done, *void], [], self.clock())
                    break
                except Unanswered:
                    continue
            else:
                raise
            started = []
        done, self._done = self._done, []
        for d in done:
            try:
                self._draw(d)
            except Exception:  # the next outcome draws the same; what has just been opened must be handed over
                log.exception("setback.not_drawn", letter=d.started.letter.id)
        return started

    def _close_troubled(self) -> None:
        """Start nothing more at addresses that the last window has found busy or wrong; `_draw` says so to all once it is recorded."""
        for d in self._done:
            letter, o = d.started.letter, d.outcome
            pace = self._paces.get(letter.address_id)
            if pace and isinstance(o, Refused) and setbacks.concerns_all(letter.channel, o.reason, retryable=not o.permanent):
                pace.closed = True

    def _draw(self, done: Done) -> None:
        """What an outcome that is in the ledger means for the address and for the provider, beyond its letter."""
        letter, o = done.started.letter, done.outcome
        pace = self._paces.get(letter.address_id)
        if isinstance(o, Refused):
            with reading() as c:
                elsewhere = attempts.places_of(c, [letter.id]) - {letter.address_id}
            lanes.wake(elsewhere, self.clock())  # its target's next address
            until = setbacks.after(letter.address_id, letter.channel, Verdict.REFUSED, o.reason, done.at, retryable=not o.permanent,
                                   retry_after=o.retry_after)
            if until and pace:
                pace.backed_off_until = until
        elif isinstance(o, Accepted) and pace and pace.setbacks and letter.channel is Channel.EMAIL:
            setbacks.recovered([letter.address_id])
            pace.setbacks = 0
        if self._troubled and isinstance(o, Accepted | Refused):
            breakers.mend(self.provider)
            self._troubled = False

    def _hand_over_window(self, terms: Terms, window: Sequence[tuple[Prepared, Pace]]) -> None:
        by_letter = {ready.letter.id: (ready, pace) for ready, pace in window}
        started = self._commit(terms, [ready.letter for ready, _ in window])
        for attempt in started:
            by_letter[attempt.letter.id][1].started(attempt.started_at, attempt.letter.campaign_id, terms.line)
        for ended in self._hand_over([(by_letter[attempt.letter.id][0], attempt) for attempt in started]):
            self._done.append(ended)
            if isinstance(ended.outcome, Refused | NotStarted):
                by_letter[ended.started.letter.id][1].line_free_at = None
        self.handed_over += len(started)

    def _connected(self) -> Terms | None:
        """The terms once the provider is connected; None when it cannot be, which is noted."""
        try:
            return self._connect()
        except TransportDown as e:
            self._down(str(e), auth=e.auth)
        except SettingsInvalid as e:
            self._down(str(e), auth=True)
        return None

    def _round(self, by_lane: list[Pace], offered: set[str]) -> list[tuple[Prepared, Pace]]:
        """Rendered letters that may start now, lane by lane in turns. What cannot be rendered fails here, before it is claimed."""
        with reading() as c:
            batches = [(p, [w for w in self._batch(c, p) if w.id not in offered]) for p in by_lane]
        found = []
        for place in range(max((len(b) for _, b in batches), default=0)):
            # The oldest first: what was written together lies together in the database, and moves on few of its pages.
            for letter, pace in sorted(((batch[place], pace) for pace, batch in batches if place < len(batch)), key=_age):
                offered.add(letter.id)
                if ready := _prepared(letter, self.clock()):
                    found.append((ready, pace))
        return found

    def _batch(self, c: Connection, pace: Pace) -> list[Waiting]:
        now = self.clock()
        return pace.choose(now, BATCH, lambda targets, most: delivery.waiting(
            c, pace.address_id, now, targets, most, transport=self.provider))

    def _next_look(self, c: Connection, pace: Pace) -> datetime | None:
        """When this lane should be looked at again; None when nothing of it waits."""
        now = self.clock()
        waiting = delivery.waiting_targets(c, pace.address_id, now, transport=self.provider)
        later = delivery.next_waiting_at(c, pace.address_id, now)
        spent = bool(self.settings.max_per_day) and delivery.used_on(c, f"{now:%Y-%m-%d}") >= self.settings.max_per_day
        at = pace.next_at(now, waiting)
        if at is not None:
            at = max(at, self._down_until or now, now + timedelta(minutes=1) if spent else now)
        # What waits for its retry may go before what is due: that may have to wait for its office, or for its campaign's share.
        return paces.soon(now, min((x for x in (at, later) if x is not None), default=None))

    def _composed(self, ready: Prepared, started: Started) -> tuple[OutgoingMail | OutgoingFax | Refused | NotStarted, Offer]:
        """The message and what the inbox gets of it; in its place what stops it before a byte has left."""
        try:
            if self.queue is QueueName.FAX:
                return compose.fax(ready, started, self.settings), NO_COPY
            return compose.mail(ready, started, self.settings, self._copies)
        except SQLAlchemyError:  # says nothing of the letter
            log.exception("letter.cannot_be_composed", letter=started.letter.id, attempt=started.attempt_id)
            return NotStarted("the database did not answer", down=False), NO_COPY
        except Exception:
            log.exception("letter.cannot_be_composed", letter=started.letter.id, attempt=started.attempt_id)
            return Refused(Reason.CANNOT_RENDER, permanent=True), NO_COPY

    def _hand_over(self, attempts: Sequence[tuple[Prepared, Started]]) -> Iterator[Done]:
        """Hand-overs, one after another. Never raises: an error of ours in the middle of one means that we do not know.

        A transport composes the next mail while it waits for an answer (see `MailSession`), but nothing of its text leaves
        before the one in front has its outcome.
        """
        by_id = {started.attempt_id: started for _, started in attempts}
        under_way: deque[tuple[Started, Offer]] = deque()
        ended: list[Done] = []

        def messages() -> Iterator[Any]:
            for ready, started in attempts:
                message, copy = self._composed(ready, started)
                if isinstance(message, Refused | NotStarted):
                    ended.append(self._ended(started, message))
                else:
                    under_way.append((started, copy))
                    yield message

        try:
            for outcome in each(self._session, messages(), lambda message: self._too_late(by_id[message.attempt_id])):
                started, copy = under_way.popleft()
                del by_id[started.attempt_id]
                yield self._ended(started, outcome, copy)
        except Exception as e:
            log.exception("handover.broke", count=len(under_way))
            if under_way:
                started, copy = under_way.popleft()
                del by_id[started.attempt_id]
                yield self._ended(started, Unknown(f"our own error: {type(e).__name__}"), copy)
        for done in ended:
            del by_id[done.started.attempt_id]
            yield done
        for started in by_id.values():
            yield self._ended(started, NotStarted("our own error with the one before", down=False))

    def _too_late(self, started: Started) -> NotStarted | None:
        """Why an attempt must not be handed over any more, though the ledger has it."""
        if self._is_down():
            return NotStarted("the provider went down", down=False)
        if not started.still_good(self.patience + 1):
            return NotStarted("the lease was about to end", down=False)
        pace = self._paces.get(started.letter.address_id)
        if pace and not pace.is_open(started.letter.target_id, self.clock()):
            return NotStarted("the office has closed, or its line is in trouble", down=False)
        return NotStarted("stopped, paused or taken back meanwhile", down=False) if self._called_off(started) else None

    def _called_off(self, started: Started) -> bool:
        """Whether a letter whose window has taken long must not go any more: a stop or a pause holds within seconds."""
        if started.still_good((self.lease - CALLED_OFF).total_seconds()):
            return False
        try:
            with reading() as c:
                return delivery.called_off(c, started.letter.id, self.clock(), self.provider)
        except SQLAlchemyError:
            return True  # nothing of it has left: it may wait

    def _ended(self, started: Started, outcome: Outcome, copy: Offer = NO_COPY) -> Done:
        """Note what came of a hand-over, for the provider's sake."""
        self._unknowns = self._unknowns + 1 if isinstance(outcome, Unknown) else 0
        if isinstance(outcome, NotStarted) and outcome.down:
            self._down(outcome.why, auth=outcome.auth, retry_after=outcome.retry_after)
        elif self._unknowns >= UNKNOWNS:  # a provider that answers nothing clear must not be given the whole queue
            self._down("several outcomes in a row are not known", auth=True)
        if not isinstance(outcome, Accepted):  # what goes well stands in the ledger; a line for each would cost as much as the mail
            log.info("handover", letter=started.letter.id, campaign=started.letter.campaign_id, attempt=started.attempt_id,
                     outcome=type(outcome).__name__)
        return Done(started, outcome, self.clock(), copy)


def _age(turn: tuple[Waiting, Pace]) -> str:
    return turn[0].id


def _prepared(letter: Waiting, now: datetime) -> Prepared | None:
    try:
        return compose.prepare(letter)
    except SQLAlchemyError:
        raise
    except Exception:  # whatever is wrong with one letter, the others go on
        log.exception("letter.cannot_be_rendered", letter=letter.id, campaign=letter.campaign_id)
        with unit_of_work() as c:
            moves.apply(c, [moves.Move(letter.id, letter.campaign_id, letter.target_id, Channel(letter.channel).value, State.QUEUED,
                                       State.FAILED, Reason.CANNOT_RENDER)], now)
        return None
