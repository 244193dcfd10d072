"""A mail server, a fax provider and a fax machine of our own, on loopback, for demo and tests. See docs/sandbox.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outreach.settings import Settings


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; prints `{"smtp_port": …, "http_port": …}` on one line once both listen."""
    from outreach.sandbox.server import run as serve  # a call's child process needs none of what this imports

    serve(settings)
