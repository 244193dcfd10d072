"""Two who drain at once, or one that wakes up late: no letter is claimed twice, none is handed over twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from outreach.db import reading
from outreach.domain.letters import Verdict
from outreach.models import Address, Attempt, Lane, table
from outreach.queries import delivery
from outreach.queue import QueueName
from outreach.services import inquiries, ledger
from outreach.services.deliver import Drain
from outreach.settings import get_settings
from tests.property.ground import broken, cleared
from tests.property.profile import try_out
from tests.services.helpers import COMMISSIONER, COUNCIL, NOW, Desk

TARGETS = ("commissioner", "council")


@pytest.fixture
def unproved(desk: Desk) -> Desk:
    desk.set(confirm="none", max_email_rate="none", max_fax_rate="none", window="2")
    desk.campaign(targets=(COMMISSIONER, COUNCIL), inbox="")
    return desk


def drain(desk: Desk, holder: str, *, seconds: float = 60) -> int:
    return Drain(QueueName.EMAIL, get_settings(), desk.clock, holder=holder).run(seconds)


def arrivals(desk: Desk) -> Counter[str]:
    """How often the mail server took each letter."""
    return Counter(m.raw.split(b"Message-ID: <", 1)[1].split(b"@", 1)[0].decode() for m in desk.sink.mails)


def at_once(work: Iterable[Callable[[], object]]) -> None:
    """Run all of `work` at the same time; fails with the first of their errors."""
    jobs, errors = list(work), list[BaseException]()
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait(30)
            job()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors, errors
    assert not any(t.is_alive() for t in threads)


def test_several_workers_at_the_same_lanes_hand_each_letter_over_once(unproved: Desk) -> None:
    _ = unproved.sink
    for n in range(24):
        unproved.write(targets=(TARGETS[n % 2],))

    def work(holder: str) -> None:
        for _ in range(200):
            drain(unproved, holder, seconds=60)
            if not any(x.state in ("queued", "sending") for x in unproved.letters()):
                return
        raise AssertionError("letters are left")

    at_once(lambda holder=name: work(holder) for name in ("a", "b", "c"))  # type: ignore[misc]
    assert arrivals(unproved) == {x.id: 1 for x in unproved.letters()}
    assert [a.verdict for a in unproved.attempts()] == ["accepted"] * 24
    assert broken() == {}


def test_claims_of_the_same_letters_at_the_same_moment_take_each_once(unproved: Desk) -> None:
    """The lane's guard taken away (all claim in its holder's name): the letter's own condition decides."""
    terms = Drain(QueueName.EMAIL, get_settings(), unproved.clock, holder="me")._terms("smtp")
    for _ in range(4):
        for _ in range(6):
            unproved.write()
        unproved.change(Lane, holder="me", held_until=unproved.now + timedelta(minutes=5))
        address = unproved.one(Address, table(Address).c.value == "commissioner@transit.example").id
        with reading() as c:
            letters = delivery.waiting(c, address, unproved.now, [x.target_id for x in unproved.letters()][:1], 50)
        assert len(letters) == 6
        won: list[str] = []

        def claim(some: list[Any], won: list[str] = won) -> None:
            won.extend(s.letter.id for s in ledger.commit(terms, [], some, unproved.now))

        at_once(lambda s=some: claim(s) for some in (letters, letters[::-1], letters[2:], letters[:4]))  # type: ignore[misc]
        assert sorted(won) == sorted(x.id for x in letters)
    assert {a.letter_id for a in unproved.rows(Attempt)} == {x.id for x in unproved.letters()}
    assert len(unproved.attempts()) == 24
    assert broken() == {}


class Stalls:
    """What happens to drains that are stopped at the three moments that matter: between reading and commit, between commit and
    hand-over, between hand-over and its record. `plan` says for each such moment in turn what others do meanwhile."""

    def __init__(self, desk: Desk, plan: list[tuple[str, ...]]) -> None:
        self.desk, self.plan, self.depth, self.real = desk, plan, 0, ledger.commit

    def commit(self, terms: Any, done: Any, starts: Any, now: Any) -> Any:
        if starts or done:
            self.meanwhile()
        started = self.real(terms, done, starts, now)
        if started:
            self.meanwhile()
        return started

    def meanwhile(self) -> None:
        for action in self.plan.pop() if self.plan else ():
            if action == "time":
                self.desk.later(minutes=20)  # longer than any lease
            elif action == "sweep":
                self.desk.sweep()
            elif action == "receipts":
                for attempt in self.desk.rows(Attempt, table(Attempt).c.verdict.in_(["open", "unknown"])):
                    if arrivals(self.desk)[attempt.letter_id]:
                        self.desk.hear(self.desk.word(Verdict.DELIVERED, attempt))
            elif action == "resend":  # an organizer has asked: the office has not got it
                for letter in self.desk.letters():
                    if letter.state == "unknown" and not arrivals(self.desk)[letter.id]:
                        inquiries.resolve(letter.id, "resend", who="an organizer", now=self.desk.now)
            elif action in ("close", "451 4.3.0 later", "421 4.3.0 bye"):
                self.desk.sink.faults["dot"] = action
            elif action == "another" and self.depth < 2:
                self.depth += 1
                drain(self.desk, f"another {self.depth}")
                self.depth -= 1


ACTIONS = ["time", "sweep", "resend", "another", "receipts", "close", "451 4.3.0 later", "421 4.3.0 bye"]


def stalled(desk: Desk, plan: list[tuple[str, ...]]) -> None:
    """Six letters, one drain that is stopped as planned, and others that come along; then all goes well until nothing moves."""
    slug = cleared(desk)
    desk.now = NOW
    desk.sink.mails.clear()
    desk.sink.faults.clear()
    desk.campaign(slug, targets=(COMMISSIONER, COUNCIL), inbox="", deadline=None)
    for n in range(6):
        desk.write(slug, targets=(TARGETS[n % 2],))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "commit", Stalls(desk, plan[::-1]).commit)
        patch.setattr(ledger, "time", SimpleNamespace(monotonic=lambda: desk.now.timestamp()))  # noqa: PLW0108  (`now` moves)
        drain(desk, "first")
        assert broken() == {}
        desk.sink.faults.clear()
        for _ in range(20):
            desk.later(minutes=20)
            desk.sweep()
            drain(desk, "last")
            if {x.state for x in desk.letters()} <= {"sent", "delivered", "unknown"}:
                break
    taken = arrivals(desk)
    assert not taken or max(taken.values()) == 1, "handed over twice"
    for x in desk.letters():
        assert x.state == "unknown" or (x.state in ("sent", "delivered") and taken[x.id] == 1), (x.state, taken[x.id])
    assert broken() == {}


def test_a_drain_stopped_anywhere_hands_nothing_over_twice(unproved: Desk) -> None:
    try_out(lambda plan: stalled(unproved, plan), 18 if unproved.database.dialect.name == "sqlite" else 5,
            {"plan": [(), ("time", "sweep", "resend", "another")]},
            plan=st.lists(st.lists(st.sampled_from(ACTIONS), max_size=4).map(tuple), max_size=10))
