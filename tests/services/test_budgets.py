"""A campaign's faxes never cost more than its cap, whoever sends them; a call that did not come about gives its money back."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from outreach.db import reading, unit_of_work
from outreach.domain.letters import Verdict
from outreach.errors import NotAllowed
from outreach.models import Attempt, Budget, Cost, Lane, table
from outreach.queries import campaigns as campaign_queries
from outreach.queries import money
from outreach.queue import QueueName
from outreach.services import budgets, campaigns
from outreach.services.deliver import Drain
from outreach.settings import get_settings
from tests.services.helpers import Desk

FAX = QueueName.FAX
PRICE = 70_000


@pytest.fixture
def office(desk: Desk) -> Desk:
    desk.set(confirm="none", fax_page_price="0.07", fax_lines="8")
    _ = desk.sink, desk.provider
    desk.campaign()
    return desk


def write(desk: Desk, n: int) -> None:
    for _ in range(n):
        desk.write(channel="fax")


def hung_up(desk: Desk) -> None:
    """Every call has ended, whatever came of it: its line is free, and somebody looks."""
    desk.change(Attempt, line_until=None)
    desk.change(Lane, next_wake_at=desk.now)


def send_all(desk: Desk, rounds: int = 8) -> int:
    sent = 0
    for _ in range(rounds):
        sent += desk.send(FAX)
        hung_up(desk)
        desk.later(seconds=90)
    return sent


def spent(desk: Desk) -> int:
    return int(desk.one(Budget).spent)


def adds_up(desk: Desk) -> bool:
    with reading() as c:
        return money.total(c, desk.one(Budget).campaign_id) == spent(desk)


def test_a_fax_that_does_not_fit_is_not_sent_and_waits(office: Desk) -> None:
    budgets.set_cap("night-bus", 3 * PRICE + 1, now=office.now)
    write(office, 5)
    assert send_all(office) == 3
    assert len(office.attempts()) == 3
    assert office.states() == ["queued"] * 2 + ["sent"] * 3
    assert spent(office) == 3 * PRICE
    assert adds_up(office)
    assert office.one(Budget).full_at is not None
    assert budgets.spending("night-bus").unpaid == 2


def test_mail_goes_on_when_the_budget_is_used_up(office: Desk) -> None:
    budgets.set_cap("night-bus", 0, now=office.now)
    write(office, 1)
    office.write()
    assert send_all(office, 2) == 0
    assert office.send() == 1


def test_a_higher_cap_lets_what_waits_go(office: Desk) -> None:
    budgets.set_cap("night-bus", PRICE, now=office.now)
    write(office, 3)
    assert send_all(office) == 1
    budgets.set_cap("night-bus", None, now=office.now)
    assert send_all(office) == 2


def test_calls_that_did_not_come_about_give_their_money_back_and_others_go(office: Desk) -> None:
    budgets.set_cap("night-bus", PRICE, now=office.now)
    write(office, 2)
    assert send_all(office, 2) == 1
    assert send_all(office, 2) == 0
    office.hear(office.word(Verdict.BOUNCED))
    assert budgets.settle(office.now) == 1
    assert (spent(office), office.one(Budget).full_at) == (0, None)
    assert send_all(office, 2) == 1
    assert adds_up(office)


def test_the_receipt_says_what_it_cost(office: Desk) -> None:
    write(office, 1)
    office.send(FAX)
    assert spent(office) == PRICE
    office.hear(office.word(Verdict.DELIVERED, pages=3))
    budgets.settle(office.now)
    assert spent(office) == 3 * PRICE
    cost = office.one(Cost)
    assert (cost.pages, cost.amount, cost.final) == (3, 3 * PRICE, True)
    assert budgets.settle(office.later(days=4)) == 0
    seen = budgets.spending("night-bus")
    assert (seen.spent, seen.each, [(p.provider, p.faxes, p.pages) for p in seen.providers]) == (3 * PRICE, 3 * PRICE, [("twilio", 1, 3)])


def test_a_call_that_never_ended_stays_at_its_estimate(office: Desk) -> None:
    write(office, 1)
    office.send(FAX)
    assert budgets.settle(office.later(days=2)) == 0
    assert budgets.settle(office.later(days=2)) == 1
    assert spent(office) == PRICE


def test_a_long_letter_is_reckoned_with_its_real_pages(office: Desk) -> None:
    budgets.set_cap("night-bus", 2 * PRICE, now=office.now)
    office.write(channel="fax", subject="Keep it", body="\n\n".join(["I ask you to keep the night bus running."] * 120))
    assert send_all(office, 2) == 0, "three pages do not fit"
    assert office.states() == ["queued"]


def test_several_workers_spend_no_money_twice(office: Desk) -> None:
    """One number takes one call at a time, so that the campaign has many offices."""
    from dataclasses import replace

    from tests.services.helpers import COMMISSIONER

    offices = tuple(replace(COMMISSIONER, id=f"office-{n}", fax=(f"+1416555{n:04}",)) for n in range(100, 124))
    office.campaign("many", targets=offices)
    budgets.set_cap("many", 7 * PRICE, now=office.now)
    for o in offices:
        office.write("many", channel="fax", targets=(o.id,))
    _ = office.provider
    errors: list[BaseException] = []

    def work(holder: str) -> None:
        try:
            Drain(FAX, get_settings(), office.clock, holder=holder).run(60)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not errors, errors
    assert spent(office) <= 7 * PRICE
    assert spent(office) == PRICE * len(office.attempts())
    assert adds_up(office)
    for _ in range(4):
        hung_up(office)
        office.later(minutes=2)
        office.send(FAX)
    assert len(office.attempts()) == 7
    assert spent(office) == 7 * PRICE


@pytest.mark.parametrize(("typed", "amount"), [("50", 50_000_000), ("12.50", 12_500_000), ("12,50", 12_500_000),
                                              ("1,200.05", 1_200_050_000),
                                              ("", None), (" ", None), ("0", 0)])
def test_amounts_as_people_type_them(typed: str, amount: int | None) -> None:
    assert budgets.parse_amount(typed) == amount


@pytest.mark.parametrize("typed", ["a lot", "-1", "NaN", "1e30", "9e999999", "Infinity", "12.5.0", "٣x"])
def test_what_is_no_amount_is_told(typed: str) -> None:
    with pytest.raises(NotAllowed):
        budgets.parse_amount(typed)


def test_a_crash_between_claim_and_call_leaves_the_money_reserved_until_it_is_known(office: Desk) -> None:
    from outreach.transports.base import Unknown

    write(office, 1)
    office.provider.answer = lambda _asked: (_ for _ in ()).throw(ConnectionError)  # type: ignore[assignment]
    office.send(FAX)
    assert budgets.settle(office.now + timedelta(minutes=1)) in (0, 1)
    assert Unknown and adds_up(office)


class Fax:
    """As much of a waiting letter as the budget looks at."""

    def __init__(self, name: str, campaign_id: int) -> None:
        self.id, self.campaign_id = name, campaign_id


def test_money_given_back_in_the_same_commit_leaves_no_budget_full(office: Desk) -> None:
    campaign = campaigns.get("night-bus").id
    budgets.set_cap("night-bus", PRICE, now=office.now)
    two: Any = [Fax("x", campaign), Fax("y", campaign)]
    estimated = {"x": (1, PRICE), "y": (1, PRICE)}
    with unit_of_work() as c:
        paid, short = budgets.reserve(c, two, estimated)
        budgets.give_back(c, paid, estimated)  # none could be claimed: paused, withdrawn, or the day is full
        budgets.mark_full(c, short, office.now)
    assert (spent(office), office.one(Budget).full_at) == (0, None)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_money_that_comes_back_while_the_next_is_found_not_to_fit_is_seen(office: Desk) -> None:
    budgets.set_cap("night-bus", PRICE, now=office.now)
    write(office, 2)
    assert office.send(FAX) == 1
    office.change(Budget, full_at=None)
    office.change(Attempt, verdict="refused", pages=0)
    campaign, settled = campaigns.get("night-bus").id, list[int]()
    one: Any = [Fax("x", campaign)]
    with unit_of_work() as c:
        c.execute(select(table(Lane)).where(table(Lane).c.address_id.in_(campaign_queries.letter_lanes(c, campaign)))
                  .order_by(table(Lane).c.address_id).with_for_update())  # as the ledger's commit does
        _, short = budgets.reserve(c, one, {"x": (1, PRICE)})
        thread = threading.Thread(target=lambda: settled.append(budgets.settle(office.now)))
        thread.start()
        thread.join(1)
        budgets.mark_full(c, short, office.now)
    thread.join(60)
    assert settled == [1]
    assert (spent(office), office.one(Budget).full_at) == (0, None)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_two_claims_lock_budgets_in_one_order_also_those_that_nothing_is_taken_from(office: Desk) -> None:
    office.campaign("a-one")
    office.campaign("b-two")
    a, b = campaigns.get("a-one").id, campaigns.get("b-two").id
    budgets.set_cap("a-one", 100, now=office.now)
    both: Any = [Fax("x", a), Fax("y", b)]
    reserved, errors = threading.Event(), list[BaseException]()

    def first() -> None:
        try:
            with unit_of_work() as c:
                _, short = budgets.reserve(c, both, {"x": (6, 600), "y": (1, 10)})
                reserved.set()
                time.sleep(0.5)
                budgets.mark_full(c, short, office.now)
        except BaseException as e:
            errors.append(e)

    def second() -> None:
        try:
            reserved.wait(60)
            with unit_of_work() as c:
                budgets.reserve(c, both, {"x": (1, 10), "y": (1, 10)})
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for work in (first, second)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not errors, errors


def test_a_call_that_seemed_to_come_to_nothing_and_arrived_is_paid_for(office: Desk) -> None:
    write(office, 1)
    office.send(FAX)
    office.change(Attempt, verdict="void")
    budgets.settle(office.now)
    assert spent(office) == 0
    office.change(Attempt, verdict="delivered", pages=3)
    budgets.settle(office.now)
    assert spent(office) == 3 * PRICE
    assert adds_up(office)
