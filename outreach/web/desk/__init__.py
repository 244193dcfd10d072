"""The organizer's desk: one module a room, all entered through `guard`."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

from outreach.web.desk import guard

MODULES = ("signin", "account", "people", "live", "levers", "steering", "actions", "letters", "moderation", "editor", "circulars",
           "money", "alerts", "exports", "operator", "logs", "terms")


def make_router() -> APIRouter:
    """All rooms as routes."""
    router = APIRouter()
    for name in MODULES:
        if find_spec(f"outreach.web.desk.{name}"):
            module = import_module(f"outreach.web.desk.{name}")
            if open_routes := getattr(module, "open_routes", None):  # what is reached without a session: signing in
                open_routes(router)
    for room in guard.ROOMS:
        router.add_route(room.path, guard.endpoint(room), methods=[room.method])
    return router
