"""Whatever is sent, as the description says or not, is answered as the description says: Schemathesis, with a token of every role."""

from __future__ import annotations

from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from outreach.domain.roles import Role
from outreach.services.forms import CONSENT_VERSION
from tests.web.api.conftest import ROOT, Api

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
PROFILE = {"deadline": None, "database": None, "derandomize": True, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}
KNOWN = {"slug": "night-bus", "target": "commissioner"}
"""Path parameters that lead somewhere: guessed ones would find nothing and try little."""
WHO = ("stranger", *Role, "operator")
LAST = ("close_campaign", "stop_campaign")
"""What ends a campaign comes after everything else."""


def serialized(_context: Any, value: Any) -> bytes:
    """A campaign file from whatever text was made up."""
    return value.encode(errors="replace") if isinstance(value, str) else str(value).encode(errors="replace")


schemathesis.serializer("application/toml")(serialized)


def token_of(api: Api, who: Role | str) -> str:
    return api.token(operator=True) if who == "operator" else api.token(None) if who == "stranger" else api.token(Role(who))


def aim(case: Any, letter: str) -> None:
    """Have a case that is as described meet something real."""
    case.path_parameters.update({k: v for k, v in {**KNOWN, "letter": letter}.items() if k in case.path_parameters})
    if isinstance(case.body, dict) and "consent_version" in case.body:
        case.body |= {"consent_version": CONSENT_VERSION, "targets": ["commissioner"], "name": "Jane Doe", "email": "j@people.example"}
    if case.method == "PUT":
        case.headers["If-Match"] = "*"


def test_every_answer_is_as_described(api: Api) -> None:
    """A campaign's own people of every role, the operator, and somebody who has no part in it."""
    api.desk.campaign()
    letter = api.desk.letter(api.desk.signed()).id
    schema = schemathesis.openapi.from_asgi(f"{ROOT}/openapi.json", api.app)
    small = api.desk.database.dialect.name != "sqlite"  # what differs between databases differs for whoever gets furthest
    tokens = {who: token_of(api, who) for who in (WHO if not small else (Role.VIEWER, Role.OWNER))}
    seen: Counter[tuple[str, int]] = Counter()
    operations = sorted((found.ok() for found in schema.get_all_operations()), key=lambda o: o.definition.raw["operationId"] in LAST)
    for operation in operations:
        attack(operation, GenerationMode.POSITIVE, 2, tokens, letter, seen)
        # What is refused before anybody's rights are looked at is alike for all.
        attack(operation, GenerationMode.NEGATIVE, 3, {Role.OWNER: tokens[Role.OWNER]}, letter, seen)
    assert seen["owner", 200] > 20
    assert seen["owner", 201] > 0
    assert seen["viewer", 403] > 20


def attack(operation: Any, mode: GenerationMode, examples: int, tokens: dict[Any, str], letter: str,
           seen: Counter[tuple[str, int]]) -> None:
    """Send one operation's made-up cases with each of these tokens."""
    @settings(max_examples=examples, **PROFILE)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            aim(case, letter)
        for who, token in tokens.items():
            answer = case.call_and_validate(checks=CHECKS, headers={"authorization": f"Bearer {token}"})
            seen[who, answer.status_code] += 1
            assert who != "stranger" or answer.status_code >= 400 or "{slug}" not in case.path

    answers()
