"""Time zones of a draft: those that there are, those of a country, and the one that a target's numbers tell of."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.core import get_global

from outreach.services.circulars import COUNTRY, numbers_of
from outreach.services.draft_files import Content


def zone_at(name: str) -> ZoneInfo | None:
    """The time zone of that name, like America/Toronto; None when there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=64)
def zones(country: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The time zones of a country (ISO code or ""), and all others with UTC first. Only those that some country has its clocks by."""
    territories = get_global("zone_territories")
    there = available_timezones()
    named = sorted(z for z in territories if z in there and "/" in z and not z.startswith("Etc/"))
    own = tuple(z for z in named if territories[z] == country)
    return own, ("UTC", *(z for z in named if z not in own))


def country_of(content: Content) -> str:
    """The draft's country as an ISO code; "" where it does not say."""
    country = content.get("country")
    return country.upper() if isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha() else ""


def with_zones(content: Content, usual: str) -> tuple[Content, list[str]]:
    """The content where each target without a time zone has that of its fax or telephone, else `usual` (a zone, or "").

    Returns it with what was filled in, in words. A fax machine rings at night where its office hours are read in UTC.
    """
    rows = content.get("target")
    if not isinstance(rows, list):
        return content, []
    made, said = deepcopy(content), []
    for target in made["target"]:
        if not isinstance(target, dict) or target.get("timezone") or not (target.get("name") or target.get("email") or target.get("fax")):
            continue
        if zone := _of_numbers(target, country_of(content) or COUNTRY) or (usual if zone_at(usual) else ""):
            target["timezone"] = zone
            said.append(f"Office hours of {str(target.get('name') or 'the target')[:80]}: those of {zone}")
    return made, said


def _of_numbers(target: Content, country: str) -> str:
    """The one time zone of its numbers; "" where they have none, or several."""
    values = [v for kind in ("fax", "phone") for v in (target[kind] if isinstance(target.get(kind), list) else ())]
    found = {n.zone for v in values[:20] if isinstance(v, str) and (n := numbers_of(country)(v[:60])) is not None and n.zone}
    return found.pop() if len(found) == 1 else ""
