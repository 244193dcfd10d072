"""What faxes cost, and the cap that a campaign may set: reserved in the ledger's commit, put right once the call has ended.

A fax starts only if what is spent and what it can cost fit under the cap together: one conditional UPDATE of the campaign's
row in `budgets`, in the commit that claims the letter, so that no two workers spend the same money. What it can cost is its
real number of pages at the price a page (`OUTREACH_FAX_PAGE_PRICE`); a call that did not come about gives its money back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from babel.numbers import format_currency
from sqlalchemy import Connection, insert, or_, update

from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.letters import Channel, State, Verdict
from outreach.errors import NotAllowed, OutreachError
from outreach.logs import get
from outreach.models import Budget, Cost, table
from outreach.queries import campaigns as campaign_queries
from outreach.queries import figures, money
from outreach.queries.delivery import Waiting
from outreach.services import audit, campaigns, lanes
from outreach.settings import get_settings

log = get()
_BUDGETS, _COSTS = table(Budget), table(Cost)
MICRO = 1_000_000
GIVEN_UP = timedelta(days=3)
"""A cost whose call never ended for us stays at its estimate from then on."""
MOST = 500
LARGEST = 10_000_000 * MICRO


@dataclass(frozen=True, slots=True)
class ProviderCost:
    """What one provider has cost a campaign. Amounts in millionths of the currency."""

    provider: str
    faxes: int
    pages: int
    amount: int
    estimated: int
    """Of the amount: calls that have not ended."""


@dataclass(frozen=True, slots=True)
class Spending:
    """A campaign's money, in millionths of `currency`."""

    currency: str
    cap: int | None
    spent: int
    full_at: datetime | None
    providers: tuple[ProviderCost, ...]
    waiting: int
    """Faxes that wait."""
    each: int
    """What one is reckoned to cost: the average of those that arrived, else a page."""

    @property
    def ahead(self) -> int:
        """What the waiting ones will cost."""
        return self.waiting * self.each

    @property
    def percent(self) -> int | None:
        """Of the cap; None without one."""
        return None if self.cap is None else min(100, self.spent * 100 // self.cap) if self.cap else 100

    @property
    def unpaid(self) -> int:
        """How many of the waiting ones the cap leaves out."""
        if self.cap is None or not self.waiting:
            return 0
        return max(0, self.waiting - max(0, self.cap - self.spent) // max(1, self.each))

    def say(self, amount: int) -> str:
        """"CA$12.50"."""
        return said(amount, self.currency)


def said(amount: int, currency: str) -> str:
    """An amount in millionths as people write it in English."""
    return format_currency(Decimal(amount) / MICRO, currency, locale="en")


def page_price() -> int:
    """What a page costs until the provider says so, in millionths."""
    return int(Decimal(get_settings().fax_page_price) * MICRO)


def parse_amount(text: str) -> int | None:
    """"12.50" as millionths; None for "" (no cap). Raises NotAllowed."""
    plain = text.strip().replace(" ", "")
    if not plain:
        return None
    if plain.count(",") == 1 and "." not in plain and len(plain.rpartition(",")[2]) <= 2:
        plain = plain.replace(",", ".")  # a decimal comma
    try:
        amount = int(Decimal(plain.replace(",", "")) * MICRO)
    except (ArithmeticError, ValueError) as e:  # Decimal's own overflow is no OverflowError
        raise NotAllowed(f"{text.strip()[:40]!r} is not an amount; write it like 50 or 12.50, or nothing for no cap") from e
    if not 0 <= amount <= LARGEST:
        raise NotAllowed("a budget is between 0 and ten millions")
    return amount


def set_cap(slug: str, cap: int | None, *, now: datetime, who: str = audit.COMMAND_LINE) -> None:
    """Let a campaign's faxes cost so much in all (millionths; None: no cap). What waits goes on if it fits now. Raises NotFound."""
    campaign = campaigns.get(slug)
    with unit_of_work() as c:
        lanes.mark(c, campaign_queries.letter_lanes(c, campaign.id), now)
        c.execute(dialect_insert(c, _BUDGETS).values(campaign_id=campaign.id, cap=cap).on_conflict_do_update(
            index_elements=["campaign_id"], set_={"cap": cap, "full_at": None}))
        audit.note(c, "fax budget", at=now, who=who, campaign_id=campaign.id,
                   detail="no cap" if cap is None else said(cap, get_settings().currency))


def spending(slug: str) -> Spending:
    """What a campaign's faxes have cost and will. Raises NotFound."""
    campaign = campaigns.get(slug)
    with reading() as c:
        purse, average = money.purse(c, campaign.id), money.average(c, campaign.id)
        providers = tuple(ProviderCost(row.provider, row.faxes, row.pages, row.amount, row.estimated)
                          for row in money.by_provider(c, campaign.id))
        waiting = sum(n for (_, channel, name), n in figures.counts(c, campaign.id).items()
                      if channel == Channel.FAX.value and name == f"letter:{State.QUEUED.value}")
    return Spending(get_settings().currency, purse.cap if purse else None, purse.spent if purse else 0, purse.full_at if purse else None,
                    providers, waiting, average or page_price())


def estimates(starts: Sequence[Waiting], now: datetime) -> dict[str, tuple[int, int]]:
    """Letter to pages and cost, for the ledger's commit. Real pages where a cap has to be kept, else one, until the receipt says."""
    price = page_price()
    with reading() as c:
        counted = money.capped(c, sorted({s.campaign_id for s in starts}))
    return {s.id: ((n := _pages(s.id, now) if s.campaign_id in counted else 1), n * price) for s in starts}


def _pages(letter_id: str, now: datetime) -> int:
    from outreach.render.fax import page_count
    from outreach.services.media import pdf_of

    try:
        return page_count(pdf_of(letter_id, now))
    except (OutreachError, ValueError):  # whatever is wrong with it, its hand-over says so
        return 1


def reserve(c: Connection, starts: Sequence[Waiting], estimated: Mapping[str, tuple[int, int]]) -> tuple[list[Waiting], dict[int, int]]:
    """Those of these faxes whose money is there, which is taken at once, and by campaign the least that did not fit.

    Locks budgets in the order of their campaigns.
    """
    granted, short = set[str](), dict[int, int]()
    ids = sorted({s.campaign_id for s in starts})
    for campaign_id in ids:
        c.execute(dialect_insert(c, _BUDGETS).values(campaign_id=campaign_id).on_conflict_do_nothing())
    money.locked(c, ids)  # also those that nothing is taken from: `mark_full` comes back to them after letters
    for campaign_id in ids:
        mine = [s for s in starts if s.campaign_id == campaign_id]
        if _take(c, campaign_id, sum(estimated[s.id][1] for s in mine)):
            granted |= {s.id for s in mine}
            continue
        fit = {s.id for s in mine if _take(c, campaign_id, estimated[s.id][1])}
        granted |= fit
        if len(fit) < len(mine):
            short[campaign_id] = min(estimated[s.id][1] for s in mine if s.id not in fit)
    return [s for s in starts if s.id in granted], short


def mark_full(c: Connection, short: Mapping[int, int], now: datetime) -> None:
    """Nothing more of these campaigns is faxed until money comes back. After the claim: it asks for campaigns that are not full.

    Not where what was given back meanwhile makes room again.
    """
    b = _BUDGETS.c
    for campaign_id, least in sorted(short.items()):
        if c.execute(update(_BUDGETS).where(b.campaign_id == campaign_id, b.full_at.is_(None), b.spent + least > b.cap)
                     .values(full_at=now)).rowcount:
            log.warning("budget.full", campaign=campaign_id)


def _take(c: Connection, campaign_id: int, amount: int) -> bool:
    b = _BUDGETS.c
    return bool(c.execute(update(_BUDGETS).where(
        b.campaign_id == campaign_id, or_(b.cap.is_(None), b.spent + amount <= b.cap)).values(spent=b.spent + amount)).rowcount)


def give_back(c: Connection, letters: Sequence[Waiting], estimated: Mapping[str, tuple[int, int]]) -> None:
    """What was reserved for letters that could not be claimed after all."""
    for s in sorted(letters, key=lambda s: s.campaign_id):
        _change(c, s.campaign_id, -estimated[s.id][1])


def charge(c: Connection, opened: Sequence[tuple[str, Waiting, datetime]], provider: str,
           estimated: Mapping[str, tuple[int, int]]) -> None:
    """Write down what each opened attempt may cost."""
    if opened:
        c.execute(insert(_COSTS), [{"attempt_id": attempt, "campaign_id": s.campaign_id, "provider": provider, "at": at,
                                    "pages": estimated[s.id][0], "amount": estimated[s.id][1]} for attempt, s, at in opened])


def settle(now: datetime) -> int:
    """Put right what calls that have ended did cost; campaigns whose money came back go on. Returns how many were settled."""
    price = page_price()
    with unit_of_work() as c:
        back: dict[int, int] = {}
        rows = money.to_settle(c, now - GIVEN_UP, price, MOST)
        settled = 0
        for r in rows:
            pages, amount = _actual(r.verdict, r.pages, r.amount, price)
            # What came to nothing may yet prove to have arrived: its cost stays open as long as one whose end is not known.
            final = r.verdict == Verdict.DELIVERED or r.at < now - GIVEN_UP
            values = {"final": final, "amount": amount} | ({} if pages is None else {"pages": pages})
            if c.execute(update(_COSTS).where(_COSTS.c.attempt_id == r.attempt_id, ~_COSTS.c.final).values(values)).rowcount:
                settled += 1
                back[r.campaign_id] = back.get(r.campaign_id, 0) + r.amount - amount
        richer = sorted(k for k, n in back.items() if n > 0)
        # Before asking which are full: whoever is in the middle of a claim ends it first, and may find that the next does not fit.
        lanes.mark(c, sorted({a for campaign_id in richer for a in campaign_queries.letter_lanes(c, campaign_id)}), now)
        freed = money.full(c, richer)
        for campaign_id, amount in sorted(back.items()):
            _change(c, campaign_id, -amount)
        if freed:
            c.execute(update(_BUDGETS).where(_BUDGETS.c.campaign_id.in_(freed)).values(full_at=None))
        return settled


def _change(c: Connection, campaign_id: int, by: int) -> None:
    if by:
        c.execute(update(_BUDGETS).where(_BUDGETS.c.campaign_id == campaign_id).values(spent=_BUDGETS.c.spent + by))


def _actual(verdict: str, pages: int | None, reserved: int, price: int) -> tuple[int | None, int]:
    """Pages that went over, and their cost. A call that brought no page over costs nothing."""
    if verdict == Verdict.DELIVERED.value:
        return pages, reserved if pages is None else pages * price
    if verdict in money.ENDED:
        return pages or 0, (pages or 0) * price
    return None, reserved
