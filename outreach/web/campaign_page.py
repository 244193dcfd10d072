"""What the supporter's page shows: a campaign, turned into the values of its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from babel.dates import format_date
from markupsafe import Markup

from outreach.db import reading
from outreach.domain.campaign import PERSONAL_FIELDS, CampaignSpec, TargetSpec
from outreach.domain.letters import Channel
from outreach.locale import babel_locale, interface_language, translations
from outreach.render.text import PLACEHOLDERS, VARIABLES, Part, editable_text, live_parts, placeholders
from outreach.services import breakers, pauses, throttle
from outreach.services.campaigns import CampaignRow, TargetRow
from outreach.services.confirm_rules import confirms
from outreach.services.forms import LIMITS, NO_EMAIL, NO_FAX
from outreach.settings import get_settings
from outreach.web import words
from outreach.web.deadlines import deadline_of
from outreach.web.look import accent_url
from outreach.web.pages import markdown

OPEN_STORY = 3
"""Paragraphs of the story that stand open; the rest unfolds."""
_ORDER = "name email street postal_code city phone affiliation channel targets subject body consent"
"""The fields from top to bottom, for the list of what is to be mended."""


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone or fax number: +E.164 for links, and as people write it."""

    href: str
    shown: str


def number(e164: str) -> Number:
    """`e164` in its international form with spaces; as it is when it cannot be read."""
    try:
        return Number(e164, phonenumbers.format_number(phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.INTERNATIONAL))
    except phonenumbers.NumberParseException:
        return Number(e164, e164)


def mode_of(campaign: CampaignRow, spec: CampaignSpec, targets: tuple[TargetRow, ...], now: datetime) -> str:
    """"open", or why nothing can be sent: "ended" (with an outcome), "suspended", "paused", "closed", "late", "down" (all its channels
    are paused, or their providers out of use)."""
    if campaign.outcome is not None:
        return "ended"
    if campaign.state == "paused" and campaign.suspended_at is not None:
        return "suspended"
    if campaign.state != "live":
        return "paused" if campaign.state == "paused" else "closed"
    if spec.deadline is not None and spec.deadline <= now:
        return "late"
    with reading() as c:
        held = pauses.held(c, get_settings()).channels | breakers.down(c, get_settings(), now)
    usable = {channel for channels in usable_channels(targets).values() for channel in channels}
    return "down" if usable and usable <= held else "open"


def usable_channels(targets: tuple[TargetRow, ...]) -> dict[str, list[str]]:
    """Target id to the channels on which it takes letters, if only to let them wait for an operator's approval; fax first."""
    return {t.key: [c.value for c in (Channel.FAX, Channel.EMAIL) if t.places(c.value)] for t in targets}


def default_channel(by_target: Mapping[str, list[str]]) -> str:
    """The strongest channel that reaches everybody; else the strongest that reaches somebody."""
    for reaches in (all, any):
        for channel in (Channel.FAX.value, Channel.EMAIL.value):
            if by_target and reaches(channel in channels for channels in by_target.values()):
                return channel
    return Channel.EMAIL.value


def blank_values(spec: CampaignSpec, by_target: Mapping[str, list[str]], language: str) -> dict[str, Any]:
    """What the form's fields hold when the page is opened."""
    letter = editable_text(spec, language)
    channel = default_channel(by_target)
    return {"name": "", "email": "", "affiliation": "", **dict.fromkeys(PERSONAL_FIELDS, ""), "subject": letter.subject,
            "body": letter.body, "channel": channel, "targets": [t for t, channels in by_target.items() if channel in channels],
            "consent": False, "updates": False, "public_name": False}


def page_values(spec: CampaignSpec, campaign: CampaignRow, targets: tuple[TargetRow, ...], *, language: str, token: str, now: datetime,
                values: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Everything that `supporter/campaign.html` needs. `values` and `errors` are those of a form that was sent back."""
    ui = interface_language(language)
    _ = translations(ui).gettext
    by_target = usable_channels(targets)
    shown = {**blank_values(spec, by_target, language), **(values or {})}
    mode = mode_of(campaign, spec, targets, now)
    lead, rest = _story(spec.story)
    confirm = confirms(spec)
    channels = [c for c in (Channel.FAX.value, Channel.EMAIL.value) if any(c in cs for cs in by_target.values())]
    said = {k: _(v) for k, v in sorted((errors or {}).items(), key=lambda e: _ORDER.find(e[0] or "-"))}
    if (errors or {}).get("channel") in (NO_FAX, NO_EMAIL):
        said["channel"] = words.out_of_reach([t for t in spec.targets if t.id in shown["targets"]
                                              and shown["channel"] not in by_target.get(t.id, [])], shown["channel"], ui)
    views = [_target(t, by_target.get(t.id, []), spec, language) for t in spec.targets]
    return {
        "spec": spec, "mode": mode, "values": shown, "token": token, "limits": LIMITS,
        "errors": said, "error_list": words.error_list(said, ui),
        "accent_url": accent_url(spec.accent), "content_language": spec.languages[0],
        "letter_language": language, "language_names": [(code, _own_name(code)) for code in spec.languages],
        "deadline": deadline_of(spec, ui, now), "story_lead": lead, "story_rest": rest, "targets": views,
        "call_script": _call_script(spec), "fields": spec.fields, "closed": words.closed(mode, ui),
        "ended": words.ended(campaign.outcome, ui) if campaign.outcome else None, "said": campaign.outcome_message or "",
        "asks_affiliation": uses_affiliation(spec), "channels": [words.channel_choice(c, ui) for c in channels],
        "button_labels": words.button_labels(spec.targets, ui),
        "what_next": words.what_next(confirm=confirm, unapproved=_unapproved(targets), language=ui),
        "button_first": words.button_first(spec.targets, len(shown["targets"]), ui),
        "email_hint": words.email_hint(confirm=confirm, language=ui), "consent_text": words.consent_text(spec, ui),
        "own_words": bool(values) and (shown["subject"], shown["body"]) != tuple(_original(spec, language)),
        "mailtos": _mailtos(spec, language), "placeholders": _of_supporter(),
        "sheet_date": format_date(now.astimezone(ZoneInfo(spec.zone)), "medium", locale=babel_locale(language)),
        "proof_bits": throttle.WORK_BITS if get_settings().proof_of_work == "on" else 0,
    }


def _unapproved(targets: tuple[TargetRow, ...]) -> list[str]:
    """The targets whose letters wait until an operator has approved an address."""
    return [t.name for t in targets if any(a.state == "proposed" for c in Channel for a in t.places(c.value))]


def _original(spec: CampaignSpec, language: str) -> tuple[str, str]:
    letter = editable_text(spec, language)
    return letter.subject, letter.body


def uses_affiliation(spec: CampaignSpec) -> bool:
    texts = (spec.letter, *spec.translations.values())
    return any("affiliation" in source for t in texts for source in (t.subject, t.body))


@lru_cache(maxsize=64)
def _own_name(code: str) -> str:
    locale: Locale = babel_locale(code)
    return (locale.get_language_name() or code).capitalize()


@lru_cache(maxsize=64)
def _story(source: str) -> tuple[Markup, Markup]:
    """The story's opening, and what unfolds; a short story stands open whole."""
    blocks = source.strip().split("\n\n")
    if len(blocks) <= OPEN_STORY + 1:
        return markdown(source), Markup("")
    return markdown("\n\n".join(blocks[:OPEN_STORY])), markdown("\n\n".join(blocks[OPEN_STORY:]))


def _target(t: TargetSpec, channels: list[str], spec: CampaignSpec, page_language: str) -> dict[str, Any]:
    ui, language = interface_language(page_language), t.language or spec.languages[0]
    text = spec.text_in(language)
    blank = _blanks(spec, language)
    lines = (t.name, t.role, "" if t.organization and t.postal_address.startswith(t.organization) else t.organization, t.postal_address)
    return {
        "id": t.id, "name": t.name, "role": t.role, "organization": t.organization, "channels": channels, "email": t.email,
        "fax": [number(n) for n in t.fax], "phone": [number(n) for n in t.phone], "postal_address": t.postal_address,
        "reach": bool(t.email or t.fax or t.phone or t.postal_address), "only": words.only_by(channels, ui), "language": language,
        "address_block": "\n".join(line for line in lines if line), "known": _known(t), "blank": blank,
        "in_words": words.written_in(language, ui) if language != page_language else "",
        "subject_parts": _parts(live_parts(text.subject, spec, t, otherwise=True), blank),
        "body_parts": _parts(live_parts(text.body, spec, t, otherwise=True), blank),
    }


def _blanks(spec: CampaignSpec, language: str) -> dict[str, str]:
    """Field to what stands in the sheet while it is empty: the letter's placeholder without its brackets."""
    return {field: text.strip("[]") for text, field in placeholders(spec, language).items()}


def _known(t: TargetSpec) -> dict[str, str]:
    """The placeholders that stand for this target, in every language, and what they become."""
    values = {"salutation": t.salutation or t.name, "target": t.name, "role": t.role, "organization": t.organization,
              "postal_address": t.postal_address}
    return {table[name]: value for table in PLACEHOLDERS.values() for name, value in values.items()}


def _of_supporter() -> dict[str, str]:
    """The placeholders that stand for the supporter's details, in every language: text to field."""
    return {table[name]: name for table in PLACEHOLDERS.values() for name in VARIABLES["supporter"]}


def _call_script(spec: CampaignSpec) -> list[dict[str, Any]]:
    if not spec.call_script:
        return []
    return _parts(live_parts(spec.call_script, spec, spec.targets[0], otherwise=True), _blanks(spec, spec.languages[0]))


def _parts(parts: Sequence[Part], blank: Mapping[str, str]) -> list[dict[str, Any]]:
    """Parts of a letter for the template, each field with what stands there while it is empty."""
    made: list[dict[str, Any]] = []
    for p in parts:
        if p.parts:
            made.append({"kind": p.kind, "field": p.field, "parts": _parts(p.parts, blank)})
        else:
            made.append({"kind": p.kind, "text": p.text, "field": p.field, "blank": blank.get(p.field, "")})
    return made


def _mailtos(spec: CampaignSpec, language: str) -> list[dict[str, str]]:
    letter = editable_text(spec, language)
    made = []
    for t in spec.targets:
        if not t.email:
            continue
        query = {"cc": spec.copied_to, "subject": letter.subject, "body": letter.body.replace("\n", "\r\n")}
        made.append({"target": t.id, "name": t.name, "to": ",".join(t.email[:1]), "href": f"mailto:{quote(t.email[0], safe='@+')}?"
                     + "&".join(f"{k}={quote(v, safe='')}" for k, v in query.items() if v)})
    return made
