"""The container files agree with the service: its commands, its settings, its queues."""

from __future__ import annotations

import re
from typing import Any

import pytest

from outreach.queue import QueueName
from outreach.settings import Settings
from tests.house.compose import load
from tests.house.source import ROOT

COMPOSE = load(ROOT / "docker-compose.yml")
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("outreach:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_everything_that_the_service_needs_is_there() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "valkey", "migrate", "web", "ticker"} | {f"worker-{q}" for q in QueueName}


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_container_runs_a_command_that_there_is(name: str) -> None:
    from typer.main import get_command

    from outreach.cli import app

    words = list(OURS[name]["command"])
    command: Any = get_command(app)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)  # refuses options and arguments that it does not have


@pytest.mark.parametrize("name", sorted(OURS))
def test_only_settings_that_exist_are_set(name: str) -> None:
    known = {f"OUTREACH_{field.upper()}{end}" for field in Settings.model_fields for end in ("", "_FILE")}
    assert set(OURS[name]["environment"]) <= known
    assert {v for v in re.findall(r"OUTREACH_[A-Z_]+", DOCKERFILE)} <= known


def test_secrets_come_from_files_and_none_has_a_value_here() -> None:
    secrets = set(COMPOSE["secrets"])
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= secrets
        for key, value in service["environment"].items() if "environment" in service else ():
            if re.search(r"PASSWORD|SECRET|TOKEN|API_KEY|DATABASE_URL|SMTP_URL", key):
                assert key.endswith("_FILE") and str(value).removeprefix("/run/secrets/") in service["secrets"], key
    assert all(given["file"].startswith("./secrets/") for given in COMPOSE["secrets"].values())
    assert "secrets/" in (ROOT / ".gitignore").read_text()


def test_nothing_but_the_web_server_is_reachable_and_that_only_from_the_machine_itself() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}


def test_a_proxy_on_the_machine_or_in_the_network_is_believed_and_can_be_named_anew() -> None:
    import ipaddress

    source = (ROOT / "docker-compose.yml").read_text()
    subnet = re.search(r"- subnet: (\S+)", source)
    trusted = re.search(r"OUTREACH_TRUSTED_PROXIES: \$\{OUTREACH_TRUSTED_PROXIES:-([^}]+)\}", source)
    assert subnet and trusted
    assert trusted[1].split(",") == ["127.0.0.1", subnet[1]]
    assert ipaddress.ip_network(subnet[1]).is_private and ipaddress.ip_network(subnet[1]).prefixlen >= 24
    assert all("OUTREACH_TRUSTED_PROXIES" in service["environment"] for service in OURS.values())


def test_what_must_wait_waits() -> None:
    for name, service in OURS.items():
        needed = service["depends_on"]
        for other, how in needed.items():
            if how["condition"] == "service_healthy":
                assert "test" in COMPOSE["services"][other]["healthcheck"]
        if name != "migrate":
            assert needed["migrate"]["condition"] == "service_completed_successfully"
    assert OURS["migrate"]["restart"] == "no"


def test_every_volume_is_declared() -> None:
    used = {v.split(":")[0] for service in COMPOSE["services"].values() for v in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_image_runs_as_nobody_s_root_and_pins_what_it_installs() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER (?!root)\w+", last, re.MULTILINE)
    assert "--require-hashes -r requirements/runtime.txt" in DOCKERFILE
    assert "HEALTHCHECK" in last and "/healthz" in last


def test_the_image_copies_only_what_the_ignore_file_lets_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert source in let_through and (ROOT / source).exists(), source
