"""Levers that change the campaign's file: limits, office hours, addresses, the deadline. First what would come of it, then the deed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.pacing import format_rules
from outreach.domain.roles import Right
from outreach.errors import NotAllowed, OutreachError
from outreach.services import amendments, campaigns, levers
from outreach.services.amendments import Amend, Amended
from outreach.services.changes import Waiting
from outreach.services.forecast import in_words
from outreach.web.desk import lever_words
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.desk.levers import path_of, words_for
from outreach.web.forms import first

CHANNELS = {"fax": "Fax", "email": "E-mail"}
CHOICES = {Waiting.SEND: "Send them as they were written", Waiting.ASK: "Ask their writers again, by mail", Waiting.CANCEL: "Cancel them"}


@room("/o/c/{slug}/levers/targets/{key}", Right.STEER)
def target_page(request: Request, at: Place) -> Response:
    """GET: one target's limits, hours, addresses and line."""
    return _target_page(at, str(request.path_params["key"]), {})


@room("/o/c/{slug}/levers/targets/{key}/limits", Right.STEER, method="POST")
def limits(request: Request, at: Place) -> Response:
    """POST: show the pace before and after, or set it."""
    key = str(request.path_params["key"])
    given = {channel: first(at.form, channel) for channel in CHANNELS if channel in at.form}
    hours = first(at.form, "hours") if "hours" in at.form else None
    change = amendments.limits(key, email=given.get("email"), fax=given.get("fax"), hours=hours)
    try:
        made = _amend(at, change)
        after = levers.forces(at.here, levers.target(at.here, key, now=at.now).row, given)
    except OutreachError as e:
        return _target_page(at, key, {"limits": str(e)})
    if not _sure(at):
        target = levers.target(at.here, key, now=at.now)
        paces = [{"lane": lane, "after": in_words(format_rules(force.rules)), "note": lever_words.overruled(force)}
                 for lane, force in zip(target.lanes, [f for channel in CHANNELS for f in after[channel]], strict=True)]
        return _look(at, made, f"/targets/{key}/limits", f"/targets/{key}", title=f"Limits of {target.row.name}", paces=paces)
    return back(at, path_of(at, f"/targets/{key}"), _told(made, "It holds from the next hand-over on, for what waits too."))


@room("/o/c/{slug}/levers/targets/{key}/addresses", Right.STEER, method="POST")
def addresses(request: Request, at: Place) -> Response:
    """POST: show what would move where, or do it."""
    key, channel = str(request.path_params["key"]), first(at.form, "channel")
    try:
        made = _amend(at, amendments.addresses(key, channel, first(at.form, "addresses").splitlines()[:50]))
    except OutreachError as e:
        return _target_page(at, key, {channel: str(e)})
    if not _sure(at):
        return _look(at, made, f"/targets/{key}/addresses", f"/targets/{key}", title=f"{CHANNELS[channel]}: other addresses", choose=True)
    return back(at, path_of(at, f"/targets/{key}"), _told(made, ""))


@room("/o/c/{slug}/levers/deadline", Right.STEER)
def deadline_page(request: Request, at: Place) -> Response:
    """GET: the deadline as it is."""
    zone = lever_words.zone_of(at.here)
    local = at.here.deadline.astimezone(ZoneInfo(zone)) if at.here.deadline else None
    return _deadline_page(at, f"{local:%Y-%m-%d}" if local else "", f"{local:%H:%M}" if local else "17:00", "")


@room("/o/c/{slug}/levers/deadline", Right.STEER, method="POST")
def deadline(request: Request, at: Place) -> Response:
    """POST: show what moving it does to letters that wait, or move it."""
    date, time = first(at.form, "date").strip(), first(at.form, "time").strip()
    try:
        made = _amend(at, amendments.deadline(_moment(date, time, lever_words.zone_of(at.here))))
    except OutreachError as e:
        return _deadline_page(at, date, time, str(e))
    if not _sure(at):
        return _look(at, made, "/deadline", "/deadline", title="Move the deadline", choose=True)
    return back(at, path_of(at), _told(made, ""))


def _moment(date: str, time: str, zone: str) -> datetime | None:
    """What was typed, in the campaign's time zone; None for no deadline. Raises NotAllowed."""
    if not date:
        return None
    try:
        local = datetime.fromisoformat(f"{date}T{time or '17:00'}")
    except ValueError as e:
        raise NotAllowed("write the day like 2027-01-22 and the time like 17:00") from e
    # With a fixed offset, as campaign files have it.
    return datetime.fromisoformat(local.replace(tzinfo=ZoneInfo(zone)).isoformat())


def _sure(at: Place) -> bool:
    return first(at.form, "sure") == "yes"


def _amend(at: Place, change: Amend) -> Amended:
    """Look at a change, or make it once somebody is sure of it."""
    seen, chosen = first(at.form, "version"), first(at.form, "waiting")
    version = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 18 else None
    waiting = Waiting(chosen) if chosen in set(Waiting) else Waiting.SEND
    return amendments.amend(at.here.slug, change, now=at.now, who=at.who, version_id=version, waiting=waiting,
                            approved=at.may(Right.OPERATE), dry_run=not _sure(at))


def _look(at: Place, made: Amended, path: str, again: str, *, title: str, choose: bool = False, paces: Any = ()) -> Response:
    """What would happen, with what was typed in hidden fields and the button that does it."""
    kept = [(name, value) for name, values in at.form.items() for value in values if name not in ("sure", "version", "waiting", "look")]
    chosen = first(at.form, "waiting") or Waiting.SEND.value
    return see("organizer/lever_look.html", at, made=made, action=path_of(at, path), again=path_of(at, again), title=title, kept=kept,
               version=at.here.version_id, choices=CHOICES if choose and made.result.letters else {}, chosen=chosen, paces=paces,
               **words_for(at))


def _told(made: Amended, more: str) -> str:
    if not made.result.changed:
        return "Nothing has changed: the campaign was so already."
    told = [f"Done: version {made.result.version} of the campaign.", more]
    told[1:1] = [f"{line[0].upper()}{line[1:]}." for line in made.result.letters]
    if made.proposed:
        told.append(f"{', '.join(made.proposed)}: an operator must approve this before anything is sent there.")
    return " ".join(x for x in told if x)


def _target_page(at: Place, key: str, wrong: dict[str, str]) -> Response:
    found = levers.target(at.here, key, now=at.now)
    spec = next((t for t in campaigns.spec_of_version(at.here.version_id).targets if t.id == key), None)
    typed = {name: first(at.form, name) for name in at.form}
    return see("organizer/lever_target.html", at, status=422 if wrong else 200, found=found, spec=spec, wrong=wrong, typed=typed,
               channels=CHANNELS, version=at.here.version_id, **words_for(at))


def _deadline_page(at: Place, date: str, time: str, wrong: str) -> Response:
    return see("organizer/lever_deadline.html", at, status=422 if wrong else 200, date=date, time=time, wrong=wrong,
               version=at.here.version_id, waiting=levers.by_state(at.here.id).get("queued", 0), **words_for(at))
