"""Levers that move letters: failed ones again, unknown ones to their end, waiting ones out of the line or together; and what one
letter's own page offers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.letters import Reason
from outreach.domain.roles import Right
from outreach.errors import NotAllowed, OutreachError
from outreach.services import bundling, inquiries, levers, line, retries
from outreach.web.desk import lever_words
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.desk.levers import path_of, words_for
from outreach.web.forms import first
from outreach.web.pages import PRIVATE

OUTCOMES = ("sent", "resend")
PLANNED = 2
"""Lanes of which the page says at once what would go together."""
MORE = " More are left: press again to go on."


@room("/o/c/{slug}/levers/retry", Right.STEER, method="POST")
def retry(request: Request, at: Place) -> Response:
    """POST: queue failed letters again, of one reason or whatever the reason."""
    try:
        done = retries.retry(at.here.slug, _reason(first(at.form, "reason")), now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, path_of(at), str(e), bad=True)
    left = f" {lever_words.letters(done.left)} left as they are: taken back, erased, or their place is taken." if done.left else ""
    return back(at, path_of(at), f"{lever_words.letters(done.queued)} queued again.{left}{MORE if done.more else ''}", bad=not done.queued)


@room("/o/c/{slug}/levers/cancel", Right.STEER)
def cancel_page(request: Request, at: Place) -> Response:
    """GET: what would be cancelled."""
    return _cancel_page(at, request.query_params.get("target", "")[:80], "")


@room("/o/c/{slug}/levers/cancel", Right.STEER, method="POST")
def cancel(request: Request, at: Place) -> Response:
    """POST: cancel what waits, of the campaign or of one target."""
    key = first(at.form, "target")[:80]
    try:
        done = line.cancel(at.here.slug, target=key, why=first(at.form, "why"), now=at.now, who=at.who)
    except NotAllowed as e:
        return _cancel_page(at, key, str(e))
    except OutreachError as e:
        return back(at, path_of(at), str(e), bad=True)
    more = MORE if done.more else ""
    return back(at, path_of(at, f"/targets/{key}") if key else path_of(at), f"{lever_words.letters(done.letters)} cancelled.{more}")


@room("/o/c/{slug}/levers/unknown", Right.STEER)
def unknown_page(request: Request, at: Place) -> Response:
    """GET: letters of unknown outcome with what is known of each."""
    shown, total = levers.unknowns(at.here)
    return see("organizer/lever_unknown.html", at, shown=shown, total=total, known=known_of, **words_for(at))


@room("/o/c/{slug}/levers/unknown", Right.STEER, method="POST")
def resolve_all(request: Request, at: Place) -> Response:
    """POST: resolve alike all that the page showed or counted."""
    outcome, seen = first(at.form, "outcome"), _moment(first(at.form, "seen"))
    if outcome not in OUTCOMES or seen is None:
        return back(at, path_of(at, "/unknown"), "Choose what became of them.", bad=True)
    done, left, more = levers.resolve_all(at.here, outcome, until=min(seen, at.now), now=at.now, who=at.who)
    what = "marked as sent" if outcome == "sent" else "queued to be sent again"
    rest = f" {lever_words.letters(left)} left as they are: known by now, or they may not go again." if left else ""
    return back(at, path_of(at, "/unknown") if left or more else path_of(at),
                f"{lever_words.letters(done)} {what}.{rest}{MORE if more else ''}", bad=not done)


@room("/o/c/{slug}/levers/bundle", Right.STEER)
def bundle_page(request: Request, at: Place) -> Response:
    """GET: what would go together, lane by lane, and the bundles that wait. With many lanes that are late, of one target at a time:
    whether each letter can be printed is seen by setting it."""
    asked, lanes = request.query_params.get("target", "")[:80], bundling.late(at.here.slug, now=at.now)
    shown = [x for x in lanes if asked in ("", x.target)] if asked or len(lanes) <= PLANNED else []
    keys = {x.target for x in shown}
    plans = [p for key in dict.fromkeys(x.target for x in shown) for p in bundling.plans(at.here.slug, target=key, now=at.now)]
    return see("organizer/lever_bundle.html", at, plans=plans, others=[x for x in lanes if x.target not in keys],
               bound=levers.bundles(at.here.id), **words_for(at))


@room("/o/c/{slug}/levers/bundle.pdf", Right.READ)
def bundle_pages(request: Request, at: Place) -> Response:
    """GET: the pages that would go out."""
    target, channel = request.query_params.get("target", "")[:80], request.query_params.get("channel", "")
    try:
        plans = [p for p in bundling.plans(at.here.slug, target=target, now=at.now) if p.lane.channel.value == channel]
        if not plans:
            return back(at, path_of(at, "/bundle"), "Nothing would miss the deadline there any more.", bad=True)
        return Response(bundling.preview(plans[0], now=at.now), 200, {**PRIVATE, "content-disposition": 'inline; filename="bundle.pdf"'},
                        media_type="application/pdf")
    except OutreachError as e:
        return back(at, path_of(at, "/bundle"), str(e), bad=True)


@room("/o/c/{slug}/levers/bundle", Right.STEER, method="POST")
def bundle(request: Request, at: Place) -> Response:
    """POST: bind what would miss the deadline at one target, or take its bundle apart."""
    target, undo = first(at.form, "target")[:80], first(at.form, "undo") == "yes"
    if not target:
        return back(at, path_of(at, "/bundle"), "Say whose letters.", bad=True)
    try:
        if undo:
            freed = bundling.undo(at.here.slug, target=target, now=at.now, who=at.who)
            return back(at, path_of(at, "/bundle"), f"Taken apart: {lever_words.letters(freed)} go one by one again.")
        bound = bundling.send(at.here.slug, target=target, now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, path_of(at, "/bundle"), str(e), bad=True)
    n = sum(p.letters for p in bound)
    return back(at, path_of(at, "/bundle"), f"{lever_words.letters(n)} go together now, as the next hand-over there. Until then you can "
                "take the bundle apart.")


@room("/o/c/{slug}/letters/{id}/resolve", Right.STEER, method="POST")
def resolve(request: Request, at: Place) -> Response:
    """POST: say what became of one letter of unknown outcome."""
    outcome = first(at.form, "outcome")

    def deed(letter_id: str) -> str:
        if outcome not in OUTCOMES:
            raise NotAllowed("Choose what became of it.")
        inquiries.resolve(letter_id, outcome, who=at.who, now=at.now)
        return "Marked as sent." if outcome == "sent" else "Queued to be sent again."

    return _one(request, at, deed)


@room("/o/c/{slug}/letters/{id}/retry", Right.STEER, method="POST")
def retry_one(request: Request, at: Place) -> Response:
    """POST: queue one failed letter again."""
    def deed(letter_id: str) -> str:
        if not retries.retry(at.here.slug, letter_id=letter_id, who=at.who, now=at.now).queued:
            raise NotAllowed("It stays as it is: it has not failed, was taken back or erased, or its place is taken.")
        return "Queued again, with all its tries before it."

    return _one(request, at, deed)


@room("/o/c/{slug}/letters/{id}/cancel", Right.STEER, method="POST")
def cancel_one(request: Request, at: Place) -> Response:
    """POST: cancel one letter that waits; without a reason, ask for one."""
    if not first(at.form, "why").strip():
        letter = levers.require(at.here, str(request.path_params["id"])[:26])
        return see("organizer/lever_letter.html", at, letter=letter, wrong="Say why." if "why" in at.form else "",
                   status=422 if "why" in at.form else 200, **words_for(at))

    def deed(letter_id: str) -> str:
        line.cancel_one(at.here.slug, letter_id, why=first(at.form, "why"), now=at.now, who=at.who)
        return "Cancelled."

    return _one(request, at, deed)


@room("/o/c/{slug}/letters/{id}/place", Right.STEER, method="POST")
def place(request: Request, at: Place) -> Response:
    """POST: to the front or the back of its line, or to where it came from."""
    where = first(at.form, "where")

    def deed(letter_id: str) -> str:
        line.place(at.here.slug, letter_id, where, now=at.now, who=at.who)
        return {"front": "It is the next of this campaign at its address.", "back": "It goes after all that wait there now.",
                "own": "It is back in its own place."}[where]

    return _one(request, at, deed)


def known_of(x: Any, zone: str, now: datetime) -> list[str]:
    """What is known of a letter of unknown outcome, in sentences, times in its target's zone."""
    def when(moment: datetime) -> str:
        return lever_words.when(moment, zone, now)

    said = [f"Handed to {x.transport} at {when(x.started_at)}; " + (x.detail or "no answer came") + "."]
    if x.media_fetched_at:
        said.append(f"The provider fetched its pages at {when(x.media_fetched_at)}: very likely taken.")
    if x.polled_at:
        said.append(f"Asked at {when(x.polled_at)}: {x.inquiry or 'nothing came of it'}.")
    elif x.channel == "fax":
        said.append("The provider has not been asked about it yet; that happens by itself.")
    else:
        said.append("Mail servers cannot be asked; a bounce would say that it did not arrive.")
    if x.line_until and x.line_until > now:
        said.append(f"The call may still be under way, until {when(x.line_until)} at the latest.")
    return said


def _one(request: Request, at: Place, deed: Any) -> Response:
    """Do something with one letter of this campaign, and go back to where the button was."""
    letter_id = str(request.path_params["id"])[:26]
    levers.require(at.here, letter_id)
    where = path_of(at, "/unknown") if first(at.form, "from") == "unknown" else f"/o/c/{at.here.slug}/letters/{letter_id}"
    try:
        return back(at, where, deed(letter_id))
    except OutreachError as e:
        return back(at, where, str(e), bad=True)


def _cancel_page(at: Place, key: str, wrong: str) -> Response:
    found = levers.target(at.here, key, now=at.now) if key else None
    waiting = found.waiting if found else levers.by_state(at.here.id).get("queued", 0)
    return see("organizer/lever_cancel.html", at, status=422 if wrong else 200, target=found, waiting=waiting, wrong=wrong,
               why=first(at.form, "why"), **words_for(at))


def _reason(name: str) -> Reason | None:
    try:
        return Reason(name) if name else None
    except ValueError as e:
        raise NotAllowed(f"{name!r} is no reason") from e


def _moment(text: str) -> datetime | None:
    """When a page was made, as it says itself."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
