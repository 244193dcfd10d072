"""What a digest says: the letters that its copies stand for, as they are when it is sent, and the faxes' pages up to a size.

Nobody who has taken a letter back, or was erased, is in it. A campaign that gets figures only gets no more, whenever it chose so.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from outreach.db import reading, unit_of_work
from outreach.domain.campaign import CampaignSpec
from outreach.domain.copies import stricter
from outreach.domain.letters import Channel, State
from outreach.i18n import N_, gettext_for
from outreach.locale import babel_locale
from outreach.logs import get
from outreach.models import Copy, table
from outreach.queries import copies as queries
from outreach.render.clean import clean_line
from outreach.render.digest import Digest, Line, as_csv, digest_mail
from outreach.render.mail import MailText
from outreach.services import campaigns
from outreach.services.media import pdf_of
from outreach.settings import Settings
from outreach.transports.base import Attachment

log = get()
_COPIES = table(Copy)
FAXES = 300
"""Faxes whose pages one digest has at the most: each is typeset anew (some 7 ms), while other mails wait."""
_ENCODED = 4 / 3 * 78 / 76
"""What base64 with its line ends makes of a byte."""
_TEXT = 300_000
"""Bytes kept for the table of up to `SHOWN` letters in both parts."""
_ROW = 400
"""Bytes kept for a letter in the CSV, beside its writer's name."""
_PER_FILE = 250
"""More than a name costs in a zip file's two directories."""
_STATES = {
    State.SENT: N_("handed over, no bounce so far"), State.DELIVERED: N_("delivered"), State.FAILED: N_("failed"),
    State.UNKNOWN: N_("handed over, outcome not known"), State.CANCELLED: N_("cancelled"), State.EXPIRED: N_("not sent in time")}
_WAITS = N_("to be sent again")
_CHANNELS = {Channel.EMAIL: N_("e-mail"), Channel.FAX: N_("fax")}


@dataclass(frozen=True, slots=True)
class Made:
    """A digest in its campaign's language."""

    language: str
    text: MailText
    attachments: tuple[Attachment, ...]


def compose(digest_id: str, campaign_id: int, settings: Settings, now: datetime) -> Made | None:
    """The digest's mail, or None when nobody is left to tell of. Faxes that do not fit are left to the next digest, in a commit
    that is made before this one is handed over."""
    spec = campaigns.spec_of_version(campaigns.by_id(campaign_id).version_id)
    with reading() as c:
        found = queries.listed(c, digest_id)
    letters = [x for x in found if not x.gone]
    if not letters:
        return None
    packed, left = _pack([x for x in letters if _named(x, spec)], settings.digest_megabytes * 1_000_000)
    if left:
        with unit_of_work() as c:
            c.execute(update(_COPIES).where(_COPIES.c.digest_id == digest_id, _COPIES.c.letter_id.in_(left)).values(digest_id=None))
        letters = [x for x in letters if x.id not in left]
    packed.taken_back = len(found) - len(left) - len(letters)
    return _made(spec, letters, packed, settings, now)


def _made(spec: CampaignSpec, letters: Sequence[Any], packed: _Pages, settings: Settings, now: datetime) -> Made:
    language = spec.languages[0]
    _ = gettext_for(language)
    zone = ZoneInfo(spec.zone)

    def time(at: datetime) -> str:
        return format_datetime(at, "short", tzinfo=zone, locale=babel_locale(language))

    def line(x: Any) -> Line:
        return Line(time(x.at), x.at.astimezone(zone).isoformat(timespec="seconds"), clean_line(x.name), _target(x, spec),
                    _(_CHANNELS[Channel(x.channel)]), _(_STATES.get(State(x.state), _WAITS)), x.id, packed.files.get(x.id, ""))

    counts = Counter((_target(x, spec), _(_CHANNELS[Channel(x.channel)]), _(_STATES.get(State(x.state), _WAITS))) for x in letters)
    lines = [line(x) for x in letters if _named(x, spec)]
    text = digest_mail(
        Digest(clean_line(spec.title), time(letters[0].at), time(letters[-1].at), spec.zone, len(letters),
               [(*key, n) for key, n in sorted(counts.items())], lines, packed.taken_back, len(packed.files), packed.missing),
        language, operator_name=settings.operator_name, operator_address=settings.operator_address, translate=_)
    attached = []
    if lines:
        attached.append(Attachment(f"letters-{now:%Y%m%d-%H%M}.csv", "text/csv", as_csv(lines)))
    if packed.files:
        attached.append(Attachment(f"faxes-{now:%Y%m%d-%H%M}.zip", "application/zip", packed.content))
    return Made(language, text, tuple(attached))


def _named(x: Any, spec: CampaignSpec) -> bool:
    """Whether the digest may say who wrote a letter: not where its version, or the campaign as it is now, tells figures only."""
    return stricter(campaigns.spec_of_version(x.version_id).copies, spec.copies) != "counts"


def _target(x: Any, spec: CampaignSpec) -> str:
    """The target's name as the letter's own version has it."""
    try:
        return clean_line(campaigns.spec_of_version(x.version_id).target(x.target).name)
    except KeyError:
        return str(x.target)


@dataclass(slots=True)
class _Pages:
    """The zip file of a digest's faxes, names of files by letter; and how many letters are not told of."""

    files: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    missing: int = 0
    taken_back: int = 0


def _pack(letters: Sequence[Any], mail: int) -> tuple[_Pages, frozenset[str]]:
    """The pages of as many faxes as fit in a mail of so many bytes, and the ids of those that do not.

    One too large for any digest goes without its pages.
    """
    whole = int(mail / _ENCODED)
    most = max(whole - _TEXT - sum(_ROW + 2 * len(x.name.encode()) for x in letters), whole // 3)
    pages, left, size, buffer = _Pages(), set[str](), 0, BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # a PDF is compressed already
        for x in letters:
            if x.channel != Channel.FAX.value:
                continue
            if len(pages.files) >= FAXES or left:
                left.add(x.id)
                continue
            pdf = _pdf(x)
            if pdf is None or len(pdf) + _PER_FILE > most:
                pages.missing += 1
            elif size + len(pdf) + _PER_FILE > most:
                left.add(x.id)
            else:
                size += len(pdf) + _PER_FILE
                pages.files[x.id] = f"fax-{x.id}.pdf"
                archive.writestr(zipfile.ZipInfo(pages.files[x.id], x.at.timetuple()[:6]), pdf)
    pages.content = buffer.getvalue()
    return pages, frozenset(left)


def _pdf(x: Any) -> bytes | None:
    """A fax as it was stamped when it went; None when it cannot be made, which must not keep the others back."""
    try:
        return pdf_of(x.id, x.started_at or x.at)
    except SQLAlchemyError:  # no fault of the fax: the whole digest is made again
        raise
    except Exception:
        log.exception("digest.without_pages", letter=x.id)
        return None
