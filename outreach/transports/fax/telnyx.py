"""Fax through Telnyx's Programmable Fax: the PDF travels in the request, so that no media URL of ours need be public."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from outreach.domain.letters import Channel, Reason
from outreach.errors import OutreachError, TransportDown
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import Accepted, FoundFax, Outcome, OutgoingFax, ReceiptWord, Refused, Unknown, short
from outreach.transports.fax.ours import attempt_listed, check_sender, same_number
from outreach.transports.fax.telnyx_words import attempt_of, word_of_fax
from outreach.transports.http import cannot_be_asked, failure, full_page, kept_client, refusal

_NUMBER_POINTERS = ("/to", "to")
PAGE, MOST_PAGES = 100, 20
"""Faxes on one page of a list, and pages of it that are read."""


class TelnyxFaxTransport:
    """Hands faxes to Telnyx, or to a server of its shape at `url`. Time-outs: 15 s to connect, `timeout` s for the rest."""

    name: ClassVar[str] = "telnyx"
    channel: ClassVar[Channel] = Channel.FAX

    def __init__(self, api_key: str, url: str, connection_id: str, timeout: float) -> None:
        self._key, self._url, self._connection, self._timeout = api_key, url.rstrip("/"), connection_id, timeout

    @classmethod
    def from_settings(cls, settings: Settings) -> TelnyxFaxTransport:
        """Raises SettingsInvalid when the key or the fax application's id is missing, or the number that faxes come from is none."""
        key = settings.telnyx_api_key.get_secret_value().strip()
        if not key or not key.isascii() or not settings.telnyx_connection_id:
            raise SettingsInvalid("the transport telnyx needs OUTREACH_TELNYX_API_KEY and OUTREACH_TELNYX_CONNECTION_ID")
        check_sender(settings.fax_from)
        return cls(key, settings.telnyx_url, settings.telnyx_connection_id, settings.http_timeout)

    @contextmanager
    def connect(self) -> Iterator[TelnyxFaxSession]:
        """Connects with the first fax; a failure to do so is that fax's NotStarted."""
        with self._client() as client:
            yield TelnyxFaxSession(client, self._connection)

    def poll(self, provider_ref: str) -> ReceiptWord | None:
        """What Telnyx now says about one fax; None when it is still under way or not known there. Raises TransportDown."""
        return _final(self._get(f"/v2/faxes/{provider_ref}", {}).get("data"))

    def find(self, to: str, since: datetime) -> list[FoundFax]:
        """All faxes to a number made at or after `since` (aware), oldest first, each with our id, over all pages of the list.

        Raises TransportDown when the list cannot be had whole.
        """
        found: list[FoundFax] = []
        for page in range(1, MOST_PAGES + 1):
            rows, more = _page(self._get("/v2/faxes", {
                "filter[to][eq]": to, "filter[created_at][gte]": since.astimezone(UTC).isoformat(),
                "page[size]": str(PAGE), "page[number]": str(page)}), page)
            found += [f for row in rows if same_number(row.get("to"), to) and (f := _found(row, since))]
            if not more:
                return sorted(found, key=lambda f: f["created_at"])
        raise TransportDown(f"the list has more than {MOST_PAGES} pages")

    def cancel(self, provider_ref: str) -> bool:
        """Whether Telnyx says that the fax is cancelled. It takes the wish first and tells later how it went: False until then.

        Raises TransportDown.
        """
        self._ask("POST", f"/v2/faxes/{provider_ref}/actions/cancel", {})
        fax = self._get(f"/v2/faxes/{provider_ref}", {}).get("data")
        return isinstance(fax, dict) and (fax.get("status") == "canceled" or fax.get("failure_reason") == "sender_canceled")

    def _client(self) -> httpx.Client:
        return kept_client(self._url, self._timeout, {"Authorization": f"Bearer {self._key}"})

    def _get(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        return self._ask("GET", path, params)

    def _ask(self, method: str, path: str, params: dict[str, str]) -> dict[str, Any]:
        """The answer's JSON object; empty for a 4xx about the fax and for what makes no sense. Raises TransportDown."""
        try:
            with self._client() as client:
                answer = client.request(method, path, params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise TransportDown(f"no answer: {type(e).__name__}") from e
        cannot_be_asked(answer.status_code)
        try:
            body = answer.json()
        except ValueError:
            return {}
        return body if answer.is_success and isinstance(body, dict) else {}


class TelnyxFaxSession:
    """One kept connection. Not thread-safe."""

    def __init__(self, client: httpx.Client, connection_id: str) -> None:
        self._client, self._connection = client, connection_id

    def hand_over(self, fax: OutgoingFax) -> Outcome:
        """Renders the fax and sends it whole. Our attempt's id travels as `client_state` and comes back with each event."""
        try:
            pdf = fax.pdf()
        except (OutreachError, ValueError) as e:
            return Refused(Reason.CANNOT_RENDER, permanent=True, detail=short(e))
        form = {"connection_id": self._connection, "to": fax.to, "from": fax.sender, "quality": "high",
                "client_state": b64encode(fax.attempt_id.encode()).decode(), "webhook_url": fax.callback_url}
        try:
            answer = self._client.post("/v2/faxes", data=form, files={"contents": ("letter.pdf", pdf, "application/pdf")})
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            return failure(e)
        return _outcome(fax.to, answer)


def _outcome(to: str, answer: httpx.Response) -> Outcome:
    try:
        body = answer.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    if answer.is_success:
        data = body.get("data")
        ref = data.get("id") if isinstance(data, dict) else None
        if isinstance(data, dict) and data.get("to") and not same_number(data["to"], to):
            return Unknown(f"{answer.status_code} about another number")
        return Accepted(short(ref)) if isinstance(ref, str) and ref else Unknown(f"{answer.status_code} without an id")
    errors = body.get("errors")
    errors = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    said = "; ".join(f"{e.get('code', '')} {e.get('detail') or e.get('title') or ''}" for e in errors)
    outcome = refusal(answer.status_code, said, answer.headers.get("Retry-After"))
    if isinstance(outcome, Refused) and outcome.permanent and any(_about_the_number(e) for e in errors):
        return Refused(Reason.BAD_NUMBER, permanent=True, detail=outcome.detail)
    return outcome


def _about_the_number(error: dict[str, Any]) -> bool:
    source = error.get("source")
    return isinstance(source, dict) and source.get("pointer") in _NUMBER_POINTERS


def _final(fax: object) -> ReceiptWord | None:
    if not isinstance(fax, dict):
        return None
    now = datetime.now(UTC)
    word = word_of_fax(fax, now=min(_date(fax.get("updated_at")) or now, now))
    return word if word and word.verdict else None


def _page(answer: dict[str, Any], number: int) -> tuple[list[dict[str, Any]], bool]:
    """One page's rows, and whether more follow. Raises TransportDown for what is no list, or does not say where it ends."""
    rows, meta = answer.get("data"), answer.get("meta")
    if not isinstance(rows, list) or not all(isinstance(r, dict) and r.get("id") for r in rows):
        raise TransportDown("the answer is no list of faxes")
    told = meta if isinstance(meta, dict) else {}
    pages = told.get("total_pages")
    if not isinstance(pages, int):
        if len(rows) >= full_page(PAGE, told.get("page_size")):
            raise TransportDown("the list may go on")
        return rows, False
    return rows, number < pages


def _found(row: dict[str, Any], since: datetime) -> FoundFax | None:
    at = _date(row.get("created_at"))
    if row.get("direction") == "inbound" or (at is not None and at < since.replace(microsecond=0)):
        return None
    return {"provider_ref": str(row["id"]), "created_at": at or since,
            "attempt_id": attempt_of(row.get("client_state")) or attempt_listed(row), "word": _final(row)}


def _date(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
