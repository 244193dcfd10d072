"""Milliseconds from the supporter's click to the mail server's "taken", with the whole service running; and its memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import psutil

from outreach.services.submit import new_form_token
from tests.bench import campaign
from tests.bench.delivery import sink, taken
from tests.bench.places import Place, peak, wait_for
from tests.conftest import free_port

CLICKS = 60


def measure(here: Place, note: Callable[..., None]) -> None:
    """One click after another, each to a target of its own."""
    campaign.load(here.folder, "bench-click", targets=CLICKS)
    port = free_port()
    with sink(here) as mail:
        up = here.python("-m", "outreach", "up", OUTREACH_PORT=str(port), OUTREACH_EMAIL_TRANSPORT="smtp", OUTREACH_FAX_TRANSPORT="sandbox",
                         OUTREACH_PUBLIC_URL=f"http://127.0.0.1:{port}", OUTREACH_SMTP_URL=f"smtp://127.0.0.1:{mail}")
        try:
            wait_for(port)
            time.sleep(3)
            clicked = _click(port)
            time.sleep(2)
            seen = taken(mail)["seen"]
            waits = sorted((seen[a] - t) * 1000 for a, t in clicked.items())
            workers = [p for p in psutil.Process(up.pid).children(recursive=True) if "worker" in " ".join(p.cmdline())]
            note("click_to_accept_p50_ms", statistics.median(waits), None, "ms")
            note("click_to_accept_p95_ms", waits[int(len(waits) * 0.95)], None, "ms")
            note("worker_peak_memory", max(peak(p) for p in workers), None, "MB")
        finally:
            up.terminate()
            up.wait()


def _click(port: int) -> dict[str, float]:
    clicked = {}
    with httpx.Client(trust_env=False) as http:
        for i in range(CLICKS):
            form = {"token": new_form_token(), "name": f"Person {i}", "email": f"click{i}@supporter.example", "channel": "email",
                    "targets": f"t{i}", "consent": "on"}
            clicked[f"office{i}.bench-click@target.example"] = time.time()
            answer = http.post(f"http://127.0.0.1:{port}/c/bench-click", content=urlencode(form),
                               headers={"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"})
            assert answer.status_code == 303, answer.text[:500]
            time.sleep(0.2)
    return clicked
