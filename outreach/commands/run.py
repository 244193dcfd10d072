"""`outreach up|demo|web|worker|ticker|migrate`."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Annotated

import typer

from outreach import migrate as migrations
from outreach import supervisor
from outreach.errors import OutreachError
from outreach.queue import QueueName
from outreach.settings import Settings, get_settings

DEMO = {
    "OUTREACH_DEMO": "true", "OUTREACH_OPERATOR_NAME": "Outreach demo", "OUTREACH_OPERATOR_ADDRESS": "1 Sample Street, Toronto",
    "OUTREACH_OPERATOR_CONTACT": "operator@outreach.example", "OUTREACH_OPERATOR_PHONE": "+14165550198",
    "OUTREACH_FAX_FROM": "+14165550199", "OUTREACH_MAIL_FROM": "letters@outreach.example", "OUTREACH_LOG_LEVEL": "warning",
}


def up() -> None:
    """Run everything: web, workers, ticker, and an embedded Valkey unless OUTREACH_REDIS_URL is set. Migrates first."""
    settings = get_settings()
    _port_is_free(settings)
    migrations.upgrade()
    supervisor.run(settings, ready=lambda: typer.echo(f"ready: {settings.public_url}"))


def demo() -> None:
    """Run everything with sample campaigns and a sandbox: nothing leaves this machine."""
    for name, value in DEMO.items():
        os.environ.setdefault(name, value)
    port = os.environ.get("OUTREACH_PORT", "8000")
    os.environ.setdefault("OUTREACH_PUBLIC_URL", f"http://127.0.0.1:{port}")
    get_settings.cache_clear()
    settings = get_settings()
    from outreach import logs
    from outreach.services import samples

    logs.configure(settings.log_level)
    _port_is_free(settings)
    migrations.upgrade()
    slugs = samples.load()
    supervisor.run(settings, ready=lambda: typer.echo(samples.welcome(slugs)))


def web() -> None:
    """Only the web server."""
    import uvicorn

    settings = get_settings()
    supervisor.die_with_parent()
    uvicorn.run("outreach.app:create_app", factory=True, host=settings.host, port=settings.port, workers=settings.web_processes,
                log_config=None, proxy_headers=True, forwarded_allow_ips=settings.trusted_proxies, server_header=False,
                timeout_graceful_shutdown=5, access_log=settings.log_level == "debug")


def worker(queue: Annotated[QueueName, typer.Argument(help="Which queue to work on; one a process.")],
           burst: Annotated[bool, typer.Option(help="End when the queue is empty.")] = False) -> None:
    """One worker for one queue: email, fax or notice."""
    supervisor.die_with_parent()
    from workers import run

    run.run(queue, burst=burst)


def ticker() -> None:
    """The ticker: has due lanes drained each second, sweeps every ten. One is enough; more do no harm."""
    supervisor.die_with_parent()
    from workers import ticker as tickers

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    tickers.run(stopping=stop.is_set)


def migrate() -> None:
    """Bring the database to this version's schema."""
    migrations.upgrade()
    typer.echo("the database is up to date")


def _port_is_free(settings: Settings) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((settings.host, settings.port))
        except OSError as e:
            raise OutreachError(f"port {settings.port} is taken ({e.strerror}); set OUTREACH_PORT to another one") from e
