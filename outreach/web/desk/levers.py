"""The levers of a campaign: what each would do, the big red stop, and pauses. What changes the file is in `steering`, what moves
letters in `actions`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import OutreachError
from outreach.services import campaigns, levers, pauses, stops
from outreach.web.desk import lever_words
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first
from outreach.web.words import ended

LONGEST_WHY = 200


def path_of(at: Place, rest: str = "") -> str:
    """The address of a campaign's levers, or of one of them."""
    return f"/o/c/{at.here.slug}/levers{rest}"


def words_for(at: Place) -> dict[str, Any]:
    """What every template of a lever uses."""
    zone = lever_words.zone_of(at.here)
    return {"base": path_of(at), "words": lever_words, "zone": zone, "campaign": at.here,
            "when": lambda moment, where=zone: lever_words.when(moment, where, at.now)}


@room("/o/c/{slug}/levers", Right.STEER)
def all_levers(request: Request, at: Place) -> Response:
    """GET: every lever with how much it would move."""
    search = request.query_params.get("q", "")[:100]
    asked = request.query_params.get("page", "1")
    page = int(asked) - 1 if asked.isascii() and asked.isdigit() and 0 < int(asked) < 10_000 else 0
    found = levers.look(at.here, now=at.now, search=search, page=page)
    return see("organizer/levers.html", at, found=found, search=search, number=page + 1, pages=-(-found.found // levers.PAGE),
               waiting=found.letters.get("queued", 0), can_undo=at.here.final_at is not None and at.here.final_at > at.now,
               **words_for(at))


@room("/o/c/{slug}/levers/stop", Right.STEER)
def stop_page(request: Request, at: Place) -> Response:
    """GET: what stopping does, and the words that it needs."""
    return _stop_page(at, at.here.outcome or "", at.here.outcome_message or "", {})


@room("/o/c/{slug}/levers/stop", Right.STEER, method="POST")
def stop(request: Request, at: Place) -> Response:
    """POST: stop, or of a campaign that was stopped replace the words."""
    outcome, message = first(at.form, "outcome"), first(at.form, "message")
    wrong = {}
    if outcome not in stops.OUTCOMES:
        wrong["outcome"] = "Choose what it came to."
    if not message.strip():
        wrong["message"] = "Say in a sentence or two what happened: supporters read it."
    elif len(message) > stops.LONGEST:
        wrong["message"] = f"This has {len(message):,} characters; {stops.LONGEST:,} are the most."
    if wrong:
        return _stop_page(at, outcome, message, wrong)
    before = at.here.outcome
    try:
        row = stops.stop(at.here.slug, outcome, message, now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, path_of(at), str(e), bad=True)
    if before is not None:
        return back(at, path_of(at), "The campaign’s pages now say what you wrote.")
    until = row.final_at and lever_words.when(row.final_at, lever_words.zone_of(row), at.now)
    return back(at, path_of(at), f"Stopped. Nothing more is handed over. Until {until} you can undo it; then what waits is cancelled.")


@room("/o/c/{slug}/levers/undo", Right.STEER, method="POST")
def undo(request: Request, at: Place) -> Response:
    """POST: make a stop as if it had not been."""
    try:
        row = stops.undo(at.here.slug, now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, path_of(at), str(e), bad=True)
    return back(at, path_of(at), f"Undone. The campaign is {row.state} again, and every letter is in its place.")


@room("/o/c/{slug}/levers/pause", Right.STEER, method="POST")
def pause(request: Request, at: Place) -> Response:
    """POST: pause the campaign, or the one target that is named."""
    key = first(at.form, "target")
    try:
        if not key:
            campaigns.set_state(at.here.slug, "pause", now=at.now, who=at.who)
            return back(at, path_of(at), f"Paused. {_waiting(at)}; the page takes no new ones.")
        pauses.pause_target(at.here.slug, key, now=at.now, why=first(at.form, "why").strip()[:LONGEST_WHY], who=at.who)
    except OutreachError as e:
        return back(at, _from(at, key), str(e), bad=True)
    return back(at, _from(at, key), f"Paused: {lever_words.waits(_target_waits(at, key))}. The page goes on taking letters.")


@room("/o/c/{slug}/levers/resume", Right.STEER, method="POST")
def resume(request: Request, at: Place) -> Response:
    """POST: go on after a pause of the campaign, or of the one target that is named."""
    key = first(at.form, "target")
    try:
        if not key:
            campaigns.set_state(at.here.slug, "resume", now=at.now, who=at.who)
            return back(at, path_of(at), "Resumed. What waits goes on in its order, at its pace.")
        pauses.resume_target(at.here.slug, key, now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, _from(at, key), str(e), bad=True)
    return back(at, _from(at, key), "Resumed. What waits goes on in its order, at its pace.")


def _from(at: Place, key: str) -> str:
    """Where a target's button was pressed."""
    return path_of(at, f"/targets/{key}") if key and first(at.form, "from") == "target" else path_of(at)


def _stop_page(at: Place, outcome: str, message: str, wrong: dict[str, str]) -> Response:
    state = at.here.state
    found = levers.by_state(at.here.id)
    language = campaigns.spec_of_version(at.here.version_id).languages[0]
    said = {name: ended(name, language)["title"] for name in stops.OUTCOMES}
    return see("organizer/lever_stop.html", at, status=422 if wrong else 200, outcome=outcome, message=message, wrong=wrong, said=said,
               thanks=ended("won", language)["thanks"], waiting=found.get("queued", 0), unconfirmed=found.get("unconfirmed", 0),
               calls=levers.calls(at.here.id), can_stop=state in ("live", "paused"), again=at.here.outcome is not None, **words_for(at))


def _waiting(at: Place) -> str:
    return lever_words.waits(levers.by_state(at.here.id).get("queued", 0))


def _target_waits(at: Place, key: str) -> int:
    return levers.target(at.here, key, now=at.now).waiting
