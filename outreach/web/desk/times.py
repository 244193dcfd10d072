"""The desk's times: a campaign's pages are on the campaign's own clock, all others in UTC, and each says whose clock that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from markupsafe import Markup

from outreach.services.campaigns import CampaignRow
from outreach.web.desk import lever_words


@dataclass(frozen=True)
class Times:
    """How a page's templates write moments; the campaign is None on pages that are no campaign's."""

    campaign: CampaignRow | None

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(lever_words.zone_of(self.campaign) if self.campaign else "UTC")

    @cached_property
    def place(self) -> str:
        """Whose clock it is: "Toronto time", "UTC"."""
        return lever_words.place_of(self.zone.key)

    def text(self, at: datetime, *, seconds: bool = False) -> str:
        """"23 Nov 2026, 14:05"; for where nothing but text may stand."""
        local = at.astimezone(self.zone)
        return f"{local.day} {local:%b %Y, %H:%M:%S}" if seconds else f"{local.day} {local:%b %Y, %H:%M}"

    def short(self, at: datetime, *, seconds: bool = False) -> Markup:
        """The same, marked as a time; for where the place stands elsewhere on the page."""
        return _marked(at, self.text(at, seconds=seconds))

    def at(self, at: datetime, *, seconds: bool = False) -> Markup:
        """The same with the place: "23 Nov 2026, 14:05 Toronto time"."""
        return _marked(at, f"{self.text(at, seconds=seconds)} {self.place}")

    def day(self, at: datetime) -> Markup:
        """"23 Nov 2026"."""
        local = at.astimezone(self.zone)
        return _marked(at, f"{local.day} {local:%b %Y}")


def _marked(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)
