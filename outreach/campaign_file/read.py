"""A campaign file as a `CampaignSpec`, or all that is wrong with it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from outreach.campaign_file import keys
from outreach.campaign_file.deadline import read_deadline
from outreach.campaign_file.source import Source, open_source, parse, read_beside
from outreach.campaign_file.table import Reading, Table
from outreach.campaign_file.targets import LANGUAGE, SLUG, is_language, read_targets
from outreach.campaign_file.warn import warn_of_campaign
from outreach.domain.addresses import normal_address
from outreach.domain.campaign import FIELD_DEFAULTS, CampaignSpec, LetterText
from outreach.domain.copies import MODES
from outreach.domain.moderation import POLICIES
from outreach.errors import CampaignFileInvalid
from outreach.numbers import is_country
from outreach.settings import Settings

_COLOUR = re.compile(r"^#[0-9a-fA-F]{6}$")
_MOST_STORY = 60_000


def read_campaign(path: Path, settings: Settings, now: datetime) -> tuple[CampaignSpec, list[str]]:
    """The campaign in a folder or TOML file, and warnings: things that may be meant so, but seldom are.

    `now` (aware) is what deadlines are compared with. Raises CampaignFileInvalid with every mistake in it.
    """
    return _read(open_source(path), settings, now)


def read_text(text: str, settings: Settings, now: datetime, file: str = "campaign.toml") -> tuple[CampaignSpec, list[str]]:
    """The same for TOML that is not in a file; `story_file` is then a mistake."""
    return _read(parse(text.encode(), file), settings, now)


def _read(source: Source, settings: Settings, now: datetime) -> tuple[CampaignSpec, list[str]]:
    reading = Reading(source, settings, now)
    spec = _campaign(reading.top())
    if reading.mistakes:
        raise CampaignFileInvalid(sorted(reading.mistakes, key=lambda m: (m.file, m.line or 0)))
    warn_of_campaign(reading, spec)
    return spec, reading.warnings


def _campaign(top: Table) -> CampaignSpec:
    languages = _languages(top)
    country = _country(top)
    inbox = _inbox(top)
    letter = top.table("letter", keys.LETTER)
    translations = _translations(top, languages)
    return CampaignSpec(
        slug=_slug(top), title=top.text("title", most=200), summary=top.text("summary", most=600), story=_story(top),
        letter=_letter(letter), editable=_editable(letter), targets=read_targets(top, country, inbox),
        deadline=_deadline(top), inbox=inbox, languages=languages, country=country, reference=top.text("reference", most=80),
        goal=top.number("goal", 1_000_000_000), endorsers=tuple(t for _, t in top.texts("endorsers", most=200, items=200)),
        confirm=_confirm(top), contact=top.text("contact", most=300), fields=_fields(top), accent=_accent(top),
        attach_pdf=top.flag("attach_pdf", False), fall_back=top.flag("fall_back", False),
        on_unknown=top.choice("on_unknown", ("hold", "resend"), "hold"),
        copies=top.choice("copies", MODES, "each"), copies_per_hour=top.number("copies_per_hour", 10_000),
        moderation=top.choice("moderation", POLICIES, "none"),
        banned_words=tuple(t for _, t in top.texts("banned_words", most=60, items=500)),
        translations=translations, call_script=_call_script(top))


def _slug(top: Table) -> str:
    slug = top.text("slug", most=80)
    if slug and not SLUG.match(slug):
        top.mistake(f"{slug!r} is not possible; use lower-case letters, digits and single hyphens, like \"keep-the-night-bus\"", "slug")
    return slug


def _story(top: Table) -> str:
    if not top.has("story_file"):
        return top.text("story", most=_MOST_STORY, lines=True)
    if top.has("story"):
        top.mistake("`story` is given too; keep one of them", "story_file")
    name = top.text("story_file", most=200)
    folder = top.reading.source.folder
    if not name or folder is None:
        if name:
            top.mistake("can only be used in a file on disk; write the text into `story`", "story_file")
        return ""
    try:
        text = read_beside(folder, name)
    except ValueError as e:
        top.mistake(str(e), "story_file")
        return ""
    return Table(top.reading, keys.TOP, {"story": text}, ()).text("story", most=_MOST_STORY, lines=True)


def _languages(top: Table) -> tuple[str, ...]:
    found: list[str] = []
    for n, tag in top.texts("languages", most=20, items=10):
        if not is_language(tag):
            top.mistake(f"{tag!r} is not a language tag; write one like \"en\" or \"pt-BR\"", "languages", n)
        elif tag in found:
            top.mistake(f"{tag!r} is here twice", "languages", n)
        else:
            found.append(tag)
    if top.values.get("languages") == []:
        top.mistake("is empty; give at least one, or leave it out for [\"en\"]", "languages")
    return tuple(found) or ("en",)


def _country(top: Table) -> str:
    country = top.text("country", most=2).upper()
    if country and not is_country(country):
        top.mistake(f"{country!r} is not a country; write its ISO code of two letters, like \"CA\"", "country")
        return ""
    return country


def _inbox(top: Table) -> str:
    inbox = top.text("inbox", most=320)
    try:
        return normal_address(inbox) if inbox else ""
    except ValueError as e:
        top.mistake(str(e), "inbox")
        return ""


def _deadline(top: Table) -> datetime | None:
    if not top.has("deadline"):
        return None
    try:
        return read_deadline(top.values["deadline"], top.reading.now)
    except ValueError as e:
        top.mistake(str(e), "deadline")
        return None


def _confirm(top: Table) -> str:
    confirm = top.choice("confirm", ("email", "none"), "")
    if confirm == "none" and top.reading.settings.confirm == "email":
        top.warn("this service confirms every mailbox (OUTREACH_CONFIRM); a campaign can ask more, never less", "confirm")
    return confirm


def _accent(top: Table) -> str:
    accent = top.text("accent", most=20)
    if accent and not _COLOUR.match(accent):
        top.mistake(f"{accent!r} is not a colour; write it like \"#8a1c1c\"", "accent")
    return accent.lower()


def _fields(top: Table) -> dict[str, str]:
    table = top.table("fields", keys.FIELDS)
    if table is None:
        return dict(FIELD_DEFAULTS)
    table.refuse_unknown()
    return {name: table.choice(name, ("required", "optional", "off"), usual) for name, usual in FIELD_DEFAULTS.items()}


def _letter(table: Table | None) -> LetterText:
    if table is None:
        return LetterText("", "")
    table.refuse_unknown()
    letter = LetterText(table.text("subject", most=250), table.text("body", most=20_000, lines=True))
    for key, template in (("subject", letter.subject), ("body", letter.body)):
        _check_template(table, key, template)
    return letter


def _editable(table: Table | None) -> bool:
    return False if table is None else table.flag("editable", False)


def _call_script(top: Table) -> str:
    table = top.table("call", keys.CALL)
    if table is None:
        return ""
    table.refuse_unknown()
    script = table.text("script", most=10_000, lines=True)
    _check_template(table, "script", script)
    return script


def _translations(top: Table, languages: tuple[str, ...]) -> dict[str, LetterText]:
    found: dict[str, LetterText] = {}
    tags = [k for k, v in top.values.items()
            if isinstance(v, dict) and k not in keys.names(keys.TOP) and LANGUAGE.match(k) and ("letter" in v or k in languages)]
    top.refuse_unknown(frozenset(tags))
    for tag in tags:
        table = Table(top.reading, keys.LANGUAGE, top.values[tag], (tag,))
        if tag == languages[0]:
            table.mistake(f"{tag!r} is the campaign's first language; its letter is [letter]")
        elif tag not in languages:
            listed = ", ".join(f'"{x}"' for x in (*languages, tag))
            table.mistake(f"{tag!r} is not among the campaign's languages; add it there: languages = [{listed}]")
        table.refuse_unknown()
        letter = table.table("letter", keys.LETTER)
        if letter is not None and letter.has("editable"):
            letter.mistake("is set in [letter] for all languages; take it out here", "editable")
        found[tag] = _letter(letter)
    return found


def _check_template(table: Table, key: str, template: str) -> None:
    from outreach.render.text import check_template

    for message in check_template(template):
        table.mistake(message, key)
