"""The paces of many lanes, read together: the same as one by one, in a number of statements that does not grow with the lanes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Engine, event

from outreach.db import reading
from outreach.models import Address, Attempt, table
from outreach.queries import delivery
from outreach.services import forecast, pace_logs, paces
from outreach.settings import get_settings
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk


@contextmanager
def asked(database: Engine) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database, "before_cursor_execute", note)


def test_together_they_are_what_they_are_one_by_one(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="20/hour", max_fax_rate="6/hour")
    for slug, limit in (("night-bus", "30/hour, 2000/day"), ("day-bus", "12/2 hours")):
        desk.campaign(slug, targets=(replace(COMMISSIONER, limits={"email": limit}, share={"email": "9/hour, 1500/week"}), COUNCIL))
        for channel in ("email", "email", "fax"):
            desk.write(slug, channel=channel, targets=("commissioner",))
            desk.send()
            desk.later(minutes=4)
            desk.write(slug, targets=("council",))
            desk.send()
    fax = desk.rows(Address, table(Address).c.channel == "fax")[0].id
    desk.write(channel="fax", targets=("commissioner",))
    desk.change(Attempt, table(Attempt).c.address_id == fax, line_until=desk.later(minutes=0).replace(year=2027))
    ids = [a.id for a in desk.rows(Address)]
    with reading() as c:
        alone = {p.address_id: p for p in paces.load(c, ids, desk.now, get_settings())}
        together = pace_logs.of(c, delivery.lane_targets(c, ids), desk.now, get_settings())
    assert together == alone
    assert any(p.starts for p in alone.values()) and any(len(p.turns) == 2 for p in alone.values())
    assert any(p.shares and p.budgets for p in alone.values())


def test_a_forecast_of_forty_lanes_asks_no_more_than_one_of_two(desk: Desk) -> None:
    desk.set(confirm="none", max_email_rate="20/hour")
    counted = []
    for n in (2, 40):
        offices = tuple(replace(COUNCIL, id=f"office-{i}", name=f"Office {i}", email=(f"o{i}@{n}.example", f"second{i}@{n}.example"))
                        for i in range(n))
        desk.campaign(f"bus-{n}", targets=offices)
        desk.write(f"bus-{n}", targets=tuple(t.id for t in offices))
        with asked(desk.database) as seen:
            assert len(forecast.of_campaign(f"bus-{n}", now=desk.now)) == n
        counted.append(len(seen))
    assert counted[0] == counted[1] <= 20
