"""What every call goes through: a token first, then, for writes with an `Idempotency-Key`, the answer that was given before."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Header
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outreach.services import once
from outreach.web.api import problems
from outreach.web.api.caller import identify

SAFE = frozenset({"GET", "HEAD"})
_KEY = r"^[\x21-\x7e]{1,80}$"
REPLAYED = "idempotency-replayed"
UNKEPT = frozenset({401, 429, 503})
"""Answers that another try may change."""

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=_KEY, max_length=80, description="A name of your own for "
                                              "this write. Sent again with the same name within a day, it is answered as the first time "
                                              "and not done again.", examples=["6f1c2a4e-signup-1041"])]


def declared(idempotency_key: IdempotencyKey = None) -> None:
    """A dependency that puts the header into the description, and refuses one that is no key."""


class Guarded(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                request.state.caller = await run_in_threadpool(identify, request)
                key = request.headers.get("idempotency-key", "")
                if request.method in SAFE or not re.match(_KEY, key):
                    return await inner(request)
                return await _once(request, key, inner)
            except problems.KNOWN as e:
                return problems.answer(e)

        return handle


async def _once(request: Request, key: str, inner: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    who, digest = request.state.caller.token_id, _digest(request, await request.body())
    before = await run_in_threadpool(once.begin, who, key, digest, now=request.state.caller.now)
    if before is not None:
        kind = problems.MEDIA_TYPE if before.status >= 400 else "application/json"
        return Response(before.body or None, before.status, {REPLAYED: "true", "cache-control": "no-store"}, kind)
    try:
        try:
            answer = await inner(request)
        except problems.KNOWN as e:
            answer = problems.answer(e)
    except Exception:
        await run_in_threadpool(once.drop, who, key)
        raise
    if answer.status_code in UNKEPT:
        await run_in_threadpool(once.drop, who, key)
    else:
        await run_in_threadpool(once.finish, who, key, once.Answer(answer.status_code, bytes(answer.body).decode()))
    return answer


def _digest(request: Request, body: bytes) -> str:
    """Equal for equal requests: method, address, what they depend on, body."""
    parts = json.dumps([request.method, request.url.path, request.url.query, request.headers.get("if-match", "")])
    return hashlib.sha256(parts.encode() + b"\n" + body).hexdigest()
