"""Telephone and fax numbers: one normal form (+E.164), and which numbers a campaign may give.

The rules are those of Google's libphonenumber, whose metadata the `phonenumbers` package carries. Nothing here says
that a number is in service, only that its country's numbering plan has it.
"""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

COSTLY = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal (follow-me) number, which costs like a premium one",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.VOICEMAIL: "a voice mailbox",
}
NO_COUNTRY = "001"
"""libphonenumber's region of numbers that belong to no country (+800, +870, +979 …)."""


def normal_fax(text: str, country: str, allowed: frozenset[str]) -> str:
    """`text` as +E.164; `country` (ISO code, may be empty) is taken for a number written without +.

    Raises ValueError whose text says what to do: not a number, a country not in `allowed`, premium rate.
    """
    number = _read(text, country)
    where = phonenumbers.region_code_for_number(number) or NO_COUNTRY
    if where == NO_COUNTRY:
        raise ValueError(f"{text!r} belongs to no country; give the office's national fax number")
    if where not in allowed:
        raise ValueError(f"{text!r} is a number in {where}, where this service does not send; the operator allows "
                         f"{', '.join(sorted(allowed)) or 'none'} (OUTREACH_ALLOWED_COUNTRIES)")
    return _e164(number)


def normal_phone(text: str, country: str) -> str:
    """The same for a telephone number that people are shown, in any country. Raises ValueError."""
    return _e164(_read(text, country))


def is_country(code: str) -> bool:
    """Whether `code` is an ISO country code (capitals) that has telephone numbers."""
    return code in phonenumbers.SUPPORTED_REGIONS


def is_mobile(number: str) -> bool:
    """Whether a +E.164 number is surely a mobile one. North America's cannot be told apart and count as not."""
    return bool(phonenumbers.number_type(phonenumbers.parse(number)) == PhoneNumberType.MOBILE)


def _read(text: str, country: str) -> PhoneNumber:
    try:
        number = phonenumbers.parse(text, country or None)
    except NumberParseException as e:
        if e.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.strip().startswith("+") and not country:
            raise ValueError(f"{text!r} has no country: write it with + and the country's code, or set `country`") from e
        raise ValueError(f"{text!r} is not a telephone number; write it like +1 416 555 0133") from e
    if number.extension:
        raise ValueError(f"{text!r} has an extension, which cannot be dialled; give a direct number")
    if not phonenumbers.is_valid_number(number):
        plan = phonenumbers.region_code_for_country_code(number.country_code or 0)
        where = f"the numbering plan of {plan}" if plan not in (None, "ZZ", NO_COUNTRY) else "any numbering plan"
        raise ValueError(f"{text!r} is not a number in {where}; check its digits, and write it like +1 416 555 0133")
    if why := COSTLY.get(phonenumbers.number_type(number)):
        raise ValueError(f"{text!r} is {why}, which is never dialled; give the office's ordinary number")
    return number


def _e164(number: PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
