"""What the editor's rooms share: which draft is meant, and the page around its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import OutreachError
from outreach.services import drafts, publishing
from outreach.services.draft_files import Checked
from outreach.services.drafts import DraftRow
from outreach.settings import get_settings
from outreach.web.desk.editor_fields import part_of
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first

PARTS = (("start", "Ten fields"), ("what", "What it is"), ("who", "Who decides"), ("letter", "The letter"), ("page", "The page"),
         ("form", "The form"), ("copies", "Copies"), ("rules", "Rules"), ("file", "As a file"))
BASES: tuple[tuple[str, Right | None], ...] = (("/o/drafts/{draft}", None), ("/o/c/{slug}/edit", Right.EDIT))
"""Where drafts live: of campaigns that are not there yet, and of those that are."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft on the table: the draft, its path, and what the file's checks say of it."""

    draft: DraftRow
    base: str
    checked: Checked

    @property
    def troubles(self) -> Counter[str]:
        """How many mistakes each part has."""
        return Counter("who" if (part := part_of(key)[0]).startswith("target") else part for key, _ in self.checked.mistakes)


Handler = Callable[[Request, Place, Desk], Response]


def desk_room(path: str, *, method: str = "GET") -> Callable[[Handler], Handler]:
    """Register a handler below each of the places where drafts live."""
    def register(handler: Handler) -> Handler:
        def enter(request: Request, at: Place) -> Response:
            return handler(request, at, table(request, at))

        for base, right in BASES:
            room(base + path, right, method=method)(enter)
        return handler

    return register


def table(request: Request, at: Place) -> Desk:
    """The draft that a request is about. Raises NotFound."""
    if at.campaign is not None:
        draft, base = drafts.of_campaign(at.campaign, at.visitor), f"/o/c/{at.campaign.slug}/edit"
    else:
        draft = drafts.get(str(request.path_params["draft"]), at.visitor)
        base = f"/o/drafts/{draft.id}"
    return Desk(draft, base, publishing.ready(draft, at.now))


def sheet(template: str, at: Place, desk: Desk, part: str, *, status: int = 200, **values: Any) -> Response:
    """A page of the editor."""
    return see(f"organizer/{template}.html", at, status=status, draft=desk.draft, base=desk.base, checked=desk.checked, part=part,
               parts=PARTS, troubles=desk.troubles,
               url=f"{get_settings().public_url}/c/{at.campaign.slug}" if at.campaign else "", **values)


def revision(at: Place) -> int:
    """Of the page that was posted."""
    text = first(at.form, "revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1


def doing(at: Place, path: str, act: Callable[[], str]) -> Response:
    """Do something and say so on the page at `path`, or say there why not."""
    try:
        return back(at, path, act())
    except OutreachError as e:
        return back(at, path, str(e), bad=True)
