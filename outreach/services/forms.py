"""The supporter's form: what each field may hold. Messages are gettext ids, shown beside the field."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email

from outreach import tokens
from outreach.domain import names
from outreach.domain.campaign import PERSONAL_FIELDS, CampaignSpec
from outreach.domain.letters import Channel, Reason
from outreach.errors import Forged
from outreach.i18n import N_
from outreach.render.clean import clean_line, clean_text
from outreach.render.text import editable_text, is_unedited

CONSENT_VERSION = "2026-11.2"
BUNDLES_SINCE = "2026-11.2"
"""From this wording on the consent says that a letter may go together with others."""
HASTE = timedelta(seconds=3)
"""A person needs longer than this from opening the page to sending the form."""
STALE = timedelta(days=2)
LIMITS = {"name": 100, "email": 254, "street": 150, "city": 100, "postal_code": 16, "phone": 30, "affiliation": 150, "subject": 250,
          "body": 20_000}
"""Characters. Subject and body: as much as a campaign file may have, so that whoever edits its letter can send it."""

REQUIRED = N_("Fill this in, please.")
TOO_LONG = N_("This is too long. Shorten it, please.")
BAD_EMAIL = N_("This is not an e-mail address that we can write to. It should look like name@example.org.")
NO_REACH = N_("Our mail service cannot reach this address yet: before the @ it knows only the letters a to z, figures and signs. "
              "Use another address of yours, please.")
BAD_NAME = N_("Write just your name here, without web or e-mail addresses.")
NOT_HERE = N_("Web and e-mail addresses cannot stand here.")
TARGETS_NAME = N_("This is the name or the title of someone the letter goes to. Write your own name.")
TARGET_ADDRESS = N_("This address belongs to someone the letters go to. Use your own.")
NO_TARGET = N_("Choose at least one office that your letter goes to.")
NO_CHANNEL = N_("Choose how your letter goes out.")
NO_FAX = N_("One of the offices you chose cannot be reached by fax. Choose e-mail, or leave that office out.")
NO_EMAIL = N_("One of the offices you chose cannot be reached by e-mail. Choose fax, or leave that office out.")
NO_CONSENT = N_("Tick this box if we may send the letter in your name. Without it we cannot send it.")
EMPTY_SUBJECT = N_("The letter has no subject. Write one, or put the campaign's text back.")
EMPTY_LETTER = N_("The letter is empty. Write something, or put the campaign's text back.")
OLD_FORM = N_("This page was open for a long time. Check what you wrote and send it once more.")
TOO_FAST = N_("That was very quick. If you are a person, send it once more.")
TRAP = N_("The field that has to stay empty was filled in. Empty it and send the form once more.")
THROTTLED = N_("Many letters have come from your network within an hour. Try again later, or send the letter from your own mail.")
PAUSED = N_("The campaign is paused and takes no letters at the moment.")
CLOSED = N_("The campaign has ended and takes no more letters.")
LATE = N_("The campaign's deadline has passed; it takes no more letters.")

REASONS = {THROTTLED: Reason.THROTTLED, TRAP: Reason.TRAP, TOO_FAST: Reason.TRAP, TARGET_ADDRESS: Reason.TARGET_ADDRESS,
           EMPTY_SUBJECT: Reason.EMPTY_LETTER, EMPTY_LETTER: Reason.EMPTY_LETTER, PAUSED: Reason.PAUSED, CLOSED: Reason.NOT_LIVE,
           LATE: Reason.DEADLINE}
_LINK = re.compile(r"https?:|www\.|://|\b[\w-]+\.(?:com|net|org|info|biz|ru|cn|io|xyz|top|shop|online|site|link|click)\b|"
                   r"\w\.[a-z]{2,}/", re.IGNORECASE)
_HOST = re.compile(r"\w{2,}\.[a-z]{2,4}\b", re.IGNORECASE)
"""A short domain name, where St. John, Acme Inc. and Anne.Marie must pass; the long endings in use are in `_LINK`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormInput:
    """The form's fields as they came in."""

    token: str
    name: str
    email: str
    street: str = ""
    city: str = ""
    postal_code: str = ""
    phone: str = ""
    affiliation: str = ""
    subject: str | None = None
    """None where the form did not hold the field: then the campaign's text stands. An emptied one is ""."""
    body: str | None = None
    targets: tuple[str, ...] = ()
    channel: str = ""
    consent: bool = False
    updates: bool = False
    public_name: bool = False
    language: str = "en"
    honeypot: str = ""
    proof: str = ""


def clean(form: FormInput, spec: CampaignSpec, now: datetime, *, honest_network: bool) -> tuple[FormInput, dict[str, str]]:
    """The form with every field in its normal form, and what is wrong with it: field name ("" for the whole) to message.

    `honest_network` is False where the network is not judged (loopback), and haste is not either.
    """
    errors: dict[str, str] = {}
    lines: dict[str, Any] = {n: clean_line(getattr(form, n)) for n in LIMITS if n not in ("subject", "body")}
    for name in PERSONAL_FIELDS:
        if spec.fields.get(name, "off") == "off":
            lines[name] = ""
    lines["email"] = _plain_email(lines["email"])
    cleaned = replace(form, **lines, language=form.language if form.language in spec.languages else spec.languages[0],
                      subject=clean_line(form.subject) if spec.editable and form.subject is not None else None,
                      body=clean_text(form.body) if spec.editable and form.body is not None else None)
    if len(spec.targets) == 1 and not cleaned.targets:
        cleaned = replace(cleaned, targets=(spec.targets[0].id,))
    _check_lengths(cleaned, spec, errors)
    _check_names(cleaned, spec, errors)
    _check_email(cleaned, errors)
    _check_letter(cleaned, spec, errors)
    if cleaned.channel not in (Channel.EMAIL, Channel.FAX):
        errors["channel"] = NO_CHANNEL
    if not cleaned.targets:
        errors["targets"] = NO_TARGET
    if not cleaned.consent:
        errors["consent"] = NO_CONSENT
    if form.honeypot.strip():
        errors[""] = TRAP
    _check_token(cleaned, now, errors, haste_matters=honest_network)
    return cleaned, errors


def own_words(form: FormInput, spec: CampaignSpec) -> tuple[str | None, str | None]:
    """Subject and body of a form (cleaned) whose text is its writer's own; None for what the campaign's text stands for.

    "" is an emptied field, which no letter can have: `clean` refuses it. A field that the page itself offered empty is no such one.
    """
    if not spec.editable or _is_as_offered(form, spec):
        return None, None
    emptied = _emptied(form, spec)
    return (form.subject if form.subject or "subject" in emptied else None, form.body if form.body or "body" in emptied else None)


def _is_as_offered(form: FormInput, spec: CampaignSpec) -> bool:
    return is_unedited(spec, form.language, form.subject or "", form.body or "") and not _emptied(form, spec)


def _emptied(form: FormInput, spec: CampaignSpec) -> set[str]:
    """Which of subject and body came blank though the page offered a text."""
    blank = {name for name, typed in (("subject", form.subject), ("body", form.body)) if typed is not None and not typed.strip()}
    if not blank:
        return blank
    offered = editable_text(spec, form.language)
    return {name for name in blank if getattr(offered, name)}


def _check_lengths(form: FormInput, spec: CampaignSpec, errors: dict[str, str]) -> None:
    own = not _is_as_offered(form, spec)  # the campaign's text is as long as it is
    required = {"name", "email"} | {n for n in PERSONAL_FIELDS if spec.fields.get(n) == "required"}
    for name, most in LIMITS.items():
        value = getattr(form, name) or ""
        if len(value) > most and (own or name not in ("subject", "body")):
            errors[name] = TOO_LONG
        elif name in required and not value:
            errors[name] = REQUIRED


def _check_names(form: FormInput, spec: CampaignSpec, errors: dict[str, str]) -> None:
    if "name" not in errors:
        name = names.plain(form.name)
        if _holds_address(name) or not any(ch.isalpha() for ch in name):
            errors["name"] = BAD_NAME
        elif any(names.is_made_of(name, (t.name, t.salutation, t.role, t.organization)) for t in spec.targets):
            errors["name"] = TARGETS_NAME
    for field in ("street", "city", "postal_code", "affiliation"):
        if field not in errors and _holds_address(names.plain(getattr(form, field)), short=field == "affiliation"):
            errors[field] = NOT_HERE


def _holds_address(text: str, *, short: bool = True) -> bool:
    """Whether there is an e-mail or web address in a text (plain); `short` ones look like an abbreviation elsewhere."""
    return "@" in text or _LINK.search(text) is not None or (short and _HOST.search(text) is not None)


def _plain_email(line: str) -> str:
    """An address typed in fullwidth letters, as an Asian keyboard does, in the plain ones that it means."""
    plain = names.plain(line)
    return plain if plain.rpartition("@")[0].isascii() else line


def _check_email(form: FormInput, errors: dict[str, str]) -> None:
    if "email" in errors:
        return
    try:
        found = validate_email(form.email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        errors["email"] = BAD_EMAIL
    else:
        if found.smtputf8:  # whether a mail server takes such an address is known only once a mail is there for it
            errors["email"] = NO_REACH


def _check_letter(form: FormInput, spec: CampaignSpec, errors: dict[str, str]) -> None:
    if spec.editable:
        for name in _emptied(form, spec):
            errors.setdefault(name, EMPTY_SUBJECT if name == "subject" else EMPTY_LETTER)


def _check_token(form: FormInput, now: datetime, errors: dict[str, str], *, haste_matters: bool) -> None:
    try:
        made = tokens.form_token_made_at(form.token)
    except (Forged, ValueError):
        errors.setdefault("", OLD_FORM)
        return
    if now - made > STALE:
        errors.setdefault("", OLD_FORM)
    elif haste_matters and now - made < HASTE:
        errors.setdefault("", TOO_FAST)
