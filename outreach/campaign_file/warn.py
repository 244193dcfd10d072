"""What may be meant so but seldom is: warnings about a campaign file that has no mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from outreach.campaign_file.source import KeyPath
from outreach.campaign_file.table import Reading
from outreach.domain.addresses import is_freemail
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.copies import FREEMAIL
from outreach.domain.hours import WAKING, OfficeHours
from outreach.domain.moderation import Policy
from outreach.domain.pacing import Rule, parse_rules
from outreach.settings import Settings

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3."""


def warn_of_campaign(reading: Reading, spec: CampaignSpec) -> None:
    """Add what is odd about the whole campaign to the reading's warnings."""
    for path, message in [*_missing(spec), *_copies(spec), *_languages(spec), *_colour(spec), *_shared(spec), *_glyphs(spec),
                          *_moderation(spec)]:
        reading.warn(path, message)
    if spec.deadline:
        for n, target in enumerate(spec.targets):
            for message in _pace(spec, target, spec.deadline, reading.settings, reading.now):
                reading.warn(("target", n, "limits"), message)


def _missing(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    if not spec.inbox:
        yield ("inbox",), "is missing: the campaign keeps no copy of what is sent"
    if not spec.deadline:
        yield ("deadline",), "is missing: the campaign runs until it is closed, and letters that wait never expire"
    for n, target in enumerate(spec.targets):
        if not target.source_url:
            yield ("target", n, "source_url"), f"is missing: say where the addresses of {target.name} are published"
        if not target.email and not target.fax:
            yield ("target", n), f"{target.name} has only a telephone number: no letter can be sent to it"


def _copies(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    if not spec.inbox and (spec.copies_per_hour or spec.copies != "each"):
        yield ("copies_per_hour" if spec.copies_per_hour else "copies",), "means nothing without an `inbox`"
    if spec.inbox and is_freemail(spec.inbox) and spec.copies == "each":
        yield ("inbox",), f"is a freemail mailbox: of more than {FREEMAIL} mails an hour the rest comes in digests"


def _languages(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    first = spec.languages[0]
    for tag in spec.languages[1:]:
        if tag not in spec.translations:
            yield ("languages",), f"there is no [{tag}.letter]: the letter is offered in {first} only"
    for n, target in enumerate(spec.targets):
        if target.language and target.language != first and target.language not in spec.translations:
            yield ("target", n, "language"), f"there is no [{target.language}.letter]: letters to it are written in {first}"


def _moderation(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    if spec.banned_words and spec.moderation == Policy.NONE:
        yield ("banned_words",), "are shown to nobody while `moderation` is none"
    if spec.moderation == Policy.EDITED and not spec.editable:
        yield ("moderation",), "holds no letter as long as `editable` is false"


def _colour(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    if spec.accent and (contrast := 1.05 / (_luminance(spec.accent) + 0.05)) < LEAST_CONTRAST:
        yield ("accent",), f"has a contrast of {contrast:.1f} to white, where {LEAST_CONTRAST} is needed; take a darker colour"


def _luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in (int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _shared(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    owner: dict[str, TargetSpec] = {}
    for n, target in enumerate(spec.targets):
        for channel, values in (("email", target.email), ("fax", target.fax)):
            for at, value in enumerate(values):
                if value in owner:
                    yield ("target", n, channel, at), f"{value} is {owner[value].name}'s too: each supporter writes there twice"
                owner.setdefault(value, target)


def _glyphs(spec: CampaignSpec) -> Iterator[tuple[KeyPath, str]]:
    if not any(t.fax for t in spec.targets):
        return
    from outreach.render.fax import missing_glyphs

    texts: list[tuple[KeyPath, str]] = [(("letter", "body"), f"{spec.letter.subject}\n{spec.letter.body}")]
    texts += [((tag, "letter", "body"), f"{t.subject}\n{t.body}") for tag, t in spec.translations.items()]
    texts += [(("target", n, "name"), f"{t.name} {t.salutation} {t.role} {t.organization} {t.postal_address}")
              for n, t in enumerate(spec.targets) if t.fax]
    for path, text in texts:
        if missing := missing_glyphs(text):
            shown = ", ".join(f"{c} (U+{ord(c):04X})" for c in missing[:10])
            yield path, f"the fax typeface has no {shown}; on paper there would be empty boxes"


def _pace(spec: CampaignSpec, target: TargetSpec, deadline: datetime, settings: Settings, now: datetime) -> Iterator[str]:
    """Whether the target's limits let the hoped-for number through before the deadline."""
    ways: dict[str, tuple[int, tuple[Rule, ...]]] = {
        "email": (len(target.email), settings.max_email_rate), "fax": (len(target.fax), settings.max_fax_rate)}
    total = 0
    for channel, (addresses, ceiling) in ways.items():
        if not addresses:
            continue
        rules = (*parse_rules(target.limits.get(channel, "none")), *ceiling)
        if not rules:
            return
        hours = OfficeHours.parse(target.hours or (WAKING if channel == "fax" else "always"), target.timezone)
        total += most_before(deadline, now, rules, hours)
    if total == 0 and (target.email or target.fax):
        yield f"nothing can reach {target.name} before the deadline: its office is not open until then"
    elif 0 < total < spec.goal:
        yield f"about {total:,} letters can reach {target.name} before the deadline, fewer than the goal of {spec.goal:,}"


def most_before(deadline: datetime, now: datetime, rules: tuple[Rule, ...], hours: OfficeHours) -> int:
    """About how many letters one address can take from `now` until the deadline; an upper bound, for warnings."""
    open_for = _open_time(deadline, now, hours)
    if not open_for:
        return 0
    bounds = []
    for rule in rules:
        if rule.period is None:
            bounds.append(rule.count)
        else:
            spell = open_for if rule.period <= timedelta(hours=1) else deadline - now
            bounds.append(rule.count * (int(spell / rule.period) + 1))
    return min(bounds)


def _open_time(deadline: datetime, now: datetime, hours: OfficeHours, step: timedelta = timedelta(minutes=15)) -> timedelta:
    """How long the office is open until then, to a quarter of an hour; beyond four weeks at the same proportion."""
    until = min(deadline, now + timedelta(weeks=4))
    at, opened = now, timedelta(0)
    while at < until:
        opening = hours.opening_at_or_after(at)
        if opening > at:
            at = opening
        else:
            at += step
            opened += step
    return opened if until == deadline else opened * ((deadline - now) / (until - now))
