"""The door of the desk: every room, every role."""

from __future__ import annotations

import re

import pytest

from outreach.domain.roles import RIGHTS, Role
from outreach.web.desk.guard import ROOMS, TABS, Room
from tests.web.desk.conftest import DeskSite


def place(room: Room, slug: str = "night-bus") -> str:
    return re.sub(r"{\w+(:\w+)?}", "x", room.path.replace("{slug}", slug))


def test_nobody_enters_without_a_session(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.stranger()
    assert ROOMS
    for room in ROOMS:
        answer = client.request(room.method, place(room), data={} if room.method == "POST" else None)
        if room.method == "GET":
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/o/login"), room.path
        else:
            assert answer.status_code == 401, room.path


def test_another_campaigns_people_are_told_that_there_is_no_such_page(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    desk_site.desk.campaign("day-bus")
    client = desk_site.signed_in(Role.OWNER, "day-bus")
    for room in ROOMS:
        if "{slug}" in room.path:
            answer = client.request(room.method, place(room), data={} if room.method == "POST" else None)
            assert answer.status_code == 404, room.path


@pytest.mark.parametrize(("database", "role"), [*(("sqlite", role) for role in Role), ("postgres", Role.OWNER)], indirect=["database"])
def test_each_role_enters_what_is_its_own_and_nothing_else(desk_site: DeskSite, role: Role) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(role)
    heads = {f"/o/c/{{slug}}/{tab.path}" for tab in TABS}
    for room in ROOMS:
        if "{slug}" not in room.path or room.right is None:
            continue
        if room.right not in RIGHTS[role]:
            answer = client.request(room.method, place(room), data={} if room.method == "POST" else None)
            assert answer.status_code == 403, (room.path, answer.status_code)
        elif room.method == "GET":
            answer = client.get(place(room))
            assert answer.status_code in (200, 303, 304, 404, 409), (room.path, answer.status_code)
            assert answer.status_code == 200 or room.path not in heads, room.path


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("role", list(Role))
def test_the_operators_rooms_are_the_operators(desk_site: DeskSite, role: Role) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(role)
    for room in ROOMS:
        if "{slug}" not in room.path and room.right is not None:
            answer = client.request(room.method, place(room), data={} if room.method == "POST" else None)
            assert answer.status_code in (403, 404), (room.path, answer.status_code)
