"""Where a new campaign begins: a circular, another campaign, a campaign file, or nothing."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import CampaignFileInvalid, NotAllowed, OutreachError
from outreach.numbers import is_country
from outreach.services import circulars, drafts, terms
from outreach.services.draft_files import MOST
from outreach.web.desk.guard import Place, back, place_of, room, see
from outreach.web.forms import first


@room("/o/new", None)
def new(request: Request, at: Place) -> Response:
    """GET: the ways to begin, and what one has begun."""
    return _page(at)


@room("/o/new", None, method="POST")
def begin(request: Request, at: Place) -> Response:
    """POST: a draft from one of them; what was pasted stays in the form where that is not possible."""
    if not terms.accepted(at.visitor):
        return _page(at, status=403, wrong="Accept the terms of acceptable use first: they are short.")
    try:
        draft_id, part, said = _begun(at, first(at.form, "from"))
    except CampaignFileInvalid as e:
        return _page(at, status=422, wrong="This is no campaign file: " + "; ".join(
            f"line {m.line}: {m.message}" if m.line else m.message for m in e.mistakes[:5]))
    except OutreachError as e:
        return _page(at, status=422, wrong=str(e))
    return back(at, f"/o/drafts/{draft_id}?part={part}", said)


def _begun(at: Place, source: str) -> tuple[str, str, str]:
    """The draft's id, the part of the editor to open, and what to say."""
    text = first(at.form, "text").replace("\r\n", "\n")
    if source == "circular":
        if not text.strip():
            raise NotAllowed("Paste the circular into the box first.")
        if len(text) > MOST:
            raise NotAllowed(f"The text has {len(text):,} characters; at most {MOST:,} are taken. Leave some out.")
        country = first(at.form, "country").strip().upper()
        if country and not is_country(country):
            raise NotAllowed(f"{country!r} is no country; write its code of two letters, like CA.")
        text = circulars.text_of_mail(text)
        found = circulars.read(text, now=at.now, country=country)
        draft_id = drafts.begin(drafts.of_circular(found), at.visitor, now=at.now, source=text, circular=found)
        n = len(found.findings)
        said = "Nothing was found that a campaign needs." if not n else "One thing was found. Look at it" if n == 1 else \
            f"{n} things were found. Look at each"
        return draft_id, "circular", f"{said}: a program has read this, not a person." if n else said
    if source == "file":
        return drafts.begin(drafts.of_file(text, at.now), at.visitor, now=at.now), "start", "The file is a draft now."
    if source == "copy":
        slug = first(at.form, "slug")[:80]
        _campaign, rights = place_of(at.visitor, slug)
        if Right.EDIT not in rights:
            raise NotAllowed("Your role in that campaign does not include its text.")
        return drafts.begin(drafts.copy_of(slug, now=at.now), at.visitor, now=at.now), "start", "Here is the copy. Nothing of it is online."
    return drafts.begin(dict(drafts.EMPTY), at.visitor, now=at.now), "start", ""


def _page(at: Place, *, status: int = 200, wrong: str = "") -> Response:
    return see("organizer/draft_new.html", at, status=status, wrong=wrong, accepted=terms.accepted(at.visitor),
               mine=drafts.mine(at.visitor), campaigns=drafts.to_copy(at.visitor), text=first(at.form, "text"),
               source=first(at.form, "from"), country=first(at.form, "country"))
