"""A running sandbox on loopback, and a web server that stands for the service: it serves media and takes webhooks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont

from outreach.sandbox import hooks, server
from outreach.settings import Settings


def until(true: Callable[[], object], seconds: float = 120) -> object:
    """Poll until it is true; returns what it gave. Fails when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.02)
    return value


@dataclass
class Hook:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Service:
    """Stands for our service: `media` by path, webhooks in `hooks`, answers to the next webhooks in `answers`."""

    url: str = ""
    media: dict[str, bytes] = field(default_factory=dict)
    hooks: list[Hook] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)

    def statuses(self, sid: str) -> list[str]:
        return [h.form["FaxStatus"] for h in self.hooks if h.form.get("FaxSid") == sid]


@pytest.fixture
def service() -> Iterator[Service]:
    known = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (to := known.redirects.get(self.path)) is not None:
                self.send_response(302)
                self.send_header("Location", to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = known.media.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = known.answers.pop(0) if known.answers else 204
            if status < 500:
                known.hooks.append(Hook(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        known.url = f"http://127.0.0.1:{web.server_port}"
        thread = threading.Thread(target=web.serve_forever, args=(0.05,))
        thread.start()
        yield known
        web.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path, service: Service) -> Settings:
    return Settings(data_dir=tmp_path, public_url=service.url, demo=True, _env_file=None)  # type: ignore[call-arg]


@dataclass
class Running:
    """The sandbox's ports, and a client that knows its fax credentials."""

    settings: Settings
    ports: server.Ports
    api: httpx.Client

    def send_fax(self, to: str, media: str, callback: str = "", **more: str) -> str:
        form = {"To": to, "From": "+14165550100", "MediaUrl": media, "StatusCallback": callback, "Ttl": "30", **more}
        answer = self.api.post("/v1/Faxes", data=form)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["sid"])

    def fax(self, sid: str) -> dict[str, object]:
        return dict(self.api.get(f"/v1/Faxes/{sid}").json())

    def final(self, sid: str) -> dict[str, object]:
        final = ("delivered", "failed", "busy", "no-answer", "canceled")
        until(lambda: self.fax(sid)["status"] in final)
        return self.fax(sid)


def _serve(settings: Settings, stop: threading.Event, told: list[server.Ports | BaseException], ready: threading.Event) -> None:
    async def main() -> None:
        async with server.sandbox(settings, dsn_delay=0.05) as ports:
            told.append(ports)
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    try:
        asyncio.run(main())
    except BaseException as e:
        told.append(e)
        ready.set()


@pytest.fixture
def sandbox(settings: Settings) -> Iterator[Running]:
    stop, ready, told = threading.Event(), threading.Event(), list[server.Ports | BaseException]()
    thread = threading.Thread(target=_serve, args=(settings, stop, told, ready))
    thread.start()
    assert ready.wait(120)
    assert isinstance(told[0], server.Ports), told[0]
    auth = hooks.sandbox_credentials(settings)
    with httpx.Client(base_url=f"http://127.0.0.1:{told[0].http}", auth=auth, trust_env=False, timeout=90) as api:
        yield Running(settings, told[0], api)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def dense_pages(count: int) -> list[Image.Image]:
    """Pages full of small print, each different, at a fax's size."""
    font, pages = ImageFont.load_default(26), []
    for number in range(count):
        page = Image.new("1", (1728, 2156), 1)
        pen = ImageDraw.Draw(page)
        for line in range(62):
            pen.text((90, 50 + line * 34), f"{number + 1}.{line:02} " + "Please keep the night bus; people who work late need it. " * 2,
                     font=font, fill=0)
        pages.append(page)
    return pages


def save_tiff(pages: list[Image.Image], path: Path) -> Path:
    pages[0].save(path, format="TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=(204, 196),
                  tiffinfo={278: pages[0].height})
    return path
