"""A deadline in words: when, in whose time zone, how long until then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

from outreach.domain.campaign import CampaignSpec
from outreach.i18n import gettext_for
from outreach.locale import babel_locale
from outreach.web.pages import long_time, zone_name

DAYS_ONLY = 3
"""From this many days on, hours are not worth a word."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """What the page shows of a deadline. `offset` is minutes east of UTC; `words` is JSON for the browser's countdown."""

    iso: str
    long: str
    zone: str
    weekday: str
    day: str
    month: str
    left: str
    past: bool
    offset: int
    words: str


def deadline_of(spec: CampaignSpec, language: str, now: datetime) -> Deadline | None:
    """The campaign's deadline, told in its first target's time zone; None when it has none."""
    if spec.deadline is None:
        return None
    local, locale = spec.deadline.astimezone(ZoneInfo(spec.zone)), babel_locale(language)
    return Deadline(
        iso=local.isoformat(), long=long_time(spec.deadline, language, spec.zone), zone=zone_name(spec.zone), day=str(local.day),
        weekday=format_date(local, "EEE", locale=locale), month=format_date(local, "MMM y", locale=locale),
        left=time_left(spec.deadline - now, language), past=spec.deadline <= now,
        offset=int((local.utcoffset() or timedelta()).total_seconds() // 60), words=json.dumps(_words(language)))


def time_left(left: timedelta, language: str) -> str:
    """"61 days left", "1 day 4 hours left", "35 minutes left"."""
    units = _units(language)
    minutes = max(0, int(left.total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24

    def say(n: int, unit: str) -> str:
        return units[unit][n != 1].replace("%s", str(n))

    if days >= DAYS_ONLY:
        text = say(days, "day")
    elif days:
        text = f"{say(days, 'day')} {say(hours, 'hour')}"
    elif hours:
        text = f"{say(hours, 'hour')} {say(minutes % 60, 'minute')}"
    else:
        text = say(minutes, "minute")
    return gettext_for(language)("%s left").replace("%s", text)


def _units(language: str) -> dict[str, tuple[str, str]]:
    _ = gettext_for(language)
    return {"day": (_("%s day"), _("%s days")), "hour": (_("%s hour"), _("%s hours")), "minute": (_("%s minute"), _("%s minutes"))}


def _words(language: str) -> dict[str, str | tuple[str, str]]:
    """What the browser needs to go on counting."""
    _ = gettext_for(language)
    return {**_units(language), "left": _("%s left"), "past": _("The deadline has passed")}
