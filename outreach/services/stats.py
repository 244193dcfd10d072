"""Figures: from the counters (folded rows plus the deltas not folded yet), and the letters themselves one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete

from outreach.db import dialect_insert, reading, unit_of_work, utcnow
from outreach.domain import series
from outreach.models import Counter, CounterDelta, CounterHour, table
from outreach.queries import figures
from outreach.queries import letters as letter_queries
from outreach.services import campaigns, forecast
from outreach.settings import get_settings

_COUNTERS, _DELTAS, _HOURS = table(Counter), table(CounterDelta), table(CounterHour)
PAGE = 1000
counts, recount = figures.counts, figures.recount


def stats(slug: str, *, ahead: bool = True, now: datetime | None = None) -> dict[str, Any]:
    """A campaign's figures, and its forecast if that is wanted (`ahead`), in the shape of `outreach stats --json`. Raises NotFound."""
    campaign = campaigns.get(slug)
    with reading() as c:
        numbers = figures.counts(c, campaign.id)
        names = figures.target_names(c, campaign.id)
        lanes = forecast.lanes_of(c, campaign, now or utcnow(), get_settings()) if ahead else []
    total: defaultdict[str, int] = defaultdict(int)
    by_target: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    refused, submissions = {}, 0
    for (target, channel, name), n in sorted(numbers.items()):
        kind, _, what = name.partition(":")
        if kind == "letter":
            total[what] += n
            by_target[target, channel][what] = n
        elif kind == "refused":
            refused[what] = n
        elif kind == "submissions":
            submissions = n
    order = list(names)
    return {"campaign": slug, "submissions": submissions, "refused": refused, "letters": dict(total), "targets": [
        {"target": names[t][0], "name": names[t][1], "channel": channel, "letters": states}
        for (t, channel), states in sorted(by_target.items(), key=lambda x: (order.index(x[0][0]), x[0][1]))],
        "forecast": [lane.as_json() for lane in lanes]}


def letters(slug: str) -> Iterator[dict[str, Any]]:
    """A campaign's letters in the shape of `outreach letters --json`, oldest first, streamed. Raises NotFound."""
    campaign = campaigns.get(slug)
    last = ""
    while True:
        with reading() as c:
            page = letter_queries.page(c, campaign.id, last, PAGE)
        for row in page:
            yield {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row._mapping.items()}
        if len(page) < PAGE:
            return
        last = page[-1].id


def fold(*, most: int = 20_000, now: datetime | None = None) -> int:
    """Add up deltas into the counters, and into those of their hours. Returns how many deltas were folded.

    Exact under concurrency: only the rows that this DELETE returns are added, whatever ids commit later.
    """
    this_hour = series.hour_of(now or utcnow())
    with unit_of_work() as c:
        rows = c.execute(delete(_DELTAS).where(_DELTAS.c.id.in_(figures.oldest_deltas(most).scalar_subquery()))
                         .returning(_DELTAS.c.campaign_id, _DELTAS.c.target_id, _DELTAS.c.channel, _DELTAS.c.name, _DELTAS.c.delta,
                                    _DELTAS.c.hour)).all()
        sums: defaultdict[tuple[Any, ...], int] = defaultdict(int)
        hours: defaultdict[tuple[Any, ...], int] = defaultdict(int)
        for campaign, target, channel, name, delta, hour in rows:
            sums[campaign, target, channel, name] += delta
            if name.startswith(series.BY_HOUR):
                hours[campaign, this_hour if hour is None else hour, channel, name] += delta
        _add(c, _COUNTERS, ("campaign_id", "target_id", "channel", "name"), sums)
        _add(c, _HOURS, ("campaign_id", "hour", "channel", "name"), {key: n for key, n in hours.items() if n})
        return len(rows)


def _add(c: Connection, counters: Table, key: tuple[str, ...], sums: Mapping[tuple[Any, ...], int]) -> None:
    """Add to rows of counters, or make them; all in one order, as others may add to the same."""
    for values, n in sorted(sums.items()):
        row = dialect_insert(c, counters).values(**dict(zip(key, values, strict=True)), n=n)
        c.execute(row.on_conflict_do_update(index_elements=list(key), set_={"n": counters.c.n + row.excluded.n}))
