"""The moderator's room: what waits, one letter at a time, and the decision on it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.marking import marked, marked_spans
from outreach.domain.moderation import Policy, Why
from outreach.domain.roles import Right
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.services import campaigns, held, moderation, reviews
from outreach.services.held import Decision, Reading
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first
from outreach.web.status_words import when

REASONS = MappingProxyType({
    Why.EVERY: "every letter is read", Why.CHANGED: "changed text", Why.BANNED: "banned words",
    Why.CONTACT: "a link, address or number", Why.ALIKE: "almost somebody else’s words", Why.BURST: "one of many from one network"})
"""Each reason in a few words."""
POLICIES = MappingProxyType({
    Policy.NONE: "As the campaign’s rules are now, letters go out without being read here.",
    Policy.EDITED: "Letters whose text was changed wait here until somebody has read them; all others go out by themselves.",
    Policy.ALL: "Every letter waits here until somebody has read it."})
SHOWN = 8
"""Letters that a bulk approval names before it is done."""


@room("/o/c/{slug}/moderation", Right.MODERATE)
def oldest(_request: Request, at: Place) -> Response:
    """The letter that has waited longest, or that there is none."""
    submission_id = held.first(at.here.id)
    return _show(at, submission_id) if submission_id else _nothing(at)


@room("/o/c/{slug}/moderation/bulk", Right.MODERATE)
def ask_together(request: Request, at: Place) -> Response:
    """What approving together would do."""
    only, like = request.query_params.get("only", "")[:20], request.query_params.get("like", "")[:26]
    if not (only or like):
        return oldest(request, at)
    count, some = held.together(at.here.id, only=only, like=like, until=at.now, shown=SHOWN)
    if not count:
        return back(at, _path(at), "Nothing of that kind waits any more.", bad=True)
    return see("organizer/moderation_bulk.html", at, count=count, some=some, only=only, like=like, until=at.now.isoformat(),
               reasons=REASONS, zone=_zone(at), when=when, path=_path(at))


@room("/o/c/{slug}/moderation/bulk", Right.MODERATE, method="POST")
def approve_together(_request: Request, at: Place) -> Response:
    """Approve what is held for one reason alone, or what has one text: only what was there when it was asked."""
    n = moderation.approve_alike(at.here.slug, only=first(at.form, "only")[:20], like=first(at.form, "like")[:26],
                                 until=_moment(first(at.form, "until")), now=at.now, who=at.who)
    return back(at, _path(at), f"Approved together: the letters of {_people(n)} are in the queue. You can take it back for ten minutes."
                if n else "Nothing was approved: somebody else was quicker.", bad=not n)


@room("/o/c/{slug}/moderation/undo", Right.MODERATE, method="POST")
def take_back(_request: Request, at: Place) -> Response:
    """Make what was decided at one moment as if it had not been."""
    try:
        done, late = moderation.undo_together(at.here.slug, _moment(first(at.form, "at")), now=at.now, who=at.who)
    except Conflict as e:
        return back(at, _path(at), f"Not taken back: {e}.", bad=True)
    said = f"Taken back: the letters of {_people(done)} wait to be read again." if done else ""
    if late:
        said += f" Too late for {_people(late)}: on their way, or taken back by their writers."
    return back(at, _path(at), said.strip(), bad=not done)


@room("/o/c/{slug}/moderation/{id}", Right.MODERATE)
def one(request: Request, at: Place) -> Response:
    """One letter, also one that is decided."""
    return _show(at, _asked(request))


@room("/o/c/{slug}/moderation/{id}/approve", Right.MODERATE, method="POST")
def approve(request: Request, at: Place) -> Response:
    """Let one submission's letters go, and on to the next."""
    submission_id = _asked(request)
    try:
        n = moderation.approve(at.here.slug, submission_id, now=at.now, who=at.who)
    except Conflict as e:
        return _on(at, submission_id, _sentence(e), bad=True)
    return _on(at, submission_id, f"Approved: {n} letter{' is' if n == 1 else 's are'} in the queue.")


@room("/o/c/{slug}/moderation/{id}/reject", Right.MODERATE, method="POST")
def reject(request: Request, at: Place) -> Response:
    """Cancel one submission's letters with a reason for their writer, and on to the next."""
    submission_id, typed = _asked(request), first(at.form, "words").strip()
    note = _ended(typed) or _chosen(first(at.form, "note"))
    try:
        n = moderation.reject(at.here.slug, submission_id, note, now=at.now, who=at.who)
    except NotAllowed as e:
        return _show(at, submission_id, error=_sentence(e), typed=typed, status=422)
    except Conflict as e:
        return _on(at, submission_id, _sentence(e), bad=True)
    return _on(at, submission_id, f"Rejected: {n} letter{' is' if n == 1 else 's are'} not sent. The writer’s page says why.")


def _show(at: Place, submission_id: str, *, error: str = "", typed: str = "", status: int = 200) -> Response:
    found, queue, zone = held.read(at.here.id, submission_id), held.queue(at.here.id, at.now), _zone(at)
    beside = [*found.earlier, *([found.item] if found.state == "waiting" else []), *found.later]
    return see("organizer/moderation.html", at, status=status, x=found, queue=queue, beside=beside, zone=zone, when=when, path=_path(at),
               reasons=REASONS, marked=marked, marked_spans=marked_spans, notes=moderation.NOTES,
               longest=moderation.LONGEST, compared=held.COMPARED, error=error, typed=typed, same=_same_link(found),
               policy=POLICIES[reviews.policy_of(at.here)],
               decisions=[(d, _decided(d, at, zone)) for d in queue.decisions])


def _nothing(at: Place) -> Response:
    queue, zone = held.queue(at.here.id, at.now), _zone(at)
    return see("organizer/moderation_empty.html", at, path=_path(at), policy=POLICIES[reviews.policy_of(at.here)],
               decisions=[(d, _decided(d, at, zone)) for d in queue.decisions], may_edit=at.may(Right.EDIT))


def _on(at: Place, after: str, said: str, *, bad: bool = False) -> Response:
    """To the next letter of the queue, or to the room where it is empty."""
    following = held.first(at.here.id, after=after)
    return back(at, _path(at) + (f"/{following}" if following else ""), said, bad=bad)


def _asked(request: Request) -> str:
    submission_id = str(request.path_params["id"])
    if not (submission_id.isascii() and submission_id.isalnum() and len(submission_id) <= 26):
        raise NotFound("there is no such letter")
    return submission_id


def _path(at: Place) -> str:
    return f"/o/c/{at.here.slug}/moderation"


def _zone(at: Place) -> str:
    """The campaign's time zone: its first target's."""
    return next((t.timezone for t in campaigns.targets_of(at.here.id, at.here.revision)), "UTC")


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text[:40])
        if at.tzinfo is None:
            raise NotFound("there is no such moment")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise NotFound("there is no such moment") from e


def _chosen(number: str) -> str:
    known = number.isascii() and number.isdigit() and len(number) < 3 and int(number) < len(moderation.NOTES)
    return moderation.NOTES[int(number)] if known else ""


def _ended(words: str) -> str:
    """A moderator's own reason with a full stop: other sentences follow it."""
    return f"{words}." if words and words[-1].isalnum() and len(words) < moderation.LONGEST else words


def _same_link(found: Reading) -> str:
    return urlencode({"like": found.item.id}) if found.same_text > 1 else ""


def _decided(d: Decision, at: Place, zone: str) -> str:
    """"You approved Jane Doe’s letter at 14:05", "omar@bus.example rejected 3 people’s letters at 14:05"."""
    who = "You" if d.who == at.who else d.who
    what = f"{d.name}’s letter" if d.name else f"the letters of {_people(d.count)}"
    return f"{who} {d.state} {what} at {when(d.at, at.now, 'en', zone)}."


def _people(n: int) -> str:
    return "one person" if n == 1 else f"{n:,} people"


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
