"""One sentence that outlives a redirect: what an action did, shown once on the page after it. Signed, so that no link can plant one."""

from __future__ import annotations

from typing import cast

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from outreach.settings import get_settings
from outreach.tokens import key

COOKIE = "outreach_said"
LIFE = 60
"""Seconds."""
MOST = 600
"""Characters: a cookie has little room."""


def _seal() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key("flash"), salt="said")


def say(answer: Response, text: str, *, bad: bool = False) -> None:
    """Have the next page of the desk say it."""
    answer.set_cookie(COOKIE, _seal().dumps([text[:MOST], bad]), max_age=LIFE, path="/o/", httponly=True, samesite="lax",
                      secure=get_settings().public_url.startswith("https:"))


def read(request: Request) -> tuple[str, bool] | None:
    """What is to be said on this page, and whether it is bad news."""
    try:
        text, bad = cast(tuple[str, bool], _seal().loads(request.cookies.get(COOKIE, ""), max_age=LIFE))
    except (BadSignature, ValueError, TypeError):
        return None
    return str(text), bool(bad)


def clear(answer: Response) -> None:
    """It has been said."""
    answer.delete_cookie(COOKIE, path="/o/")
