"""The web application: routers, the guard around them, and error pages. Routes parse, call one service, render."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from outreach import __version__, logs
from outreach.errors import Conflict, Forged, Malformed, NotAllowed, NotFound, OutreachError
from outreach.settings import get_settings
from outreach.web import api, desk, health, letters_out, media, privacy, sandbox, static_files, status, supporter, webhooks
from outreach.web.middleware import Guard
from outreach.web.pages import environment, problem

log = logs.get()
ROUTERS = (supporter.router, letters_out.router, status.router, webhooks.router, media.router, sandbox.router,
           privacy.router, health.router, static_files.router)
STATUS = {NotFound: 404, Conflict: 409, NotAllowed: 403, Forged: 401, Malformed: 400}


def create_app() -> FastAPI:
    """The application, for `uvicorn outreach.app:create_app --factory`. Needs the database to be migrated, nothing else to run."""
    settings = get_settings()
    logs.configure(settings.log_level)
    supporter.forget()
    environment.cache_clear()
    app = FastAPI(title="Outreach", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, middleware=[
        Middleware(Guard, public_url=settings.public_url, refusal=_refusal, observe=health.observe),
        Middleware(GZipMiddleware, minimum_size=800, compresslevel=6),
    ])
    for router in (*ROUTERS, desk.make_router()):
        app.include_router(router)
    api.mount_on(app)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(OutreachError, _our_problem)
    app.add_exception_handler(OperationalError, _database_away)
    app.add_exception_handler(Exception, _defect)
    return app


async def _refusal(scope: Scope, receive: Receive, send: Send) -> None:
    """What another site's page made a browser send: nothing was done."""
    if scope["path"].startswith(f"{api.ROOT}/"):
        await api.refusal(scope, receive, send)
        return
    answer = await run_in_threadpool(problem, Request(scope), 403)
    await answer(scope, receive, send)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    return await run_in_threadpool(problem, request, error.status_code, headers=error.headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    return await run_in_threadpool(problem, request, 422)


async def _our_problem(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    return await run_in_threadpool(problem, request, status)


async def _database_away(request: Request, error: Exception) -> Response:
    """The database is gone, locked for too long, or its disk is full: not the visitor's doing, and likely over soon."""
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    return await run_in_threadpool(problem, request, 503, headers={"retry-after": "60"})


async def _defect(request: Request, error: Exception) -> Response:
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    return problem(request, 500)
