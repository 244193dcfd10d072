"""The letter's life never leaves its table, and no order of words about its attempts can change where it ends."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.letters import (
    EVIDENCE,
    INITIAL,
    TRANSITIONS,
    AttemptFact,
    State,
    Verdict,
    allowed,
    state_from,
    strength,
)

WORDS = [(v, r) for v in (Verdict.ACCEPTED, Verdict.DELIVERED) for r in (False,)] + [
    (v, r) for v in (Verdict.BOUNCED, Verdict.REFUSED) for r in (False, True)]


def test_every_state_has_its_row_and_every_row_leads_to_known_states() -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(after in State for row in TRANSITIONS.values() for after in row)


def test_no_state_leads_to_itself_and_letters_are_born_waiting() -> None:
    assert not any(s in row for s, row in TRANSITIONS.items())
    assert frozenset({State.UNCONFIRMED, State.HELD, State.QUEUED}) == INITIAL
    assert not allowed(None, State.SENT)


def test_evidence_is_taken_from_every_state_in_which_a_letter_may_already_have_gone() -> None:
    for state in State:
        if state not in (State.UNCONFIRMED, State.HELD, *EVIDENCE):
            assert allowed(state, State.DELIVERED), state
    assert allowed(State.DELIVERED, State.FAILED)


def test_what_arrived_is_never_queued_again() -> None:
    assert not allowed(State.DELIVERED, State.QUEUED)
    assert not allowed(State.CANCELLED, State.QUEUED)


def heaviest(words: list[tuple[Verdict, bool]]) -> tuple[Verdict, bool]:
    known = (Verdict.OPEN, False)
    for word in words:
        if strength(*word) > strength(*known):
            known = word
    return known


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5))
def test_every_order_and_repetition_of_words_on_an_attempt_ends_alike(words: list[tuple[Verdict, bool]]) -> None:
    ends = {heaviest(list(order)) for order in itertools.permutations(words)} | {heaviest(words + words)}
    assert len(ends) == 1


def test_a_bounce_outranks_a_delivery_but_a_busy_line_does_not() -> None:
    assert heaviest([(Verdict.DELIVERED, False), (Verdict.BOUNCED, False)]) == (Verdict.BOUNCED, False)
    assert heaviest([(Verdict.BOUNCED, True), (Verdict.DELIVERED, False)]) == (Verdict.DELIVERED, False)


FACTS = st.builds(AttemptFact, st.sampled_from(list(Verdict)), st.booleans())


@given(st.lists(FACTS, max_size=6))
def test_any_accepted_attempt_stops_resending(facts: list[AttemptFact]) -> None:
    state = state_from(facts, may_retry=True)
    if any(f.verdict in (Verdict.ACCEPTED, Verdict.DELIVERED) for f in facts):
        assert state in EVIDENCE


@given(st.lists(FACTS, max_size=6))
def test_nothing_is_queued_again_where_that_is_forbidden_or_the_outcome_is_open(facts: list[AttemptFact]) -> None:
    assert state_from(facts, may_retry=False) is not State.QUEUED
    if any(f.verdict in (Verdict.OPEN, Verdict.UNKNOWN) for f in facts):
        assert state_from(facts, may_retry=True) is not State.QUEUED


def test_attempts_that_never_left_prove_nothing() -> None:
    assert state_from([AttemptFact(Verdict.VOID)], may_retry=True) is None
