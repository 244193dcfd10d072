"""`outreach up`: everything in one command; what dies is started again, and what is stopped is gone."""

from __future__ import annotations

import html
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import Service, eventually, running
from tests.services.helpers import mail_of
from tests.transports.servers import SmtpServer
from tests.transports.servers import running as serving

CAMPAIGN = """
slug = "night-bus"
title = "Keep the night bus"
summary = "s"
story = "s"
[letter]
subject = "Keep the night bus"
body = "Dear {{ target.salutation }}, please. {{ supporter.name }}"
[[target]]
id = "commissioner"
name = "Transit Commissioner"
source_url = "https://transit.example/contact"
hours = "always"
email = ["commissioner@transit.example"]
"""


def children(service: Service) -> dict[str, psutil.Process]:
    """The service's processes by what they do: web, ticker, worker email … and valkey."""
    found: dict[str, psutil.Process] = {}
    for child in psutil.Process(service.process.pid).children():
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if "valkey" in " ".join(words[:1]):
            found["valkey"] = child
        elif "outreach" in words:
            found[" ".join(words[words.index("outreach") + 1:])] = child
    return found


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpServer]:
    with serving(SmtpServer()) as server:
        yield server


def write(service: Service, n: int) -> str:
    """Send the page's form as a plain client does; returns the status page's path."""
    page = service.http.get(f"{service.url}/c/night-bus").text
    token = re.search(r'name="token"[^>]*value="([^"]+)"', page) or re.search(r'value="([^"]+)"[^>]*name="token"', page)
    assert token, page[:2000]
    answer = service.http.post(f"{service.url}/c/night-bus", data={
        "token": html.unescape(token[1]), "name": f"Jane Doe {n}", "email": f"jane{n}@people.example", "city": "Toronto",
        "channel": "email", "targets": "commissioner", "consent": "yes", "language": "en"})
    assert answer.status_code == 303, answer.text[:3000]
    return str(answer.headers["location"])


def state(service: Service, path: str) -> str:
    return str(service.http.get(f"{service.url}{path}.json").json()["letters"][0]["state"])


def test_what_dies_is_started_again_and_letters_still_go_and_a_stop_leaves_nothing(tmp_path: Path, sink: SmtpServer) -> None:
    with running(tmp_path, OUTREACH_EMAIL_TRANSPORT="smtp", OUTREACH_SMTP_URL=sink.url, OUTREACH_CONFIRM="none",
                 OUTREACH_MAX_EMAIL_RATE="none", OUTREACH_FAX_TRANSPORT="twilio") as service:
        (tmp_path / "bus.toml").write_text(CAMPAIGN)
        service.cli("campaign", "import", str(tmp_path / "bus.toml"))
        service.cli("campaign", "publish", "night-bus")
        first = write(service, 1)
        eventually(lambda: state(service, first) == "sent", seconds=240)

        before = eventually(lambda: (c := children(service)).keys() >= {"web", "ticker", "valkey", "worker email"} and c)
        for name in ("worker email", "ticker", "valkey", "web"):
            os.kill(before[name].pid, signal.SIGKILL)

        def back() -> bool:
            now = children(service)
            return all(n in now and now[n].pid != before[n].pid for n in ("worker email", "ticker", "valkey", "web"))

        eventually(back, seconds=240)
        eventually(lambda: _answers(service), seconds=240)
        second = write(service, 2)
        eventually(lambda: state(service, second) == "sent", seconds=240)
        assert sorted(mail_of(m)["Message-ID"] for m in sink.mails) == sorted({mail_of(m)["Message-ID"] for m in sink.mails})
        assert len(sink.mails) == 2

        family = psutil.Process(service.process.pid).children(recursive=True)
        assert len(family) >= 5
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(120)
        assert time.monotonic() - began < 15
        assert service.process.returncode == 0
        assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def _answers(service: Service) -> bool:
    import httpx

    try:
        return service.http.get(f"{service.url}/readyz", timeout=90).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_second_one_over_the_same_data_says_so_and_leaves_the_first_alone(tmp_path: Path, sink: SmtpServer) -> None:
    import subprocess
    import sys

    from tests.conftest import free_port

    with running(tmp_path, OUTREACH_EMAIL_TRANSPORT="smtp", OUTREACH_SMTP_URL=sink.url, OUTREACH_FAX_TRANSPORT="twilio",
                 OUTREACH_WORKERS_FAX="0", OUTREACH_WORKERS_NOTICE="0") as service:
        again = subprocess.run([sys.executable, "-m", "outreach", "up"], env={**service.env, "OUTREACH_PORT": str(free_port())},
                               capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
        assert again.returncode == 1
        assert "another" in again.stderr + again.stdout
        taken = subprocess.run([sys.executable, "-m", "outreach", "up"], env=service.env, capture_output=True, text=True, timeout=120,
                               check=False, cwd=tmp_path)
        assert taken.returncode == 1
        assert "OUTREACH_PORT" in taken.stderr + taken.stdout
        assert _answers(service)
        # Killed outright, it takes its children with it: none goes on sending behind its back.
        family = psutil.Process(service.process.pid).children(recursive=True)
        service.process.kill()
        service.process.wait()
        ours = [p for p in family if "valkey" not in p.name()]
        eventually(lambda: not [p for p in ours if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], seconds=240)
    # Its Valkey has outlived it: the next one takes over from that.
    with running(tmp_path, OUTREACH_EMAIL_TRANSPORT="smtp", OUTREACH_SMTP_URL=sink.url, OUTREACH_FAX_TRANSPORT="twilio",
                 OUTREACH_WORKERS_FAX="0", OUTREACH_WORKERS_NOTICE="0") as service:
        assert _answers(service)
        eventually(lambda: not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], seconds=240)
