"""What an organizer or a rule sets aside of a letter's attempts, and what nothing can set aside."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.letters import AttemptFact, State, Verdict, state_from

V = Verdict
FACTS = st.builds(AttemptFact, st.sampled_from(list(Verdict)), st.booleans(), st.booleans(), st.booleans())


def waived(verdict: Verdict, *, retryable: bool = False) -> AttemptFact:
    return AttemptFact(verdict, retryable, waived=True)


@pytest.mark.parametrize("verdict", [V.UNKNOWN, V.REFUSED, V.BOUNCED])
def test_a_waived_attempt_counts_as_if_it_had_not_been(verdict: Verdict) -> None:
    assert state_from([waived(verdict)], may_retry=True) is None
    assert state_from([waived(verdict), AttemptFact(V.UNKNOWN)], may_retry=True) is State.UNKNOWN
    assert state_from([waived(verdict), AttemptFact(V.REFUSED, True)], may_retry=True) is State.QUEUED
    assert state_from([AttemptFact(V.REFUSED, True), waived(verdict)], may_retry=False) is State.FAILED


@pytest.mark.parametrize(("verdict", "state"), [(V.ACCEPTED, State.SENT), (V.DELIVERED, State.DELIVERED), (V.OPEN, State.SENDING)])
def test_what_proves_more_is_believed_of_a_waived_attempt_too(verdict: Verdict, state: State) -> None:
    for order in itertools.permutations([waived(verdict), waived(V.UNKNOWN)]):
        assert state_from(order, may_retry=True) is state


def test_a_fax_that_was_cancelled_at_our_wish_is_no_failure() -> None:
    assert state_from([AttemptFact(V.BOUNCED, cancelled=True)], may_retry=True) is State.CANCELLED
    assert state_from([AttemptFact(V.BOUNCED, cancelled=True), AttemptFact(V.DELIVERED)], may_retry=True) is State.DELIVERED


@given(st.lists(FACTS, max_size=5), st.booleans())
def test_waived_attempts_change_nothing_wherever_they_stand(facts: list[AttemptFact], may_retry: bool) -> None:
    without = [f for f in facts if not (f.waived and f.verdict in (V.UNKNOWN, V.REFUSED, V.BOUNCED))]
    assert state_from(facts, may_retry=may_retry) == state_from(without, may_retry=may_retry)
