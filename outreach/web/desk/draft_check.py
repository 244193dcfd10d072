"""The check-list before a draft comes into force, and the button that puts it there."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from outreach.errors import Conflict, NotAllowed, OutreachError
from outreach.services import campaigns, checklist, drafts, publishing, versions
from outreach.services.changes import Waiting
from outreach.services.drafts import DraftRow
from outreach.settings import get_settings
from outreach.web.desk.drafting import Desk, desk_room, doing, revision, sheet
from outreach.web.desk.editor_fields import part_of
from outreach.web.desk.guard import Place, back
from outreach.web.desk.mistake_words import said
from outreach.web.forms import first

WAYS = ((Waiting.SEND, "Send them as they were written"), (Waiting.ASK, "Ask their writers again: they wait until confirmed"),
        (Waiting.CANCEL, "Cancel them"))


def resolver() -> checklist.Resolver | None:
    """Who knows where mail for a domain goes; nobody where nothing leaves this machine."""
    settings = get_settings()
    return None if settings.demo or settings.email_transport == "sandbox" else checklist.mail_host


@desk_room("/check")
def check(request: Request, at: Place, desk: Desk) -> Response:
    """GET: the list, what is wrong, and what publishing would do."""
    return _page(at, desk)


def _page(at: Place, desk: Desk, *, status: int = 200, wrong: str = "") -> Response:
    items = checklist.items(desk.draft, desk.checked, at.visitor, now=at.now, first=_first(at))
    missing = [i for i in items if i.must and not i.done]
    differs: list[versions.Difference] = []
    would: tuple[str, ...] = ()
    outdated = None
    if at.campaign is not None and desk.checked.spec is not None:
        known = campaigns.spec_of_version(at.campaign.version_id)
        differs = versions.between(known, desk.checked.spec)
        if desk.draft.version_id not in (None, at.campaign.version_id):
            outdated = versions.number_of(at.campaign.version_id)
        if differs:
            would, wrong = _would(at, desk, wrong)
    mistakes = [(*part_of(key), said(key, message, desk.draft.content)) for key, message in desk.checked.mistakes]
    return sheet("checklist", at, desk, "check", status=status, items=items, missing=missing, wrong=wrong, mistakes=mistakes,
                 differs=differs, would=would, ways=WAYS, outdated=outdated, open_points=[i for i in items if not i.done and not i.must],
                 resolves=resolver() is not None, first=_first(at), slug=str(desk.draft.content.get("slug") or ""),
                 public_url=get_settings().public_url)


def _first(at: Place) -> bool:
    """Whether the campaign has never been online."""
    return at.campaign is None or at.campaign.published_at is None


def _would(at: Place, desk: Desk, wrong: str) -> tuple[tuple[str, ...], str]:
    """In words, what a new version would do to letters that wait; nothing is changed."""
    try:
        return publishing.foretold(desk.draft, at.visitor, at.here, now=at.now), wrong
    except OutreachError as e:
        return (), wrong or str(e)


@desk_room("/tick", method="POST")
def tick(request: Request, at: Place, desk: Desk) -> Response:
    """POST: vouch for something, or take it back; look the inbox up; send the test letter."""
    what = first(at.form, "what")
    return doing(at, f"{desk.base}/check", _acts(at, desk).get(what, _nothing))


def _acts(at: Place, desk: Desk) -> dict[str, Callable[[], str]]:
    def keep(draft: DraftRow, words: str) -> str:
        drafts.save(draft, revision(at), who=at.who, now=at.now)
        return words

    def agreed() -> str:
        on = first(at.form, "on") == "yes"
        return keep(checklist.tick(desk.draft, "agreed", on=on, who=at.who, now=at.now), "Noted, with your name." if on else "Taken back.")

    def seen() -> str:
        spec = publishing.spec_of(desk.checked)
        return keep(checklist.tick(desk.draft, "seen", on=True, who=at.who, now=at.now, mark=checklist.letter_mark(spec)), "Noted.")

    def inbox() -> str:
        resolve = resolver()
        if resolve is None:
            raise NotAllowed("Nothing leaves this machine, so no name server is asked.")
        return keep(checklist.look_up(desk.draft, publishing.spec_of(desk.checked), resolve, who=at.who, now=at.now), "Looked up.")

    def test() -> str:
        spec = publishing.spec_of(desk.checked)
        answer = checklist.send_test(spec, at.visitor.email, now=at.now)
        keep(checklist.tick(desk.draft, "test", on=True, who=at.who, now=at.now, mark=checklist.letter_mark(spec), to=at.visitor.email,
                            said=answer), "")
        return f"The letter is on its way to {at.visitor.email}: {answer}."

    return {"agreed": agreed, "seen": seen, "inbox": inbox, "test": test}


def _nothing() -> str:
    raise NotAllowed("There is no such point on the list.")


@desk_room("/publish", method="POST")
def publish(request: Request, at: Place, desk: Desk) -> Response:
    """POST: store the draft; put it online where that is asked, and nothing forbids it."""
    items = checklist.items(desk.draft, desk.checked, at.visitor, now=at.now, first=_first(at))
    online = first(at.form, "do") == "online"
    if desk.draft.revision != revision(at):
        return _page(at, desk, status=409, wrong="The draft has changed since you opened this page. Look at it again, then publish.")
    needed = [i.todo for i in items if i.must and not i.done and (online or i.key in ("valid", "terms"))]
    if needed:
        return _page(at, desk, status=422, wrong=f"Not yet: {'; '.join(needed)}.")
    if online and any(not i.done for i in items) and first(at.form, "anyway") != "yes":
        return _page(at, desk, status=422, wrong="Some points are open. Tick that you know them, or go through them first.")
    try:
        waiting = Waiting(first(at.form, "waiting") or Waiting.SEND)
        over = first(at.form, "over")
        stored = publishing.store(desk.draft, at.visitor, now=at.now, waiting=waiting,
                                  over=at.here.version_id if at.campaign and over == str(at.here.version_id) else None)
    except ValueError:
        return _page(at, desk, status=422, wrong="Choose what becomes of the letters that wait.")
    except OutreachError as e:
        return _page(at, desk, status=409 if isinstance(e, Conflict) else 422, wrong=str(e))
    return _stored(at, stored, online)


def _stored(at: Place, stored: publishing.Stored, online: bool) -> Response:
    result = stored.result
    told = f"Version {result.version} is in force." if not result.created else "The campaign is stored, and not online yet."
    told = " ".join((told, *(f"{x[:1].upper()}{x[1:]}." for x in result.letters)))
    if stored.proposed:
        told += f" The operator has been asked to approve {len(stored.proposed)} new address{'es' if len(stored.proposed) > 1 else ''}; "
        told += f"letters to {'them' if len(stored.proposed) > 1 else 'it'} wait so long."
    place = f"/o/c/{result.slug}/edit"
    if not online or result.state != "draft":
        return back(at, place, told)
    try:
        campaigns.set_state(result.slug, "publish", now=at.now, who=at.who)
    except OutreachError as e:
        return back(at, place, f"{told} It is not online yet: {e}", bad=True)
    return back(at, place, f"It is online at {get_settings().public_url}/c/{result.slug}." +
                (told[told.index(" The operator"):] if stored.proposed else ""))
