"""What a provider of Twilio's fax shape says about a fax, in a callback or when asked, in our words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from twilio.request_validator import RequestValidator, get_signature_algorithm

from outreach.domain.letters import Reason, Verdict
from outreach.errors import Forged, Malformed
from outreach.transports.base import ReceiptWord, SignedRequest, event_hash, short
from outreach.transports.fax.errors import reason_of_text

PROVIDER = "twilio"
_ENDS = {"busy": Reason.BUSY, "no-answer": Reason.NO_ANSWER, "call-dropped": Reason.CALL_DROPPED}
_CODES = {"34001": Reason.BAD_NUMBER, "34002": Reason.BUSY, "34003": Reason.NO_ANSWER, "34004": Reason.FAX_ERROR,
          "13223": Reason.BAD_NUMBER, "13224": Reason.BAD_NUMBER, "21211": Reason.BAD_NUMBER, "21214": Reason.BAD_NUMBER,
          "21217": Reason.BAD_NUMBER}


class _Form(dict[str, list[str]]):
    """Form fields as RequestValidator wants them: a field may stand several times."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def parse(request: SignedRequest, *, tokens: list[str], public_url: str, now: datetime) -> list[ReceiptWord]:
    """The word of one status callback. Raises Forged before it looks at anything else, Malformed for a form without sense.

    The signature covers the public URL, whose query names the attempt, and all form fields. It carries no time: a replay
    is recognised by its event id.
    """
    form = _verified(request, tokens, public_url)
    sid, status = _first(form, "FaxSid"), _first(form, "FaxStatus") or _first(form, "Status")
    if not sid or not status:
        raise Malformed("the callback names no fax or no status")
    attempt = parse_qs(urlsplit(request.url).query).get("a", [""])[0]
    fax = {"sid": sid, "status": status, "to": _first(form, "To"), "num_pages": _first(form, "NumPages"),
           "error_code": _first(form, "ErrorCode"), "error_message": _first(form, "ErrorMessage")}
    word = word_of_fax(fax, now=now)
    if word is None:
        raise Malformed("the callback has no sense")
    return [replace(word, attempt_id=attempt or None)]


def word_of_fax(fax: Mapping[str, Any], *, now: datetime) -> ReceiptWord | None:
    """A fax resource's fields as a word of the moment `now`; None where it names no fax. `verdict` is None while the fax is under way."""
    sid, status = str(fax.get("sid") or ""), str(fax.get("status") or "").lower()
    if not sid or not status:
        return None
    to = str(fax.get("to") or "")
    code, said = str(fax.get("error_code") or ""), str(fax.get("error_message") or "")
    verdict, reason, retryable = _meaning(status, code, said)
    pages = str(fax.get("num_pages") or "")
    return ReceiptWord(
        provider=PROVIDER, event_id=event_hash(PROVIDER, sid, to, status, code), verdict=verdict, recipient=to, at=now,
        provider_ref=sid, reason=reason, retryable=retryable, pages=int(pages) if pages.isdecimal() and len(pages) < 6 else None,
        detail=short(" ".join(p for p in (status, code, said) if p)),
        raw=json.dumps({k: str(v) for k, v in fax.items() if v is not None and k in _KEPT}))


_KEPT = frozenset({"sid", "status", "to", "num_pages", "error_code", "error_message"})


def _meaning(status: str, code: str, said: str) -> tuple[Verdict | None, Reason | None, bool]:
    if status == "delivered":
        return Verdict.DELIVERED, None, False
    if status in _ENDS:
        return Verdict.BOUNCED, _ENDS[status], True
    if status in ("canceled", "cancelled"):
        return Verdict.BOUNCED, Reason.REJECTED_BY_PROVIDER, False
    if status != "failed":
        return None, None, False  # queued, processing, sending, and whatever is new: they only inform
    by_text, retryable = reason_of_text(said)
    if by_text is Reason.FAX_ERROR and code in _CODES:
        by_text = _CODES[code]
        retryable = by_text is not Reason.BAD_NUMBER
    return Verdict.BOUNCED, by_text, retryable


def _verified(request: SignedRequest, tokens: list[str], public_url: str) -> _Form:
    headers = request.headers
    signature = headers.get("x-twilio-signature") or headers.get("x-signalwire-signature") or ""
    try:
        form = _Form()
        for name, value in parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=200):
            form.setdefault(name, []).append(value)
    except ValueError:
        raise Forged("the callback's body is no form") from None
    parts = urlsplit(request.url)
    url = public_url.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
    algorithm = get_signature_algorithm(headers.get("x-twilio-webhooks-signature-settings"))
    if not signature or not any(RequestValidator(t).validate(url, form, signature, algorithm) for t in tokens if t):
        raise Forged("the callback's signature is missing or does not fit")
    return form


def _first(form: _Form, name: str) -> str:
    return form.get(name, [""])[0]
