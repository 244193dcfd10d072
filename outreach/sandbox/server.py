"""The one process: mail server and HTTP provider on loopback, from the first port line to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import uvicorn

from outreach.errors import OutreachError
from outreach.sandbox import hooks, mail
from outreach.sandbox.exchange import Exchange
from outreach.sandbox.provider import create_provider
from outreach.sandbox.sendgrid import SendGrid
from outreach.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    smtp: int
    http: int


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the whole process stops at once, not its HTTP part alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def sandbox(settings: Settings, *, dsn_delay: float = 0.3) -> AsyncIterator[Ports]:
    """Serve while the block runs. Raises OutreachError when a port is taken."""
    logging.getLogger("mail").setLevel(logging.WARNING)  # aiosmtpd logs addresses
    handler = mail.MailBox(settings, dsn_delay=dsn_delay)
    async with hooks.client() as http:
        exchange, sendgrid = Exchange(settings, http), SendGrid(settings, http)
        try:
            listening = _listen(settings.http_sandbox_port)
            smtp = await mail.start(settings, handler, settings.smtp_sandbox_port)
        except OSError as e:
            raise OutreachError(f"the sandbox cannot listen: {e.strerror}; set OUTREACH_SMTP_SANDBOX_PORT and "
                                "OUTREACH_HTTP_SANDBOX_PORT to free ports, or to 0") from e
        config = uvicorn.Config(create_provider(settings, exchange, sendgrid), log_config=None, access_log=False, lifespan="off",
                                timeout_graceful_shutdown=2)
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        exchange.start()
        sendgrid.start()
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            yield Ports(smtp.sockets[0].getsockname()[1], listening.getsockname()[1])
        finally:
            smtp.close()
            handler.close()
            server.should_exit = True
            await exchange.close()
            await sendgrid.close()
            await serving
            listening.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.close()
        raise
    return listening


async def serve(settings: Settings, ready: Callable[[Ports], None]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with sandbox(settings) as ports:
        ready(ports)
        await stop.wait()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; prints `{"smtp_port": …, "http_port": …}` on one line once both listen."""
    def ready(ports: Ports) -> None:
        print(json.dumps({"smtp_port": ports.smtp, "http_port": ports.http}), flush=True)

    asyncio.run(serve(settings, ready))
