"""What the mails to organizers say: an invitation to the desk, a link for a new password. The desk is English, and so are they."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from babel.dates import format_datetime

from outreach.db import reading
from outreach.queries import people
from outreach.services import links, sessions
from outreach.settings import Settings


def values_of(row: Any, settings: Settings, now: datetime) -> dict[str, str] | None:
    """The values of a notice row of kind `invite` or `reset`; None when its link is used, its member gone, or a newer one was made.

    `ref` is the link's id, or "ORGANIZER:…" for an invitation of somebody who has an account and needs no link.
    """
    whose, known, _ = row.ref.partition(":")
    with reading() as c:
        link = None if known else people.link(c, sessions.hash_of(links.token_of(row.ref)), now)
        organizer_id = int(whose) if known else link and link.organizer_id
        part = people.invitation(c, organizer_id, row.campaign_id) if organizer_id and row.campaign_id is not None else None
    if (link is None and not known) or (row.campaign_id is not None and part is None):
        return None
    if link is None:
        url, until = f"{settings.public_url}/o/c/{part.slug}/" if part else f"{settings.public_url}/o/", ""
    else:
        url, until = links.url_of(row.ref, row.kind), f"{format_datetime(link.expires_at, 'd MMMM y, HH:mm', locale='en')} UTC"
    if row.kind == "reset":
        return {"link": url, "expires": until}
    return {"link": url, "expires": until, "campaign_title": part.title if part else "", "role": part.role if part else ""}
