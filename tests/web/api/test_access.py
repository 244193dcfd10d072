"""Who gets in: no operation without a token, none of another campaign's, none without its right."""

from __future__ import annotations

import re
from typing import Any

import pytest

from outreach.domain.roles import RIGHTS, Right, Role
from outreach.models import AuditEntry
from outreach.web.api import create_api
from tests.web.api.conftest import Api, Program

METHODS = ("get", "put", "post", "patch", "delete")
NEEDS = {"list_members": Right.MANAGE, "approve_together": Right.MODERATE,
         "publish_campaign": Right.EDIT, "get_definition": Right.EDIT, "submit": Right.SUBMIT,
         "put_definition": Right.EDIT, "list_letters": Right.READ, "get_letter": Right.READ,
         "list_held": Right.MODERATE, "get_decision": Right.MODERATE, "approve_held": Right.MODERATE, "reject_held": Right.MODERATE,
         "undo_decision": Right.MODERATE,
         "export_rows": Right.EXPORT, "export_faxes": Right.EXPORT,
         "list_webhooks": Right.MANAGE, "add_webhook": Right.MANAGE, "remove_webhook": Right.MANAGE,
         "list_audit": Right.MANAGE}
SEEN = {"get_budget", "list_alerts", "get_campaign", "list_targets", "get_statistics", "get_forecast", "get_report"}
"""What the least right opens; everything else is a lever."""
PARTS = {"target": "commissioner", "kind": "letters", "channel": "email", "what": "everything", "address": "1"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation that there is."""
    paths = create_api().openapi()["paths"]
    return [(m, path, paths[path][m]) for path in paths for m in METHODS if m in paths[path]]


def send(client: Program, method: str, path: str, described: dict[str, Any], slug: str = "night-bus") -> Any:
    """The operation with a body that is as its description wants it."""
    url = re.sub(r"{(\w+)}", lambda m: slug if m[1] == "slug" else PARTS.get(m[1], "0" * 26), path)
    content = described.get("requestBody", {}).get("content", {})
    if "application/toml" in content:
        return client.request(method, url, content="x = 1", headers={"content-type": "application/toml", "if-match": "*"})
    return client.request(method, url, json=_body(described["operationId"]) if content else None)


def _body(operation: str) -> dict[str, Any]:
    return {"stop_campaign": {"outcome": "won", "message": "Thank you."}, "resolve_letter": {"outcome": "sent"},
            "publish_campaign": {"agreed": True},
            "submit": {"name": "Jane Doe", "email": "jane@people.example", "channel": "email", "consent_version": "1"},
            "reject_held": {"note": "No."}, "cancel_letter": {"why": "x"}, "cancel_waiting": {"why": "x"},
            "place_letter": {"where": "back"}, "resolve_unknown": {"outcome": "sent"}, "approve_together": {"only": "changed"},
            "set_deadline": {"deadline": "2031-01-24T17:00:00-05:00"}, "set_addresses": {"values": ["desk@transit.example"]},
            "set_budget": {"cap": "50"},
            "add_webhook": {"url": "https://hooks.example/", "events": ["letter.failed"]}}.get(operation, {})


def test_nothing_opens_without_a_token(api: Api) -> None:
    api.desk.campaign()
    for method, path, described in operations():
        answer = send(api.client("or_wrong"), method, path, described)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path
        assert answer.headers["www-authenticate"].startswith("Bearer"), path
    for token in ("", "x" * 5000, "or_ 1"):
        assert api.client(token).get("/campaigns").status_code == 401


def test_another_campaigns_people_find_nothing(api: Api) -> None:
    api.desk.campaign()
    api.desk.campaign("day-bus")
    token = api.desk.write()
    letter = api.desk.letter(token).id
    strangers = [api.program(Role.OWNER, "day-bus"), api.program(None),
                 api.client(api.token(operator=True, only="day-bus"))]
    for client in strangers:
        before = len(api.desk.rows(AuditEntry))
        for method, path, described in operations():
            if "{slug}" in path:
                answer = send(client, method, path, described)
                assert answer.status_code == 404, (method, path, answer.text)
                assert "Keep the night bus" not in answer.text
        assert len(api.desk.rows(AuditEntry)) == before
        assert client.get(f"/campaigns/day-bus/letters/{letter}").status_code == 404  # nor by way of one's own
        assert "night-bus" not in [c["slug"] for c in client.get("/campaigns").json()["items"]]


@pytest.mark.parametrize("role", list(Role))
def test_each_role_does_what_is_its_own_and_nothing_else(api: Api, role: Role) -> None:
    api.desk.campaign()
    client = api.program(role)
    for method, path, described in operations():
        if "{slug}" not in path:
            continue
        operation = described["operationId"]
        right = NEEDS.get(operation, Right.SEE if operation in SEEN else Right.STEER)
        answer = send(client, method, path, described)
        refused = answer.status_code == 403 and answer.json()["type"] == "urn:outreach:problem:missing-right"
        assert refused is (right not in RIGHTS[role]), (role, operation, answer.status_code)
        assert answer.status_code not in (401, 500), (role, operation, answer.text)


def test_the_service_is_its_operator_s(api: Api) -> None:
    api.desk.campaign()
    operator, others = api.program(operator=True), [
        api.program(Role.OWNER), api.client(api.token(operator=True, only="night-bus")),
        api.client(api.token(operator=True, scopes=set(Right) - {Right.OPERATE})), api.program(None)]
    before = len(api.desk.rows(AuditEntry))
    for method, path, described in operations():
        if "{slug}" in path or path == "/campaigns":
            continue
        for client in others:
            answer = send(client, method, path, described)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:outreach:problem:missing-right"), path
        assert len(api.desk.rows(AuditEntry)) == before
    for method, path, described in operations():
        if "{slug}" not in path and path != "/campaigns":
            assert send(operator, method, path, described).status_code in (200, 204, 404, 409), path


def test_scopes_cut_what_an_owner_may(api: Api) -> None:
    api.desk.campaign()
    client = api.program(scopes={Right.SEE})
    assert client.get("/campaigns/night-bus").json()["rights"] == ["see"]
    assert client.get("/campaigns/night-bus/statistics").status_code == 200
    assert client.get("/campaigns/night-bus/letters").status_code == 403
    assert client.post("/campaigns/night-bus/pause").status_code == 403
    assert api.desk.rows(AuditEntry)[-1].what != "campaign: pause"


def test_what_an_operator_sees_is_everything(api: Api) -> None:
    api.desk.campaign()
    api.desk.campaign("day-bus")
    assert [c["slug"] for c in api.program(operator=True).get("/campaigns").json()["items"]] == ["night-bus", "day-bus"]
    assert [c["slug"] for c in api.program(operator=True, only="day-bus").get("/campaigns").json()["items"]] == ["day-bus"]
