"""What a supporter may see of their letters: bare states with the form's token, everything with the mailed one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection

from outreach import tokens
from outreach.db import reading, utcnow
from outreach.domain.letters import Channel, Reason, State
from outreach.errors import Forged, NotFound
from outreach.queries import attempts, delivery, moderation, submissions
from outreach.queries import bundles as bundle_queries
from outreach.queries import campaigns as campaign_queries
from outreach.queries import letters as letter_queries
from outreach.render.text import CannotRender, RenderedLetter
from outreach.services import campaigns, compose, confirm_rules, pauses, privacy, repeats, reviews, waits
from outreach.services.media import own_pages_of, own_pdf_of
from outreach.settings import get_settings

_TOGETHER = frozenset({State.QUEUED.value, State.SENDING.value, State.UNKNOWN.value, State.SENT.value, State.DELIVERED.value})


@dataclass(frozen=True, slots=True)
class LetterView:
    """One letter as its supporter sees it; times in UTC."""

    id: str
    target: str
    channel: str
    state: str
    reason: str | None
    at: datetime
    submitted_at: datetime
    timezone: str
    place: int | None = None
    likely_at: datetime | None = None
    pace: str = ""
    pages: int | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    picture: bool = False
    bundle: int = 0
    """How many letters it goes, or went, together with, itself included; 0 when it goes alone."""
    paused: str = ""
    """Why it waits beyond its lane: "all" (sending on its channel is paused), "target", "budget" (the campaign's for faxes), or
    "approval" (the operator has still to approve the address)."""
    held_up: bool = False
    """It is due, and nobody sends it: workers or the provider are away."""
    sheets: int = 0
    """The pages of its own fax, as we render it: of its picture, and of a received fax whose provider counts none."""
    elsewhere: bool = False
    """It was there before and belongs to another submission of the same person: there it is taken back. Known only to who is proven."""


@dataclass(frozen=True, slots=True)
class StatusView:
    slug: str
    title: str
    accent: str
    language: str
    campaign_state: str
    submission_state: str
    """unconfirmed, accepted, withdrawn or expired"""
    proven: bool
    """Seen with the mailed token."""
    confirm_until: datetime | None
    timezone: str
    letters: list[LetterView]
    texts: dict[str, RenderedLetter] = field(default_factory=dict)
    email: str = ""
    erased: bool = False
    resends: bool = False
    """The campaign has mails whose outcome nobody knows sent again."""
    asked: bool = False
    """Letters wait for their writer's word, since the campaign has changed."""
    outcome: str = ""
    """What the campaign came to, where it was stopped: won, changed, lost or other."""
    message: str = ""
    """What its organizers say about that."""
    can_be_undone: bool = False
    """It was stopped only just now, and its organizers may take that back."""
    story_language: str = "en"
    """The language of their message."""
    note: str = ""
    """Why a moderator rejected it."""
    mailed: bool = True
    """Its mailbox has had a mail of ours with the private link, or is about to have one."""


def view(token: str, *, now: datetime | None = None) -> StatusView:
    """The status behind a form's or a mailed token. Raises NotFound."""
    now = now or utcnow()
    with reading() as c:
        s, proven = submission(c, token)
        campaign = campaign_queries.by_id(c, s.campaign_id)
        if campaign is None:
            raise AssertionError("a submission's campaign is gone")
        spec = campaigns.spec_of_version(s.version_id)
        letters, asked_of = _letters(c, s, proven, now)
        texts = _texts(c, [x for x in letters if not x.elsewhere]) if proven and s.erased_at is None else {}
        note = moderation.note_of(c, s.id) or ""
        until = confirm_rules.until(c, asked_of or s, campaign.deadline, now) if s.state == "unconfirmed" or asked_of else None
    state = "accepted" if s.state == "duplicate" else s.state
    asked = asked_of is not None and state == "accepted" and any(x.state == State.UNCONFIRMED.value for x in letters)
    if state == "unconfirmed" and until and now > until:
        state = "expired"  # also before the sweep has seen it
    return StatusView(
        slug=campaign.slug, title=spec.title, accent=spec.accent, language=s.language, campaign_state=campaign.state,
        submission_state=state, proven=proven, letters=letters, texts=texts, timezone=letters[0].timezone if letters else "UTC",
        confirm_until=until if state == "unconfirmed" or asked else None,
        email=s.email if proven else "", erased=s.erased_at is not None, asked=asked and until is not None and now <= until,
        can_be_undone=campaign.state == "stopped" and campaign.final_at is not None and now < campaign.final_at,
        resends=campaign.on_unknown == "resend" and campaign.state in ("live", "paused"), outcome=campaign.outcome or "",
        message=campaign.outcome_message or "", story_language=spec.languages[0], note=note,
        mailed=s.confirmed_at is not None or s.state == "unconfirmed")


def picture(mail_token: str, letter_id: str) -> list[bytes]:
    """The fax's pages as PNG, stamped as it was sent (or as it would be now). Raises NotFound."""
    from outreach.render.fax import pngs_of

    with reading() as c:
        s, proven = submission(c, mail_token)
        owner = letter_queries.owner(c, letter_id)
        if not proven or owner is None or owner.submission_id != s.id or owner.channel != Channel.FAX or s.erased_at:
            raise NotFound("there is no such page")
        at = attempts.start_that_counts(c, letter_id)
    return pngs_of(own_pdf_of(letter_id, at or s.created_at))


def submission(c: Connection, token: str) -> tuple[Any, bool]:
    """The submission behind a form's or a mailed token, and whether it was the mailed one. Raises NotFound."""
    proven = token.startswith("m-")
    if proven:
        try:
            row = submissions.by_id(c, tokens.submission_of(token))
        except Forged as e:
            raise NotFound("there is no such page") from e
    else:
        row = submissions.by_form(c, tokens.form_hash(token))
    if row is None:
        raise NotFound("there is no such page")
    return row, proven


def _letters(c: Connection, s: Any, proven: bool, now: datetime) -> tuple[list[LetterView], Any]:
    """The submission's letters, in the file's order, and the submission whose writer is asked whether they shall go (None: nobody is).

    For second ones those that were there before: as they are to whoever is proven, as fresh ones to all others.
    """
    if s.erased_at is not None and not proven:
        return [], None
    own = letter_queries.shown(c, s.id)
    seconds, firsts = repeats.seconds(s, own), repeats.firsts(c, s, own)
    held = pauses.held(c, get_settings()) if seconds or any(x.state == State.QUEUED.value for x in own) else None
    asked_of = s if s.asked_at else None
    if proven:
        shown = [(x.position, _view(c, x, s, now, held, proven=proven)) for x in own if x.target_id not in firsts]
        shown += [(x.position, replace(_view(c, x, s, now, held), submitted_at=x.created_at, picture=False, elsewhere=True))
                  for x in firsts.values()]
    else:
        second = {x.target_id: x for x in own if x.target_id in seconds}
        firsts |= {t: _stand_in(s, t, second.get(t)) for t in seconds if t not in firsts}
        shown = [(x.position, _view(c, x, s, now, held)) for x in own if x.target_id not in firsts]
        shown += [(x.position, _mirrored(c, x, s, second.get(x.target_id), now, held=held)) for x in firsts.values()]
        waiting = [x for x in firsts.values() if x.asked_at and x.state == State.UNCONFIRMED.value]
        if waiting and asked_of is None:
            asked_of = SimpleNamespace(id=waiting[0].submission_id, asked_at=waiting[0].asked_at)
    return [letter for _, letter in sorted(shown, key=itemgetter(0))], asked_of


def _paused(held: pauses.Held | None, channel: str, target_id: int, wait: waits.Wait | None) -> str:
    if held is None:
        return ""
    return "all" if channel in held.channels else "target" if target_id in held.targets else wait.why if wait else ""


def _view(c: Connection, x: Any, s: Any, now: datetime, held: pauses.Held | None, *, proven: bool = False) -> LetterView:
    picture = x.channel == Channel.FAX and s.erased_at is None
    uncounted = x.state == State.DELIVERED.value and x.pages is None
    carrier = bundle_queries.carrier(c, x.carried_by) if x.carried_by else x
    wait = waits.wait_of(c, carrier, now, get_settings()) if x.state == State.QUEUED.value else None
    return LetterView(
        id=x.id, target=x.target, channel=x.channel, state=x.state, reason=x.reason, at=x.state_at, submitted_at=s.created_at,
        timezone=x.timezone, place=wait.place if wait else None, likely_at=wait.likely_at if wait else None,
        pace=wait.pace if wait else "", paused=_paused(held, x.channel, x.target_id, wait) if x.state == State.QUEUED.value else "",
        pages=x.pages, sent_at=x.sent_at, delivered_at=x.delivered_at,
        bundle=bundle_queries.size(c, carrier.id, x.state) if (x.carries or x.carried_by) and x.state in _TOGETHER else 0,
        picture=picture, sheets=_sheets(c, x, s) if picture and (proven or uncounted) else 0, held_up=bool(wait and wait.held_up))


def _sheets(c: Connection, x: Any, s: Any) -> int:
    """How many pages a letter's own fax has, also where it went in a bundle; 0 where it cannot be put on paper."""
    try:
        return own_pages_of(x.id, attempts.start_that_counts(c, x.id) or s.created_at)
    except (CannotRender, NotFound):
        return 0


def _mirrored(c: Connection, x: Any, s: Any, second: Any, now: datetime, *, held: pauses.Held | None) -> LetterView:
    """A letter that was there before: until a fresh one would have gone, shown as a fresh one would be (docs/decisions/0005, 0023).

    `second` is the submission's own letter, where there is one: it would have come to count when it was confirmed.
    """
    reveal = s.reveal_at or s.created_at
    fresh = LetterView(id=x.id, target=x.target, channel=s.channel, state=State.QUEUED.value, reason=None,
                       at=second.state_at if second else s.created_at, submitted_at=s.created_at, timezone=x.timezone,
                       picture=s.channel == Channel.FAX)
    if x.state == State.UNCONFIRMED.value:
        return replace(fresh, state=x.state, reason=x.reason, at=x.state_at)
    if s.withdrawn_at and s.withdrawn_at < reveal:
        return replace(fresh, state=State.CANCELLED.value, reason=Reason.WITHDRAWN.value, at=s.withdrawn_at)
    if now >= reveal and x.state != State.QUEUED.value:
        uncounted = s.channel == Channel.FAX and x.state == State.DELIVERED.value and x.pages is None
        return replace(fresh, state=x.state, reason=x.reason, at=max(x.state_at, reveal), pages=x.pages,
                       sheets=_sheets(c, x, s) if uncounted else 0,
                       sent_at=x.sent_at and max(x.sent_at, reveal), delivered_at=x.delivered_at and max(x.delivered_at, reveal))
    if now < reveal and reviews.would_hold(moderation.policy(c, s.campaign_id), s._asdict()):
        return replace(fresh, state=State.HELD.value)
    wait = waits.wait_of(c, repeats.fresh(s, second.address_id if second else _first_address(s, x)), now, get_settings())
    return replace(fresh, place=wait.place if wait else None, likely_at=wait.likely_at if wait else None, pace=wait.pace if wait else "",
                   paused=_paused(held, s.channel, x.target_id, wait), held_up=bool(wait and wait.held_up))


def _stand_in(s: Any, target_id: int, second: Any) -> Any:
    """For a first letter that was erased, of which nothing is left to find it by: one whose writer took it back."""
    targets = campaigns.targets_of(s.campaign_id, dropped=True)
    position, target = next((n, t) for n, t in enumerate(targets) if t.id == target_id)
    address = second.address_id if second else min(target.addresses, key=lambda a: (a.channel != s.channel, a.rank)).id
    return SimpleNamespace(
        id=second.id if second else s.id, submission_id=s.id, target_id=target_id, target=target.name, timezone=target.timezone,
        position=second.position if second else position, address_id=address, state=State.CANCELLED.value, reason=Reason.WITHDRAWN.value,
        state_at=s.reveal_at or s.created_at, sent_at=None, delivered_at=None, pages=None, asked_at=None)


def _first_address(s: Any, x: Any) -> int:
    """Where a letter of this submission to that target would go first."""
    target = next(t for t in campaigns.targets_of(s.campaign_id, dropped=True) if t.id == x.target_id)
    usable = [a for a in target.addresses if a.channel == s.channel and a.state == "ok"]
    return min(usable, key=lambda a: a.rank).id if usable else int(x.address_id)


def _texts(c: Connection, letters: list[LetterView]) -> dict[str, RenderedLetter]:
    texts = {}
    for x in letters:
        letter = delivery.letter(c, x.id)
        if letter is not None:
            try:
                texts[x.id] = compose.text_of(letter)
            except CannotRender:
                continue
    return texts


def verify(letter_id: str, given: str) -> dict[str, Any]:
    """What a letter's recipient may know: campaign, when, by which channel, whether the mailbox was confirmed. Raises NotFound."""
    try:
        tokens.check("verify", letter_id, given, length=tokens.VERIFY)
    except Forged as e:
        raise NotFound("there is no such letter") from e
    with reading() as c:
        row = letter_queries.for_recipient(c, letter_id)
    if row is None:
        raise NotFound("there is no such letter")
    return {"channel": row.channel, "written_at": row.created_at, "sent_at": row.sent_at, "confirmed": row.confirmed_at is not None,
            "slug": row.slug, "title": row.title, "target": row.name}


withdraw = privacy.withdraw
erase = privacy.erase
