"""The interface's languages: gettext catalogues, read from their .po files at first use, so that no build step is needed."""

from __future__ import annotations

from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

HERE = Path(__file__).parent
SOURCE = "en"
"""The language that the messages are written in."""


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Languages that the interface speaks, the source language first."""
    return (SOURCE, *sorted(p.parts[-3] for p in HERE.glob("*/LC_MESSAGES/messages.po")))


@lru_cache(maxsize=32)
def translations(language: str) -> NullTranslations:
    """The catalogue for `language` ("fr", or "fr-CA", which falls back to "fr"); the messages as written where there is none."""
    for name in (language.replace("-", "_"), language.split("-", maxsplit=1)[0]):
        path = HERE / name / "LC_MESSAGES" / "messages.po"
        if name.isidentifier() and path.is_file():
            with path.open("rb") as po:
                compiled = BytesIO()
                write_mo(compiled, read_po(po, locale=name))
            return GNUTranslations(BytesIO(compiled.getvalue()))
    return NullTranslations()


def interface_language(language: str) -> str:
    """The language in which the interface answers somebody who wants `language`."""
    base = language.split("-", maxsplit=1)[0]
    return base if base in languages() else SOURCE


@lru_cache(maxsize=64)
def babel_locale(language: str) -> Locale:
    """CLDR's locale for dates and numbers; English for a language that it does not know. Plain "en" is the world's, not one country's."""
    try:
        return Locale.parse("en-001" if language == SOURCE else language, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse("en-001", sep="-")


def direction(language: str) -> str:
    """"rtl" or "ltr"."""
    return babel_locale(language).text_direction
