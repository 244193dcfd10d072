"""Letters at the desk: found by state, recipient, channel, reason, id or a provider's name for them; and one with all that is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from outreach.db import reading
from outreach.domain.letters import Channel
from outreach.errors import NotFound
from outreach.queries import attempts, delivery, figures
from outreach.queries import desk as desk_queries
from outreach.queries import desk_letters as queries
from outreach.render.text import CannotRender, RenderedLetter
from outreach.services import compose, media, waits
from outreach.services.campaigns import CampaignRow
from outreach.services.waits import Wait
from outreach.settings import get_settings

PAGE = 50
WINDOWS = (2000, 100_000)
"""Letters that are looked through for what no index finds: first so few, and if that fills no page, so many and no more."""
SAME_NAME = 20
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; "" is anything. `q` is a letter's id, its Message-ID, or a provider's name for it."""

    state: str = ""
    target: str = ""
    channel: str = ""
    reason: str = ""
    q: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of letters, the newest first."""

    rows: Sequence[Any]
    after: str
    """Where the next page begins; "" on the last one."""
    fits: int | None
    """How many fit in all, by the counters; None where only looking would tell."""
    more_unseen: bool
    """The page ends because enough was looked through, not because it is full."""


@dataclass(frozen=True, slots=True)
class Full:
    """One letter with its events, attempts (each with its receipts) and text."""

    letter: Any
    events: Sequence[Any]
    attempts: Sequence[tuple[Any, list[Any]]]
    text: RenderedLetter | None
    """None once its writer was erased, or where it cannot be rendered."""
    wait: Wait | None
    pages: int
    """Of its fax, as far as is known; 0 for e-mail."""


def find(campaign: CampaignRow, wanted: Wanted, after: str = "") -> Found:
    """A page of the letters that fit, from `after` on."""
    with reading() as c:
        desk_queries.one_moment(c)
        if q := wanted.q.strip().strip("<>").partition("@")[0]:
            ids = [q.lower()] if _ID.fullmatch(q.lower()) else queries.named(c, wanted.q.strip(), SAME_NAME)
            return Found(queries.page(c, campaign.id, most=PAGE, ids=ids), "", None, False)
        numbers, names = figures.counts(c, campaign.id), figures.target_names(c, campaign.id)
        target_id = next((number for number, (key, _) in names.items() if key == wanted.target), 0) if wanted.target else None
        fits = sum(n for (target, channel, name), n in numbers.items() if name.startswith("letter:")
                   and target_id in (None, target) and wanted.channel in ("", channel) and wanted.state in ("", name[7:]))
        if not fits:
            return Found([], "", 0, False)
        told = None if wanted.reason else fits
        rows, end = _look_through(c, campaign.id, after, wanted, target_id)
        if len(rows) > PAGE:
            return Found(rows[:PAGE], rows[PAGE - 1].id, told, False)
        if not after and told is not None and len(rows) >= fits:
            end = ""
        return Found(rows, end, told, end != "")


def _look_through(c: Connection, campaign_id: int, after: str, wanted: Wanted, target_id: int | None) -> tuple[Sequence[Any], str]:
    """One letter more than a page takes, if there are so many, and where the search ended ("" at the last letter)."""
    narrow = {"target_id": target_id, "channel": wanted.channel, "reason": wanted.reason}
    own_index = wanted.state in queries.FEW or (wanted.state in queries.INDEXED and not any(narrow.values()))
    rows: Sequence[Any] = []
    end = ""
    for window in (0,) if own_index or wanted == Wanted() else WINDOWS:
        end = queries.end_of_window(c, campaign_id, after, window) if window else ""
        rows = queries.page(c, campaign_id, before=after, since=end, most=PAGE + 1, state=wanted.state, target_id=target_id,
                            channel=wanted.channel, reason=wanted.reason)
        if len(rows) > PAGE or not end:
            break
    return rows, end


def see(campaign: CampaignRow, letter_id: str, now: datetime) -> Full:
    """One letter of this campaign. Raises NotFound, also for another campaign's."""
    with reading() as c:
        desk_queries.one_moment(c)
        letter = queries.one(c, campaign.id, letter_id)
        if letter is None:
            raise NotFound(f"there is no letter {letter_id!r} in this campaign")
        tries = attempts.of_letter(c, letter_id)
        receipts = queries.receipts(c, [a.id for a in tries])
        text = None
        if letter.erased_at is None and (waiting := delivery.letter(c, letter_id)) is not None:
            try:
                text = compose.text_of(waiting)
            except (CannotRender, KeyError):
                text = None
        return Full(
            letter=letter, events=queries.events(c, letter_id), text=text,
            attempts=[(a, [r for r in receipts if r.attempt_id == a.id]) for a in tries],
            wait=waits.wait_of(c, letter, now, get_settings()) if letter.state == "queued" and not letter.carried_by else None,
            pages=max((a.pages or 0 for a in tries), default=0) or 1 if letter.channel == Channel.FAX else 0)


def picture(campaign: CampaignRow, letter_id: str, number: int) -> bytes:
    """One page of a letter's fax (from 1) as PNG, stamped as it was sent or as it would be. Raises NotFound."""
    from outreach.render.fax import pngs_of

    with reading() as c:
        letter = queries.one(c, campaign.id, letter_id)
        if letter is None or letter.channel != Channel.FAX or letter.erased_at is not None:
            raise NotFound("there is no such page")
        at = attempts.start_that_counts(c, letter_id)
    pages = pngs_of(media.own_pdf_of(letter_id, at or letter.created_at))
    if not 1 <= number <= len(pages):
        raise NotFound("there is no such page")
    return pages[number - 1]
