"""Submissions and pages per second, against bare FastAPI + SQLAlchemy on the same database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from urllib.parse import urlencode

import psutil

from outreach.services.submit import new_form_token
from tests.bench import campaign, load
from tests.bench.places import Place, peak

Note = Callable[..., None]
POSTS, PAGES, ROUNDS = 2000, 3000, 3


def measure(here: Place, note: Note) -> None:
    """The better of three rounds each, floor and service in turns."""
    campaign.load(here.folder, "bench-web", targets=1)
    bare_posts, posts, bare_reads, pages = [], [], [], []
    for round_ in range(ROUNDS):
        with here.serving("tests.bench.bare:create_app") as port:
            body = urlencode({"name": "Person One", "email": "person@supporter.example", "city": "Toronto"})
            bare_posts.append(load.fire(port, [load.post("/", port, body)] * POSTS))
            bare_reads.append(load.fire(port, [load.get("/", port)] * PAGES))
        with here.serving("outreach.app:create_app") as port:
            requests = [load.post("/c/bench-web", port, _form(round_, i)) for i in range(POSTS)]
            posts.append(load.fire(port, requests))
            pages.append(load.fire(port, [load.get("/c/bench-web", port)] * PAGES))
            memory = _peak_of(port)
    note("submit_vs_bare_insert", max(posts), max(bare_posts), "posts/s", "aim ≥ 0.6")
    note("page_vs_bare_read", max(pages), max(bare_reads), "pages/s", "aim ≥ 0.5")
    note("web_peak_memory", memory, None, "MB")


def _form(round_: int, i: int) -> str:
    return urlencode({"token": new_form_token(), "name": f"Person {round_} {i}", "email": f"person{round_}.{i}@supporter.example",
                      "city": "Toronto", "postal_code": "M5V 2T6", "channel": "email", "targets": "t0", "consent": "on"})


def _peak_of(port: int) -> float:
    for process in psutil.process_iter(["cmdline"]):
        if f"port={port}" in " ".join(process.info["cmdline"] or []):
            return peak(process)
    raise subprocess.SubprocessError("the web server is gone")
