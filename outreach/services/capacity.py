"""What the whole service can hand over until some moment, whatever each lane may: the operator's total for a day, and the lines of
the fax provider. All campaigns share it, and nobody knows in which order, so a campaign is foretold its part of what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from outreach.domain.letters import Channel
from outreach.queries import campaigns, delivery
from outreach.queries import forecast as queries
from outreach.settings import Settings

CALL = timedelta(minutes=1)
"""About how long one fax takes its line."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """`waiting` hand-overs share `each` of them in a `period`, which begins anew at `renewed`; `left` of the present one."""

    why: str
    """A key of `services.forecast.WHY`."""
    waiting: int
    left: int
    each: int
    period: timedelta
    renewed: datetime

    def done_at(self, now: datetime) -> datetime:
        """When the last of what waits can have started."""
        beyond = self.waiting - self.left
        return now if beyond <= 0 else self.renewed + ((beyond - 1) // self.each) * self.period

    def lacking(self, of: int, deadline: datetime) -> int:
        """How many of `of` hand-overs, in proportion, do not fit in before `deadline`."""
        periods = max(0, -((self.renewed - deadline) // self.period)) if deadline > self.renewed else 0
        beyond = self.waiting - self.left - periods * self.each
        return 0 if beyond <= 0 else -(-of * beyond // self.waiting)


def of_service(c: Connection, now: datetime, settings: Settings) -> dict[Channel, list[Capacity]]:
    """What limits each channel as a whole; nothing where nothing does."""
    queued = queries.queued_in_all(c, [row.id for row in campaigns.live(c, now)])
    waiting = {channel: queued.get(channel.value, 0) for channel in (Channel.EMAIL, Channel.FAX)}
    found: dict[Channel, list[Capacity]] = {Channel.EMAIL: [], Channel.FAX: [
        Capacity("lines", waiting[Channel.FAX], 0, settings.fax_lines, CALL, now)]}
    if settings.max_per_day:
        left = settings.max_per_day - delivery.used_on(c, f"{now:%Y-%m-%d}")
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time.min, now.tzinfo)
        total = Capacity("total", sum(waiting.values()), max(0, left), settings.max_per_day, timedelta(days=1), tomorrow)
        for limits in found.values():
            limits.append(total)
    return found
