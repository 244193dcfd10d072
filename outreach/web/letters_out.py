"""The letter before it is sent: the exact fax page, the mail as text, the PDF to take along, a report about the campaign."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import unit_of_work, utcnow
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.letters import Channel
from outreach.errors import FormInvalid
from outreach.i18n import gettext_for
from outreach.locale import interface_language
from outreach.render import fax
from outreach.render.clean import clean_line, clean_text
from outreach.render.mail import letter_mail
from outreach.render.text import CannotRender, Person, RenderedLetter, render_letter
from outreach.services import compose, reports, throttle
from outreach.services.confirm_rules import confirms
from outreach.services.forms import LIMITS, FormInput, own_words
from outreach.settings import get_settings
from outreach.web.forms import Posted, first, read_form
from outreach.web.look import accent_url
from outreach.web.pages import page, problem, wanted_language
from outreach.web.supporter import again, input_of, load, plain_form

router = APIRouter()
MOST_SHOWN = 3
"""Recipients whose letters a preview draws."""
DRAWING = asyncio.Semaphore(2)
"""Pages are drawn two at a time a process: a preview costs tens of milliseconds of processor."""
ALLOWED = {"drawing": 120, "report": 10}
"""How often an hour one network may have letters drawn (previews and downloads together) and report campaigns."""


def _person(form: FormInput, spec: CampaignSpec, language: str) -> Person:
    _ = gettext_for(language)
    text = {n: clean_line(getattr(form, n))[:LIMITS[n]] for n in ("name", "email", "street", "city", "postal_code", "phone", "affiliation")}
    text["name"] = text["name"] or f"[{_('your name')}]"
    return Person(**text, verified=confirms(spec))


def rendered(spec: CampaignSpec, target: TargetSpec, form: FormInput) -> RenderedLetter:
    """The letter as it would go to `target`. Raises CannotRender."""
    typed = replace(form, subject=None if form.subject is None else clean_line(form.subject)[:LIMITS["subject"]],
                    body=None if form.body is None else clean_text(form.body)[:LIMITS["body"]])
    subject, body = own_words(typed, spec)
    return render_letter(spec, target, _person(form, spec, target.language or spec.languages[0]), subject=subject, body=body)


def _document(spec: CampaignSpec, target: TargetSpec, form: FormInput, now: datetime) -> fax.FaxDocument:
    settings = get_settings()
    language = target.language or form.language
    return fax.FaxDocument(
        letter=rendered(spec, target, form), person=_person(form, spec, language), target=target,
        fax_number=target.fax[0] if target.fax else "", reference=spec.reference, language=language, stamped_at=now,
        sender_phone=compose.answered_phone(spec, settings) or settings.fax_from,
        operator_name=settings.operator_name or spec.title, verify_url=f"{settings.public_url}/v/…",
        translate=gettext_for(language))


def _preview_of(spec: CampaignSpec, target: TargetSpec, form: FormInput, now: datetime) -> dict[str, Any]:
    settings = get_settings()
    language = target.language or form.language
    letter = rendered(spec, target, form)
    shown: dict[str, Any] = {"target": target.name, "language": language, "subject": letter.subject, "body": letter.body, "pages": []}
    if form.channel == Channel.FAX:
        pages = fax.pngs_of(fax.fax_pdf(_document(spec, target, form, now)))
        missing = " ".join(fax.missing_glyphs(letter.subject + letter.body))
        return {**shown, "pages": [b64encode(p).decode() for p in pages], "missing": missing}
    person = _person(form, spec, language)
    operator = settings.operator_name or spec.title
    mail = letter_mail(letter, person=person, operator_name=operator, verify_url=f"{settings.public_url}/v/…", language=language,
                       translate=gettext_for(language))
    return {**shown, "subject": mail.subject, "body": mail.text, "sender": f"{person.name} via {operator} <{settings.mail_from}>",
            "to": target.email[0] if target.email else "", "cc": spec.inbox if spec.copies == "each" else "",
            "reply_to": person.email if person.verified else ""}


def _preview(slug: str, fields: Posted, request: Request) -> Response:
    campaign, spec, _targets = load(slug)
    if campaign.outcome:
        return again(slug, input_of(fields, first(fields, "language")), {}, request, 409)
    form = plain_form(input_of(fields, first(fields, "language")), spec)
    ui, now = interface_language(form.language), utcnow()
    previews, trouble = [], ""
    try:
        previews = [_preview_of(spec, spec.target(t), form, now) for t in form.targets[:MOST_SHOWN]]
    except CannotRender as e:
        trouble = _cannot(e, ui)
    return page("supporter/preview.html", ui, status=200 if previews else 422, headers={"cache-control": "no-store"}, title=spec.title,
                slug=slug, previews=previews, trouble=trouble, more=len(form.targets) - len(previews),
                accent_url=accent_url(spec.accent))


def _pdf(slug: str, fields: Posted, request: Request) -> Response:
    campaign, spec, _targets = load(slug)
    if campaign.outcome:
        return again(slug, input_of(fields, first(fields, "language")), {}, request, 409)
    form = plain_form(input_of(fields, first(fields, "language")), spec)
    try:
        pdf = fax.fax_pdf(_document(spec, spec.target(form.targets[0]), form, utcnow()))
    except CannotRender as e:
        return problem(request, 422, text=_cannot(e, interface_language(form.language)))
    headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="{slug}.pdf"'}
    return Response(pdf, 200, headers, "application/pdf")


def _cannot(error: CannotRender, language: str) -> str:
    _ = gettext_for(language)
    return _("This letter cannot be put on paper: %(why)s") % {"why": error}


def _refusal(what: str, request: Request) -> Response | None:
    """Count one use by the client's network; the answer when it has spent its allowance, with nothing of what was sent in it."""
    try:
        with unit_of_work() as c:
            throttle.spend_for(c, request.client.host if request.client else "", what, ALLOWED[what], utcnow())
    except throttle.TooMany as e:
        _ = gettext_for(interface_language(wanted_language(request)))
        return problem(request, 429, title=_("That was often"), headers={"retry-after": str(e.retry_after)},
                       text=_("Your network has asked for this many times within an hour. Nothing was done. Try again in an hour."))
    return None


async def preview(request: Request) -> Response:
    """POST /c/{slug}/preview: nothing of it is stored and nothing is checked but that it can be drawn."""
    fields = await read_form(request)
    if refusal := await run_in_threadpool(_refusal, "drawing", request):
        return refusal
    async with DRAWING:
        return await run_in_threadpool(_preview, request.path_params["slug"], fields, request)


async def letter_pdf(request: Request) -> Response:
    """POST /c/{slug}/letter.pdf: the letter to print, sign and send oneself."""
    fields = await read_form(request)
    if refusal := await run_in_threadpool(_refusal, "drawing", request):
        return refusal
    async with DRAWING:
        return await run_in_threadpool(_pdf, request.path_params["slug"], fields, request)


def _report_page(request: Request, *, status: int = 200, errors: dict[str, str] | None = None, reason: str = "",
                 done: bool = False) -> Response:
    slug = str(request.path_params["slug"])
    _campaign, spec, _targets = load(slug)
    ui = interface_language(wanted_language(request))
    told = {k: gettext_for(ui)(v) for k, v in (errors or {}).items()}
    return page("supporter/report.html", ui, status=status, headers={"cache-control": "no-store"}, title=spec.title, slug=slug,
                reason=reason, done=done, errors=told, accent_url=accent_url(spec.accent))


def report_form(request: Request) -> Response:
    """GET /c/{slug}/report."""
    return _report_page(request)


async def report(request: Request) -> Response:
    """POST /c/{slug}/report: to the operator's contact, and a log."""
    reason = first(await read_form(request), "reason")
    try:
        await run_in_threadpool(load, request.path_params["slug"])
        if refusal := await run_in_threadpool(_refusal, "report", request):
            return refusal
        await run_in_threadpool(reports.report, request.path_params["slug"], reason)
    except FormInvalid as e:
        return await run_in_threadpool(_report_page, request, status=422, errors=e.errors, reason=reason)
    return await run_in_threadpool(_report_page, request, done=True)


router.add_route("/c/{slug}/preview", preview, ["POST"])
router.add_route("/c/{slug}/letter.pdf", letter_pdf, ["POST"])
router.add_route("/c/{slug}/report", report_form, ["GET"])
router.add_route("/c/{slug}/report", report, ["POST"])
