"""The fax pages that a provider fetches: a signed URL that lives a little longer than the provider may keep trying."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sqlalchemy import update

from outreach import tokens
from outreach.db import reading, unit_of_work
from outreach.domain.letters import Verdict
from outreach.errors import Forged, NotFound
from outreach.models import Attempt, table
from outreach.queries import attempts, delivery
from outreach.settings import get_settings

_ATTEMPTS = table(Attempt)
MARGIN = timedelta(minutes=30)


def media_url(attempt_id: str, now: datetime) -> str:
    """Where the provider fetches this attempt's pages."""
    settings = get_settings()
    expires = int((now + timedelta(minutes=settings.fax_ttl_minutes) + MARGIN).timestamp())
    signature = tokens.mac("media", f"{attempt_id}.{expires}")
    return f"{settings.public_url}/media/{attempt_id}.{settings.fetched_media}?e={expires}&s={signature}"


def fetch(attempt_id: str, expires: str, signature: str, now: datetime, *, kind: str | None = None) -> tuple[bytes, str]:
    """The pages of an attempt and their content type. A fetch proves that the provider took the fax, and is noted.

    Raises Forged for a wrong or expired signature, NotFound when there is no such attempt (any more).
    """
    tokens.check("media", f"{attempt_id}.{expires}", signature)
    if not expires.isdigit() or datetime.fromtimestamp(int(expires), UTC) < now:
        raise Forged("the link has expired")
    with reading() as c:
        attempt = attempts.fetched(c, attempt_id)
        letter = attempt and delivery.letter(c, attempt.letter_id)
    if attempt is None or letter is None or not (letter.name or letter.carries):  # an erased submission has no name
        raise NotFound("there is no such fax")
    if attempt.media_fetched_at is None or attempt.verdict == Verdict.UNKNOWN.value:
        _note(attempt_id, now)
    pdf = pdf_of(attempt.letter_id, attempt.started_at)
    if (kind or get_settings().fetched_media) == "pdf":
        return pdf, "application/pdf"
    from outreach.render.fax import tiff_of

    return tiff_of(pdf), "image/tiff"


def _note(attempt_id: str, now: datetime) -> None:
    from outreach.services import receipts  # which come to need this module's pages

    with unit_of_work() as c:
        c.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.id == attempt_id, _ATTEMPTS.c.media_fetched_at.is_(None))
                  .values(media_fetched_at=now))
        receipts.fetched(c, attempt_id, now)


def pdf_of(letter_id: str, stamped_at: datetime) -> bytes:
    """What is faxed for a letter, stamped at `stamped_at`: its bundle if it carries one, else its own pages. Raises NotFound."""
    from outreach.render.bundle import bundle_pdf
    from outreach.services import bundle_papers

    with reading() as c:
        letter = delivery.letter(c, letter_id)
    if letter is None:
        raise NotFound("there is no such letter")
    if letter.carries and (bundle := bundle_papers.document(letter, stamped_at, get_settings())):
        return bundle_pdf(bundle)  # each time anew: somebody in it may have been erased since
    return own_pdf_of(letter_id, stamped_at)


@lru_cache(maxsize=4096)
def own_pages_of(letter_id: str, stamped_at: datetime) -> int:
    """How many pages `own_pdf_of` has; kept, since a status page is looked at again and again. Raises NotFound, CannotRender."""
    from outreach.render.pages import page_count

    return page_count(own_pdf_of(letter_id, stamped_at))


@lru_cache(maxsize=16)
def own_pdf_of(letter_id: str, stamped_at: datetime) -> bytes:
    """A letter as a fax of its own, also where it went in a bundle: the same bytes each time. Raises NotFound."""
    from outreach.render.fax import fax_pdf
    from outreach.services.compose import document

    with reading() as c:
        letter = delivery.letter(c, letter_id)
    if letter is None or not letter.name:
        raise NotFound("there is no such letter")
    return fax_pdf(document(letter, stamped_at, get_settings()))
