"""What a moderator sees: the queue with its reasons, and one letter with all that was changed in it.

The writer's name is shown, of the mailbox only the domain, and no street or telephone number: nobody needs them to read a letter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.db import reading
from outreach.domain import moderation as rules
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.differences import Span, spans
from outreach.domain.letters import State
from outreach.domain.moderation import Why
from outreach.errors import NotFound
from outreach.queries import letters as letter_queries
from outreach.queries import moderation as queries
from outreach.queries import submissions
from outreach.render.text import CannotRender, Person, RenderedLetter, render_letter
from outreach.services import campaigns, moderation, reviews

COUNTED = 10_000
"""More than so many that wait are not counted on each page."""
COMPARED = 3000
BESIDE = 12
"""Letters of the list before and after the one that is read."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the list."""

    id: str
    name: str
    since: datetime
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided together in the last minutes, and can still be taken back. `name` is the writer's where it was one letter."""

    at: datetime
    who: str
    state: str
    count: int
    name: str


@dataclass(frozen=True, slots=True)
class Queue:
    """All that waits in a campaign: how many, for which reasons, and for which one alone."""

    total: int
    reasons: dict[Why, int]
    alone: dict[Why, int]
    decisions: tuple[Decision, ...]

    @property
    def more(self) -> bool:
        """Whether there are more than `total`."""
        return self.total >= COUNTED


@dataclass(frozen=True, slots=True)
class Reading:
    """One submission as its moderator reads it. `subject` and `body` are what was changed, against the campaign's text for its writer."""

    item: Item
    state: str
    """waiting, approved, rejected or free"""
    decided_by: str
    note: str
    domain: str
    proven: bool
    city: str
    affiliation: str
    language: str
    targets: tuple[str, ...]
    channel: str
    edited: bool
    subject: tuple[Span, ...]
    body: tuple[Span, ...]
    banned: tuple[str, ...]
    contacts: tuple[str, ...]
    same_text: int
    """How many wait with exactly this text, itself included, among the `COMPARED` that have waited longest."""
    earlier: tuple[Item, ...] = ()
    """Those just before it in the queue, the oldest first."""
    later: tuple[Item, ...] = ()


def queue(campaign_id: int, now: datetime) -> Queue:
    """What waits, and what was decided in the last minutes."""
    with reading() as c:
        sorts = queries.by_reasons(c, campaign_id, COUNTED)
        decisions = queries.decisions(c, campaign_id, now - moderation.CAN_BE_UNDONE, 6)
        told = tuple(Decision(d.decided_at, d.decided_by or "", d.state, d.n, _name(c, d.submission_id) if d.n == 1 else "")
                     for d in decisions)
    every: Counter[Why] = Counter()
    alone: Counter[Why] = Counter()
    for reasons, n in sorts:
        for reason in reasons:
            every[Why(reason)] += n
        if len(reasons) == 1:
            alone[Why(reasons[0])] += n
    return Queue(sum(n for _, n in sorts), {w: every[w] for w in Why if every[w]}, {w: alone[w] for w in Why if alone[w]}, told)


def first(campaign_id: int, *, after: str = "") -> str | None:
    """The id of what is to be read next: what waits after `after`, else the oldest; None when nothing waits."""
    with reading() as c:
        row = queries.review(c, after) if after else None
        found = queries.waiting(c, campaign_id, (row.created_at, row.submission_id), 1) if row is not None else ()
        found = found or queries.waiting(c, campaign_id, None, 1)
    return found[0].submission_id if found else None


def read(campaign_id: int, submission_id: str) -> Reading:
    """One submission. Raises NotFound."""
    with reading() as c:
        s, review = submissions.by_id(c, submission_id), queries.review(c, submission_id)
        if s is None or review is None or s.campaign_id != campaign_id:
            raise NotFound("there is no such letter")
        letters = letter_queries.shown(c, submission_id)
        place = review.created_at, review.submission_id
        before = queries.waiting_before(c, campaign_id, place, BESIDE)
        after = queries.waiting(c, campaign_id, place, BESIDE)
        waits = review.state == "waiting" and any(x.state == State.HELD.value for x in letters)
        same = queries.count_with_text(c, campaign_id, (s.subject, s.body), COMPARED) if waits else 0
        banned = campaigns.spec_of_version(queries.policy(c, campaign_id).version_id).banned_words
    written = s._asdict()
    edited = reviews.is_edited(written)
    own, first_text = (reviews.own_text(written), reviews.template_of(written)) if edited else ("", "")
    subject, body = _changes(s, letters)
    return Reading(
        item=Item(s.id, s.name, review.created_at, _reasons(review)),
        state="free" if review.state == "waiting" and not waits else review.state, decided_by=review.decided_by or "",
        note=review.note or "", domain=s.email.rpartition("@")[2], proven=s.confirmed_at is not None, city=s.city,
        affiliation=s.affiliation, language=s.language, targets=tuple(x.target for x in letters), channel=s.channel, edited=edited,
        subject=subject, body=body, banned=rules.banned_in(f"{own}\n{reviews.details_of(written)}", banned),
        contacts=rules.contacts_in(own, first_text), same_text=same,
        earlier=tuple(_item(x) for x in reversed(before)), later=tuple(_item(x) for x in after))


def together(campaign_id: int, *, only: str, like: str, until: datetime, shown: int) -> tuple[int, list[Item]]:
    """How many submissions a bulk approval takes, and the first of them. Raises NotFound."""
    with reading() as c:
        ids = moderation.alike(c, campaign_id, only=only, like=like, until=until)
        rows = [(submissions.by_id(c, i), queries.review(c, i)) for i in ids[:shown]]
    return len(ids), [Item(s.id, s.name, r.created_at, _reasons(r)) for s, r in rows if s is not None and r is not None]


def _item(row: Any) -> Item:
    return Item(row.submission_id, row.name, row.created_at, _reasons(row))


def _reasons(review: Any) -> tuple[Why, ...]:
    return tuple(Why(r) for r in review.reasons)


def _name(c: Connection, submission_id: str) -> str:
    s = submissions.by_id(c, submission_id)
    return s.name if s is not None else ""


def _changes(s: Any, letters: Any) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """What the writer changed in subject and body; all the same where the text is the campaign's. Empty once it is erased."""
    if s.erased_at is not None:
        return (), ()
    spec = campaigns.spec_of_version(s.version_id)
    person = Person(s.name, "", "", s.city, s.postal_code, "", s.affiliation, s.confirmed_at is not None)
    target = _target(spec, {t.id: t.key for t in campaigns.targets_of(s.campaign_id, dropped=True)}, letters)
    if target is None:
        return (Span("in", s.subject or ""),), (Span("in", s.body or ""),)
    target = replace(target, language=s.language)  # as the form offered it
    try:
        template = render_letter(spec, target, person)
    except CannotRender:
        template = RenderedLetter("", "")
    try:
        own = render_letter(spec, target, person, subject=s.subject, body=s.body)
    except CannotRender:
        own = RenderedLetter(s.subject or template.subject, s.body or template.body)
    return tuple(spans(template.subject, own.subject)), tuple(spans(template.body, own.body))


def _target(spec: CampaignSpec, keys: dict[int, str], letters: Any) -> TargetSpec | None:
    """The first target of the submission that its version of the campaign has."""
    known = {t.id: t for t in spec.targets}
    return next((known[keys[x.target_id]] for x in letters if keys.get(x.target_id) in known), None)
