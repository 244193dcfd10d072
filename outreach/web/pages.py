"""Rendering: one Jinja environment a language, the filters that templates use, and answers in the house style."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import nh3
from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

import outreach
from outreach.locale import babel_locale, direction, interface_language, languages, translations
from outreach.settings import get_settings

STATIC = Path(__file__).parent / "static"
_PACKAGE = Path(outreach.__file__).parent
TEMPLATES = _PACKAGE / "_templates" if (_PACKAGE / "_templates").is_dir() else _PACKAGE.parent / "templates"

PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow, noarchive"}
"""Headers of every page whose address is a secret."""

_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False})
_STORY_TAGS = {"p", "h2", "h3", "h4", "ul", "ol", "li", "strong", "em", "blockquote", "a", "hr", "br", "code", "pre"}


def markdown(source: str) -> Markup:
    """Markdown as clean HTML: no images or other third-party requests, headings below the page's own, plain links."""
    html = _markdown.render(source).replace("<h1>", "<h2>").replace("</h1>", "</h2>")
    return Markup(nh3.clean(html, tags=_STORY_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto", "tel"},  # noqa: S704
                            link_rel="noopener nofollow"))


@lru_cache(maxsize=64)
def static_url(name: str) -> str:
    """The address of a file under static/, with its content's hash, so that it may be kept for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


def long_time(at: datetime, language: str, zone: str) -> str:
    """"Friday 22 January 2027, 17:00" in that time zone."""
    local, locale = at.astimezone(ZoneInfo(zone)), babel_locale(language)
    return f"{format_date(local, 'full', locale=locale)}, {clock_time(at, language, zone)}"


def clock_time(at: datetime, language: str, zone: str) -> str:
    """"14:05" in that time zone."""
    local = at.astimezone(ZoneInfo(zone))
    return format_time(local, "HH:mm" if language.split("-", maxsplit=1)[0] == "en" else "short", locale=babel_locale(language))


@lru_cache(maxsize=32)
def environment(language: str) -> Environment:
    """The templates' environment for an interface language."""
    env = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                      lstrip_blocks=True, extensions=["jinja2.ext.i18n"])
    env.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    settings = get_settings()
    env.globals.update(language=language, direction=direction(language), static=static_url, text_direction=direction,
                       operator=settings.operator_name, demo=settings.demo, zone_name=zone_name)
    env.filters.update(number=lambda n: _number(n, language))
    return env


@lru_cache(maxsize=4096)
def _number(n: float, language: str) -> str:
    """As the language writes it; a page of the desk has hundreds, of which most are on it again at the next look."""
    return format_decimal(n, locale=babel_locale(language))


@lru_cache(maxsize=256)
def zone_name(zone: str) -> str:
    """A time zone as people say it: "Toronto", "UTC"."""
    return zone.rpartition("/")[2].replace("_", " ")


def wanted_language(request: Request, offered: tuple[str, ...] | None = None) -> str:
    """What the visitor wants of `offered` (default: the interface's languages): ?lang=, then Accept-Language, then the first."""
    asked = request.query_params.get("lang", "")
    return negotiate(asked, request.headers.get("accept-language", ""), offered or languages())


@lru_cache(maxsize=4096)
def negotiate(asked: str, header: str, offered: tuple[str, ...]) -> str:
    """RFC 4647 lookup, simplified: exact tag, then its first part; quality values decide the order."""
    weighed = []
    for place, part in enumerate(header[:400].split(",")):
        tag, _, q = part.partition(";")
        try:
            weight = float(q.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        weighed.append((-weight, place, tag.strip()))
    for tag in [asked, *(t for w, _, t in sorted(weighed) if w < 0)]:
        for one in offered:
            if tag and (one.lower() == tag.lower() or one.lower().split("-")[0] == tag.lower().split("-")[0]):
                return one
    return offered[0]


def page(template: str, language: str, /, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Response:
    """A rendered page."""
    html = environment(interface_language(language)).get_template(template).render(values)
    return Response(html, status, {"cache-control": "no-cache", "vary": "accept-language", **(headers or {})},
                    media_type="text/html")


def problem(request: Request, status: int, *, title: str = "", text: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """An error page in the house style (plain text for whoever does not read HTML)."""
    language = interface_language(wanted_language(request))
    _ = translations(language).gettext
    known = {
        400: (_("We cannot read this request"), _("It is not complete or not well formed. Go back, reload the page and try again.")),
        403: (_("This did not come from our own page"),
              _("Another website asked your browser to send this. Nothing was done. Open our page itself and try again.")),
        404: (_("There is no such page"),
              _("The address may be mistyped, or what it led to has ended. The campaigns that are running are on the first page.")),
        405: (_("This address does not take that"), _("Go back and use the button on the page.")),
        413: (_("That is too long"), _("A request may have one megabyte. Shorten your text and send it again.")),
        422: (_("Some answers are missing or wrong"), _("Go back and look at the fields of the form.")),
        500: (_("This is our mistake"),
              _("Something broke here. Nothing is half done: what you sent is either stored whole or not at all. Please try again.")),
        503: (_("Not ready yet"), _("The service is starting or being repaired. Nothing is half done: what you sent is either stored "
                                         "whole or not at all. Please try again in a minute.")),
    }
    heading, words = known.get(status, (HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else str(status), ""))
    if "text/html" not in request.headers.get("accept", "text/html") and "*/*" not in request.headers.get("accept", ""):
        return Response(f"{title or heading}\n{text or words}\n", status, dict(headers or {}), media_type="text/plain")
    return page("supporter/problem.html", language, status=status, headers={"cache-control": "no-store", **(headers or {})},
                title=title or heading, text=text or words, code=status)
