"""What the campaign's faxes cost: spent so far, by provider, what the waiting ones will, and the cap."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import NotAllowed
from outreach.services import budgets
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first


@room("/o/c/{slug}/money", Right.SEE)
def money(request: Request, at: Place) -> Response:
    """GET: figures, and the form that sets the cap for those who may."""
    return _page(at)


@room("/o/c/{slug}/money", Right.STEER, method="POST")
def set_budget(request: Request, at: Place) -> Response:
    """POST: the cap."""
    typed = first(at.form, "cap")
    try:
        cap = budgets.parse_amount(typed)
    except NotAllowed as e:
        return _page(at, status=422, typed=typed, error=str(e))
    budgets.set_cap(at.here.slug, cap, now=at.now, who=at.who)
    spending = budgets.spending(at.here.slug)
    said = "Faxes cost what they cost: there is no cap." if cap is None else f"Faxes may cost {spending.say(cap)} in all."
    return back(at, f"/o/c/{at.here.slug}/money", said)


def _page(at: Place, *, status: int = 200, typed: str | None = None, error: str = "") -> Response:
    spending = budgets.spending(at.here.slug)
    shown = "" if spending.cap is None else f"{spending.cap / budgets.MICRO:.2f}"
    return see("organizer/money.html", at, status=status, money=spending, price=budgets.page_price(),
               typed=shown if typed is None else typed, error=error)
