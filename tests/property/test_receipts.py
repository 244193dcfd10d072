"""Receipts in whatever order, however often, in whatever batches, end in the same truth: by the rules alone, and over a database."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import permutations
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from outreach.db import reading, unit_of_work
from outreach.domain.letters import AttemptFact, Reason, State, Verdict, allowed, state_from, strength
from outreach.models import Address, Base, Lane, table
from outreach.queue import QueueName
from outreach.transports.base import ReceiptWord
from tests.property.ground import MOVING, broken
from tests.property.profile import examples, try_out
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

SAID = [(Verdict.ACCEPTED, False), (Verdict.DELIVERED, False), (Verdict.BOUNCED, False), (Verdict.BOUNCED, True),
        (Verdict.REFUSED, False), (Verdict.REFUSED, True)]
OWN = [(Verdict.ACCEPTED, False), (Verdict.UNKNOWN, False)]
"""What is known of an attempt before anybody has said anything."""


def follow(state: State, known: list[tuple[Verdict, bool]], words: list[tuple[int, tuple[Verdict, bool]]], *, may_retry: bool) -> Any:
    """What becomes of a letter as each word is weighed, by the rules of `domain/letters.py` alone."""
    known, arrived = list(known), set()
    for i, word in words:
        known[i] = max(known[i], word, key=lambda w: strength(*w))
        arrived |= {i} if word[0] is Verdict.DELIVERED else set()
        after = state_from([AttemptFact(*k, arrived=n in arrived) for n, k in enumerate(known)], may_retry=may_retry)
        if after is not None and allowed(state, after):
            state = after
    return state, known


@examples(60)
@given(known=st.lists(st.sampled_from([*OWN, (Verdict.BOUNCED, True)]), min_size=1, max_size=3),
       words=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(SAID)), min_size=1, max_size=4), again=st.integers(0, 99))
def test_the_rules_alone_do_not_see_the_order(known: list[Any], words: list[Any], again: int) -> None:
    words = [(i, word) for i, word in words if i < len(known)]
    assume(words and any(k in OWN for k in known))
    start = state_from([AttemptFact(*k) for k in known], may_retry=True)
    assert start is not None
    for may_retry in (True, False):
        first = follow(start, known, words, may_retry=may_retry)
        for order in permutations(words):
            repeated = [*order, order[again % len(order)]]
            assert follow(start, known, repeated, may_retry=may_retry) == first, order


WORDS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([*SAID, (None, False)]), st.sampled_from([-5, 1, 20, 40, 9999])),
                 min_size=1, max_size=7)
"""Which attempt, what is said of it, and of which moment: in seconds after its start."""
OWNS = st.tuples(*[st.sampled_from(["sent", "unknown"])] * 2)


def any_order(scenes: Scenes, words: list[Any], own: Any, seed: int) -> None:
    """A fax with two calls and two mails: their words one by one in order, then shuffled, repeated and cut into batches."""
    assert _end(scenes, own, words, None) == _end(scenes, own, words, random.Random(seed))


class Scenes:
    """Where each example begins: made once by the service's own means, then put back row by row."""

    def __init__(self, desk: Desk) -> None:
        desk.set(confirm="none", max_email_rate="none", max_fax_rate="none")
        desk.campaign(targets=(COMMISSIONER, COUNCIL))
        self.desk, self.kept = desk, dict[Any, Any]()

    def set_up(self, own: Any) -> list[Any]:
        """Two calls for one fax, the first of which found the line busy, and a mail each of two others. Returns the attempts."""
        tables = [Base.metadata.tables[name] for name in (*MOVING, "lanes")]
        self._put({t.name: [] for t in tables if t.name != "lanes"})
        if own not in self.kept:
            attempts = self._make(own)
            with reading() as c:
                self.kept[own] = attempts, {t.name: [dict(r._mapping) for r in c.execute(select(t))] for t in tables}
        attempts, rows = self.kept[own]
        self._put(rows)
        return list(attempts)

    def _put(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        with unit_of_work() as c:
            for name in reversed(rows):
                c.execute(delete(Base.metadata.tables[name]))
            for name, some in rows.items():
                if some:
                    c.execute(insert(Base.metadata.tables[name]), some)
            c.execute(update(table(Lane)).values(setbacks=0, backoff_until=None, next_wake_at=None, holder=None))
            c.execute(update(table(Address)).values(state="ok"))

    def _make(self, own: Any) -> list[Any]:
        desk = self.desk
        fax = desk.write(channel="fax")
        desk.send(QueueName.FAX)
        desk.hear(desk.word(Verdict.BOUNCED, desk.attempts()[0], retryable=True, reason=Reason.BUSY, event_id="first"))
        desk.later(hours=3)
        if own[0] == "unknown":
            desk.provider.faults.append("close")
        desk.send(QueueName.FAX)
        mails = [desk.write(targets=(target,)) for target in ("commissioner", "council")]
        if own[1] == "unknown":
            desk.sink.faults["dot"] = "close"
        desk.send()
        by_letter = {desk.letter(token).id: n for n, token in enumerate([fax, *mails])}
        made = sorted(desk.attempts(), key=lambda a: (by_letter[a.letter_id], a.started_at))
        assert [by_letter[a.letter_id] for a in made] == [0, 0, 1, 2], [a.verdict for a in made]
        desk.later(minutes=2)
        return made


def test_every_order_repetition_and_batch_ends_in_the_same_state_and_times(desk: Desk) -> None:
    scenes = Scenes(desk)
    try_out(lambda words, own, seed: any_order(scenes, words, own, seed), 25 if desk.database.dialect.name == "sqlite" else 6,
            {"words": [(2, SAID[1], 20), (0, SAID[3], 1), (1, SAID[0], 40), (2, SAID[2], -5), (3, SAID[1], 40), (3, SAID[1], 20)],
             "own": ("sent", "unknown"), "seed": 1},
            words=WORDS, own=OWNS, seed=st.integers(0, 9999))


def _end(scenes: Scenes, own: Any, words: list[Any], dice: random.Random | None) -> Any:
    """The states in which everything ends, and the times that are told, attempts and letters in the order in which they were made."""
    desk, attempts = scenes.desk, scenes.set_up(own)
    said = [_word(desk, attempts[i], *told, event=n, after=after) for n, (i, told, after) in enumerate(words)]
    if dice is None:
        for word in said:
            desk.hear(word)
    else:
        said += dice.choices(said, k=3)
        dice.shuffle(said)
        while said:
            size = dice.randint(1, 4)
            desk.hear(*said[:size])
            said = said[size:]
    assert broken() == {}
    by_id, letters = {a.id: a for a in desk.attempts()}, {x.id: x for x in desk.letters()}
    return [(by_id[a.id].verdict, by_id[a.id].retryable, by_id[a.id].line_until is None,
             letters[a.letter_id].state, letters[a.letter_id].counts, by_id[a.id].arrived_at, letters[a.letter_id].sent_at,
             letters[a.letter_id].delivered_at) for a in attempts]


def _word(desk: Desk, attempt: Any, verdict: Verdict | None, retryable: bool, *, event: int, after: int) -> ReceiptWord:
    return desk.word(verdict, attempt, retryable=retryable, event_id=f"e{event}", reason=Reason.BUSY if retryable else Reason.BOUNCED,
                     at=attempt.started_at + timedelta(seconds=after))
