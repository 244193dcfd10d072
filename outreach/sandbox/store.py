"""What the sandbox got, for the web's /sandbox page and for tests. Reads files only; needs no running sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image, ImageSequence

from outreach.errors import NotFound
from outreach.sandbox import box
from outreach.settings import Settings

_MAIL_ID = re.compile(r"[0-9]{19}-[0-9a-f]{8}")
_FAX_ID = re.compile(r"FX[0-9a-f]{32}")
_PNG_WIDTH = 864


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail or fax. Fields of the other kind are empty. `to` is the envelope's first recipient, or the fax number."""

    kind: str
    """`mail` or `fax`"""
    id: str
    at: datetime
    to: str
    sender: str
    attempt_id: str = ""
    subject: str = ""
    cc: str = ""
    reply_to: str = ""
    message_id: str = ""
    """Without angle brackets."""
    text: str = ""
    html: str = ""
    recipients: tuple[str, ...] = ()
    """The envelope's."""
    headers: dict[str, str] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()
    through: str = ""
    """`smtp` or `sendgrid`"""
    pages: int = 0
    status: str = ""
    """The provider's word for a fax: queued, processing, sending, delivered, busy, no-answer, failed, canceled."""
    error: str = ""
    t30: dict[str, Any] = field(default_factory=dict)
    """How the call went: fields of `machine.Call`; empty while there was none."""

    @property
    def notice(self) -> str:
        """What a reader must know, e.g. that no real call was made."""
        return str(self.t30.get("notice", ""))


def outbox(settings: Settings, limit: int = 100) -> list[Kept]:
    """Mails and faxes together, newest first."""
    mails = [kept for path in box.sidecars(box.mail_dir(settings), limit) if (kept := _mail(settings, path.stem))]
    faxes = [kept for path in box.sidecars(box.fax_dir(settings), limit, by_change=True) if (kept := _fax(settings, path.stem))]
    return sorted([*mails, *faxes], key=lambda kept: kept.at, reverse=True)[:limit]


def mail(settings: Settings, mail_id: str) -> Kept:
    """Raises NotFound."""
    if _MAIL_ID.fullmatch(mail_id) and (kept := _mail(settings, mail_id)):
        return kept
    raise NotFound("no such mail in the sandbox")


def fax(settings: Settings, fax_id: str) -> Kept:
    """Raises NotFound."""
    if _FAX_ID.fullmatch(fax_id) and (kept := _fax(settings, fax_id)):
        return kept
    raise NotFound("no such fax in the sandbox")


def received_tiff(settings: Settings, fax_id: str) -> bytes:
    """What the far machine received. Raises NotFound, also while nothing has arrived."""
    if not _FAX_ID.fullmatch(fax_id):
        raise NotFound("no such fax in the sandbox")
    try:
        return (box.fax_dir(settings) / f"{fax_id}.tiff").read_bytes()
    except FileNotFoundError as e:
        raise NotFound("no page of this fax has arrived") from e


def fax_pages(settings: Settings, fax_id: str, width: int = _PNG_WIDTH) -> list[bytes]:
    """The received pages as PNG, `width` pixels wide and as tall as on paper. Raises NotFound."""
    with Image.open(BytesIO(received_tiff(settings, fax_id)), formats=["TIFF"]) as tiff:
        return [_png(page, width) for page in ImageSequence.Iterator(tiff)]


def _png(page: Image.Image, width: int) -> bytes:
    across, down = page.info.get("dpi") or (204, 196)
    height = round(page.height * width / page.width * float(across) / float(down))
    out = BytesIO()
    page.convert("L").resize((width, height), Image.Resampling.BOX).quantize(16).save(out, "PNG", optimize=True)
    return out.getvalue()


def _mail(settings: Settings, mail_id: str) -> Kept | None:
    folder = box.mail_dir(settings)
    try:
        said, raw = box.read_sidecar(folder / f"{mail_id}.json"), (folder / f"{mail_id}.eml").read_bytes()
    except FileNotFoundError:
        return None
    if "at" not in said:
        return None
    message = message_from_bytes(raw, policy=default)
    recipients = tuple(r["address"] for r in said.get("rcpt_to", []))
    return Kept(
        kind="mail", id=mail_id, at=datetime.fromisoformat(said["at"]), to=recipients[0] if recipients else "",
        sender=_header(message, "From"), attempt_id=said.get("attempt_id", ""), subject=_header(message, "Subject"),
        cc=_header(message, "Cc"), reply_to=_header(message, "Reply-To"),
        message_id=_header(message, "Message-ID").strip().strip("<>"), text=_body(message, "plain"), html=_body(message, "html"),
        recipients=recipients, headers={name: _header(message, name) for name in dict.fromkeys(message.keys())},
        attachments=tuple(part.get_filename("") for part in message.iter_attachments()), through=said.get("through", ""))


def _header(message: EmailMessage, name: str) -> str:
    return str(message.get(name, ""))


def _body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    try:
        return "" if part is None else str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):
        return ""


def _fax(settings: Settings, fax_id: str) -> Kept | None:
    try:
        said = box.read_sidecar(box.fax_dir(settings) / f"{fax_id}.json")
    except FileNotFoundError:
        return None
    if "created" not in said:
        return None
    return Kept(kind="fax", id=fax_id, at=datetime.fromisoformat(said["created"]), to=said["to"], sender=said["sender"],
                attempt_id=_attempt_of(said["callback"]), pages=said["num_pages"] or 0, status=said["status"],
                error=said["error_message"], t30=said["t30"])


def _attempt_of(callback: str) -> str:
    query = parse_qs(urlsplit(callback).query)
    return next((query[name][0] for name in ("attempt", "attempt_id", "a") if name in query), "")
