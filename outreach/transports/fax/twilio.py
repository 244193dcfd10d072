"""Fax in the wire shape that Twilio's closed product had and SignalWire's Compatibility API still speaks.

The `twilio` package posts the form and checks signatures; the URL of the Faxes collection is a setting.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import httpx
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from outreach.domain.letters import Channel, Reason
from outreach.errors import TransportDown
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import (
    Accepted,
    FoundFax,
    Outcome,
    OutgoingFax,
    ReceiptWord,
    Refused,
    Unknown,
    short,
)
from outreach.transports.fax.ours import attempt_listed, check_sender, same_number
from outreach.transports.fax.twilio_words import word_of_fax
from outreach.transports.http import cannot_be_asked, failure, full_page, kept_client, refusal

_BAD_NUMBER = frozenset({13223, 13224, 21211, 21214, 21217, 21219, 21401, 21421, 21614, 34001})
"""Twilio's error codes for a "To" that is no number, is not reachable, or may not be called."""
PAGE, MOST_PAGES = 100, 20
"""Faxes on one page of a list, and pages of it that are read."""
LONGEST_TTL = 300
"""Minutes: the most that SignalWire takes as Ttl (its REST reference, "Send a fax": 5 to 300)."""


class _Http(HttpClient):  # type: ignore[misc]  # the package has no types
    """Carries the package's requests over our kept connection: its own client has no time-out for an answer as a whole."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._client = client

    def request(self, method: str, uri: str, params: dict[str, object] | None = None, data: dict[str, object] | None = None,  # noqa: PLR0917
                headers: dict[str, str] | None = None, auth: tuple[str, str] | None = None, timeout: float | None = None,
                allow_redirects: bool = False) -> Response:
        """Raises httpx.HTTPError and httpx.InvalidURL."""
        answer = self._client.request(method, uri, params=params or None, data=data, headers=headers, auth=auth)  # type: ignore[arg-type]
        return Response(answer.status_code, answer.text, answer.headers)


class TwilioFaxTransport:
    """Hands faxes to a provider of Twilio's shape. Time-outs: 15 s to connect, `timeout` s for each read, twice that for all."""

    name: ClassVar[str] = "twilio"
    channel: ClassVar[Channel] = Channel.FAX

    def __init__(self, url: str, sid: str, token: str, timeout: float) -> None:
        self._list, self._suffix = (url.removesuffix(".json"), ".json") if url.endswith(".json") else (url.rstrip("/"), "")
        self._url, self._sid, self._token, self._timeout = url, sid, token, timeout

    @classmethod
    def from_settings(cls, settings: Settings) -> TwilioFaxTransport:
        """Raises SettingsInvalid when URL, SID or token are missing, or the number that faxes come from is none."""
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
        if not (settings.twilio_fax_url and sid and token):
            raise SettingsInvalid("the transport twilio needs OUTREACH_TWILIO_FAX_URL, OUTREACH_TWILIO_ACCOUNT_SID and "
                                  "OUTREACH_TWILIO_AUTH_TOKEN")
        check_sender(settings.fax_from)
        return cls(settings.twilio_fax_url, sid, token, settings.http_timeout)

    @contextmanager
    def connect(self) -> Iterator[TwilioFaxSession]:
        """Connects with the first fax; a failure to do so is that fax's NotStarted."""
        with self._client() as client:
            yield TwilioFaxSession(client, self._url)

    def poll(self, provider_ref: str) -> ReceiptWord | None:
        """What the provider now says about one fax; None when it is still under way or not known there. Raises TransportDown."""
        return _final(self._ask("GET", self._one(provider_ref)))

    def find(self, to: str, since: datetime) -> list[FoundFax]:
        """All faxes to a number made at or after `since` (aware), oldest first, over all pages of the list.

        The shape lists neither our id nor the callback, though some servers of it do. Raises TransportDown when the list
        cannot be had whole.
        """
        # The filter by date only shortens the list, by a margin that leaves no doubt how its moment is read.
        after = (since.astimezone(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
        url, params = self._list + self._suffix, {"To": to, "DateCreatedAfter": after, "PageSize": str(PAGE)}
        found: list[FoundFax] = []
        for _ in range(MOST_PAGES):
            rows, following = _page(self._ask("GET", url, params=params))
            found += [f for row in rows if same_number(row.get("to"), to) and (f := _found(row, since))]
            if following is None or _goes_back_before([_date(row.get("date_created")) for row in rows], since):
                return sorted(found, key=lambda f: f["created_at"])
            if not following:
                raise TransportDown("the list may go on")
            url, params = urljoin(self._url, following), {}
            if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
                raise TransportDown("the list goes on at another server")
        raise TransportDown(f"the list has more than {MOST_PAGES} pages")

    def cancel(self, provider_ref: str) -> bool:
        """Whether the provider says that the fax is cancelled; it can be until the call has begun. Raises TransportDown."""
        answer = self._ask("POST", self._one(provider_ref), data={"Status": "canceled"})
        if answer is None:  # too late, or done already
            answer = self._ask("GET", self._one(provider_ref))
        return str((answer or {}).get("status")).lower() in ("canceled", "cancelled")

    def _one(self, sid: str) -> str:
        return f"{self._list}/{sid}{self._suffix}"

    @contextmanager
    def _client(self) -> Iterator[Client]:
        with kept_client(self._url, self._timeout, whole_urls=True) as kept:
            # A non-empty environment keeps the package from taking region and edge, which rewrite the host, from ours.
            yield Client(self._sid, self._token, http_client=_Http(kept), environment={"OUTREACH": "1"})

    def _ask(self, method: str, url: str, *, params: dict[str, str] | None = None,
             data: dict[str, str] | None = None) -> dict[str, Any] | None:
        """The answer's JSON object; None for a 4xx about the fax and for what makes no sense. Raises TransportDown."""
        try:
            with self._client() as client:
                answer = client.request(method, url, params=params, data=data)
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise TransportDown(f"no answer: {type(e).__name__}") from e
        cannot_be_asked(answer.status_code)
        try:
            body = json.loads(answer.text)
        except ValueError:
            return None
        return body if 200 <= answer.status_code < 300 and isinstance(body, dict) else None


class TwilioFaxSession:
    """One kept connection. Not thread-safe."""

    def __init__(self, client: Client, url: str) -> None:
        self._client, self._url = client, url

    def hand_over(self, fax: OutgoingFax) -> Outcome:
        """Asks the provider to fetch the fax from its media URL and to call."""
        form = {"To": fax.to, "From": fax.sender, "MediaUrl": fax.media_url, "Quality": "fine",
                "StatusCallback": fax.callback_url, "Ttl": str(min(fax.ttl_minutes, LONGEST_TTL))}
        try:
            answer = self._client.request("POST", self._url, data=form)
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            return failure(e)
        return _outcome(fax.to, answer.status_code, answer.text, (answer.headers or {}).get("Retry-After"))


def _outcome(to: str, status: int, text: str, retry_after: str | None) -> Outcome:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    if 200 <= status < 300:
        sid = body.get("sid")
        if body.get("to") and not same_number(body["to"], to):
            return Unknown(f"{status} about another number")
        return Accepted(short(sid)) if isinstance(sid, str) and sid else Unknown(f"{status} without a sid")
    code, said = body.get("code"), short(f"{body.get('code', '')} {body.get('message', '')}")
    outcome = refusal(status, said, retry_after)
    if isinstance(outcome, Refused) and outcome.permanent and code in _BAD_NUMBER:
        return Refused(Reason.BAD_NUMBER, permanent=True, detail=outcome.detail)
    return outcome


def _final(fax: dict[str, Any] | None) -> ReceiptWord | None:
    now = datetime.now(UTC)
    ended = min(_date((fax or {}).get("date_updated")) or now, now)  # what a callback that was lost would have been about
    word = word_of_fax(fax, now=ended) if fax else None
    return word if word and word.verdict else None


def _page(answer: dict[str, Any] | None) -> tuple[list[dict[str, Any]], str | None]:
    """One page's rows, and where the next one is: `meta.next_page_url` in v1, `next_page_uri` in the older paths.

    None for the last page, "" where a full page does not say whether more follow. Raises TransportDown for what is no list.
    """
    rows = (answer or {}).get("faxes")
    if answer is None or not isinstance(rows, list) or not all(isinstance(r, dict) and r.get("sid") for r in rows):
        raise TransportDown("the answer is no list of faxes")
    meta = answer.get("meta")
    told = {**answer, **(meta if isinstance(meta, dict) else {})}
    following = told.get("next_page_url") or told.get("next_page_uri")
    if following:
        return rows, str(following)
    full = len(rows) >= full_page(PAGE, told.get("page_size")) and not {"next_page_url", "next_page_uri"} & told.keys()
    return rows, "" if full else None


def _found(row: dict[str, Any], since: datetime) -> FoundFax | None:
    at = _date(row.get("date_created"))
    if row.get("direction") == "inbound" or (at is not None and at < since.replace(microsecond=0)):
        return None
    return {"provider_ref": str(row["sid"]), "created_at": at or since, "attempt_id": attempt_listed(row), "word": _final(row)}


def _goes_back_before(dates: list[datetime | None], since: datetime) -> bool:
    """Whether a list of the newest first has come to what is older: then nothing that follows is of interest."""
    known = [d for d in dates if d is not None]
    return bool(known) and len(known) == len(dates) and known == sorted(known, reverse=True) and known[-1] < since


def _date(value: object) -> datetime | None:
    """ISO 8601 (v1) or RFC 2822 (the older paths)."""
    from email.utils import parsedate_to_datetime

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(str(value))
        except (ValueError, TypeError):
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
