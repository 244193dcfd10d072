"""What HTTP providers have in common: a kept client with time-outs, and the sorting of answers and failures."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from outreach.domain.letters import Reason
from outreach.errors import TransportDown
from outreach.transports.base import NotStarted, Refused, Unknown, short
from outreach.transports.timed import Limit, TimedBackend

CONNECT_SECONDS = 15.0
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs, which hold numbers
WHOLE = 2
"""A request takes at most so many times its time-out, from the connection to the answer's last byte; leases count on it."""
LONGEST_RETRY_AFTER = timedelta(hours=24)


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine, where no proxy of the environment has a part in it."""
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "::1", "localhost")


def kept_client(url: str, timeout: float, headers: dict[str, str] | None = None, *, whole_urls: bool = False) -> httpx.Client:
    """One kept connection to the server of `url`, to which requests are relative unless they name `whole_urls`.

    `timeout` in seconds for each read and write, at most 15 s to connect, `WHOLE` times `timeout` for all of a request. Follows no
    redirects.
    """
    limit = Limit(WHOLE * timeout)
    each = httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
    return httpx.Client(base_url="" if whole_urls else url, headers=headers, timeout=each,
                        transport=_Transport(limit, _proxy(url)), event_hooks={"request": [lambda _request: limit.begin()]},
                        follow_redirects=False, trust_env=not is_loopback(url))


class _Transport(httpx.HTTPTransport):
    """httpx's own, over connections that keep within `limit` and are given up when a server has said more than it was asked; tests
    hold that both take."""

    def __init__(self, limit: Limit, proxy: str | None) -> None:
        super().__init__(limits=httpx.Limits(max_connections=1, keepalive_expiry=4), proxy=proxy)
        self._pool._network_backend = TimedBackend(limit)  # httpx has no place to name it

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """An answer given twice would be taken for the answer to this request, though it is about another letter."""
        for connection in self._pool.connections:
            if _says_more(connection):
                connection.close()
        return super().handle_request(request)


def _says_more(connection: Any) -> bool:
    """Whether something was read from a connection beyond the last answer's end. What has come since httpcore sees for itself."""
    while (inner := getattr(connection, "_connection", None)) is not None:  # a proxy's, one that may be of either protocol
        connection = inner
    http11 = getattr(connection, "_h11_state", None)
    return http11 is not None and bool(http11.trailing_data[0])


def _proxy(url: str) -> str | None:
    """The environment's proxy for a server, as httpx would choose it if it were not given its connections."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def failure(error: httpx.HTTPError | httpx.InvalidURL) -> NotStarted | Unknown:
    """What an exception of httpx says about a request with a body: no connection is safe, everything later is not known."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
                  | httpx.UnsupportedProtocol | httpx.InvalidURL):
        return NotStarted(short(f"no connection: {error}"))
    return Unknown(short(f"no answer: {type(error).__name__} {error}"))


def refusal(status: int, detail: str, retry_after: str | None, *, now: datetime | None = None) -> NotStarted | Refused | Unknown:
    """The outcome of an answer that is not 2xx.

    401, 403 and 429 are about us: an API's limit is its account's, whomever the letter is for. 408 and 5xx say nothing certain
    about the request (RFC 9110, 15.5.9 and 15.6), nor does a redirect, which is not followed; other 4xx are final.
    """
    said = short(f"{status} {detail}")
    if status in (401, 403):
        return NotStarted(said, auth=True)
    if status == 429:
        return NotStarted(said, limited=True, retry_after=read_retry_after(retry_after, now))
    if status == 408 or not 400 <= status < 500:
        return Unknown(said)
    return Refused(Reason.REJECTED_BY_PROVIDER, permanent=True, detail=said)


def cannot_be_asked(status: int) -> None:
    """Raises TransportDown for answers that say nothing about what was asked: our credentials, "later", a server's trouble."""
    if status in (401, 403, 408, 429) or status >= 500:
        raise TransportDown(f"it answers {status}", auth=status in (401, 403))


def full_page(asked: int, told: object) -> int:
    """How many rows make a page of a list full: as many as were asked for, or fewer where the server says it gives no more."""
    return min(asked, told) if isinstance(told, int) and told > 0 else asked


def read_retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """A Retry-After header, seconds or a date (RFC 9110, 10.2.3), between zero and a day; None if absent or senseless."""
    if not value:
        return None
    try:
        if value.strip().isdecimal():
            wait = timedelta(seconds=int(value))
        else:
            at = parsedate_to_datetime(value)
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - (now or datetime.now(UTC))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))
