"""A draft as supporters and targets would see it: its page, its mails, its fax pages. Nothing is stored or sent."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.errors import NotFound
from outreach.locale import interface_language
from outreach.render.text import CannotRender, Person, RenderedLetter, render_letter
from outreach.services import previews
from outreach.services.campaigns import AddressRow, CampaignRow, TargetRow
from outreach.web.campaign_page import page_values
from outreach.web.desk.drafting import Desk, desk_room, sheet
from outreach.web.desk.guard import Place
from outreach.web.pages import PRIVATE, environment

_MOST_PAGES = 6


@desk_room("/preview")
def preview(request: Request, at: Place, desk: Desk) -> Response:
    """GET: one target's letter as mail and as fax."""
    spec = desk.checked.spec
    if spec is None:
        return sheet("draft_preview", at, desk, "preview", targets=[], letter=None, pages=[], wrong="", chosen=None, bare=None)
    chosen = _chosen(spec, request.query_params.get("target", ""))
    letter, pages, wrong, bare = None, [], "", None
    try:
        letter = previews.Preview(chosen, render_letter(spec, chosen, previews.sample(spec)))
        bare = _bare(spec, chosen, letter.letter)
        pages = _fax(spec, letter, at) if chosen.fax else []
    except CannotRender as e:
        wrong = str(e)
    return sheet("draft_preview", at, desk, "preview", targets=spec.targets, letter=letter, pages=pages, wrong=wrong, chosen=chosen,
                 bare=bare)


def _chosen(spec: CampaignSpec, wanted: str) -> TargetSpec:
    return next((t for t in spec.targets if t.id == wanted), spec.targets[0])


def _bare(spec: CampaignSpec, target: TargetSpec, full: RenderedLetter) -> RenderedLetter | None:
    """The letter of somebody who leaves empty what may be left empty; None where it is the same."""
    person = previews.sample(spec)
    asked = {name: getattr(person, name) if level == "required" else "" for name, level in spec.fields.items()}
    bare = render_letter(spec, target, Person(person.name, person.email, verified=person.verified, **asked))
    return bare if bare != full else None


def _fax(spec: CampaignSpec, letter: previews.Preview, at: Place) -> list[str]:
    """The fax pages as pictures that stand in the page itself: nothing of a draft is kept anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        written = previews.write_previews(spec, [letter], Path(folder), now=at.now)
        pngs = sorted(p for p in written if p.suffix == ".png")[:_MOST_PAGES]
        return ["data:image/png;base64," + base64.b64encode(p.read_bytes()).decode() for p in pngs]


@desk_room("/preview/page")
def page(request: Request, at: Place, desk: Desk) -> Response:
    """GET: the supporters' page; its form leads nowhere."""
    spec = desk.checked.spec
    if spec is None:
        raise NotFound("the draft still has mistakes: there is no page to show")
    language = request.query_params.get("lang", "")
    language = language if language in spec.languages else spec.languages[0]
    values = page_values(spec, _row(spec, at), _targets(spec), language=language, token="", now=at.now)
    html = environment(interface_language(language)).get_template("supporter/campaign.html").render(values)
    html = html.replace(f'action="/c/{spec.slug}', f'action="{desk.base}/preview/nowhere')  # and every formaction
    return Response(html, 200, {**PRIVATE}, media_type="text/html")


@desk_room("/preview/nowhere{rest:path}", method="POST")
def nowhere(request: Request, at: Place, desk: Desk) -> Response:
    """POST: what the preview's form does: say that nothing was sent."""
    return sheet("draft_nowhere", at, desk, "preview")


def _row(spec: CampaignSpec, at: Place) -> CampaignRow:
    """A campaign's row as it would be once online."""
    if at.campaign is not None:
        return replace(at.campaign, state="live", outcome=None, suspended_at=None)
    known: dict[str, Any] = {
        "id": 0, "slug": spec.slug, "state": "live", "title": spec.title, "deadline": spec.deadline, "version_id": 0, "revision": 0,
        "on_unknown": spec.on_unknown, "fall_back": spec.fall_back, "created_at": at.now, "published_at": at.now, "moderation": "none"}
    every: dict[str, Any] = {f.name: known.get(f.name) for f in fields(CampaignRow)}
    return CampaignRow(**every)


def _targets(spec: CampaignSpec) -> tuple[TargetRow, ...]:
    return tuple(TargetRow(n, t.id, t.name, t.timezone, t.hours, True, tuple(
        AddressRow(0, channel, value, rank, "", "ok") for channel in ("email", "fax", "phone")
        for rank, value in enumerate(getattr(t, channel)))) for n, t in enumerate(spec.targets))
