"""What the editor's fields hold, and what was typed into them, as a draft's content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from outreach.campaign_file import keys
from outreach.domain.campaign import FIELD_DEFAULTS
from outreach.services.draft_files import Content
from outreach.services.draft_zones import zone_at as _zone
from outreach.web.desk.editor_fields import Field
from outreach.web.forms import Posted, first


def shown(field: Field, content: Content) -> Any:
    """What the field holds: text, a flag, or of a moment its date, time and zone."""
    value: Any = content
    for step in field.path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
            break
    if field.widget == "flag":
        return value is True
    if field.widget == "moment":
        return _moment(value, zone_of(content))
    if isinstance(value, list):
        return "\n".join(str(v) for v in value)
    return "" if value is None else str(value)


def zone_of(content: Content) -> str:
    """The time zone in which the draft's deadline is shown: its first target's that has one; "" when none has."""
    targets = content.get("target")
    zones = [t.get("timezone") for t in targets if isinstance(t, dict)] if isinstance(targets, list) else []
    return next((z for z in zones if isinstance(z, str) and z and _zone(z)), "")


def amiss(field: Field, value: Any) -> tuple[str, str]:
    """What is wrong with a moment as it was typed, in words, and the part of it that is to be mended: "", time or zone."""
    if field.widget != "moment" or not isinstance(value, dict):
        return "", ""
    if value["zone"] and _zone(value["zone"]) is None:
        return f"“{value['zone']}” is no time zone; choose the one of the place where it is that hour, like America/Toronto", "zone"
    if value["date"] and not _DAY.fullmatch(value["date"]):
        return f"“{value['date']}” is no day; write it like 2027-01-22", ""
    if value["time"] and not _TIME.fullmatch(value["time"]):
        return f"“{value['time']}” is no time of day; write it like 17:00", "time"
    return ("choose the time zone, so that nobody is an hour late", "zone") if value["date"] and not value["zone"] else ("", "")


_DAY, _TIME = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::\d\d)?")


def taken(fields: Sequence[Field], form: Posted, content: Content) -> Content:
    """The content with what was posted in these fields. A field that is left empty takes its key out of the file."""
    made = deepcopy(content)
    for field in fields:
        there = {"moment": ".date", "flag": ".there"}.get(field.widget, "")  # a box without its tick posts nothing
        if field.name + there in form:
            _put(made, field, _value(field, form))
    return made


def _value(field: Field, form: Posted) -> Any:
    text = first(form, field.name).replace("\r\n", "\n").strip()
    if field.widget == "flag":
        return True if text else (False if field.key == "editable" else None)
    if field.widget == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()] or None
    if field.widget == "number":
        plain = text.replace(",", "").replace(" ", "")
        return (int(plain) or None) if plain.isascii() and plain.isdigit() and len(plain) < 12 else (text or None)
    if field.widget == "moment":
        return _taken_moment(*(first(form, f"{field.name}.{part}").strip()[:60] for part in ("date", "time", "zone")))
    if field.where == keys.FIELDS and text == FIELD_DEFAULTS.get(field.key):
        return None
    return text or None


def _put(content: Content, field: Field, value: Any) -> None:
    """Write the value, or take its key out; a table that is empty then goes too, except the letter's and targets'."""
    at: Any = content
    trail: list[tuple[Any, str | int]] = []
    for step, following in zip(field.path[:-1], field.path[1:], strict=True):
        trail.append((at, step))
        if isinstance(step, int):
            while len(at) <= step:
                at.append({})
            at[step] = at[step] if isinstance(at[step], dict) else {}
        elif not isinstance(at.get(step), list if isinstance(following, int) else dict):
            if value is None:
                return
            at[step] = [] if isinstance(following, int) else {}
        at = at[step]
    key = field.path[-1]
    if value is None and field.optional:
        at.pop(key, None)
    else:
        at[key] = "" if value is None else value
    for above, step in reversed(trail):
        if above[step] == {} and not isinstance(step, int) and step != "letter":
            del above[step]


def _moment(value: object, zone: str) -> dict[str, str]:
    """Day, time and zone as the form shows them. What is no moment is shown as it was typed: nothing of it is lost."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day, _, rest = str(value).partition(_APART)
        time, _, named = rest.partition(_APART)
        return {"date": day.replace(_KEPT, " "), "time": time, "zone": named.replace(_KEPT, " ")}
    if moment is None or moment.tzinfo is None:
        return {"date": moment.date().isoformat() if moment else "", "time": f"{moment:%H:%M}" if moment else "",
                "zone": "" if moment else zone}
    zone = zone or "UTC"
    local = moment.astimezone(_zone(zone) or UTC)
    return {"date": local.date().isoformat(), "time": f"{local:%H:%M}", "zone": zone}


_APART, _KEPT = " ", "\u00a0"
"""Between day, time and zone of what is no moment; and for the spaces within them."""


def _taken_moment(day: str, time: str, zone: str) -> str | None:
    """ISO text with an offset; what is none stays as it was typed, for `_moment` to show again. None where no day is given."""
    if not day:
        return None
    found = _zone(zone)
    as_typed = _APART.join(part.replace(_APART, _KEPT) for part in (day, time or "17:00", zone)).rstrip(_APART)
    try:
        moment = datetime.fromisoformat(f"{day}T{time or '17:00'}")
    except ValueError:
        return as_typed
    if found is None or moment.tzinfo is not None:
        return as_typed
    # Through UTC and back, so that a time which the clocks skip becomes one that exists.
    return moment.replace(tzinfo=found).astimezone(UTC).astimezone(found).isoformat()
