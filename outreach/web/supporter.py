"""The first page, a campaign's page and its form."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outreach import tokens
from outreach.db import utcnow
from outreach.domain.campaign import CampaignSpec
from outreach.errors import Conflict, Forged, FormInvalid, NotFound
from outreach.locale import interface_language
from outreach.services import campaigns, forms, submit
from outreach.services.campaigns import CampaignRow, TargetRow
from outreach.web.campaign_page import blank_values, mode_of, page_values, usable_channels
from outreach.web.deadlines import time_left
from outreach.web.forms import Posted, first, given, read_form
from outreach.web.pages import environment, long_time, negotiate, page, wanted_language, zone_name
from outreach.web.spliced import MARK, Spliced

router = APIRouter()
FRESH = 1.0
"""Seconds for which a process serves a campaign's page without asking whether it has changed."""
REDRAW = timedelta(seconds=45)
"""How old the words "3 hours left" may be."""
WRITERS = ThreadPoolExecutor(16, thread_name_prefix="submit")
"""As many as may share one commit: each waits for its own, and whoever comes meanwhile joins the next (docs/decisions/0011)."""
_SLUG_LONGEST = 80


@dataclass(slots=True)
class _Drawn:
    """A campaign's page as drawn for one language, and until when it may be served unasked (monotonic seconds)."""

    page: Spliced
    revision: int
    mode: str
    drawn_at: datetime
    trusted_until: float


_drawn: dict[tuple[str, str], _Drawn] = {}
_languages: dict[str, tuple[str, ...]] = {}


def forget() -> None:
    """Drop what was drawn: a new application may stand on another database."""
    _drawn.clear()
    _languages.clear()


def load(slug: str) -> tuple[CampaignRow, CampaignSpec, tuple[TargetRow, ...]]:
    """A campaign that the public may see. Raises NotFound."""
    if not slug or len(slug) > _SLUG_LONGEST or not slug.isascii() or not slug.replace("-", "").isalnum():
        raise NotFound("there is no such campaign")
    campaign = campaigns.get(slug)
    if campaign.published_at is None:
        raise NotFound("there is no such campaign")
    return campaign, campaigns.spec_of_version(campaign.version_id), campaigns.targets_of(campaign.id, campaign.revision)


async def campaign_page(request: Request) -> Response:
    """GET /c/{slug}: from memory wherever nothing has changed."""
    slug = request.path_params["slug"]
    headers = request.headers
    accept = headers.get("accept-language", "")
    offered = _languages.get(slug)
    drawn = None
    if offered is not None:
        language = negotiate(request.query_params.get("lang", "") if request.scope["query_string"] else "", accept, offered)
        drawn = _drawn.get((slug, language))
    if drawn is None or monotonic() > drawn.trusted_until:
        if drawn is not None:
            drawn.trusted_until = monotonic() + FRESH  # one request looks; the others are served meanwhile
        drawn = await asyncio.get_running_loop().run_in_executor(None, _draw, slug, request.query_params.get("lang", ""), accept)
    token = tokens.new_form_token()
    answer = {"cache-control": "private, no-cache", "vary": "accept-language, accept-encoding"}
    if "gzip" in headers.get("accept-encoding", ""):
        return Response(drawn.page.gzipped(token), 200, {**answer, "content-encoding": "gzip"}, "text/html")
    return Response(drawn.page.plain(token), 200, answer, "text/html")


def _draw(slug: str, asked: str, accept: str) -> _Drawn:
    campaign, spec, targets = load(slug)
    now = utcnow()
    offered = _languages[slug] = spec.languages
    language = negotiate(asked, accept, offered)
    mode = mode_of(campaign, spec, targets, now)
    known = _drawn.get((slug, language))
    if known is None or known.revision != campaign.revision or known.mode != mode or now - known.drawn_at > REDRAW:
        values = page_values(spec, campaign, targets, language=language, token=MARK, now=now)
        html = environment(interface_language(language)).get_template("supporter/campaign.html").render(values)
        known = _drawn[(slug, language)] = _Drawn(Spliced(html, token=mode not in ("ended", "suspended")), campaign.revision, mode, now, 0)
    known.trusted_until = monotonic() + FRESH
    return known


def input_of(fields: Posted, language: str) -> forms.FormInput:
    """The posted fields as the service takes them."""
    text = {n: first(fields, n) for n in ("token", "name", "email", "street", "city", "postal_code", "phone", "affiliation", "channel",
                                          "proof")}
    return forms.FormInput(**text, subject=given(fields, "subject"), body=given(fields, "body"), targets=tuple(fields.get("targets", ())),
                           language=language, consent=bool(first(fields, "consent")), updates=bool(first(fields, "updates")),
                           public_name=bool(first(fields, "public_name")), honeypot=first(fields, "website"))


async def take_form(request: Request) -> Response:
    """POST /c/{slug}: 303 to the status page, or the page again with what is to be mended beside each field; with `restore` just the
    page again, with the campaign's own text."""
    slug = request.path_params["slug"]
    fields = await read_form(request)
    network = request.client.host if request.client else ""
    return await asyncio.get_running_loop().run_in_executor(WRITERS, _take, slug, fields, network, request)


def _take(slug: str, fields: Posted, network: str | None, request: Request) -> Response:
    form = input_of(fields, first(fields, "language"))
    try:
        if len(slug) > _SLUG_LONGEST or "\0" in slug:
            raise NotFound("there is no such campaign")
        if first(fields, "restore"):
            return again(slug, replace(form, subject=None, body=None), {}, request, 200)
        token = submit.submit(slug, form, network=network)
    except FormInvalid as e:
        return again(slug, form, e.errors, request, 422)
    except Conflict:
        return again(slug, form, {}, request, 409)
    return RedirectResponse(f"/s/{token}", 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})


def again(slug: str, form: forms.FormInput, errors: Mapping[str, str], request: Request, status: int) -> Response:
    """The campaign's page with what was typed and what is to be mended, or with the reason why nothing can be sent."""
    campaign, spec, targets = load(slug)
    language = form.language if form.language in spec.languages else wanted_language(request, spec.languages)
    values = page_values(spec, campaign, targets, language=language, token=_token_again(form.token), now=utcnow(), errors=errors,
                         values=typed(form, spec, targets))
    return page("supporter/campaign.html", language, status=status, headers={"cache-control": "no-store"}, **values)


def typed(form: forms.FormInput, spec: CampaignSpec, targets: tuple[TargetRow, ...]) -> dict[str, Any]:
    """The form's fields with what the supporter typed."""
    blank = blank_values(spec, usable_channels(targets), form.language)
    kept = {n: getattr(form, n) for n in blank if n != "targets" and getattr(form, n) is not None}
    return {**blank, **kept, "channel": form.channel or blank["channel"], "targets": list(form.targets)}


def _token_again(token: str) -> str:
    """The same token where it is still good, so that a form sent twice stays one submission."""
    try:
        if utcnow() - tokens.form_token_made_at(token) < forms.STALE:
            return token
    except (Forged, ValueError):
        pass
    return tokens.new_form_token()


def home(request: Request) -> Response:
    """GET /: the campaigns that run now."""
    language, now = wanted_language(request), utcnow()
    ui = interface_language(language)
    cards = [{"card": c, "deadline": long_time(c.deadline, ui, c.zone) if c.deadline else "", "zone": zone_name(c.zone),
              "left": time_left(c.deadline - now, ui) if c.deadline else ""} for c in campaigns.live(now)]
    return page("supporter/home.html", language, cards=cards)


def robots(request: Request) -> Response:
    """GET /robots.txt: campaigns may be found, private pages not."""
    return Response("User-agent: *\nDisallow: /s/\nDisallow: /m/\nDisallow: /v/\nDisallow: /o/\nDisallow: /media/\nDisallow: /sandbox\n",
                    media_type="text/plain")


def plain_form(form: forms.FormInput, spec: CampaignSpec) -> forms.FormInput:
    """The form for a preview: nothing in it is checked, but its recipients exist."""
    known = {t.id for t in spec.targets}
    chosen = tuple(t for t in form.targets if t in known) or (spec.targets[0].id,)
    return replace(form, targets=chosen, language=form.language if form.language in spec.languages else spec.languages[0])


router.add_route("/", home, ["GET"])
router.add_route("/robots.txt", robots, ["GET"])
router.add_route("/c/{slug}", campaign_page, ["GET"])
router.add_route("/c/{slug}", take_form, ["POST"])
