"""Who is to blame when a server hangs up: the letter, if others go through, and nobody's tries if it is the server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from outreach.db import new_id, reading, unit_of_work
from outreach.models import Attempt, table
from outreach.services import hangups
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk


class History:
    """Attempts at one letter (`x`) and at others (`o`), as the ledger would have written them."""

    def __init__(self, desk: Desk) -> None:
        desk.set(confirm="none", max_email_rate="none")
        desk.campaign(targets=(COMMISSIONER,))
        self.desk, self.clock = desk, 1_800_000_000.0
        self.mine, self.other = desk.letter(desk.write()), desk.letter(desk.write())

    def add(self, letter: str, verdict: str, reason: str | None = None, transport: str = "smtp") -> None:
        row = self.mine if letter == "x" else self.other
        self.clock += 1
        with unit_of_work() as c:
            c.execute(insert(table(Attempt)).values(
                id=new_id(self.clock), letter_id=row.id, campaign_id=row.campaign_id, address_id=row.address_id, transport=transport,
                holder="h", verdict=verdict, reason=reason, started_at=self.desk.now + timedelta(seconds=self.clock - 1_800_000_000)))

    def hung_up(self, letter: str = "x", *, counted: bool = False) -> None:
        self.add(letter, "refused" if counted else "void", "no_connection")

    def blames(self) -> bool:
        with reading() as c:
            return hangups.to_blame(c, self.mine.id, "smtp")


@pytest.fixture
def history(desk: Desk) -> History:
    return History(desk)


def test_a_letter_at_which_the_server_always_hangs_up_is_to_blame_while_others_go_through(history: History) -> None:
    for _ in range(2):
        assert not history.blames()
        history.hung_up()
        history.add("o", "accepted")
    history.add("x", "open")
    assert history.blames()
    history.hung_up(counted=True)
    history.add("o", "delivered")
    assert history.blames(), "and from then on each time"


def test_a_server_that_hangs_up_at_everybody_is_nobody_s_fault(history: History) -> None:
    history.add("o", "accepted")
    for _ in range(5):
        history.hung_up()
        history.hung_up("o")
    assert not history.blames()


def test_what_another_provider_takes_says_nothing(history: History) -> None:
    for _ in range(3):
        history.hung_up()
        history.add("o", "accepted", transport="sendgrid")
    assert not history.blames()


def test_a_clear_answer_in_between_begins_the_count_anew(history: History) -> None:
    history.hung_up()
    history.add("x", "refused", "deferred")
    history.hung_up()
    history.add("o", "accepted")
    assert not history.blames()


def test_tries_that_never_came_to_the_server_are_passed_over(history: History) -> None:
    for _ in range(2):
        history.hung_up()
        history.add("x", "void")
        history.add("o", "accepted")
    assert history.blames()


def test_such_a_letter_ends_and_the_others_go(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    desk.sink.poison = "commissioner@"
    token, others = desk.write(), []
    for _ in range(20):
        others.append(desk.write(targets=("council",)))
        desk.send()
        desk.later(seconds=10)
        desk.send()  # those that met a provider which was taken for down
        desk.later(hours=6)
    letter = desk.letter(token)
    assert (letter.state, letter.reason) == ("failed", "too_many_tries")
    assert len([a for a in desk.attempts() if a.letter_id == letter.id]) == 14, "two that cost nothing, and twelve"
    assert {desk.letter(t).state for t in others} == {"sent"}
    assert desk.counts_agree()


def test_a_server_that_is_down_costs_nobody_a_try(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="none")
    desk.campaign(targets=(COMMISSIONER, COUNCIL))
    tokens = [desk.write(), desk.write(targets=("council",))]
    desk.sink.poison = "@"
    for _ in range(10):
        desk.send()
        desk.later(hours=6)
    assert {(desk.letter(t).state, desk.letter(t).tries) for t in tokens} == {("queued", 0)}
    assert len(desk.attempts()) >= 10
    desk.sink.poison = ""
    desk.send()
    assert {desk.letter(t).state for t in tokens} == {"sent"}
