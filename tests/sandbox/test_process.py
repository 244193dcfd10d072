"""`python -m outreach.sandbox` as a process: its port line, its clean stop, and what a restart remembers."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from outreach.sandbox import hooks, store
from outreach.settings import Settings
from tests.sandbox.conftest import Service, dense_pages, save_tiff, until


@contextmanager
def process(settings: Settings, **environment: str) -> Iterator[subprocess.Popen[str]]:
    ours = {k: v for k, v in os.environ.items() if not k.startswith("OUTREACH_")}
    ours |= {"OUTREACH_DATA_DIR": str(settings.data_dir), "OUTREACH_PUBLIC_URL": settings.public_url, "OUTREACH_DEMO": "true",
             **environment}
    with subprocess.Popen([sys.executable, "-m", "outreach.sandbox"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=ours) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def ports(running: subprocess.Popen[str]) -> dict[str, int]:
    assert running.stdout is not None
    return dict(json.loads(running.stdout.readline()))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_ports_and_stops_cleanly(settings: Settings, stop: signal.Signals) -> None:
    with process(settings) as running:
        told = ports(running)
        with smtplib.SMTP("127.0.0.1", told["smtp_port"], timeout=90) as client:
            client.ehlo()
            health = httpx.get(f"http://127.0.0.1:{told['http_port']}/healthz", trust_env=False).json()
            assert health["ok"] is True
            running.send_signal(stop)
            assert running.wait(120) == 0
        out, err = running.communicate()
        assert out == ""
        assert err == ""


def test_it_listens_on_loopback_only(settings: Settings) -> None:
    with process(settings) as running:
        told = ports(running)
        listening = {c.laddr for c in psutil.Process(running.pid).net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {("127.0.0.1", told["smtp_port"]), ("127.0.0.1", told["http_port"])}


@pytest.mark.parametrize("name", ["OUTREACH_SMTP_SANDBOX_PORT", "OUTREACH_HTTP_SANDBOX_PORT"])
def test_a_taken_port_is_named_and_told_without_a_traceback(settings: Settings, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, process(settings, **{name: str(taken.getsockname()[1])}) as running:
        _, err = running.communicate(timeout=90)
        assert running.returncode == 1
        assert "OUTREACH_SMTP_SANDBOX_PORT" in err
        assert "Traceback" not in err


@pytest.mark.needs("spandsp")
def test_a_stop_loses_no_report_and_a_restart_takes_up_faxes_and_words(settings: Settings, service: Service, tmp_path: Path) -> None:
    service.media["/1.tiff"] = save_tiff(dense_pages(1), tmp_path / "1.tiff").read_bytes()
    form = {"From": "+14165550100", "MediaUrl": service.url + "/1.tiff", "StatusCallback": service.url + "/hooks/twilio?a=1"}
    auth = hooks.sandbox_credentials(settings)
    with process(settings) as running:
        told = ports(running)
        with smtplib.SMTP("127.0.0.1", told["smtp_port"], timeout=90) as client:
            client.sendmail("letters@ours.example", ["bounce@office.example"], b"Subject: x\r\n\r\nx\r\n")
        faxes = f"http://127.0.0.1:{told['http_port']}/v1/Faxes"
        done = httpx.post(faxes, data={**form, "To": "+14165550133"}, auth=auth, trust_env=False).json()["sid"]
        until(lambda: service.statuses(done)[-1:] == ["delivered"])
        cut = httpx.post(faxes, data={**form, "To": "+14165550177"}, auth=auth, trust_env=False).json()["sid"]
        until(lambda: service.statuses(cut)[-1:] == ["sending"])
        running.terminate()
        assert running.wait(120) == 0
    assert len(list((settings.data_dir / "sandbox" / "bounces" / "new").iterdir())) == 1
    assert store.fax(settings, cut).status == "sending"
    with process(settings) as running:
        faxes = f"http://127.0.0.1:{ports(running)['http_port']}/v1/Faxes"
        until(lambda: service.statuses(cut)[-1:] == ["delivered"])
        assert httpx.get(f"{faxes}/{done}", auth=auth, trust_env=False).json()["status"] == "delivered"
        assert service.statuses(done) == ["processing", "sending", "delivered"], "told once"
    assert sorted(k.status for k in store.outbox(settings) if k.kind == "fax") == ["delivered", "delivered"]
