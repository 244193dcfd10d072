"""Moderators, writers and workers in any order: no letter leaves the table of its life, and a rejected one is never sent."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

from outreach import tokens
from outreach.db import unit_of_work
from outreach.domain.letters import Reason
from outreach.errors import Conflict, FormInvalid
from outreach.models import Attempt, Letter, Review, Submission, table
from outreach.services import confirm, held, moderation, privacy
from tests.property.ground import broken, cleared
from tests.property.profile import examples
from tests.services.helpers import COMMISSIONER, COUNCIL, NOW, Desk

WHO = "moderator@bus.example"


class Walk(RuleBasedStateMachine):
    """What may happen to letters that a moderator reads first."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        with unit_of_work() as c:
            c.execute(delete(table(Review)))
        self.slug = cleared(desk)
        desk.now = NOW
        desk.sink.mails.clear()

    @initialize(mailed=st.booleans(), policy=st.sampled_from(["edited", "all"]))
    def publish(self, mailed: bool, policy: str) -> None:
        self.desk.set(confirm="email" if mailed else "none")
        self.campaign = self.desk.campaign(self.slug, targets=(COMMISSIONER, COUNCIL), inbox="", moderation=policy).id

    @rule(who=st.integers(0, 2), to=st.sampled_from([("council",), ("commissioner", "council")]), body=st.sampled_from(["", "Do keep it."]))
    def write(self, who: int, to: tuple[str, ...], body: str) -> None:
        def act() -> None:
            token = self.desk.write(self.slug, email=f"p{who}@people.example", targets=to, body=body)
            confirm.by_link(tokens.mail_token(self.desk.submission(token).id), now=self.desk.now)
        self._may(act)

    @rule(which=st.integers(0, 5), how=st.sampled_from(["approve", "reject", "undo", "undo"]))
    def decide(self, which: int, how: str) -> None:
        if known := self.desk.rows(Review, table(Review).c.campaign_id == self.campaign):
            one = known[which % len(known)].submission_id
            acts = {"approve": lambda: moderation.approve(self.slug, one, now=self.desk.now, who=WHO), "reject":
                    lambda: moderation.reject(self.slug, one, "No.", now=self.desk.now, who=WHO),
                    "undo": lambda: moderation.undo(self.slug, one, now=self.desk.now, who=WHO)}
            self._may(acts[how])

    @rule(which=st.integers(0, 5))
    def withdraw(self, which: int) -> None:
        if known := self.desk.rows(Submission):
            privacy.withdraw(tokens.mail_token(known[which % len(known)].id), now=self.desk.now)

    @rule(minutes=st.sampled_from([1, 12]), sweep=st.booleans())
    def work(self, minutes: int, sweep: bool) -> None:
        self.desk.send()
        self.desk.later(minutes=minutes)
        if sweep:
            self.desk.sweep()

    def _may(self, act: Any) -> None:
        try:
            act()
        except (Conflict, FormInvalid):
            pass

    @invariant()
    def every_promise_holds(self) -> None:
        assert broken() == {}
        tried = {a.letter_id for a in self.desk.rows(Attempt)}
        letters = {x.id: x for x in self.desk.rows(Letter)}
        assert not [i for i in tried if letters[i].state == "held" or letters[i].reason == Reason.REJECTED]
        waiting = {x.submission_id for x in letters.values() if x.state == "held"}
        kept = {r.submission_id: r.state for r in self.desk.rows(Review)}
        assert {kept[i] for i in waiting} <= {"waiting"}
        assert held.queue(self.campaign, self.desk.now).total == len(waiting)


def test_whatever_moderators_and_writers_do_the_promises_hold(desk: Desk) -> None:
    run_state_machine_as_test(lambda: Walk(desk), settings=examples(6, steps=25))
