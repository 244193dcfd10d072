"""The [[target]] tables of a campaign file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outreach.campaign_file import keys
from outreach.campaign_file.table import Table
from outreach.domain.addresses import is_freemail, normal_address
from outreach.domain.campaign import TargetSpec
from outreach.domain.hours import OfficeHours
from outreach.domain.pacing import format_rules, parse_rules
from outreach.numbers import is_mobile, normal_fax, normal_phone

MOST_TARGETS = 2000
SLUG = re.compile(r"^[a-z0-9]+(?:-[a-z0-9]+)*$")
LANGUAGE = re.compile(r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$")
KINDS = ("office", "representative", "company", "private")


def read_targets(top: Table, country: str, inbox: str) -> tuple[TargetSpec, ...]:
    """All targets; mistakes of each, and of them together, are noted."""
    tables = top.tables("target", keys.TARGET, MOST_TARGETS)
    ids = _ids(tables)
    targets = tuple(_target(t, i, country, inbox) for t, i in zip(tables, ids, strict=True))
    if targets and not top.reading.mistakes and not any(t.email or t.fax for t in targets):
        top.mistake("no target has an e-mail address or a fax number, so no letter could be sent; give at least one", "target")
    return targets


def _target(table: Table, target_id: str, country: str, inbox: str) -> TargetSpec:
    table.refuse_unknown()
    allowed = table.reading.settings.allowed_countries
    email = _addresses(table, "email", normal_address, is_freemail, "is a mailbox that anybody can open; is it really the office's?")
    fax = _addresses(table, "fax", lambda n: normal_fax(n, country, allowed), is_mobile, "is a mobile number; is there a fax behind it?")
    phone = _addresses(table, "phone", lambda n: normal_phone(n, country), is_mobile, "is a mobile number; is it an office's?")
    if not any(table.values.get(k) for k in ("email", "fax", "phone")):
        table.mistake("has no address; give at least one of email, fax, phone")
    if inbox and inbox in email:
        table.mistake(f"{inbox} is the campaign's inbox; a target needs an address of its own", "email", email.index(inbox))
    zone = _zone(table)
    return TargetSpec(
        id=target_id, name=table.text("name", most=200), salutation=table.text("salutation", most=200),
        role=table.text("role", most=200), organization=table.text("organization", most=200), kind=_kind(table),
        source_url=_url(table), language=language(table, "language"), timezone=zone, hours=_hours(table, zone),
        postal_address=table.text("postal_address", most=500, lines=True), email=email, fax=fax, phone=phone,
        limits=_limits(table, "limits", keys.LIMITS), share=_limits(table, "share", keys.SHARE))


def language(table: Table, key: str) -> str:
    """A language tag such as fr or pt-BR; "" where it is missing or wrong."""
    tag = table.text(key, most=20)
    if tag and not is_language(tag):
        table.mistake(f"{tag!r} is not a language tag; write one like \"en\" or \"pt-BR\"", key)
        return ""
    return tag


def is_language(tag: str) -> bool:
    """Whether the tag has the right shape and its language exists (CLDR)."""
    from babel import Locale, UnknownLocaleError

    try:
        return bool(LANGUAGE.match(tag)) and len(tag) <= 20 and bool(Locale.parse(tag, sep="-"))
    except (UnknownLocaleError, ValueError):
        return False


def _ids(tables: list[Table]) -> list[str]:
    given: dict[str, int] = {}
    ids: list[str] = []
    for n, table in enumerate(tables):
        target_id = table.text("id", most=80)
        if target_id and not SLUG.match(target_id):
            table.mistake(f"{target_id!r} is not possible; use lower-case letters, digits and single hyphens, like "
                          f"{_slug(target_id)!r}", "id")
        elif target_id in given:
            table.mistake(f"{target_id!r} is already the id of target {given[target_id] + 1}; each needs its own", "id")
        elif target_id:
            given[target_id] = n
        ids.append(target_id)
    taken = set(given)
    for n, table in enumerate(tables):
        if not ids[n]:
            name = table.values.get("name")
            ids[n] = _free(_slug(name if isinstance(name, str) else ""), taken)
            taken.add(ids[n])
    return ids


def _slug(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:70].strip("-")
    return slug or "target-" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]


def _free(slug: str, taken: set[str]) -> str:
    if slug not in taken:
        return slug
    return next(f"{slug}-{n}" for n in range(2, len(taken) + 3) if f"{slug}-{n}" not in taken)


def _addresses(table: Table, key: str, normal: Callable[[str], str], odd: Callable[[str], bool], why_odd: str) -> tuple[str, ...]:
    found: list[str] = []
    for n, text in table.texts(key, most=320, items=10):
        try:
            value = normal(text)
        except ValueError as e:
            table.mistake(str(e), key, n)
            continue
        if value in found:
            table.mistake(f"{value} is here twice", key, n)
            continue
        if odd(value):
            table.warn(f"{value} {why_odd}", key, n)
        found.append(value)
    return tuple(found)


def _kind(table: Table) -> str:
    kind = table.choice("kind", KINDS, "office")
    allowed = table.reading.settings.allowed_kinds
    if kind not in allowed:
        table.mistake(f"the operator of this service does not allow campaigns to write to a target of kind {kind!r}; allowed: "
                      f"{', '.join(sorted(allowed))} (OUTREACH_ALLOWED_KINDS)", "kind")
    return kind


def _url(table: Table) -> str:
    url = table.text("source_url", most=500)
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url
    except ValueError:
        sound = False
    if url and not sound:
        table.mistake(f"{url!r} is not a web address; write it like https://ministry.example/contact", "source_url")
        return ""
    return url


def _zone(table: Table) -> str:
    zone = table.text("timezone", most=60)
    if not zone:
        if table.values.get("hours") not in (None, "always"):
            table.warn("is missing: the office hours are read in UTC; write one like America/Toronto", "timezone")
        return "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.mistake(f"{zone!r} is not a time zone; write one like America/Toronto", "timezone")
        return "UTC"
    return zone


def _hours(table: Table, zone: str) -> str:
    hours = table.text("hours", most=200)
    if hours:
        try:
            OfficeHours.parse(hours, zone)
        except ValueError as e:
            table.mistake(str(e), "hours")
    return hours


def _limits(table: Table, name: str, where: str) -> dict[str, str]:
    """Limit strings by channel, from `limits` or `share`."""
    limits = table.table(name, where)
    if limits is None:
        return {}
    limits.refuse_unknown()
    read: dict[str, str] = {}
    for channel in keys.names(keys.LIMITS):
        text = limits.text(channel, most=200)
        if not text:
            continue
        try:
            rules = parse_rules(text)
        except ValueError as e:
            limits.mistake(str(e), channel)
            continue
        if any(r.count == 0 for r in rules):
            limits.mistake(f"{text!r} would let nothing through; take the target or its address out instead", channel)
            continue
        if len(normal := format_rules(sorted(rules, key=lambda r: r.period or timedelta.max))) > 200:
            limits.mistake("has too many rules", channel)
            continue
        read[channel] = normal
        if not table.values.get(channel):
            limits.warn(f"is for nothing: the target has no {channel} address", channel)
    return read
