"""The paces of many lanes at once: what they ask is collected first, and read together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from outreach.domain.pacing import Rule
from outreach.queries import logs
from outreach.services.paces import Pace, Reading, made
from outreach.settings import Settings


def of(c: Connection, rows: Sequence[Any], now: datetime, settings: Settings) -> dict[int, Pace]:
    """`paces.of` by address, in as many statements as there are different limits, however many lanes there are."""
    asked = _Together(c, now)
    made(asked, rows, settings)  # only asks
    asked.read()
    return {p.address_id: p for p in made(asked, rows, settings)}


class _Together(Reading):
    """First notes what is asked and answers nothing; once all of it has been read, answers."""

    def __init__(self, c: Connection, now: datetime) -> None:
        super().__init__(c, now)
        self._asked_starts: defaultdict[tuple[int, timedelta | None, int | None], set[int]] = defaultdict(set)
        self._asked_started: defaultdict[tuple[Rule, int | None], set[int]] = defaultdict(set)
        self._asked_turns, self._asked_lines = set[int](), set[int]()
        self._starts: dict[tuple[int, int | None], list[datetime]] = {}
        self._started: dict[tuple[int, Rule, int | None], int] = {}
        self._turns: dict[int, dict[int, datetime]] = {}
        self._lines: dict[int, datetime] = {}

    def read(self) -> None:
        """Read all that was asked."""
        for (count, period, campaign), ids in self._asked_starts.items():
            found = logs.starts(self._c, sorted(ids), count, self.since(period), campaign_id=campaign)
            self._starts |= {(address_id, campaign): starts for address_id, starts in found.items()}
        for (rule, campaign), ids in self._asked_started.items():
            counted = logs.started_within(self._c, sorted(ids), rule.count, self.since(rule.period), campaign_id=campaign)
            self._started |= {(address_id, rule, campaign): n for address_id, n in counted.items()}
        self._turns = logs.last_turns(self._c, sorted(self._asked_turns)) if self._asked_turns else {}
        self._lines = logs.lines_busy_until(self._c, sorted(self._asked_lines), self.now) if self._asked_lines else {}

    def starts(self, address_id: int, count: int, period: timedelta | None, campaign_id: int | None) -> list[datetime]:
        """See `Reading`."""
        self._asked_starts[count, period, campaign_id].add(address_id)
        return self._starts.get((address_id, campaign_id), [])

    def started(self, address_id: int, rule: Rule, campaign_id: int | None) -> int:
        """See `Reading`."""
        self._asked_started[rule, campaign_id].add(address_id)
        return self._started.get((address_id, rule, campaign_id), 0)

    def turns(self, address_id: int) -> dict[int, datetime]:
        """See `Reading`."""
        self._asked_turns.add(address_id)
        return self._turns.get(address_id, {})

    def line_until(self, address_id: int) -> datetime | None:
        """See `Reading`."""
        self._asked_lines.add(address_id)
        return self._lines.get(address_id)
