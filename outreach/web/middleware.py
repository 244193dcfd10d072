"""What every answer and every request goes through: security headers, the same-origin rule, a cap on bodies. Plain ASGI, for speed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_CAP = 1_000_000
"""Bytes that a request's body may have."""

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
       "form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
REFERRER = (b"referrer-policy", b"same-origin")
HSTS = (b"strict-transport-security", b"max-age=31536000")
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Guard:
    """Wraps the whole application: `refusal` answers what another site's page made a browser send, `observe` is told of each
    answer: method, status, seconds to its first byte."""

    def __init__(self, app: ASGIApp, public_url: str, refusal: ASGIApp, observe: Callable[[str, int, float], None]) -> None:
        self.app = app
        self.refusal = refusal
        self.observe = observe
        self.origin = public_url.lower()
        self.extra = [*HEADERS, HSTS] if self.origin.startswith("https:") else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        app = self.app
        if scope["method"] not in SAFE:
            app = self.refusal if self._foreign(scope) else app
            receive = _capped(receive)

        started = perf_counter()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.observe(scope["method"], message["status"], perf_counter() - started)
                headers = message["headers"] = [*message.get("headers", ()), *self.extra]
                if not any(name == b"referrer-policy" for name, _ in headers):
                    headers.append(REFERRER)
            await send(message)

        await app(scope, receive, dressed)

    def _foreign(self, scope: Scope) -> bool:
        """Whether another site's page makes this browser send the request (see `docs/decisions/0008-…`)."""
        path: str = scope["path"]
        if path.startswith("/hooks/"):
            return False  # providers sign what they send
        headers: dict[bytes, str] = {name: value.decode("latin-1").lower() for name, value in scope["headers"]
                   if name in (b"origin", b"sec-fetch-site", b"host", b"cookie")}
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site is not None:
            return site not in ("same-origin", "none")
        if origin is None or origin == "null":
            # A plain client, or a page that sends no referrer over plain HTTP: nothing to misuse where no cookie speaks.
            return b"cookie" in headers
        return origin != self.origin and urlsplit(origin).netloc != headers.get(b"host", "")


def _capped(receive: Receive) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > BODY_CAP:
                raise HTTPException(413)
        return message

    return counted

