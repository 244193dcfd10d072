"""The sandbox's HTTP face: a fax provider of Twilio's wire shape (and SignalWire's paths), and a SendGrid-shaped server."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outreach.sandbox import hooks, t30
from outreach.sandbox.exchange import FINAL, Exchange, Fax
from outreach.sandbox.sendgrid import SendGrid
from outreach.settings import Settings

LAML = "/api/laml/2010-04-01/Accounts/{account}/Faxes"
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_QUALITIES = ("standard", "fine", "superfine")
_LONGEST_TTL, _PAGE, _LARGEST_PAGE = 1440, 50, 1000

Endpoint = Callable[[Request], Awaitable[Response]]


class Wrong(Exception):
    """A request that is answered with an error of Twilio's shape."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class FaxApi:
    """The routes under /v1/Faxes and under SignalWire's LaML path."""

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sid, self._token = hooks.sandbox_credentials(settings)

    def routes(self) -> list[Route]:
        collection, one = self._guarded(self.collection), self._guarded(self.one)
        return [route for base in ("/v1/Faxes", LAML) for route in (
            Route(base + ".json", collection, methods=["GET", "POST"]), Route(base, collection, methods=["GET", "POST"]),
            Route(base + "/{sid}.json", one, methods=["GET", "POST", "DELETE"]),
            Route(base + "/{sid}", one, methods=["GET", "POST", "DELETE"]))]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                self._authenticate(request)
                return await endpoint(request)
            except Wrong as e:
                return JSONResponse({"code": e.code, "message": str(e), "status": e.status, "more_info": ""}, e.status)
        return answer

    def _authenticate(self, request: Request) -> None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        known = (hmac.compare_digest(user.encode(), self.sid.encode())
                 and hmac.compare_digest(password.encode(), self._token.encode()))
        if scheme.lower() != "basic" or not known or request.path_params.get("account", self.sid) != self.sid:
            raise Wrong(401, 20003, "Authenticate")

    async def collection(self, request: Request) -> Response:
        if request.method == "POST":
            fax = self._taken({k: str(v) for k, v in (await request.form()).items()})
            return JSONResponse(self._shown(fax), 201)
        return JSONResponse(self._listed(request.url))

    async def one(self, request: Request) -> Response:
        fax = self.exchange.faxes.get(request.path_params["sid"])
        if fax is None:
            raise Wrong(404, 20404, "The requested resource was not found")
        if request.method == "DELETE":
            if not self.exchange.cancel(fax):
                if fax.status not in FINAL:
                    raise Wrong(409, 20009, f"A fax that is {fax.status} cannot be deleted")
                self.exchange.forget(fax)
            return Response(status_code=204)
        if request.method == "POST":
            if (await request.form()).get("Status") not in ("canceled", "cancelled"):
                raise Wrong(400, 20001, "Status can only be set to canceled")
            if fax.status != "canceled" and not self.exchange.cancel(fax):
                raise Wrong(400, 20001, f"A fax that is {fax.status} cannot be canceled")
        return JSONResponse(self._shown(fax))

    def _taken(self, form: dict[str, str]) -> Fax:
        for name, code in (("To", 21211), ("From", 21212)):
            if not _NUMBER.fullmatch(form.get(name, "")):
                raise Wrong(400, code, f"{name} must be a number like +14165550133")
        media, callback = form.get("MediaUrl", ""), form.get("StatusCallback", "")
        if not media.startswith(("http://", "https://")):
            raise Wrong(400, 21620, "MediaUrl must be an http or https URL")
        if callback and not callback.startswith(("http://", "https://")):
            raise Wrong(400, 21609, "StatusCallback must be an http or https URL")
        quality, ttl = form.get("Quality", "fine"), form.get("Ttl", str(_LONGEST_TTL))
        if quality not in _QUALITIES:
            raise Wrong(400, 20001, f"Quality must be one of {', '.join(_QUALITIES)}")
        if not ttl.isascii() or not ttl.isdigit() or not 1 <= int(ttl) <= _LONGEST_TTL:
            raise Wrong(400, 20001, f"Ttl must be 1 to {_LONGEST_TTL} minutes")
        return self.exchange.take(to=form["To"], sender=form["From"], media_url=media, quality=quality, callback=callback,
                                  ttl_minutes=int(ttl))

    def _listed(self, url: URL) -> dict[str, Any]:
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        after, before = _moment(query.get("DateCreatedAfter")), _moment(query.get("DateCreatedOnOrBefore"))
        found = [f for f in self.exchange.faxes.values()
                 if query.get("To") in (None, f.to) and query.get("From") in (None, f.sender)
                 and (after is None or f.created > after) and (before is None or f.created <= before)]
        found.sort(key=lambda f: f.created, reverse=True)
        size = min(_whole(query, "PageSize", _PAGE), _LARGEST_PAGE)
        page = _whole(query, "Page", 0)
        shown = [self._shown(f) for f in found[page * size:(page + 1) * size]]
        following = url.include_query_params(Page=page + 1) if len(found) > (page + 1) * size else None
        return {"faxes": shown, "page": page, "page_size": size,
                "next_page_uri": following and f"{following.path}?{following.query}",
                "meta": {"key": "faxes", "page": page, "page_size": size, "next_page_url": following and str(following)}}

    def _shown(self, fax: Fax) -> dict[str, Any]:
        return {"sid": fax.sid, "account_sid": self.sid, "api_version": "v1", "from": fax.sender, "to": fax.to,
                "status": fax.status, "direction": "outbound", "media_url": fax.media_url, "media_sid": None,
                "num_pages": fax.num_pages, "quality": fax.quality, "duration": fax.duration, "price": None, "price_unit": "USD",
                "date_created": f"{fax.created:%Y-%m-%dT%H:%M:%SZ}", "date_updated": f"{fax.updated:%Y-%m-%dT%H:%M:%SZ}",
                "error_code": fax.error_code, "error_message": fax.error_message or None,
                "remote_station_id": fax.t30.get("remote_ident") or None,
                "links": {}, "url": f"/v1/Faxes/{fax.sid}"}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise Wrong(400, 20001, "A date must be like 2026-11-20T14:05:00Z") from e
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > len("1000000"):
        raise Wrong(400, 20001, f"{name} must be a whole number")
    return int(text) if name == "Page" else max(1, int(text))


def create_provider(settings: Settings, exchange: Exchange, sendgrid: SendGrid) -> Starlette:
    """The ASGI application; the caller starts and closes `exchange` and `sendgrid`."""
    async def health(_request: Request) -> Response:
        return JSONResponse({"ok": True, "real_calls": t30.library() is not None})

    return Starlette(routes=[Route("/healthz", health), Route("/v3/mail/send", sendgrid.send, methods=["POST"]),
                             *FaxApi(settings, exchange).routes()])
