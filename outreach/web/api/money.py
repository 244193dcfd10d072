"""What a campaign's faxes cost, and may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints

from outreach.errors import NotAllowed
from outreach.services import budgets
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import ALWAYS, WRITES, Body, Moment, See, Steer

router = APIRouter(route_class=Guarded, tags=["figures"])
Amount = Annotated[str, Field(examples=["12.50"])]


class ProviderCost(BaseModel):
    """What one provider has cost."""

    provider: str
    faxes: int
    pages: int
    amount: Amount
    estimated: Amount = Field(description="Of it: calls that have not ended.")


class Budget(BaseModel):
    """Money, in whole units of the currency."""

    currency: str = Field(examples=["CAD"])
    cap: Amount | None = Field(description="What all faxes together may cost; null without a cap.")
    spent: Amount
    full_since: Moment | None = Field(description="Since when the next fax has not fitted.")
    waiting: int = Field(description="Faxes that wait.")
    ahead: Amount = Field(description="What they will cost.")
    unpaid: int = Field(description="How many of them the cap leaves out.")
    providers: list[ProviderCost]


class Cap(Body):
    """What all faxes together may cost."""

    cap: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,8}(\.[0-9]{1,2})?$")] | None = Field(description="null: no cap.",
                                                                                              examples=["50"])


@router.get("/campaigns/{slug}/budget", operation_id="get_budget", responses=ALWAYS)
def get_budget(at: See) -> Budget:
    """What the campaign's faxes have cost and will."""
    return _shown(at.slug)


@router.put("/campaigns/{slug}/budget", operation_id="set_budget", responses=WRITES, dependencies=[Depends(declared)])
def set_budget(at: Steer, body: Cap) -> Budget:
    """Set or lift the cap; what waits goes on if it fits now."""
    try:
        cap = budgets.parse_amount(body.cap or "")
    except NotAllowed as e:
        raise Failed(422, "invalid", str(e)) from e
    budgets.set_cap(at.slug, cap, now=at.now, who=at.who)
    return _shown(at.slug)


def _shown(slug: str) -> Budget:
    found = budgets.spending(slug)
    return Budget(
        currency=found.currency, cap=None if found.cap is None else _amount(found.cap), spent=_amount(found.spent),
        full_since=found.full_at.isoformat() if found.full_at else None, waiting=found.waiting, ahead=_amount(found.ahead),
        unpaid=found.unpaid, providers=[ProviderCost(provider=p.provider, faxes=p.faxes, pages=p.pages, amount=_amount(p.amount),
                                                     estimated=_amount(p.estimated)) for p in found.providers])


def _amount(millionths: int) -> str:
    return f"{Decimal(millionths) / budgets.MICRO:f}"
