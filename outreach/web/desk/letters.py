"""The desk's list of letters, and one letter with all that is known of it. Only for those who may read what supporters wrote."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.domain.roles import Right
from outreach.errors import NotFound
from outreach.services import campaigns, desk_letters, inquiries
from outreach.services.desk_letters import Full, Wanted
from outreach.services.forecast import in_words
from outreach.web.desk import letter_words
from outreach.web.desk.guard import LANGUAGE, Place, room, see
from outreach.web.pages import PRIVATE, zone_name
from outreach.web.status_words import when

_LONGEST = 200
_ENDS = (Reason.REFUSED, Reason.NO_MAILBOX, Reason.MAILBOX_FULL, Reason.BOUNCED, Reason.SPAM, Reason.BUSY, Reason.NO_ANSWER, Reason.VOICE,
         Reason.BAD_NUMBER, Reason.CALL_DROPPED, Reason.FAX_ERROR, Reason.DEFERRED, Reason.TOO_MANY_TRIES, Reason.CANNOT_RENDER,
         Reason.NO_ADDRESS, Reason.ADDRESS_BLOCKED, Reason.REJECTED_BY_PROVIDER, Reason.NO_RECEIPT, Reason.OUTCOME_UNKNOWN,
         Reason.REJECTED, Reason.WITHDRAWN, Reason.DEADLINE, Reason.NOT_CONFIRMED, Reason.CAMPAIGN_ENDED, Reason.ORGANIZER)
"""Reasons that one looks for."""


@room("/o/c/{slug}/letters", Right.READ)
def letters(request: Request, at: Place) -> Response:
    """Letters that fit what is asked for, the newest first, fifty a page."""
    targets = campaigns.targets_of(at.here.id, at.here.revision, dropped=True)
    wanted, after = _wanted(request, {t.key for t in targets}), _after(request)
    found = desk_letters.find(at.here, wanted, after)
    offices = {t.id: t for t in targets}
    rows = [{"x": x, "target": offices[x.target_id].name, "state": letter_words.state(x.state), "why": letter_words.why(x.reason),
             "written": when(x.submitted_at, at.now, LANGUAGE, offices[x.target_id].timezone),
             "since": when(x.state_at, at.now, LANGUAGE, offices[x.target_id].timezone)} for x in found.rows]
    asked = {name: value for name, value in _asked(wanted).items() if value}
    return see("organizer/letters.html", at, rows=rows, wanted=wanted, found=found, after=after, asked=asked,
               base=f"/o/c/{at.here.slug}/letters", next_page=urlencode({**asked, "after": found.after}) if found.after else "",
               first_page=urlencode(asked), states=letter_words.STATES.items(), window=desk_letters.WINDOWS[-1],
               targets=[(t.key, t.name) for t in targets], reasons=[(r.value, letter_words.REASONS[r]) for r in _ENDS])


@room("/o/c/{slug}/letters/{id}", Right.READ)
def letter(request: Request, at: Place) -> Response:
    """One letter: where it is, what happened, who said what, its text and its picture, and what can be done."""
    full = desk_letters.see(at.here, _id(request), at.now)
    return see("organizer/letter.html", at, full=full, x=full.letter, **_told(full, at))


@room("/o/c/{slug}/letters/{id}/{n}.png", Right.READ)
def picture(request: Request, at: Place) -> Response:
    """A page of its fax."""
    number = str(request.path_params["n"])
    if not (number.isascii() and number.isdigit() and len(number) < 4):
        raise NotFound("there is no such page")
    return Response(desk_letters.picture(at.here, _id(request), int(number)), 200, PRIVATE, "image/png")


def _id(request: Request) -> str:
    found = str(request.path_params["id"])[:40]
    if not (found.isascii() and found.isalnum()):
        raise NotFound("there is no such letter")
    return found


def _after(request: Request) -> str:
    found = request.query_params.get("after", "")[:40]
    return found if found.isascii() and found.isalnum() else ""


def _wanted(request: Request, targets: set[str]) -> Wanted:
    """What the address asks for; what makes no sense is left out."""
    asked: Mapping[str, str] = request.query_params
    known = {"state": {s.value for s in State}, "target": targets, "channel": {Channel.EMAIL.value, Channel.FAX.value},
             "reason": {r.value for r in Reason}}
    values = {name: value for name, allowed in known.items() if (value := asked.get(name, "")) in allowed}
    q = asked.get("q", "")[:_LONGEST]
    return Wanted(**values, q=q if q.isprintable() and "\0" not in q else "")


def _asked(wanted: Wanted) -> dict[str, str]:
    return {"state": wanted.state, "target": wanted.target, "channel": wanted.channel, "reason": wanted.reason, "q": wanted.q}


def _told(full: Full, at: Place) -> dict[str, Any]:
    x = full.letter

    def clock(moment: datetime | None) -> str:
        return when(moment, at.now, LANGUAGE, x.timezone) if moment else ""

    wait = full.wait
    return {
        "state": letter_words.state(x.state), "means": letter_words.MEANS[State(x.state)], "why": letter_words.why(x.reason),
        "clock": clock, "zone": zone_name(x.timezone), "base": f"/o/c/{at.here.slug}/letters",
        "channel": "Fax" if x.channel == Channel.FAX else "E-mail",
        # A moderator needs to know whom a mailbox is of, not the mailbox.
        "email": x.email if at.may(Right.EXPORT) else f"…@{x.email.rpartition('@')[2]}",
        "place": "" if wait is None else f"number {wait.place:,} in its lane" + (
            f", which takes {in_words(wait.pace)}" if wait.pace else "") + (f"; about {clock(wait.likely_at)}" if wait.likely_at else ""),
        "events": [(clock(e.at), e.at.isoformat(), letter_words.state(e.after), letter_words.why(e.why)) for e in full.events],
        "attempts": [{"n": n, "a": a, "said": letter_words.VERDICTS[Verdict(a.verdict)], "why": letter_words.why(a.reason),
                      "by": letter_words.PROVIDERS.get(a.transport, a.transport), "receipts": [
                          (clock(r.at), _receipt(r)) for r in receipts]} for n, (a, receipts) in enumerate(full.attempts, 1)],
        "held_back": _held_back(full, at), "may_steer": at.may(Right.STEER)}


def _held_back(full: Full, at: Place) -> str:
    asked = [a for a, _ in full.attempts if a.verdict == Verdict.UNKNOWN and a.waived_at is None and a.transport == inquiries.provider()]
    wanted = full.letter.state == State.UNKNOWN and at.here.on_unknown == "resend"
    return letter_words.held_back(asked[-1].inquiry) if wanted and asked else ""


def _receipt(r: Any) -> str:
    """"arrived, 1 page", "came back: there is no such mailbox"."""
    said = letter_words.VERDICTS[Verdict(r.verdict)] if r.verdict else "told us"
    why = letter_words.why(r.reason)
    pages = f", {r.pages} page{'s' if r.pages != 1 else ''}" if r.pages else ""
    again = ", to be tried again" if r.retryable and r.verdict in (Verdict.BOUNCED.value, Verdict.REFUSED.value) else ""
    detail = f" (“{r.detail}”)" if r.detail else ""
    return f"{said}{': ' + why if why else ''}{pages}{again}{detail}"
