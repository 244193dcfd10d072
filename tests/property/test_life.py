"""A random walk over the letter's life: it never leaves the table, nothing arrives twice, and the counters always equal a recount.

Nothing is mocked but the mail server's mood. What it truly took, and what truly came back, is kept by the walk itself.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from outreach import tokens
from outreach.db import reading
from outreach.domain.letters import Reason, Verdict
from outreach.errors import Conflict, FormInvalid, NotAllowed, NotFound
from outreach.models import Address, Attempt, Lane, Submission, table
from outreach.queries import delivery
from outreach.queue import QueueName
from outreach.services import campaigns, confirm, inquiries, ledger, retries, status, stops
from outreach.services.deliver import Drain
from outreach.settings import get_settings
from outreach.transports.base import Accepted, NotStarted, Refused, Unknown
from tests.property.ground import broken, cleared
from tests.property.profile import examples
from tests.services.helpers import COMMISSIONER, COUNCIL, NOW, Desk

TARGETS = (("commissioner",), ("council",), ("commissioner", "council"))
MOODS = ("", "", "", "451 4.3.0 later", "550 5.1.1 nobody", "close", "421 4.3.0 bye")


class Walk(RuleBasedStateMachine):
    """What supporters, workers, providers, organizers and time may do to letters, in any order."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.slug = cleared(desk)
        desk.now = NOW
        desk.sink.mails.clear()
        desk.sink.faults.clear()
        self.asleep: list[tuple[Any, ledger.Started, bool]] = []
        """Attempts whose worker is stopped before it has told the outcome, with its terms and whether the server took the mail."""
        self.came_back: set[str] = set()
        """Attempts of which the server said afterwards, truly, that they did not arrive."""
        self.taken: dict[str, str] = {}
        """Attempts that the server took, by id, with their letter."""

    @initialize(confirm=st.booleans())
    def publish(self, confirm: bool) -> None:
        self.desk.set(confirm="email" if confirm else "none")
        self._campaign(days=30)

    def _campaign(self, *, days: float) -> None:
        self.desk.campaign(self.slug, targets=(COMMISSIONER, COUNCIL), inbox="", deadline=self.desk.now + timedelta(days=days))

    # supporters

    @rule(who=st.integers(0, 3), to=st.sampled_from(TARGETS))
    def write(self, who: int, to: tuple[str, ...]) -> None:
        self._may(lambda: self.desk.write(self.slug, email=f"person{who}@people.example", targets=to))

    @rule(which=st.integers(0, 9))
    def prove(self, which: int) -> None:
        if waiting := self.desk.rows(Submission, table(Submission).c.state == "unconfirmed"):
            self._may(lambda: confirm.by_link(tokens.mail_token(waiting[which % len(waiting)].id), now=self.desk.now))

    @rule(which=st.integers(0, 9))
    def withdraw(self, which: int) -> None:
        if written := self.desk.rows(Submission):
            self._may(lambda: status.withdraw(tokens.mail_token(written[which % len(written)].id), now=self.desk.now))

    # workers

    @rule(mood=st.sampled_from(MOODS), stage=st.sampled_from(["dot", "rcpt1"]))
    def drain(self, mood: str, stage: str) -> None:
        if mood:
            self.desk.sink.faults[stage] = mood
        before = len(self.desk.sink.mails)
        Drain(QueueName.EMAIL, get_settings(), self.desk.clock, holder="a worker").run(60)
        self.desk.sink.faults.clear()
        for mail in self.desk.sink.mails[before:]:
            self._took(mail.raw.split(b"Message-ID: <", 1)[1].split(b"@", 1)[0].decode())

    def _took(self, letter_id: str) -> None:
        attempt = max(self.desk.rows(Attempt, table(Attempt).c.letter_id == letter_id), key=lambda a: (a.started_at, a.id))
        assert attempt.id not in self.taken, "one attempt, two hand-overs"
        self.taken[attempt.id] = letter_id

    @rule(took=st.booleans())
    def stop_a_worker_in_the_middle(self, took: bool) -> None:
        """It has claimed, perhaps handed over, and told nobody."""
        for address in self.desk.rows(Address):
            self.desk.change(Lane, table(Lane).c.address_id == address.id, table(Lane).c.holder.is_(None),
                             holder="stopped", held_until=self.desk.now + timedelta(minutes=5))
            with reading() as c:
                first = delivery.waiting(c, address.id, self.desk.now, sorted(delivery.waiting_targets(c, address.id, self.desk.now)), 1)
            if first:
                terms = Drain(QueueName.EMAIL, get_settings(), self.desk.clock, holder="stopped")._terms("smtp")
                for started in ledger.commit(terms, [], first, self.desk.now):
                    self.asleep.append((terms, started, took))
                    if took:
                        self.taken[started.attempt_id] = started.letter.id

    @rule(which=st.integers(0, 9), told=st.booleans())
    def wake_a_worker(self, which: int, told: bool) -> None:
        """Late or not, it records what it knows; one that had not handed over yet sees its lease and says so."""
        if not self.asleep:
            return
        terms, started, took = self.asleep.pop(which % len(self.asleep))
        outcome = (Accepted(f"ref-{started.attempt_id}") if told else Unknown("no answer")) if took else (
            NotStarted("the lease was about to end", down=False) if told else Refused(Reason.DEFERRED, permanent=False))
        ledger.commit(terms, [ledger.Done(started, outcome, self.desk.now)], [], self.desk.now)

    # what providers say, and it is true

    @rule(which=st.integers(0, 9), verdict=st.sampled_from([Verdict.ACCEPTED, Verdict.DELIVERED]), times=st.integers(1, 2))
    def tell_that_it_arrived(self, which: int, verdict: Verdict, times: int) -> None:
        if arrived := [a for a in self.desk.attempts() if a.id in self.taken and a.id not in self.came_back]:
            word = self.desk.word(verdict, arrived[which % len(arrived)])
            self.desk.hear(*[word] * times)

    @rule(which=st.integers(0, 9), again=st.booleans())
    def tell_that_it_came_back(self, which: int, again: bool) -> None:
        open_ends = [a for a in self.desk.attempts() if a.id in self.taken and a.id not in self.came_back and a.verdict != "delivered"]
        if open_ends:
            attempt = open_ends[which % len(open_ends)]
            self.came_back.add(attempt.id)
            why = Reason.MAILBOX_FULL if again else Reason.BOUNCED
            self.desk.hear(self.desk.word(Verdict.BOUNCED, attempt, retryable=again, reason=why))

    # organizers and time

    @rule(action=st.sampled_from(["pause", "resume", "resume", "close"]))
    def decide(self, action: str) -> None:
        self._may(lambda: self.desk.action(action, self.slug))

    @rule(undo=st.booleans())
    def stop(self, undo: bool) -> None:
        if undo:
            self._may(lambda: stops.undo(self.slug, now=self.desk.now))
        else:
            self._may(lambda: stops.stop(self.slug, "won", "They kept the bus.", now=self.desk.now))

    @rule()
    def send_failed_ones_again(self) -> None:
        """After a look at the office's mailbox: what has arrived is not sent again."""
        if not any(self.arrivals()[x.id] for x in self.desk.letters() if x.state == "failed"):
            self._may(lambda: retries.retry(self.slug, now=self.desk.now))

    @rule(which=st.integers(0, 9))
    def settle_an_unknown_one(self, which: int) -> None:
        if unknown := [x for x in self.desk.letters() if x.state == "unknown"]:
            letter = unknown[which % len(unknown)]
            under_way = any(s.letter.id == letter.id and not took for _, s, took in self.asleep)
            if not under_way:
                outcome = "sent" if self.arrivals()[letter.id] else "resend"
                self._may(lambda: inquiries.resolve(letter.id, outcome, now=self.desk.now))

    @rule(days=st.sampled_from([0.01, 2, 30]))
    def move_the_deadline(self, days: float) -> None:
        if campaigns.get(self.slug).state in ("live", "paused"):
            self._may(lambda: self._campaign(days=days))

    @rule(minutes=st.sampled_from([1, 1, 20, 60 * 5, 60 * 24 * 8]))
    def let_time_pass(self, minutes: int) -> None:
        self.desk.later(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.desk.sweep()

    def _may(self, act: Any) -> None:
        """What may be refused with a reason, and changes nothing then."""
        try:
            act()
        except (Conflict, NotAllowed, NotFound, FormInvalid):
            pass

    # what must be so after each step

    def arrivals(self) -> Counter[str]:
        """Letters by how many of their hand-overs are at the office."""
        return Counter(letter for attempt, letter in self.taken.items() if attempt not in self.came_back)

    @invariant()
    def nothing_arrives_twice(self) -> None:
        assert max(self.arrivals().values(), default=0) <= 1, self.arrivals()

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert broken() == {}

    @invariant()
    def what_is_said_to_have_arrived_has(self) -> None:
        arrived = self.arrivals()
        for x in self.desk.letters():
            if x.state == "delivered":
                assert arrived[x.id] == 1, "said to be delivered"
            if x.state in ("queued", "held", "unconfirmed"):
                assert not arrived[x.id], f"{x.state}, to be sent again"


def test_no_walk_leaves_the_table_or_brings_a_letter_twice(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none", proof_of_work="off", window="2")
    sqlite = desk.database.dialect.name == "sqlite"
    run_state_machine_as_test(lambda: Walk(desk), settings=examples(30 if sqlite else 6, steps=30))
