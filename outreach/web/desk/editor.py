"""The guided editor of drafts: part by part, each saved by itself; on a phone as well, and without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.circular import slug_of
from outreach.errors import CampaignFileInvalid, Conflict, NotAllowed, NotFound
from outreach.services import drafts, publishing
from outreach.services.draft_files import Content, text_of
from outreach.services.draft_zones import country_of, with_zones, zones
from outreach.web.desk import draft_check, draft_preview, draft_versions  # noqa: F401  (they register their rooms)
from outreach.web.desk.drafting import Desk, desk_room, doing, revision, sheet
from outreach.web.desk.editor_fields import PARTS, TARGET_FIRST, Field, essentials, target_fields, translated
from outreach.web.desk.editor_values import amiss, shown, taken
from outreach.web.desk.guard import Place, back
from outreach.web.desk.mistake_words import MISSING
from outreach.web.forms import first


def fields_of(part: str, content: Content) -> list[Field]:
    """The fields of a part. Raises NotFound."""
    if part == "start":
        return essentials()
    if part.startswith("target/"):
        return target_fields(_place(part.removeprefix("target/"), content))
    if part not in PARTS:
        raise NotFound("the editor has no such part")
    return [*PARTS[part], *(translated(content) if part == "letter" else ())]


@desk_room("")
def edit(request: Request, at: Place, desk: Desk) -> Response:
    """GET: one part of a draft."""
    part = request.query_params.get("part", "start")
    if part == "file":
        return _file(at, desk, text_of(desk.draft.content))
    if part == "who":
        return sheet("edit_who", at, desk, "who")
    if part == "circular" and desk.draft.source:
        lines = desk.draft.source.split("\n")[:4000]
        return sheet("draft_circular", at, desk, "circular", lines=lines, found={f["line"] for f in desk.draft.findings})
    return _part(at, desk, part)


@desk_room("/target/{n}")
def target(request: Request, at: Place, desk: Desk) -> Response:
    """GET: one target."""
    return _part(at, desk, f"target/{request.path_params['n']}")


def _part(at: Place, desk: Desk, part: str, *, status: int = 200, wrong: str = "") -> Response:
    fields = fields_of(part, desk.draft.content)
    fixed = {"slug"} if desk.draft.campaign_id else set()
    rows = [_row(f, desk, f.name in fixed) for f in fields]
    folded = rows[TARGET_FIRST:] if part.startswith("target/") else []
    return sheet("edit", at, desk, "who" if folded else part, status=status, rows=rows[:TARGET_FIRST] if folded else rows, folded=folded,
                 place=part, wrong=wrong, target=int(part.rpartition("/")[2]) if folded else 0, zones=zones(country_of(desk.draft.content)),
                 mistakes=[(r["field"], r["anchor"], m) for r in rows for m in r["mistakes"]]
                 if status != 200 or desk.draft.revision > 1 else [])


def _row(field: Field, desk: Desk, fixed: bool) -> dict[str, Any]:
    """A field with what it holds, what is wrong with it, and where in the circular it was read."""
    mistakes = desk.checked.at(field.name)
    soft = [m for m in mistakes if m.startswith(MISSING)]
    value = shown(field, desk.draft.content)
    read = [f for f in desk.draft.findings if f["key"] == field.name and (field.widget != "lines" or f["value"] in value)]
    typed, place = amiss(field, value) if mistakes else ("", "")
    return {"field": field, "value": value, "needed": bool(soft), "fixed": fixed, "read": read[:12],
            "mistakes": [typed] if typed else [m for m in mistakes if m not in soft],
            "amiss": place if typed else None, "anchor": f"{field.id}-{place}" if place else field.id}


@desk_room("/save", method="POST")
def save(request: Request, at: Place, desk: Desk) -> Response:
    """POST: one part. What was typed is kept whatever happens; mistakes stand beside their fields."""
    part = first(at.form, "part") or "start"
    fields = [f for f in fields_of(part, desk.draft.content) if not (f.name == "slug" and desk.draft.campaign_id)]
    content = taken(fields, at.form, desk.draft.content)
    if not desk.draft.campaign_id:
        content = _named(content, desk.draft.content)
    content, filled = with_zones(content, first(at.form, "deadline.zone").strip())
    draft = replace(desk.draft, content=content)
    try:
        saved = drafts.save(draft, revision(at), who=at.who, now=at.now)
    except Conflict as e:
        return _part(at, Desk(draft, desk.base, publishing.ready(draft, at.now)), part, status=409, wrong=str(e))
    after = Desk(saved, desk.base, publishing.ready(saved, at.now))
    wrong = [m for f in fields for m in after.checked.at(f.name) if not m.startswith(MISSING)]
    if wrong:
        return _part(at, after, part, status=422, wrong="Saved. Some of it cannot stay as it is:")
    return back(at, _next(desk, part, first(at.form, "next")), " ".join(("Saved.", *(f"{x}." for x in filled[:3]))))


def _named(content: Content, before: Content) -> Content:
    """The content whose name in the address follows its title, until somebody types another name."""
    title, slug = (str(content.get(k) or "").strip() for k in ("title", "slug"))
    followed = slug == before.get("slug") and slug == slug_of(str(before.get("title") or ""))
    return {**content, "slug": slug_of(title)} if title and (followed or not slug) else content


def _next(desk: Desk, part: str, wanted: str) -> str:
    if wanted == "check":
        return f"{desk.base}/check"
    if wanted == "preview":
        return f"{desk.base}/preview"
    if part.startswith("target/"):
        return f"{desk.base}?part=who"
    return f"{desk.base}?part={part}"


def _place(text: str, content: Content) -> int:
    """The place of a target in the list, from 0; `text` counts from 1. Raises NotFound."""
    targets = content.get("target")
    n = int(text) - 1 if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not isinstance(targets, list) or not 0 <= n < len(targets):
        raise NotFound("this draft has no such target")
    return n


@desk_room("/targets", method="POST")
def targets(request: Request, at: Place, desk: Desk) -> Response:
    """POST: add a target, take one away, or move it up."""
    what, content = first(at.form, "do"), deepcopy(desk.draft.content)
    rows: list[Any] = content["target"] if isinstance(content.get("target"), list) else content.setdefault("target", [])
    if what == "add":
        rows.append({"name": "", "limits": dict(drafts.LIMITS), **_like(rows)})
        onward, done = f"{desk.base}/target/{len(rows)}", ""
    else:
        n = _place(first(at.form, "n"), content)
        onward, done = f"{desk.base}?part=who", _moved(rows, n, what)
    try:
        drafts.save(replace(desk.draft, content=content), revision(at), who=at.who, now=at.now)
    except Conflict:
        return back(at, f"{desk.base}?part=who", "Somebody else has changed this list meanwhile. Here it is as it is now.", bad=True)
    return back(at, onward, done)


def _like(rows: Sequence[Any]) -> Content:
    """A new target is most often where the one before it is."""
    return {k: rows[-1][k] for k in ("timezone",) if rows and isinstance(rows[-1], dict) and rows[-1].get(k)}


def _moved(rows: list[Any], n: int, what: str) -> str:
    name = (rows[n].get("name") if isinstance(rows[n], dict) else "") or "The target"
    if what == "remove":
        del rows[n]
        return f"{name} is taken away."
    if what == "up" and n > 0:
        rows[n - 1], rows[n] = rows[n], rows[n - 1]
        return f"{name} stands higher now."
    raise NotFound("nothing can be done with a target by that name")


def _file(at: Place, desk: Desk, text: str, *, status: int = 200, wrong: Sequence[str] = ()) -> Response:
    return sheet("edit_file", at, desk, "file", status=status, text=text, wrong=wrong)


@desk_room("/file", method="POST")
def save_file(request: Request, at: Place, desk: Desk) -> Response:
    """POST: the whole draft as TOML. What is no TOML is not stored, and stays in the form."""
    text = first(at.form, "text").replace("\r\n", "\n")
    try:
        content = drafts.of_file(text, at.now)
        if desk.draft.campaign_id is not None and content.get("slug") != desk.draft.content.get("slug"):
            raise NotAllowed(f"slug: the campaign's address stays {desk.draft.content.get('slug')!r}: its links have it")
        drafts.save(replace(desk.draft, content=content), revision(at), who=at.who, now=at.now)
    except CampaignFileInvalid as e:
        return _file(at, desk, text, status=422, wrong=[f"line {m.line}: {m.message}" if m.line else m.message for m in e.mistakes])
    except (Conflict, NotAllowed) as e:
        return _file(at, desk, text, status=409 if isinstance(e, Conflict) else 422, wrong=[str(e)])
    return back(at, f"{desk.base}?part=file", "Saved.")


@desk_room("/discard", method="POST")
def discard(request: Request, at: Place, desk: Desk) -> Response:
    """POST: throw the draft away. A campaign that it is a draft of stays as it is."""
    def act() -> str:
        drafts.discard(desk.draft, who=at.who, now=at.now)
        return "The draft is thrown away."

    return doing(at, desk.base if desk.draft.campaign_id else "/o/new", act)


@desk_room("/export.toml")
def export(request: Request, at: Place, desk: Desk) -> Response:
    """GET: the draft as a campaign file."""
    name = slug_of(str(desk.draft.content.get("slug") or "campaign"))
    return Response(text_of(desk.draft.content), media_type="text/plain; charset=utf-8", headers={
        "content-disposition": f'attachment; filename="{name}.toml"', "cache-control": "no-store"})
