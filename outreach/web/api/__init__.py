"""`/api/v1`: JSON over the same services as the desk, with its description at /api/v1/openapi.json (docs/api.md)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from outreach import __version__
from outreach.web.api import (
    audit,
    bundles,
    campaigns,
    changes,
    definitions,
    exports,
    figures,
    letters,
    moderation,
    money,
    operator,
    people,
    problems,
    submissions,
    targets,
    webhooks,
)

ROUTERS = (campaigns.router, definitions.router, targets.router, figures.router, submissions.router, letters.router, moderation.router,
           exports.router, webhooks.router, audit.router, changes.router, bundles.router, money.router, people.router, operator.router)
ABOUT = """Letters to decision makers, by program. Make a token at the desk (/o/account) and send it as `Authorization: Bearer or_…`.

What a token may do is what its owner may do in a campaign, cut to the token's scopes. A campaign in which they have no part is not
found. Errors are problem details (RFC 9457). Writes may carry an `Idempotency-Key`."""


class _Described(FastAPI):
    """An application whose description knows what an error looks like."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            made = super().openapi()
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            found = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= {**found.pop("$defs", {}), "Problem": found}
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return self.openapi_schema or {}


ROOT = "/api/v1"


def mount_on(app: FastAPI) -> None:
    """Put the API at /api/v1 of an application, with every address that begins so: also one that has a line break in it."""
    mount = Mount(ROOT, create_api(), name="api")
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    app.router.routes.append(mount)


async def refusal(scope: Scope, receive: Receive, send: Send) -> None:
    """What another site's page made a browser send here: nothing was done."""
    await problems.respond(403, "not-allowed", "Another website's page sent this; call the API from a server.")(scope, receive, send)


def create_api() -> FastAPI:
    """The application of it."""
    token = HTTPBearer(scheme_name="token", description="A token of the desk: or_…", auto_error=False)
    api = _Described(title="Outreach", version=__version__, description=ABOUT, docs_url=None, redoc_url=None, redirect_slashes=False,
                     dependencies=[Depends(token)])
    for router in ROUTERS:
        api.include_router(router)
    for kind in problems.KNOWN:
        api.add_exception_handler(kind, problems.handle)
    api.add_exception_handler(Exception, problems.defect)
    return api
